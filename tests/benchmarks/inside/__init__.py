"""What runs inside a measured process: nothing here needs more than Python itself, contenders aside."""
