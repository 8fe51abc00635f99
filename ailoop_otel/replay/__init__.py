"""Sends recorded telemetry into a collector, each export once."""

from __future__ import annotations


class ReplayStopped(Exception):
    """Nothing more can be sent for now; the text is one line that names the reason, `mend` the remedy."""

    def __init__(self, reason: str, mend: str = "") -> None:
        super().__init__(reason)
        self.mend = mend
