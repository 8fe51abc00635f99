"""`ailoop-otel replay`: checks its arguments, shows the progress, prints the summary, and gives the exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ailoop_otel.exit_codes import INTERRUPTED, OK, PROBLEM
from ailoop_otel.recorded.files import find, size
from ailoop_otel.recorded.input_file import open_regular
from ailoop_otel.recorded.otlp_json import SIGNALS, Signal
from ailoop_otel.replay.delivery import Delivery
from ailoop_otel.replay.http import Http, destination
from ailoop_otel.replay.replayer import Replayer, Summary
from ailoop_otel.replay.shifted import Shifted
from ailoop_otel.settings import Settings, UsageError
from ailoop_otel.terminal import Terminal

_PAUSE: Final = 2.0  # seconds between two looks at a recording that is followed
_MOST_PATIENCE: Final = 86400.0
# So many messages on single lines are printed; further ones are only counted in the summary.
_MOST_MESSAGES: Final = 10


class ProgressDisplay(Progress):
    """A progress bar on the error output: bytes read, records sent and their rate. Invisible without a terminal."""

    def __init__(self, size: int) -> None:
        errors = Terminal(stderr=True)
        super().__init__(
            BarColumn(bar_width=None),
            DownloadColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
        )
        self._task = self.add_task("", total=size)
        self._messages = 0

    def advance_by(self, size: int, summary: Summary) -> None:
        """Advance by a line of `size` bytes."""
        elapsed = self.tasks[0].elapsed or 0.0
        rate = f", {summary.records.total() / elapsed:,.0f}/s" if summary.records and elapsed > 1 else ""
        self.update(self._task, advance=size, description=f"{summary.sent_records}{rate}")

    def wait(self, reason: str, pause: float) -> None:
        """Show that the collector accepts nothing at the moment, and the pause in seconds."""
        self.update(self._task, description=f"{reason}; next try in {pause:.0f} s")

    def print_message(self, message: str) -> None:
        """Print a message on one line of a file; after the first ones, only that there are more."""
        self._messages += 1
        if self._messages <= _MOST_MESSAGES:
            self.console.print(message, soft_wrap=True)
        elif self._messages == _MOST_MESSAGES + 1:
            self.console.print("... and more of this", soft_wrap=True)


def replay(
    places: Sequence[str],
    endpoint: str,
    signals: str,
    state: str,
    patience: float,
    speed: float = 0.0,
    *,
    again: bool,
    insecure: bool,
    follow: bool = False,
    json: bool = False,
    sleep: Callable[[float], object] = time.sleep,
) -> int:
    """Send recorded telemetry and print the result; returns 0 if everything was accepted, else 1, or 130 by Ctrl-C.

    `places` are files or directories, `signals` names separated by commas, `state` the file of what was acknowledged,
    `patience` the seconds to retry one line. With `follow` it goes on with what is written, and through outages of the
    collector, until Ctrl-C. With a `speed` it is sent as `Shifted` does, and nothing is noted as acknowledged.
    Raises UsageError for arguments that cannot be used.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # names of files and services may have any encoding
    wanted, patience = _signals(signals), _patience(patience)
    if speed and follow:
        raise UsageError("--shift sends an old recording, --follow one that grows: take one of them")
    places = places or [Settings.from_environment().directory]
    for place in places:
        _check(Path(place))
    files = [] if follow else _files(places)
    receiver = destination(endpoint, insecure=insecure)
    begin = time.monotonic()
    with (
        ProgressDisplay(size(files)) as display,
        closing(Http(receiver)) as transport,
        TemporaryDirectory(prefix="ailoop-otel-") if speed else nullcontext() as folder,
    ):
        database = Path(folder) / "state" if folder else Path(state) if state else None
        send = Delivery(transport, patience, display.wait).send
        send = Shifted(send, speed, sleep=sleep).send if speed else send
        replayer = Replayer(send, receiver.base, wanted, database, display.print_message, again=again)
        summary = replayer.summary
        replayer.run(files, lambda done: display.advance_by(done, summary))
        try:
            while follow and not summary.interrupted:
                _again(replayer, places, display)
                sleep(_PAUSE)
        except KeyboardInterrupt:
            summary.interrupted = True
    result = receiver.base, time.monotonic() - begin
    if json:
        print(dumps(summary.document(*result)))  # noqa: T201 - it is what a script reads
    for sentence in () if json else summary.sentences(*result):
        Terminal().print(sentence, soft_wrap=True)
    if summary.interrupted:
        return INTERRUPTED
    return OK if summary.is_complete else PROBLEM


def _again(replayer: Replayer, places: Sequence[str], display: ProgressDisplay) -> None:
    """Send what has come since; one message for each reason why that is not possible."""
    summary = replayer.summary
    before, summary.stopped = summary.stopped, ""
    # What was skipped, and what is not whole yet, is met again and again.
    summary.already = summary.unwanted = summary.invalid = 0
    summary.half_written.clear()
    summary.unreadable.clear()
    try:
        replayer.run([path for place in places for path in find(Path(place))], lambda size: None)
    except UsageError as busy:  # the server itself is sending
        summary.stopped = str(busy)
    if summary.stopped and summary.stopped != before:
        display.print_message(f"{summary.stopped}; it is tried again.")


def _files(places: Sequence[str]) -> list[Path]:
    """All files, oldest first within a directory, each once."""
    files: dict[Path, Path] = {}
    for place in places:
        found = find(Path(place))
        if not found:
            raise UsageError(f"no telemetry in {place}: name a directory of .jsonl files, or the files")
        files.update({path.resolve(): path for path in found})
    return list(files.values())


def _check(path: Path) -> None:
    try:
        if os.path.lexists(path) and not os.path.isdir(path):
            open_regular(path).close()
    except OSError as fault:
        raise UsageError(f"{path} cannot be read: {fault.strerror}") from None


def _signals(words: str) -> frozenset[Signal]:
    names = [name.strip() for name in words.split(",") if name.strip()]
    unknown = [name for name in names if name not in SIGNALS]
    if unknown or not names:
        raise UsageError(f"--signals {words!r} is not understood: take some of {','.join(SIGNALS)}")
    return frozenset(SIGNALS[name] for name in names)


def _patience(seconds: float) -> float:
    if not 0 <= seconds <= _MOST_PATIENCE:
        raise UsageError(f"--patience {seconds:g} is no number of seconds from 0 to {_MOST_PATIENCE:g}")
    return seconds
