"""The command line of traces, explain, top, replay and doctor: arguments and options.

A command imports its implementation when it runs, so that the others need not wait for it.
"""

# No `from __future__ import annotations`: typer reads the annotations.

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME

from ailoop_otel.exit_codes import OK, PROBLEM, as_command, fail, go_on_while_read
from ailoop_otel.settings import UsageError
from ailoop_otel.terminal import terminal

_WIDTH: Final = 140
# Rich's picture takes its font from a server; a file to send to others takes that of its reader.
_FONT: Final = re.compile(r"@font-face \{.*?\}", re.DOTALL)

Html = Annotated[str, typer.Option(metavar="FILE", help="Write what is shown as one HTML file.")]
Jaeger = Annotated[str, typer.Option(metavar="URL", help="Read from a Jaeger's query API instead of files.")]
Folder = Annotated[str, typer.Argument(metavar="DIR", help="Where the files are; AILOOP_OTEL_DIRECTORY otherwise.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for scripts.")]
Session = Annotated[str, typer.Option(help="Only sessions whose id begins so.")]
Since = Annotated[str, typer.Option(help="Only the last 90s, 10m, 1h30m, 2d, or since 2025-11-28T10:00.")]
Svg = Annotated[str, typer.Option(metavar="FILE", help="Write what is shown as one SVG picture.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("traces")(as_command(_traces))
    app.command("explain")(as_command(_explain))
    app.command("top")(as_command(_top))
    app.command("replay")(as_command(_replay))
    app.command("doctor")(as_command(_doctor))


def _traces(
    directory: Folder = "",
    session: Session = "",
    outcome: Annotated[str, typer.Option(help="Only exchanges that ended so: ok, ai_timeout, open, lost, ...")] = "",
    errors: Annotated[bool, typer.Option("--errors", help="Only what did not end well, or hangs.")] = False,
    agent: Annotated[str, typer.Option(metavar="NAME", help="Only exchanges that this agent worked on.")] = "",
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Only those that asked a model with this in its name.")
    ] = "",
    min_duration: Annotated[float, typer.Option(metavar="S", min=0, help="Only those that took so many seconds.")] = 0,
    since: Since = "",
    until: Annotated[str, typer.Option(help="Only what began before then; as --since.")] = "",
    limit: Annotated[int, typer.Option(help="The most rows of a table; the newest are shown.")] = 50,
    trace: Annotated[str, typer.Option(help="Only this trace, by the first digits of its id.")] = "",
    depth: Annotated[int, typer.Option(min=0, help="So many levels of a trace below its root; 0 for all.")] = 0,
    only: Annotated[str, typer.Option(metavar="NAME", help="Only spans of a trace with this in their name.")] = "",
    waterfall: Annotated[int, typer.Option(min=0, help="How many of the worst exchanges to draw.")] = 1,
    json: Json = False,
    html: Html = "",
    svg: Svg = "",
    jaeger: Jaeger = "",
    following: Annotated[bool, typer.Option("--follow", "-f", help="Print what comes, until Ctrl-C.")] = False,
) -> int:
    """Show the sessions, exchanges and AI timeouts that the embedded default has written."""
    from ailoop_otel.since import parse_since
    from ailoop_otel.view.follow import follow
    from ailoop_otel.view.options import Filters, TracesOptions
    from ailoop_otel.view.traces import show

    now = time.time_ns()
    limits = parse_since(since, now), parse_since(until, now, "--until")
    filters = Filters(session, outcome, errors, limits[0], limit, limits[1], min_duration, agent, model)
    if following and jaeger:
        raise UsageError("--follow reads files as they grow: leave --jaeger out")
    if following and (html or svg):
        raise UsageError("--follow has no end that a page could show: leave --html and --svg out")
    with _source(directory, jaeger, *limits) as place, _page(html, svg, json=json) as console:
        options = TracesOptions(place, filters, trace, waterfall, json, depth, only)
        if following:
            follow(options, console, wait=_wait)
        else:
            show(options, console)
    return OK


def _explain(
    traces: Annotated[
        list[str] | None, typer.Argument(metavar="[TRACE [TRACE]]", help="First digits of an id.")
    ] = None,
    directory: Annotated[str, typer.Option("--dir", metavar="DIR", help="Where the files are.")] = "",
    since: Since = "",
    json: Json = False,
    html: Html = "",
    svg: Svg = "",
    jaeger: Jaeger = "",
) -> int:
    """Say why an exchange took longer than the usual ones of its agent and model; or than a second one."""
    from ailoop_otel.since import parse_since
    from ailoop_otel.view.explain import explain
    from ailoop_otel.view.options import TracesOptions

    begin = parse_since(since, time.time_ns())
    with _source(directory, jaeger, begin, 0) as place, _page(html, svg, json=json) as console:
        explain(TracesOptions(place).place, traces or [], console, since=begin, json=json)
    return OK


def _top(
    directory: Folder = "",
    prometheus: Annotated[str, typer.Option(metavar="URL", help="Ask a Prometheus instead of files.")] = "",
    once: Annotated[bool, typer.Option("--once", help="Print it once.")] = False,
    json: Json = False,
) -> int:
    """Show the server as it is now, until Ctrl-C: what is open and how long it has been silent, and its numbers."""
    from ailoop_otel.view.options import TracesOptions
    from ailoop_otel.view.top import Directory, Prometheus, top
    from ailoop_otel.view.trace_files import existing

    place = TracesOptions(directory).place
    if not prometheus:
        existing(place)
    source = Prometheus(prometheus) if prometheus else Directory(place)
    top(source, terminal(), once=once, json=json)
    return OK


def _replay(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE...]", help="Files or directories; AILOOP_OTEL_DIRECTORY otherwise."),
    ] = None,
    endpoint: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="An OTLP/HTTP receiver; OTEL_EXPORTER_OTLP_ENDPOINT otherwise, or else http://127.0.0.1:4318.",
        ),
    ] = "",
    signals: Annotated[
        str,
        typer.Option(
            help="Some of traces,logs,metrics. Jaeger takes traces only, and what is scraped, "
            "as Prometheus does, has no place for metrics of the past."
        ),
    ] = "traces",
    again: Annotated[bool, typer.Option("--again", help="Send also what was acknowledged before.")] = False,
    state: Annotated[
        str, typer.Option(metavar="FILE", help="Where to note what is acknowledged; beside the recording otherwise.")
    ] = "",
    patience: Annotated[
        float, typer.Option(metavar="S", help="Seconds to try one line while the collector does not take it.")
    ] = 60.0,
    insecure: Annotated[bool, typer.Option("--insecure", help="Do not check the collector's certificate.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what is written, and through outages, until Ctrl-C.")
    ] = False,
    shift: Annotated[str, typer.Option(metavar="now", help="Send it as if it began now.")] = "",
    pace: Annotated[str, typer.Option(metavar="2x", help="With --shift: so many times as fast.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object, for scripts.")] = False,
) -> int:
    """Send recorded telemetry into a collector; what it has acknowledged before is not sent again.

    OTEL_EXPORTER_OTLP_HEADERS and OTEL_EXPORTER_OTLP_CERTIFICATE hold for it too. Exit code 0: all is there.
    """
    from ailoop_otel.replay.command import replay
    from ailoop_otel.replay.shifted import pace_of

    speed = pace_of(shift, pace)
    return replay(
        files or [], endpoint, signals, state, patience, speed, again=again, insecure=insecure, follow=follow, json=json
    )


