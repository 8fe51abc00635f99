"""The command line of traces, explain and top: arguments and options."""

# No `from __future__ import annotations`: typer reads the annotations.

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from ailoop_otel.exit_codes import OK, exit_code
from ailoop_otel.settings import UsageError

Html = Annotated[str, typer.Option(metavar="FILE", help="Write what is shown as one HTML file.")]
Jaeger = Annotated[str, typer.Option(metavar="URL", help="Read from a Jaeger's query API instead of files.")]
Directory = Annotated[str, typer.Argument(metavar="DIR", help="Where the files are; AILOOP_OTEL_DIRECTORY otherwise.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for scripts.")]
Session = Annotated[str, typer.Option(help="Only sessions whose id begins so.")]
Since = Annotated[str, typer.Option(help="Only the last 90s, 10m, 1h30m, 2d, or since 2025-11-28T10:00.")]
Svg = Annotated[str, typer.Option(metavar="FILE", help="Write what is shown as one SVG picture.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""

    @app.command("traces")
    def traces_verb(
        directory: Directory = "",
        session: Session = "",
        outcome: Annotated[str, typer.Option(help="Only exchanges that ended so: ok, ai_timeout, open, ...")] = "",
        errors: Annotated[bool, typer.Option("--errors", help="Only what did not end well, or hangs.")] = False,
        agent: Annotated[str, typer.Option(metavar="NAME", help="Only exchanges that this agent worked on.")] = "",
        model: Annotated[
            str, typer.Option(metavar="NAME", help="Only those that asked a model with this in its name.")
        ] = "",
        min_duration: Annotated[
            float, typer.Option(metavar="S", min=0, help="Only those that took so many seconds.")
        ] = 0,
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
    ) -> None:
        """Show the sessions, exchanges and AI timeouts that the embedded default has written."""
        from ailoop_otel.since import parse_since
        from ailoop_otel.view.follow import follow
        from ailoop_otel.view.options import Filters, TracesOptions
        from ailoop_otel.view.pages import page
        from ailoop_otel.view.traces import show

        def shown() -> int:
            now = time.time_ns()
            limits = parse_since(since, now), parse_since(until, now, "--until")
            filters = Filters(session, outcome, errors, limits[0], limit, limits[1], min_duration, agent, model)
            if following and jaeger:
                raise UsageError("--follow reads files as they grow: leave --jaeger out")
            with _source(directory, jaeger, *limits) as place, page(html, svg) as console:
                options = TracesOptions(place, filters, trace, waterfall, json, depth, only)
                (follow if following else show)(options, console)
            return OK

        raise typer.Exit(exit_code(shown))

    @app.command("explain")
    def explain_verb(
        traces: Annotated[
            list[str] | None, typer.Argument(metavar="[TRACE [TRACE]]", help="First digits of an id.")
        ] = None,
        directory: Annotated[str, typer.Option("--dir", metavar="DIR", help="Where the files are.")] = "",
        since: Since = "",
        json: Json = False,
        html: Html = "",
        svg: Svg = "",
        jaeger: Jaeger = "",
    ) -> None:
        """Say why an exchange took longer than the usual ones of its agent and model; or than a second one."""
        from ailoop_otel.since import parse_since
        from ailoop_otel.view.explain import explain
        from ailoop_otel.view.options import TracesOptions
        from ailoop_otel.view.pages import page

        def shown() -> int:
            begin = parse_since(since, time.time_ns())
            with _source(directory, jaeger, begin, 0) as place, page(html, svg) as console:
                explain(TracesOptions(place).place, traces or [], console, since=begin, json=json)
            return OK

        raise typer.Exit(exit_code(shown))

    @app.command("top")
    def top_verb(
        directory: Directory = "",
        prometheus: Annotated[str, typer.Option(metavar="URL", help="Ask a Prometheus instead of files.")] = "",
        once: Annotated[bool, typer.Option("--once", help="Print it once.")] = False,
        json: Json = False,
    ) -> None:
        """Show the server as it is now, until Ctrl-C: what is open and how long it has been silent, and its numbers."""
        from ailoop_otel.terminal import terminal
        from ailoop_otel.view.measures import Directory as Files
        from ailoop_otel.view.measures import Prometheus
        from ailoop_otel.view.options import TracesOptions
        from ailoop_otel.view.top import top
        from ailoop_otel.view.trace_files import existing

        def shown() -> int:
            place = TracesOptions(directory).place
            if not prometheus:
                existing(place)
            top(Prometheus(prometheus) if prometheus else Files(place), terminal(), once=once, json=json)
            return OK

        raise typer.Exit(exit_code(shown))


@contextmanager
def _source(directory: str, jaeger: str, since: int, until: int) -> Iterator[str]:
    """Where the files are: a directory, or what a Jaeger has."""
    if not jaeger:
        yield directory
        return
    from ailoop_otel.view.jaeger import fetched

    with fetched(jaeger, since, until) as place:
        yield str(place)
