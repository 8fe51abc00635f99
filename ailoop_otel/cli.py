"""The command line: parse, call one function, print, exit code."""

# No `from __future__ import annotations`: typer evaluates the annotations, and it is imported inside a function, so
# that `run` works without the extra that installs it.

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

from ailoop_otel.exit_codes import EXIT_CODES, NOT_EXECUTABLE, NOT_FOUND, OK, USAGE, exit_code, fail, output_may_close
from ailoop_otel.names import SETTING_ENABLED
from ailoop_otel.version import __version__

if TYPE_CHECKING:
    from typer import Typer

EXTRA: Final = "pip install 'ailoop-otel[cli]'"
RUN_USAGE: Final = "usage: ailoop-otel run -- COMMAND [ARGUMENT ...]"
RUN_HELP: Final = f"""{RUN_USAGE}

Runs the command with {SETTING_ENABLED.name}=true, for example:

  ailoop-otel run -- python -m interactive_server.main"""
_EXAMPLES: Final = {
    "traces": ("traces --errors --since 1h", "traces --trace 90453a78", "traces --follow"),
    "explain": ("explain", "explain 90453a78", "explain 90453a78 1f2e3d4c --html why.html"),
    "top": ("top", "top --once --json", "top --prometheus http://127.0.0.1:9090"),
    "measure": (
        "measure --list",
        "measure mixed --url ws://127.0.0.1:8000/ws --targets default --out before",
        "measure concurrent_sessions --start 'python -m interactive_server.main'",
    ),
    "compare": ("compare before after", "compare before after --tolerance '5 %' --strict"),
    "ab": ("ab throughput --start 'python -m interactive_server.main'",),
    "report": ("report ailoop-telemetry --out report", "report ailoop-telemetry --client RUN --targets default"),
    "replay": ("replay ailoop-telemetry --endpoint http://127.0.0.1:4318", "replay --follow"),
    "doctor": ("doctor", "doctor --checkout ~/AIWhisperer --jaeger http://127.0.0.1:16686"),
}
_COMPLETION: Final = "_AILOOP_OTEL_COMPLETE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command of `ailoop-otel` and return its exit code."""
    with output_may_close():
        return _main(list(sys.argv[1:] if arguments is None else arguments))


def _main(words: list[str]) -> int:
    if words[:1] == ["run"]:
        return run(words[1:])
    if words == ["--version"]:
        print(f"ailoop-otel {__version__}")
        return OK
    try:
        app = _app()
    except ImportError:
        return fail(f"this needs rich and typer: {EXTRA}")
    if not words and _COMPLETION not in os.environ:
        return exit_code(next_step)
    try:
        app(args=words, prog_name="ailoop-otel")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else OK
    return OK


def run(words: Sequence[str]) -> int:
    """Replace this process by a command with the instrumentation switched on; returns only if that fails."""
    if words and words[0] in ("-h", "--help"):
        print(RUN_HELP)
        return OK
    command = list(words[1:] if words and words[0] == "--" else words)
    if not command or (words[0] != "--" and command[0].startswith("-")):
        print(RUN_USAGE, file=sys.stderr)
        return USAGE
    try:
        os.execvpe(command[0], command, {**os.environ, SETTING_ENABLED.name: "true"})
    except FileNotFoundError:
        return fail(f"command not found: {command[0]}", NOT_FOUND)
    except OSError as error:
        return fail(f"cannot run {command[0]}: {error.strerror}", NOT_EXECUTABLE)


def _app() -> "Typer":
    import rich  # noqa: F401 - the verbs need it: fail before one is parsed
    import typer

    from ailoop_otel import commands
    from ailoop_otel.measure.commands import options as measuring

    app = typer.Typer(
        pretty_exceptions_enable=False,
        help="OpenTelemetry for the AILoop chat server.",
        epilog="\n\n".join(["Exit codes:", *(f"{code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())]),
    )

    def print_version(wanted: bool) -> None:
        if wanted:
            raise typer.Exit(main(["--version"]))

    @app.callback()
    def program(
        version: Annotated[
            bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
        ] = False,
    ) -> None:
        pass

    @app.command("run", add_help_option=False, context_settings={"ignore_unknown_options": True})
    def run_verb(command: list[str]) -> None:
        """Run a command with the instrumentation switched on: run -- COMMAND [ARGUMENT ...]."""
        raise typer.Exit(run(command))

    commands.register(app)
    measuring.register(app)

    for command in app.registered_commands:
        examples = _EXAMPLES.get(command.name or "", ())
        command.epilog = "\n\n".join(["Examples:", *(f"ailoop-otel {each}" for each in examples)]) if examples else None
    return app


def next_step() -> int:
    """Print a summary of the telemetry that is here; where there is none, how to switch on."""
    from ailoop_otel.recorded.files import find, undelivered
    from ailoop_otel.terminal import terminal
    from ailoop_otel.view.options import Filters, TracesOptions
    from ailoop_otel.view.trace_files import must_be_readable, sent_elsewhere
    from ailoop_otel.view.traces import show

    options, console = TracesOptions(filters=Filters(limit=5), waterfalls=0), terminal()
    elsewhere = sent_elsewhere()
    must_be_readable(options.place)
    if paths := find(options.place):
        show(options, console)
        if elsewhere and not undelivered(paths):
            console.print(f"{elsewhere}.")
        hint = "`ailoop-otel explain` says why the slowest answer was slow, `ailoop-otel top` shows the server now"
    elif elsewhere:
        console.print(f"{elsewhere}.")
        hint = "`ailoop-otel traces --jaeger URL` reads from a Jaeger"
    else:
        console.print(f"There is no telemetry in {options.place} yet. Start the server with telemetry:\n")
        console.print("    ailoop-otel run -- python -m interactive_server.main\n")
        hint = "send the server a message and run `ailoop-otel` again"
    console.print(
        f"Next: {hint}. `ailoop-otel doctor` finds what keeps telemetry from being seen, --help has all commands."
    )
    return OK


if __name__ == "__main__":
    sys.exit(main())
