"""The demo: conversations with the stand-in server, and what was recorded of them."""
