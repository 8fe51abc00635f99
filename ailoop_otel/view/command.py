"""From the words of the command line to what is shown."""

from __future__ import annotations

import time

from ailoop_otel.view.filters import Filters, Refusal, Wish, seconds
from ailoop_otel.view.follow import follow
from ailoop_otel.view.terminal import terminal
from ailoop_otel.view.traces import show


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
    console = terminal()
    if following:
        follow(wish, console)
    else:
        show(wish, console)
