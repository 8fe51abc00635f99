"""The command line of measure, compare, ab and report: a class for each, whose fields are its arguments and options.

A field that is not given is empty. A command imports its implementation when it runs, so that the other commands need
none of the extra's libraries.
"""

# No `from __future__ import annotations`: typer reads the annotations.

import importlib
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ailoop_otel.exit_codes import exit_code
from ailoop_otel.measure import Refusal
from ailoop_otel.measure.commands import URL

Texts = list[str] | None
Url = Annotated[str, typer.Option(metavar="URL", help="The server's WebSocket.")]
Settings = Annotated[Texts, typer.Option("--set", metavar="KEY=VALUE", help="A setting; `measure --list` has all.")]
Messages = Annotated[
    Texts, typer.Option("--message", metavar="TEXT", help="Send this instead of the scenario's messages.")
]
Out = Annotated[str, typer.Option(metavar="DIR", help="Where report and raw data go.")]
Since = Annotated[str, typer.Option(help="Only the last 90s, 10m, 1h30m, 2d of telemetry, or since 2025-11-28T10:00.")]
Targets = Annotated[str, typer.Option(metavar="FILE", help="Judge it by these targets; `default` is a file too.")]
Baseline = Annotated[str, typer.Option(metavar="RUN", help="Judge it by this earlier run, or runs.")]
Tolerance = Annotated[str, typer.Option(metavar="SHARE", help='How much worse it may be, "10 %".')]
ToleranceOfB = Annotated[str, typer.Option(metavar="SHARE", help='How much worse B may be, "10 %".')]
Strict = Annotated[bool, typer.Option("--strict", help="Exit code 1 also where the data cannot tell.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")]
Jaeger = Annotated[str, typer.Option(metavar="URL", help="Jaeger's address, for links to traces.")]


@dataclass(frozen=True)
class MeasureOptions:
    """Put a load on a server and report what it did; exit code 1 if it misses its targets or its baseline."""

    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A name of --list, or a TOML file.")] = ""
    url: Url = URL
    start: Annotated[str, typer.Option(metavar="COMMAND", help="Start the server so, and stop it again.")] = ""
    pid: Annotated[int | None, typer.Option(metavar="N", help="The server's process, to read its memory.")] = None
    out: Out = ""
    settings: Settings = None
    messages: Messages = None
    messages_file: Annotated[
        str, typer.Option("--messages", metavar="FILE", help="Send these: JSON Lines or CSV with text, name, weight.")
    ] = ""
    rates: Annotated[str, typer.Option(metavar="1,2,4", help="A load curve: messages/s of each level.")] = ""
    sessions: Annotated[str, typer.Option(metavar="5,10", help="A load curve: sessions of each level.")] = ""
    seconds: Annotated[float | None, typer.Option(metavar="S", help="How long each level lasts.")] = None
    from_telemetry: Annotated[str, typer.Option(metavar="DIR", help="Send again what a server recorded.")] = ""
    since: Since = ""
    pace: Annotated[str, typer.Option(metavar="2x", help="With --from-telemetry: so many times as fast.")] = ""
    processes: Annotated[int | None, typer.Option(metavar="N", help="Load processes.")] = None
    dialect: Annotated[str, typer.Option(metavar="NAME", help="Whose requests it takes: docs/dialects.md.")] = ""
    baseline: Baseline = ""
    save_baseline: Annotated[str, typer.Option(metavar="FILE", help="Keep it as a baseline, one file.")] = ""
    targets: Targets = ""
    tolerance: Tolerance = ""
    runs: Annotated[int, typer.Option(metavar="N", min=1, help="Run it so often: how do runs differ?")] = 1
    jaeger: Jaeger = ""
    otlp: Annotated[
        str, typer.Option(metavar="URL", help="Send its figures to this collector while it runs (OTLP/HTTP).")
    ] = ""
    no_instrument: Annotated[
        bool, typer.Option("--no-instrument", help="Start the server without instrumentation.")
    ] = False
    strict: Strict = False
    listing: Annotated[bool, typer.Option("--list", help="Name scenarios and settings.")] = False


