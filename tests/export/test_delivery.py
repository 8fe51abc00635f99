"""Spans emitted = spans exported + spans counted as dropped, exactly."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from ailoop_otel.export.delivery import CountingSpanProcessor, Places
from ailoop_otel.export.ledger import Ledger
from ailoop_otel.export.notices import EXPORT_WARNINGS
from ailoop_otel.recorded.otlp_json import TRACES
from tests.export.child import in_child
from tests.reliability.balance import Balance


class Counting(SpanExporter):
    """Counts the spans it takes; `answers` may refuse a batch, or raise."""

    def __init__(self, answers: Callable[[int], SpanExportResult] = lambda _: SpanExportResult.SUCCESS) -> None:
        self.exported = 0
        self.asked = 0
        self._answers = answers

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take a batch, or not."""
        self.asked += 1
        result = self._answers(self.asked)
        if result is SpanExportResult.SUCCESS:
            self.exported += len(spans)
        return result


class Account:
    """What became of the spans of one queue."""

    def __init__(self, ledger: Ledger, places: Places) -> None:
        self._ledger = ledger
        self.places = places

    @property
    def dropped(self) -> int:
        """Spans that were dropped, or given up for lost."""
        return self._ledger.lost.total() + self.places.given_up


def _provider(exporter: SpanExporter, places: int, batch: int, delay_ms: float) -> tuple[TracerProvider, Account]:
    ledger = Ledger()
    processor = CountingSpanProcessor(exporter, ledger, places, batch, delay_ms)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider, Account(ledger, processor.places)


def _emit(provider: TracerProvider, spans: int, threads: int = 1) -> int:
    tracer = provider.get_tracer("test")

    def work() -> None:
        for _ in range(spans):
            tracer.start_span("span").end()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return spans * threads


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.fault(
    "threads",
    ours="Eight threads race for eight places in the queue, and the exporter fails now and then",
    promise="Each span is exported or counted as dropped",
)
def test_many_threads_and_a_small_queue(lines: Callable[[], list[str]], balance: Balance, fails: bool) -> None:
    """Eight threads race for eight places; whatever the exporter answers, not one span is unaccounted for."""
    failure = SpanExportResult.FAILURE if fails else SpanExportResult.SUCCESS
    exporter = Counting(lambda asked: failure if asked % 3 == 0 else SpanExportResult.SUCCESS)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        provider, account = _provider(exporter, places=8, batch=4, delay_ms=1)
        emitted = _emit(provider, 2_000, threads=8)
        provider.force_flush()
    finally:
        sys.setswitchinterval(before)
    assert exporter.exported + account.dropped == emitted
    assert exporter.exported
    assert account.dropped
    provider.shutdown()
    balance("spans", made=emitted, delivered=exporter.exported, lost=account.dropped)
    assert lines() == []


@pytest.mark.fault(
    "foreign",
    theirs="An exporter of somebody else's raises",
    promise="Its batch is counted as dropped, one line, and the next goes through",
)
@pytest.mark.parametrize("kind", [RuntimeError, asyncio.CancelledError, SystemExit])
def test_an_exporter_that_raises_counts_as_a_failure(
    kind: type[BaseException], lines: Callable[[], list[str]], balance: Balance
) -> None:
    """Its batch is dropped, the next one goes through, and the traceback that the SDK logs is one line."""
    EXPORT_WARNINGS.install()

    def answers(asked: int) -> SpanExportResult:
        if asked == 1:
            raise kind("no\nway")
        return SpanExportResult.SUCCESS

    exporter = Counting(answers)
    provider, account = _provider(exporter, 100, 10, 60_000)
    _emit(provider, 5)
    provider.force_flush()
    assert (exporter.exported, account.dropped) == (0, 5)
    _emit(provider, 5)
    provider.force_flush()
    assert (exporter.exported, account.dropped) == (5, 5)
    balance("spans", made=10, delivered=exporter.exported, lost=account.dropped)
    # The SDK logs the same line once a minute.
    assert len(lines()) == (1 if kind is RuntimeError else 0)
    provider.shutdown()


def test_places_are_given_back() -> None:
    """A queue that was full takes as many spans again once it is empty."""
    exporter = Counting()
    provider, account = _provider(exporter, 10, 10, 60_000)
    for _ in range(3):
        _emit(provider, 10)
        provider.force_flush()
    assert (exporter.exported, account.dropped) == (30, 0)
    provider.shutdown()


def test_what_comes_too_late_is_dropped() -> None:
    """A span that ends after the shutdown is counted, and what waited at the shutdown is exported."""
    exporter = Counting()
    provider, account = _provider(exporter, 100, 10, 60_000)
    _emit(provider, 3)
    provider.shutdown()
    _emit(provider, 2)
    assert (exporter.exported, account.dropped) == (3, 2)


@pytest.mark.fault(
    "threads",
    theirs="Shut down while threads go on ending spans",
    promise="Each span is exported or counted as dropped",
)
def test_a_shutdown_in_the_middle_of_the_traffic(balance: Balance) -> None:
    """Threads go on ending spans while the processor closes, and each span is one or the other."""
    for _ in range(20):
        exporter = Counting()
        provider, account = _provider(exporter, 64, 16, 1)
        ending = threading.Timer(0.002, provider.shutdown)
        ending.start()
        emitted = _emit(provider, 100, threads=4)
        ending.join()
        balance("spans", made=emitted, delivered=exporter.exported, lost=account.dropped)


def test_what_still_waits_after_the_end_is_given_up() -> None:
    """While the pipeline lives, waiting is not dropped; once it is closed, what waits or is on its way is."""
    ledger = Ledger()
    places = Places(4, TRACES, ledger)
    account = Account(ledger, places)
    assert [places.admit() for _ in range(5)] == [True] * 4 + [False]
    places.dequeue(2)
    assert account.dropped == 1
    places.close()
    assert account.dropped == 5
    places.in_flight = 0
    assert account.dropped == 3


def test_unsampled_spans_are_nobody_s_loss() -> None:
    """They take no place and count as nothing."""
    exporter = Counting()
    ledger = Ledger()
    processor = CountingSpanProcessor(exporter, ledger, 2, 2, 60_000)
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    _emit(provider, 10)
    provider.shutdown()
    assert (exporter.exported, ledger.lost.total(), processor.places.given_up) == (0, 0, 0)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.fault(
    "threads",
    ours="A process forks with spans in its queue",
    promise="The child's account begins at zero",
)
def test_a_forked_child_has_an_account_of_its_own() -> None:
    """The parent's waiting and dropped spans are not the child's, which has all places free."""
    exporter = Counting()
    provider, account = _provider(exporter, 2, 2, 60_000)
    admit = account.places.admit
    admit()
    admit()
    assert not admit()
    assert in_child(lambda: account.dropped == 0 and admit() and admit() and not admit()) == 0
    assert account.dropped == 1
    provider.shutdown()
