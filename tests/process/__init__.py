"""What the process uses, and how its event loop fares."""
