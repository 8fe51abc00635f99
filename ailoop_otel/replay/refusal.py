"""Why nothing is sent, or nothing more."""

from __future__ import annotations


class Refusal(Exception):
    """What was asked for makes no sense; its text is one line that names the mend."""


class Halt(Exception):
    """Nothing more can be sent for now; its text is one line that says why."""
