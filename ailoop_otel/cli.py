"""The command line: parse, call one function, print, exit code."""

# No `from __future__ import annotations`: typer evaluates the annotations, and it is imported inside a function, so
# that `run` works without the extra that installs it.

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Final

from ailoop_otel.names import SETTING_ENABLED
from ailoop_otel.recorded.otlp_json import text
from ailoop_otel.settings import UsageError
from ailoop_otel.version import __version__

if TYPE_CHECKING:
    from typer import Typer

OK, PROBLEM, USAGE, NOT_EXECUTABLE, NOT_FOUND, INTERRUPTED = 0, 1, 2, 126, 127, 130
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
        return _fail(f"this needs rich and typer: {EXTRA}")
    try:
        app(args=words or ["--help"], prog_name="ailoop-otel")
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
        return _fail(f"command not found: {command[0]}", NOT_FOUND)
    except OSError as error:
        return _fail(f"cannot run {command[0]}: {error.strerror}", NOT_EXECUTABLE)


def _app() -> "Typer":
    import rich  # noqa: F401 - the verbs need it: fail before one is parsed
    import typer

    from ailoop_otel.measure.commands import options as measuring
    from ailoop_otel.view import commands as viewing

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

    viewing.register(app, _exit_code)
    measuring.register(app)

    @app.command("replay")
    def replay_verb(
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
            str,
            typer.Option(metavar="FILE", help="Where to note what is acknowledged; beside the recording otherwise."),
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
    ) -> None:
        """Send recorded telemetry into a collector; what it has acknowledged before is not sent again.

        OTEL_EXPORTER_OTLP_HEADERS and OTEL_EXPORTER_OTLP_CERTIFICATE hold for it too. Exit code 0: all is there.
        """
        from ailoop_otel.replay.command import replay

        def send() -> int:
            return replay(
                files or [],
                endpoint,
                signals,
                state,
                patience,
                again=again,
                insecure=insecure,
                follow=follow,
                shift=shift,
                pace=pace,
            )

        raise typer.Exit(_exit_code(send))

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


def doctor(checkout: str, jaeger: str, timeout: float, *, json: bool) -> int:
    """Check a server's environment and print the findings; returns 1 if there are problems."""
    try:
        from ailoop_otel.doctor import examine, page
    except ValueError as fault:
        # The API reads this variable on import. A server with such a value runs without OpenTelemetry.
        return _fail(f"OTEL_PROPAGATORS={os.environ.get('OTEL_PROPAGATORS')!r} cannot be used: {fault}", PROBLEM)
    from ailoop_otel.terminal import terminal
    from ailoop_otel.view import json_output

    try:
        report = examine(checkout, jaeger, timeout)
    except UsageError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED

    def show() -> int:
        if json:
            print(json_output.encode(report.document()))
        else:
            title = f"ailoop-otel {report.version} on Python {report.python}, {report.checkout}"
            page.show(title, report.findings, terminal())
        return OK

    return _exit_code(show) or (PROBLEM if report.problems else OK)


def _exit_code(verb: Callable[[], int]) -> int:
    """Run a verb and return its exit code, or that of the exception that ended it."""
    try:
        code = verb()
        sys.stdout.flush()
    except UsageError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, `head` for example, has closed the pipe. Python flushes again at exit, which must not fail either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return code


def _fail(message: str, code: int = USAGE) -> int:
    print(f"ailoop-otel: {text(message)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
