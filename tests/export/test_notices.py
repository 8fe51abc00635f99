"""One line for all exporters that fail."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from ailoop_otel.export.notices import ExportWarnings

HTTP = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
GRPC = "opentelemetry.exporter.otlp.proto.grpc.exporter"


@pytest.fixture
def now() -> list[float]:
    """A clock that is set by hand."""
    return [1000.0]


@pytest.fixture
def warnings(now: list[float]) -> ExportWarnings:
    """A filter with that clock."""
    return ExportWarnings(lambda: now[0])


@pytest.mark.fault(
    "collector",
    theirs="Two exporters fail ten times a second for ten minutes",
    promise="Ten lines in the log",
)
def test_one_line_a_minute_for_all_together(
    warnings: ExportWarnings, now: list[float], lines: Callable[[], list[str]]
) -> None:
    """Ten minutes of failures of two exporters, ten times a second, are ten lines."""
    warnings.install()
    for tenth in range(6000):
        now[0] = 1000.0 + tenth / 10
        logging.getLogger(HTTP if tenth % 2 else GRPC).error("Failed to export, code %s", 503)
    assert len(lines()) == 10
    assert all("Failed to export, code 503" in line and "OTEL_EXPORTER_OTLP_ENDPOINT" in line for line in lines())
    warnings.remove()


def test_a_traceback_becomes_one_line(
    warnings: ExportWarnings, lines: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    """However long a warning is, it is one line that ends."""
    warnings.install()
    try:
        raise RuntimeError
    except RuntimeError:
        logging.getLogger("opentelemetry.sdk._shared_internal").exception("Exception %s\n", "very long\n" * 200)
    assert len(lines()) == 1
    assert "\n" not in lines()[0]
    assert len(lines()[0]) < 600
    assert caplog.records[0].exc_info is None
    warnings.remove()


def test_what_is_below_a_warning_passes(warnings: ExportWarnings, caplog: pytest.LogCaptureFixture) -> None:
    """Who asked for debug output gets it."""
    warnings.install()
    caplog.set_level(logging.DEBUG)
    for _ in range(3):
        logging.getLogger(HTTP).debug("detail")
    assert [record.getMessage() for record in caplog.records] == ["detail"] * 3
    warnings.remove()


def test_what_is_no_failure_is_not_called_so(warnings: ExportWarnings, lines: Callable[[], list[str]]) -> None:
    """A reader that is asked once more after its provider has ended says so."""
    warnings.install()
    InMemoryMetricReader().collect()
    assert lines() == []
    warnings.remove()


def test_other_exporters_can_be_listened_to(warnings: ExportWarnings, lines: Callable[[], list[str]]) -> None:
    """An exporter of a third party joins by the name of its module."""
    warnings.install(["vendor.exporter"])
    for _ in range(3):
        logging.getLogger("vendor.exporter").warning("no")
        logging.getLogger("vendor.other").warning("not about exports")
    assert sum("vendor" in line or "no --" in line for line in lines()) == 1
    assert lines().count("not about exports") == 3
    warnings.remove()


def test_after_removal_everything_is_as_before(warnings: ExportWarnings) -> None:
    """No filter of ours is left, filters of others stay, and no handler was touched."""
    logger = logging.getLogger("opentelemetry.sdk._shared_internal")
    before = (list(logger.filters), list(logger.handlers), logger.level, logger.propagate)
    warnings.install()
    warnings.install()
    assert logger.filters.count(warnings) == 1
    warnings.remove()
    assert (logger.filters, logger.handlers, logger.level, logger.propagate) == before


def test_many_threads_warn_once(warnings: ExportWarnings, lines: Callable[[], list[str]]) -> None:
    """Three signals that fail at the same moment are one line."""
    warnings.install()
    barrier = threading.Barrier(8)

    def fail() -> None:
        barrier.wait()
        logging.getLogger(HTTP).error("Failed")

    threads = [threading.Thread(target=fail) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines()) == 1
    warnings.remove()


def test_only_chatter_of_exports_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    """The server's own requests are logged as before, warnings too, and after `remove` everything."""
    warnings = ExportWarnings()
    logger = logging.getLogger("urllib3.connectionpool")
    warnings.install()
    with caplog.at_level(logging.DEBUG, logger="urllib3.connectionpool"):
        logger.debug("the server's request")
        with suppress_instrumentation():
            logger.debug("an export")
            logger.warning("a warning")
        warnings.remove()
        with suppress_instrumentation():
            logger.debug("afterwards")
    assert caplog.messages == ["the server's request", "a warning", "afterwards"]
