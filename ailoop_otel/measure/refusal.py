"""What a verb of the measuring kit says instead of doing something else than it was asked for."""

from __future__ import annotations


class Refusal(Exception):
    """What was asked for cannot be done; its text is one line that names the mend. The exit code is 2."""