def _doctor(
    checkout: Annotated[str, typer.Option(metavar="DIR", help="Where the server is started; here otherwise.")] = "",
    jaeger: Annotated[str, typer.Option(metavar="URL", help="Jaeger's address, to look for the probe span.")] = "",
    timeout: Annotated[float, typer.Option(metavar="S", help="Seconds to wait for each hop.")] = 5.0,
    json: Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")] = False,
) -> int:
    """Say what would keep the telemetry of the server in this environment from being seen."""
    try:
        from ailoop_otel.doctor import examine
    except ValueError as fault:
        # The API reads this variable on import. A server with such a value runs without OpenTelemetry.
        return fail(f"OTEL_PROPAGATORS={os.environ.get('OTEL_PROPAGATORS')!r} cannot be used: {fault}", PROBLEM)
    from ailoop_otel.view import json_output

    report = examine(checkout, jaeger, timeout)
    if json:
        json_output.write(terminal(), report.document())
    else:
        report.show(terminal())
    return PROBLEM if report.problems else OK


def _wait(seconds: float) -> None:
    """Wait for what comes next, while somebody reads it."""
    go_on_while_read()
    time.sleep(seconds)


@contextmanager
def _source(directory: str, jaeger: str, since: int, until: int) -> Iterator[str]:
    """Where the files are: a directory, or what a Jaeger has."""
    if not jaeger:
        yield directory
        return
    from ailoop_otel.view.queries import fetched

    with fetched(jaeger, since, until) as place:
        yield str(place)


@contextmanager
def _page(html: str, svg: str, *, json: bool) -> Iterator[Console]:
    """A console on the standard output; what was shown is written to the files that are named, without it.

    Raises UsageError for a file that cannot be written, and with `json`, which shows nothing.
    """
    if json and (html or svg):
        raise UsageError("--json prints no page to write: leave it out, or --html and --svg")
    if not html and not svg:
        yield terminal()
        return
    console = terminal()
    console.record = True
    if not console.is_terminal:
        console.width = _WIDTH
    yield console
    if html:
        _write(html, console.export_html(theme=DEFAULT_TERMINAL_THEME, clear=False, inline_styles=True))
    if svg:
        _write(svg, _FONT.sub("", console.export_svg(title="ailoop-otel", theme=SVG_EXPORT_THEME, clear=False)))


def _write(name: str, content: str) -> None:
    try:
        Path(name).write_text(content, encoding="utf-8", errors="replace")
    except OSError as fault:
        raise UsageError(f"{name} cannot be written: {fault.strerror}") from None
