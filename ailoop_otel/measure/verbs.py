"""The verbs of the measuring kit: measure, compare, report."""

# No `from __future__ import annotations`: typer reads the annotations.

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

if TYPE_CHECKING:
    from typer import Typer

WRONG, INTERRUPTED = 2, 130
EXTRA: Final = "pip install 'ailoop-otel[measure]'"


def register(app: "Typer") -> None:
    """Add the verbs to the program; each imports what it needs when it runs."""
    _measure(app)
    _compare(app)
    _interleave(app)
    _report(app)


def ended(action: Callable[[], int]) -> int:
    """Run a verb and give each of its ends its exit code."""
    from ailoop_otel.measure.refusal import Refusal

    try:
        return action()
    except ImportError as error:
        library = (error.name or "").partition(".")[0]
        if library in ("", __package__.partition(".")[0]):
            raise
        return _complain(f"this needs {library}: {EXTRA}")
    except Refusal as refusal:
        return _complain(str(refusal))
    except KeyboardInterrupt:
        return INTERRUPTED


def _measure(app: "Typer") -> None:
    import typer

    @app.command("measure")
    def measure_verb(
        scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A name of --list, or a TOML file.")] = "",
        url: Annotated[str, typer.Option(metavar="URL", help="The server's WebSocket.")] = "ws://127.0.0.1:8000/ws",
        start: Annotated[str, typer.Option(metavar="COMMAND", help="Start the server so, and stop it again.")] = "",
        pid: Annotated[int | None, typer.Option(metavar="N", help="The server's process, to read its memory.")] = None,
        out: Annotated[str, typer.Option(metavar="DIR", help="Where report and raw data go.")] = "",
        settings: Annotated[
            list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; `measure --list` has all.")
        ] = None,
        message: Annotated[
            list[str] | None, typer.Option(metavar="TEXT", help="Send this instead of the scenario's messages.")
        ] = None,
        processes: Annotated[int | None, typer.Option(metavar="N", help="Load processes.")] = None,
        dialect: Annotated[str, typer.Option(metavar="NAME", help="Whose requests it takes: docs/dialects.md.")] = "",
        baseline: Annotated[str, typer.Option(metavar="RUN", help="Judge it by this earlier run.")] = "",
        save_baseline: Annotated[str, typer.Option(metavar="FILE", help="Keep it as a baseline, one file.")] = "",
        targets: Annotated[str, typer.Option(metavar="FILE", help="Judge it by these targets.")] = "",
        tolerance: Annotated[str, typer.Option(metavar="SHARE", help='How much worse it may be, "10 %".')] = "",
        jaeger: Annotated[str, typer.Option(metavar="URL", help="Jaeger's address, for links to traces.")] = "",
        no_instrument: Annotated[
            bool, typer.Option("--no-instrument", help="Start the server without instrumentation.")
        ] = False,
        strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 also where the data cannot tell.")] = False,
        listing: Annotated[bool, typer.Option("--list", help="Name scenarios and settings.")] = False,
    ) -> None:
        """Put a load on a server and report what it did; exit code 1 if it misses its targets or its baseline."""

        def put() -> int:
            from rich.console import Console

            from ailoop_otel.measure import command

            if listing:
                return command.listing(Console())
            wish = command.Wish(
                scenario, url, start, pid, out, processes, dialect, tuple(settings or ()), tuple(message or ()),
                baseline, save_baseline, targets, tolerance, jaeger, instrument=not no_instrument, strict=strict,
            )  # fmt: skip
            return command.measure(wish, Console())

        raise typer.Exit(ended(put))


