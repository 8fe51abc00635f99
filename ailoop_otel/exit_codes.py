"""The exit codes of all commands, and how a command ends with one of them; a user's mistake is one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Final, ParamSpec, TextIO, cast

from ailoop_otel.recorded.otlp_json import text
from ailoop_otel.settings import UsageError

OK, PROBLEM, USAGE, NOT_EXECUTABLE, NOT_FOUND, INTERRUPTED = 0, 1, 2, 126, 127, 130
EXIT_CODES: Final = {
    OK: "done; nothing is wrong",
    PROBLEM: "a problem was found, a target or baseline was missed, or not everything was sent",
    USAGE: "wrong use, or a library is missing: one line says which",
    NOT_EXECUTABLE: "`run`: the command cannot be executed",
    NOT_FOUND: "`run`: there is no such command",
    INTERRUPTED: "interrupted by Ctrl-C",
}
_MEASURE: Final = "pip install 'ailoop-otel[measure]'"
P = ParamSpec("P")


def exit_code(command: Callable[[], int]) -> int:
    """Run a command and return its exit code, or that of the exception that ended it."""
    try:
        code = command()
        sys.stdout.flush()
    except ImportError as error:
        library = (error.name or "").partition(".")[0]
        if library in ("", __package__):
            raise
        return fail(f"this needs {library}: {_MEASURE}")
    except UsageError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # of a command without an end, whose reader has gone
        return OK
    return code


class _Output:
    """A standard stream that leads nowhere once its reader, `head` for example, has closed the pipe."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.left = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, words: str) -> int:
        """Write, or forget it."""
        try:
            self._stream.write(words)
        except BrokenPipeError:
            self._leave()
        return len(words)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush, or forget what is left."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._leave()

    def _leave(self) -> None:
        # What the stream still holds goes there too, and Python's own flush at exit does not fail.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        self.left = True


@contextmanager
def output_may_close() -> Iterator[None]:
    """Let commands come to their own end, and exit code, also after their reader has closed the pipe."""
    streams = sys.stdout, sys.stderr
    # One that was closed by who started this is None.
    outputs = [None if stream is None else _Output(stream) for stream in streams]
    sys.stdout, sys.stderr = cast("list[TextIO]", outputs)
    try:
        yield
    finally:
        for output in outputs:
            if output is not None:
                output.flush()
        sys.stdout, sys.stderr = streams


def go_on_while_read() -> None:
    """Raise BrokenPipeError if nobody reads the output any more: what has no end of its own ends then."""
    if isinstance(sys.stdout, _Output) and sys.stdout.left:
        raise BrokenPipeError


def as_command(function: Callable[P, int]) -> Callable[P, None]:
    """A function with the same parameters, for typer: it ends the program with the exit code that this one returns."""

    @wraps(function)
    def command(*words: P.args, **options: P.kwargs) -> None:
        raise SystemExit(exit_code(lambda: function(*words, **options)))

    return command


def fail(message: str, code: int = USAGE) -> int:
    """Print one line on the error output and return the exit code."""
    sys.stderr.write(f"ailoop-otel: {text(message)}\n")
    return code
