"""What is followed while it lasts: exchanges, sessions, and how long the AI has been silent."""
