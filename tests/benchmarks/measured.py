"""Processes that are measured: one for each contender, asked in turn."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.benchmarks.environments import HOME, ROOT, plain_variables

Answer = dict[str, Any]
# This tree's tests, but the package that is installed: it stays what it is while others write.
_INSIDE = """
import runpy, sys
sys.path.append(sys.argv.pop(1))
runpy.run_module("tests.benchmarks.inside", run_name="__main__")
"""


class Failed(Exception):
    """A measured process could not do what it was asked to."""


class Measured:
    """One process of `tests.benchmarks.inside`, run by the command `under` if there is one; a context that ends it."""

    def __init__(
        self,
        python: Path,
        contender: str,
        variables: Mapping[str, str] | None = None,
        under: Sequence[str] = (),
    ) -> None:
        HOME.mkdir(exist_ok=True)
        self._contender = contender
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the process
        self.process = subprocess.Popen(
            [*under, str(python), "-c", _INSIDE, str(ROOT), contender],
            cwd=HOME,
            # The same layout of sets and dicts in every process.
            env={**plain_variables(), "PYTHONHASHSEED": "0", **(variables or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            start_new_session=True,
        )

    def ask(self, work: str, **arguments: Any) -> Answer:
        """Have a piece of work done; raises Failed."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"work": work, **arguments}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def finish(self) -> str:
        """Let it end by itself; what it and who runs it have said."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self._said.seek(0)
        return self._said.read()

    def __enter__(self) -> Measured:
        try:
            self._answer()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _answer(self) -> Answer:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self._said.seek(0)
            raise Failed(f"{self._contender} ended: {self._said.read().strip()[-500:]}")
        answer: Answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"{self._contender}: {answer['error']}")
        return answer

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self._said.close()


@contextmanager
def together(wanted: Mapping[str, tuple[Path, str]], notes: list[str] | None = None) -> Iterator[dict[str, Measured]]:
    """Processes by name, each of a Python and a contender.

    One that does not start is an error; where `notes` are given it is left out, and they say why.
    """
    with ExitStack() as stack:
        ones = {}
        for name, (python, contender) in wanted.items():
            one, why = _started(stack, python, contender)
            if one is not None:
                ones[name] = one
            elif notes is None:
                raise Failed(why)
            else:
                notes.append(f"{name} was not run: {why}")
        yield ones


def _started(stack: ExitStack, python: Path, contender: str) -> tuple[Measured | None, str]:
    try:
        return stack.enter_context(Measured(python, contender)), ""
    except Failed as fault:
        return None, str(fault)


Ask = Callable[[Measured], Answer]


def in_turns(asks: Mapping[str, Ask], ones: Mapping[str, Measured], rounds: int) -> Iterator[dict[str, Answer]]:
    """Round by round everybody's answer; who is first changes with each round. The first round only warms up."""
    names = list(asks)
    for number in range(rounds + 1):
        turn = number % len(names)
        answers = {name: asks[name](ones[name]) for name in (*names[turn:], *names[:turn])}
        if number:
            yield answers


def column(rounds: Iterable[Mapping[str, Answer]], name: str, key: str) -> list[float]:
    """One contender's number of each round."""
    return [float(answers[name][key]) for answers in rounds]
