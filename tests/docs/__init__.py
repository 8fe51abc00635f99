"""The documentation: its site, its command blocks, its pictures, and the recording that they show."""
