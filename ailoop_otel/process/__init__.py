"""The server's process: memory, CPU time, descriptors, garbage collections, and how late its event loop runs."""
