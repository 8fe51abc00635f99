"""From the words of the command line to what is shown."""

from __future__ import annotations

import codecs
import sys
import time
from typing import Final, NoReturn

from rich.console import Console

from ailoop_otel.view.filters import Filters, Refusal, Wish, seconds
from ailoop_otel.view.follow import follow
from ailoop_otel.view.traces import show

_PLAIN: Final = {"–": "-", "…": "~"}


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Leave it to the command line what it means that nobody reads any more."""
        raise BrokenPipeError


def traces(
    directory: str,
    session: str,
    outcome: str,
    since: str,
    trace: str,
    *,
    errors: bool,
    limit: int,
    waterfalls: int,
    json: bool,
    following: bool,
) -> None:
    """Show a directory's telemetry, once or as it comes; raises Refusal where that makes no sense."""
    if following and trace:
        raise Refusal("--follow shows what comes, --trace what has come: take one of them")
    begin = time.time_ns() - int(seconds(since) * 1e9) if since else 0
    filters = Filters(session=session, outcome=outcome, errors=errors, since=begin, limit=limit)
    wish = Wish(directory=directory, filters=filters, trace=trace, waterfalls=waterfalls, json=json)
    # A sign that the terminal's encoding lacks must not end the command.
    codecs.register_error("plain", _plain)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="plain")
    console = _Console(highlight=False)
    if following:
        follow(wish, console)
    else:
        show(wish, console)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding cannot as one plain sign each, so that columns stay where they are."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end
