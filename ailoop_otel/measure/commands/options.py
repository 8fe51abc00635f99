"""The command line of measure, report, compare and ab: arguments and options.

A command imports its implementation when it runs, so that the other commands need none of the extra's libraries.
"""

# No `from __future__ import annotations`: typer reads the annotations.

from pathlib import Path
from typing import Annotated

import typer

from ailoop_otel.exit_codes import exit_code
from ailoop_otel.measure.commands import URL

Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; `measure --list` has all.")
]
Messages = Annotated[
    list[str] | None, typer.Option(metavar="TEXT", help="Send this instead of the scenario's messages.")
]
MessagesFile = Annotated[
    str, typer.Option("--messages", metavar="FILE", help="Send these: JSON Lines or CSV with text, name, weight.")
]
Targets = Annotated[str, typer.Option(metavar="FILE", help="Judge it by these targets; `default` is a file too.")]
Baseline = Annotated[str, typer.Option(metavar="RUN", help="Judge it by this earlier run, or runs.")]
Tolerance = Annotated[str, typer.Option(metavar="SHARE", help='How much worse it may be, "10 %".')]
ToleranceOfB = Annotated[str, typer.Option(metavar="SHARE", help='How much worse B may be, "10 %".')]
Strict = Annotated[bool, typer.Option("--strict", help="Exit code 1 also where the data cannot tell.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")]
Jaeger = Annotated[str, typer.Option(metavar="URL", help="Jaeger's address, for links to traces.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("measure")(_measure)
    app.command("compare")(_compare)
    app.command("ab")(_ab)
    app.command("report")(_report)


def _measure(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A name of --list, or a TOML file.")] = "",
    url: Annotated[str, typer.Option(metavar="URL", help="The server's WebSocket.")] = URL,
    start: Annotated[str, typer.Option(metavar="COMMAND", help="Start the server so, and stop it again.")] = "",
    pid: Annotated[int | None, typer.Option(metavar="N", help="The server's process, to read its memory.")] = None,
    out: Annotated[str, typer.Option(metavar="DIR", help="Where report and raw data go.")] = "",
    settings: Settings = None,
    message: Messages = None,
    messages: MessagesFile = "",
    rates: Annotated[str, typer.Option(metavar="1,2,4", help="A load curve: messages/s of each level.")] = "",
    sessions: Annotated[str, typer.Option(metavar="5,10", help="A load curve: sessions of each level.")] = "",
    seconds: Annotated[float | None, typer.Option(metavar="S", help="How long each level lasts.")] = None,
    from_telemetry: Annotated[
        str, typer.Option("--from-telemetry", metavar="DIR", help="Send again what a server recorded.")
    ] = "",
    since: Annotated[
        str, typer.Option(help="With it: only the last 90s, 10m, 1h30m, 2d, or since 2025-11-28T10:00.")
    ] = "",
    pace: Annotated[str, typer.Option(metavar="2x", help="With it: so many times as fast.")] = "",
    processes: Annotated[int | None, typer.Option(metavar="N", help="Load processes.")] = None,
    dialect: Annotated[str, typer.Option(metavar="NAME", help="Whose requests it takes: docs/dialects.md.")] = "",
    baseline: Baseline = "",
    save_baseline: Annotated[str, typer.Option(metavar="FILE", help="Keep it as a baseline, one file.")] = "",
    targets: Targets = "",
    tolerance: Tolerance = "",
    runs: Annotated[int, typer.Option(metavar="N", min=1, help="Run it so often: how do runs differ?")] = 1,
    jaeger: Jaeger = "",
    otlp: Annotated[
        str, typer.Option(metavar="URL", help="Send its figures to this collector while it runs (OTLP/HTTP).")
    ] = "",
    no_instrument: Annotated[
        bool, typer.Option("--no-instrument", help="Start the server without instrumentation.")
    ] = False,
    strict: Strict = False,
    listing: Annotated[bool, typer.Option("--list", help="Name scenarios and settings.")] = False,
) -> None:
    """Put a load on a server and report what it did; exit code 1 if it misses its targets or its baseline."""

    def run() -> int:
        from ailoop_otel.measure.commands.measure import MeasureOptions, list_scenarios, measure
        from ailoop_otel.terminal import terminal

        if listing:
            return list_scenarios(terminal())
        options = MeasureOptions(
            scenario, url, start, pid, out, processes, dialect, tuple(settings or ()), tuple(message or ()), messages,
            baseline, save_baseline, targets, tolerance, jaeger, instrument=not no_instrument, strict=strict, runs=runs,
            otlp=otlp,
            rates=rates, sessions=sessions, seconds=seconds, telemetry=from_telemetry, since=since, pace=pace,
        )  # fmt: skip
        return measure(options, terminal())

    raise typer.Exit(exit_code(run))


def _compare(
    before: Annotated[str, typer.Argument(metavar="A", help="A run directory, or a saved baseline.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The run that is held against it.")],
    tolerance: ToleranceOfB = "",
    targets: Annotated[str, typer.Option(metavar="FILE", help="Judge B by these targets too.")] = "",
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Say whether a run is worse than another; exit code 1 if it surely is."""

    def run() -> int:
        from ailoop_otel.measure.commands.compare import CompareOptions, compare
        from ailoop_otel.terminal import terminal

        options = CompareOptions(before, after, targets, tolerance, strict=strict, json=json)
        return compare(options, terminal())

    raise typer.Exit(exit_code(run))


def _ab(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="As for `measure`; each round runs it.")],
    start: Annotated[
        str, typer.Option(metavar="COMMAND", help="One server: A is it as it is, B is it instrumented.")
    ] = "",
    url: Annotated[str, typer.Option(metavar="URL", help="Its WebSocket.")] = URL,
    start_a: Annotated[str, typer.Option("--start-a", metavar="COMMAND", help="Starts A for each round.")] = "",
    start_b: Annotated[str, typer.Option("--start-b", metavar="COMMAND", help="Starts B for each round.")] = "",
    url_a: Annotated[str, typer.Option("--url-a", metavar="URL", help="A's WebSocket; --url otherwise.")] = "",
    url_b: Annotated[str, typer.Option("--url-b", metavar="URL", help="B's WebSocket; --url otherwise.")] = "",
    rounds: Annotated[int, typer.Option(metavar="N", help="How many runs of each.")] = 10,
    out: Annotated[str, typer.Option(metavar="DIR", help="Where all runs go.")] = "",
    settings: Settings = None,
    message: Messages = None,
    tolerance: ToleranceOfB = "",
    targets: Annotated[str, typer.Option(metavar="FILE", help="Tolerances by metric.")] = "",
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Measure two servers in turns on this machine and say whether B is worse than A."""

    def run() -> int:
        from ailoop_otel.measure.commands.ab import AbOptions, Side, interleave
        from ailoop_otel.terminal import terminal

        a = Side("A", url_a or url, start_a or start)
        b = Side("B", url_b or url, start_b or start, instrument=bool(start and not start_b))
        options = AbOptions(
            scenario, a, b, rounds, out, tuple(settings or ()), tuple(message or ()), targets, tolerance,
            strict=strict, json=json,
        )  # fmt: skip
        return interleave(options, terminal())

    raise typer.Exit(exit_code(run))


def _report(
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
    since: Annotated[
        str, typer.Option(help="Only what ended in the last 90s, 10m, 1h30m, 2d, or since 2025-11-28T10:00.")
    ] = "",
    targets: Targets = "",
    baseline: Baseline = "",
    tolerance: Tolerance = "",
    strict: Strict = False,
    jaeger: Jaeger = "",
) -> None:
    """Report on recorded telemetry with the figures of a load test, or on a run again."""

    def run() -> int:
        from ailoop_otel.measure.commands.report import ReportOptions, run_report
        from ailoop_otel.terminal import terminal

        options = ReportOptions(
            places or (), legacy=legacy, client=client, scenario=scenario, since=since, jaeger=jaeger, out=out,
            targets=targets, baseline=baseline, tolerance=tolerance, strict=strict,
        )  # fmt: skip
        return run_report(options, terminal())

    raise typer.Exit(exit_code(run))
