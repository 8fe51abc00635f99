"""The terminal that is printed on, whatever its encoding."""

from __future__ import annotations

import codecs
import sys
from typing import Final, NoReturn

from rich.console import Console

_PLAIN: Final = {"–": "-", "…": "~", "−": "-"}


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Leave it to the command line what it means that nobody reads any more."""
        raise BrokenPipeError


def terminal() -> Console:
    """The standard output; a sign that its encoding lacks becomes a plain one."""
    codecs.register_error("plain", _plain)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="plain")
    return _Console(highlight=False)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding cannot as one plain sign each, so that columns stay where they are."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end