@dataclass(frozen=True)
class CompareOptions:
    """Say whether a run is worse than another; exit code 1 if it surely is."""

    before: Annotated[str, typer.Argument(metavar="A", help="A run directory, or a saved baseline.")]
    after: Annotated[str, typer.Argument(metavar="B", help="The run that is held against it.")]
    tolerance: ToleranceOfB = ""
    targets: Annotated[str, typer.Option(metavar="FILE", help="Judge B by these targets too.")] = ""
    strict: Strict = False
    json: Json = False


@dataclass(frozen=True)
class AbOptions:
    """Measure two servers in turns on this machine and say whether B is worse than A."""

    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="As for `measure`; each round runs it.")]
    start: Annotated[
        str, typer.Option(metavar="COMMAND", help="One server: A is it as it is, B is it instrumented.")
    ] = ""
    url: Url = URL
    start_a: Annotated[str, typer.Option(metavar="COMMAND", help="Starts A for each round.")] = ""
    start_b: Annotated[str, typer.Option(metavar="COMMAND", help="Starts B for each round.")] = ""
    url_a: Annotated[str, typer.Option(metavar="URL", help="A's WebSocket; --url otherwise.")] = ""
    url_b: Annotated[str, typer.Option(metavar="URL", help="B's WebSocket; --url otherwise.")] = ""
    rounds: Annotated[int, typer.Option(metavar="N", help="How many runs of each.")] = 10
    out: Annotated[str, typer.Option(metavar="DIR", help="Where all runs go.")] = ""
    settings: Settings = None
    messages: Messages = None
    tolerance: ToleranceOfB = ""
    targets: Annotated[str, typer.Option(metavar="FILE", help="Tolerances by metric.")] = ""
    strict: Strict = False
    json: Json = False


@dataclass(frozen=True)
class ReportOptions:
    """Report on recorded telemetry with the figures of a load test, or on a run again."""

    places: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIR", help="Telemetry (AILOOP_OTEL_DIRECTORY otherwise), or a run; old CSV files."),
    ] = None
    out: Out = ""
    legacy: Annotated[bool, typer.Option("--legacy", help="Read the CSV files of AILoop's old tests.")] = False
    client: Annotated[
        str, typer.Option(metavar="RUN", help="A run directory: join its messages with this telemetry.")
    ] = ""
    scenario: Annotated[str, typer.Option(help="What to call the run; targets may depend on it.")] = ""
    since: Since = ""
    targets: Targets = ""
    baseline: Baseline = ""
    tolerance: Tolerance = ""
    strict: Strict = False
    jaeger: Jaeger = ""


def check_tolerance(options: MeasureOptions | ReportOptions) -> None:
    """Raise Refusal for a tolerance that nothing is compared with."""
    if options.tolerance and not options.baseline:
        raise Refusal("--tolerance is how much worse than a baseline is allowed: give --baseline, or leave it out")


# Each command is the module of its name: `run` takes the options and the console, and returns the exit code.
_COMMANDS: Final = {"measure": MeasureOptions, "compare": CompareOptions, "ab": AbOptions, "report": ReportOptions}


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for name, options in _COMMANDS.items():
        _add(app, name, options)


def _add(app: typer.Typer, name: str, options: Any) -> None:
    def command(**given: Any) -> None:
        def run() -> int:
            from ailoop_otel.terminal import terminal

            module = importlib.import_module(f"{__package__}.{name}")
            code: int = module.run(options(**given), terminal())
            return code

        raise typer.Exit(exit_code(run))

    # The fields of the options are the parameters that typer reads.
    command.__signature__ = inspect.signature(options)  # type: ignore[attr-defined]
    app.command(name, help=options.__doc__)(command)
