"""What is wrapped, and how it is unwrapped again."""