def _report(app: "Typer") -> None:
    import typer

    @app.command("report")
    def report_verb(
        places: Annotated[
            list[Path] | None,
            typer.Argument(metavar="DIR", help="Telemetry (AILOOP_OTEL_DIRECTORY otherwise), or a run; old CSV files."),
        ] = None,
        out: Annotated[str, typer.Option(metavar="DIR", help="Write report and raw data there.")] = "",
        legacy: Annotated[bool, typer.Option("--legacy", help="Read the CSV files of AILoop's old tests.")] = False,
        client: Annotated[
            str, typer.Option(metavar="RUN", help="A run directory: join its messages with this telemetry.")
        ] = "",
        scenario: Annotated[str, typer.Option(help="What to call the run; targets may depend on it.")] = "",
        since: Annotated[str, typer.Option(help='Only what ended in the last "30 min", "8 h".')] = "",
        targets: Annotated[str, typer.Option(metavar="FILE", help="Judge it by these targets.")] = "",
        baseline: Annotated[str, typer.Option(metavar="RUN", help="Judge it by this earlier run.")] = "",
        tolerance: Annotated[str, typer.Option(metavar="SHARE", help='How much worse it may be, "10 %".')] = "",
        strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 also where the data cannot tell.")] = False,
        jaeger: Annotated[str, typer.Option(metavar="URL", help="Jaeger's address, for links to traces.")] = "",
    ) -> None:
        """Report on recorded telemetry with the figures of a load test, or on a run again."""

        def look_back() -> int:
            from rich.console import Console

            from ailoop_otel.measure import retrospect

            wish = retrospect.Wish(
                places or (), legacy=legacy, client=client, scenario=scenario, since=since, jaeger=jaeger, out=out,
                targets=targets, baseline=baseline, tolerance=tolerance, strict=strict,
            )  # fmt: skip
            return retrospect.look_back(wish, Console())

        raise typer.Exit(ended(look_back))


def _compare(app: "Typer") -> None:
    import typer

    @app.command("compare")
    def compare_verb(
        before: Annotated[str, typer.Argument(metavar="A", help="A run directory, or a saved baseline.")],
        after: Annotated[str, typer.Argument(metavar="B", help="The run that is held against it.")],
        tolerance: Annotated[str, typer.Option(metavar="SHARE", help='How much worse B may be, "10 %".')] = "",
        targets: Annotated[str, typer.Option(metavar="FILE", help="Judge B by these targets too.")] = "",
        strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 also where the data cannot tell.")] = False,
        json: Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")] = False,
    ) -> None:
        """Say whether a run is worse than another; exit code 1 if it surely is."""

        def hold() -> int:
            from rich.console import Console

            from ailoop_otel.measure import compare

            wish = compare.Wish(before, after, targets, tolerance, strict=strict, json=json)
            return compare.compare(wish, Console(highlight=False))

        raise typer.Exit(ended(hold))


def _interleave(app: "Typer") -> None:
    import typer

    @app.command("ab")
    def ab_verb(
        scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="As for `measure`; each round runs it.")],
        start: Annotated[
            str, typer.Option(metavar="COMMAND", help="One server: A is it as it is, B is it instrumented.")
        ] = "",
        url: Annotated[str, typer.Option(metavar="URL", help="Its WebSocket.")] = "ws://127.0.0.1:8000/ws",
        start_a: Annotated[str, typer.Option("--start-a", metavar="COMMAND", help="Starts A for each round.")] = "",
        start_b: Annotated[str, typer.Option("--start-b", metavar="COMMAND", help="Starts B for each round.")] = "",
        url_a: Annotated[str, typer.Option("--url-a", metavar="URL", help="A's WebSocket; --url otherwise.")] = "",
        url_b: Annotated[str, typer.Option("--url-b", metavar="URL", help="B's WebSocket; --url otherwise.")] = "",
        rounds: Annotated[int, typer.Option(metavar="N", help="How many runs of each.")] = 10,
        out: Annotated[str, typer.Option(metavar="DIR", help="Where all runs go.")] = "",
        settings: Annotated[
            list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; `measure --list` has all.")
        ] = None,
        message: Annotated[
            list[str] | None, typer.Option(metavar="TEXT", help="Send this instead of the scenario's messages.")
        ] = None,
        tolerance: Annotated[str, typer.Option(metavar="SHARE", help='How much worse B may be, "10 %".')] = "",
        targets: Annotated[str, typer.Option(metavar="FILE", help="Tolerances by metric.")] = "",
        strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 also where the data cannot tell.")] = False,
        json: Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")] = False,
    ) -> None:
        """Measure two servers in turns on this machine and say whether B is worse than A."""

        def hold() -> int:
            from rich.console import Console

            from ailoop_otel.measure.interleaving import Side, Wish, interleave

            a = Side("A", url_a or url, start_a or start)
            b = Side("B", url_b or url, start_b or start, instrument=bool(start and not start_b))
            wish = Wish(
                scenario, a, b, rounds, out, tuple(settings or ()), tuple(message or ()), targets, tolerance,
                strict=strict, json=json,
            )  # fmt: skip
            return interleave(wish, Console(highlight=False))

        raise typer.Exit(ended(hold))


def _complain(message: str) -> int:
    sys.stderr.write(f"ailoop-otel: {message}\n")
    return WRONG
