"""The barrier between this package's faults and the server."""

from __future__ import annotations

import asyncio
import logging
import threading
from unittest.mock import patch

import pytest

from ailoop_otel.guard import Guard, say, warn


def fail(text: str = "what a user wrote") -> None:
    """One place that fails."""
    raise ValueError(text)


def test_a_fault_is_swallowed_and_counted() -> None:
    """Every one of them."""
    guard = Guard()
    for _ in range(3):
        with guard:
            fail()
    assert guard.errors == 3


@pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_a_task_or_a_process_passes(kind: type[BaseException]) -> None:
    """It is not a fault, and the same object comes out."""
    guard = Guard()
    ending = kind()
    with pytest.raises(kind) as caught, guard:
        raise ending
    assert caught.value is ending
    assert guard.errors == 0


def test_a_strict_barrier_raises_what_it_catches() -> None:
    """So that tests see it."""
    guard = Guard(strict=True)
    with pytest.raises(ValueError, match="wrote"), guard:
        fail()
    assert guard.errors == 1


def test_each_place_is_told_once_and_what_the_fault_says_never(caplog: pytest.LogCaptureFixture) -> None:
    """An exception's text may hold what a user wrote."""
    guard = Guard()
    for _ in range(2):
        guard.run(fail)
    guard.run(int, "what a user wrote")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "ValueError in fail:" in lines[0]
    assert not any("wrote" in line for line in lines)


def test_the_places_that_are_told_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """However many there are."""
    guard = Guard()
    for number in range(100):
        kind = type(f"Fault{number}", (Exception,), {})
        with guard:
            raise kind
    assert guard.errors == 100
    assert len(caplog.records) == 64


@pytest.mark.fault(
    "foreign",
    theirs="The server's logger raises while a fault of ours is told",
    promise="The barrier holds",
)
def test_a_logger_that_fails_is_no_second_fault() -> None:
    """The barrier holds even where it cannot tell."""
    guard = Guard()
    with patch("ailoop_otel.guard._log.warning", side_effect=RuntimeError):
        guard.run(fail)
    assert guard.errors == 1


def test_telling_reads_no_source_file() -> None:
    """The event loop may be waiting."""
    with patch("linecache.updatecache", side_effect=AssertionError), patch("linecache.checkcache") as checked:
        guard = Guard()
        guard.run(fail)
    assert not checked.called


def test_it_runs_what_it_is_given() -> None:
    """With its arguments."""
    seen: list[int] = []
    Guard().run(seen.append, 1)
    assert seen == [1]


@pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_thread_goes_on_whatever_a_call_raises(kind: type[BaseException]) -> None:
    """Only the user's own Ctrl-C passes, which comes in the main thread."""
    guard = Guard()

    def raising() -> None:
        raise kind

    thread = threading.Thread(target=guard.run, args=(raising,))
    thread.start()
    thread.join(60)
    assert guard.errors == 1
    if kind is KeyboardInterrupt:
        with pytest.raises(kind):
            guard.run(raising)
    else:
        guard.run(raising)
        assert guard.errors == 2


@pytest.mark.parametrize("kind", [RuntimeError, asyncio.CancelledError])
def test_a_handler_of_the_servers_that_raises_is_nobodys_fault(kind: type[BaseException]) -> None:
    """Nor that of the thread that has something to say."""

    class Raising(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise kind

    handler = Raising()
    logging.getLogger("ailoop_otel").addHandler(handler)
    try:
        warn("something is missing")
        Guard().run(fail)
    finally:
        logging.getLogger("ailoop_otel").removeHandler(handler)


def test_a_warning_says_who_speaks(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever runs the server knows many packages."""
    warn("something is missing")
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.WARNING, "ailoop-otel: something is missing")
    ]


@pytest.mark.parametrize(("level", "shown"), [(logging.INFO, "log"), (logging.WARNING, "stderr")])
def test_what_is_well_is_told_where_it_is_seen(
    level: int, shown: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the log if that shows it, else on stderr."""
    with caplog.at_level(level, "ailoop_otel"):
        say("all is well")
    assert caplog.messages == (["ailoop-otel: all is well"] if shown == "log" else [])
    assert capsys.readouterr().err == ("" if shown == "log" else "ailoop-otel: all is well\n")
