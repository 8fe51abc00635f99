"""Load tests: scenarios, load processes, and the campaign that runs one scenario against one server."""
