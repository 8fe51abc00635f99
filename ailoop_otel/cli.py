"""The command line: parse, call one function, print, exit code."""

# No `from __future__ import annotations`: typer reads the annotations, and it is imported inside a function, so
# that `run` works where the extra that brings it is not installed.

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Final

from ailoop_otel.names import SETTING_ENABLED
from ailoop_otel.version import __version__

if TYPE_CHECKING:
    from typer import Typer

OK, TROUBLE, WRONG, NOT_EXECUTABLE, NOT_FOUND, INTERRUPTED = 0, 1, 2, 126, 127, 130
EXTRA: Final = "pip install 'ailoop-otel[cli]'"
RUN_USAGE: Final = "usage: ailoop-otel run -- COMMAND [ARGUMENT ...]"
RUN_HELP: Final = f"""{RUN_USAGE}

Runs the command with {SETTING_ENABLED.name}=true, for example:

  ailoop-otel run -- python -m interactive_server.main"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command of `ailoop-otel` and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["run"]:
        return run(words[1:])
    if words == ["--version"]:
        print(f"ailoop-otel {__version__}")
        return OK
    try:
        app = _app()
    except ImportError:
        return _complain(f"this needs rich and typer: {EXTRA}")
    try:
        app(args=words or ["--help"], prog_name="ailoop-otel")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else OK
    return OK


def run(words: Sequence[str]) -> int:
    """Become a command whose environment switches the instrumentation on; returns only if that fails."""
    if words and words[0] in ("-h", "--help"):
        print(RUN_HELP)
        return OK
    command = list(words[1:] if words and words[0] == "--" else words)
    if not command or (words[0] != "--" and command[0].startswith("-")):
        print(RUN_USAGE, file=sys.stderr)
        return WRONG
    try:
        os.execvpe(command[0], command, {**os.environ, SETTING_ENABLED.name: "true"})
    except FileNotFoundError:
        return _complain(f"command not found: {command[0]}", NOT_FOUND)
    except OSError as error:
        return _complain(f"cannot run {command[0]}: {error.strerror}", NOT_EXECUTABLE)


def _app() -> "Typer":
    import rich  # noqa: F401 - the verbs need it: say so before one is parsed
    import typer

    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        help="OpenTelemetry for the AILoop chat server.",
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

    @app.command("traces")
    def traces_verb(
        directory: Annotated[
            str, typer.Argument(metavar="DIR", help="Where the files are; AILOOP_OTEL_DIRECTORY otherwise.")
        ] = "",
        session: Annotated[str, typer.Option(help="Only sessions whose id begins so.")] = "",
        outcome: Annotated[str, typer.Option(help="Only exchanges that ended so: ok, ai_timeout, open, ...")] = "",
        errors: Annotated[bool, typer.Option("--errors", help="Only what did not end well, or hangs.")] = False,
        since: Annotated[str, typer.Option(help="Only the last 90s, 10m, 1h30m, 2d.")] = "",
        limit: Annotated[int, typer.Option(help="The most rows of a table; the newest are shown.")] = 50,
        trace: Annotated[str, typer.Option(help="Only this trace, by the first digits of its id.")] = "",
        waterfall: Annotated[int, typer.Option(min=0, help="How many of the worst exchanges to draw.")] = 1,
        json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for scripts.")] = False,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Print what comes, until Ctrl-C.")] = False,
    ) -> None:
        """Show the sessions, exchanges and AI timeouts that the embedded default has written."""
        from ailoop_otel.view import command

        def show() -> None:
            command.traces(
                directory, session, outcome, since, trace,
                errors=errors, limit=limit, waterfalls=waterfall, json=json, following=follow,
            )  # fmt: skip

        raise typer.Exit(_shown(show))

    _register(app)

    @app.command("doctor")
    def doctor_verb(
        checkout: Annotated[str, typer.Option(metavar="DIR", help="Where the server is started; here otherwise.")] = "",
        jaeger: Annotated[str, typer.Option(metavar="URL", help="Jaeger's address, to look for the probe span.")] = "",
        timeout: Annotated[float, typer.Option(metavar="S", help="Seconds to wait for each hop.")] = 5.0,
        json: Annotated[bool, typer.Option("--json", help="One JSON document, for scripts.")] = False,
    ) -> None:
        """Say what would keep the telemetry of the server in this environment from being seen."""
        raise typer.Exit(doctor(checkout, jaeger, timeout, json=json))

    return app


def _register(app: "Typer") -> None:
    """Let each room that has verbs of its own add them."""
    from ailoop_otel.measure.commands.options import register as register_measure
    from ailoop_otel.replay import verbs as replaying

    register_measure(app)
    replaying.register(app)


def doctor(checkout: str, jaeger: str, timeout: float, *, json: bool) -> int:
    """Examine a server's environment and print what was found; the exit code says whether there is trouble."""
    try:
        from ailoop_otel.doctor import Refusal, examine
    except ValueError as fault:
        # The API reads it while it is imported; a server with such a value starts without any OpenTelemetry.
        return _complain(f"OTEL_PROPAGATORS={os.environ.get('OTEL_PROPAGATORS')!r} cannot be used: {fault}", TROUBLE)
    from ailoop_otel.view import doctor as page
    from ailoop_otel.view import documents
    from ailoop_otel.view.terminal import terminal

    try:
        report = examine(checkout, jaeger, timeout)
    except Refusal as refusal:
        return _complain(str(refusal))
    except KeyboardInterrupt:
        return INTERRUPTED

    def show() -> None:
        if json:
            print(documents.written(report.document()))
        else:
            title = f"ailoop-otel {report.version} on Python {report.python}, {report.checkout}"
            page.show(title, report.findings, terminal())

    return _shown(show) or (TROUBLE if report.troubles else OK)


def _shown(show: Callable[[], None]) -> int:
    """Run a verb that only prints, and give its ends their exit codes."""
    from ailoop_otel.view.filters import Refusal

    try:
        show()
        sys.stdout.flush()
    except Refusal as refusal:
        return _complain(str(refusal))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, `head` say, has had enough. Python flushes once more at exit, which must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OK


def _complain(message: str, code: int = WRONG) -> int:
    print(f"ailoop-otel: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
