"""The commands measure, report, compare and ab."""

from typing import Final

URL: Final = "ws://127.0.0.1:8000/ws"
"""Where a server is looked for if no other address is given."""
DIRECTORY: Final = "ailoop-measurements"
"""Where run directories go if no other is given."""
