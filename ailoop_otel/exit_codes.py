"""The exit codes of all commands, and how a command ends with one of them; a user's mistake is one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec

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
    except BrokenPipeError:
        # The reader, `head` for example, has closed the pipe. Python flushes again at exit, which must not fail either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return code


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
