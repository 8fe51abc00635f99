"""OTLP JSON Lines files that rotate: what is recorded where nothing else is set up, no collector needed.

The official exporters encode, all but spans; the files they would append to for ever are ours. The SDK finds these
classes by their entry point `ailoop_json_files`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import IO, Any, ClassVar, Final, cast

from opentelemetry.exporter.otlp.json.file import FileMetricExporter, FileSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from ailoop_otel.export.changes import Changes
from ailoop_otel.export.choice import LOGS, METRICS, TRACES, Signal
from ailoop_otel.export.rotation import Bounds, RotatingFile
from ailoop_otel.fork import begin_anew
from ailoop_otel.guard import Guard
from ailoop_otel.recording.internals import LogRecordExporter, file_log_exporter
from ailoop_otel.settings import Settings
from ailoop_otel.unpatched import time

_MEGABYTE: Final = 1e6
_HOUR: Final = 3600.0


class _Lines:
    """The stream that an official exporter writes its lines to, one call a line.

    It remembers a failed write instead of raising: the exporter would log a traceback for every batch.
    """

    closed: Final = False

    def __init__(self, file: RotatingFile) -> None:
        self.file = file
        self.failed = False
        self.lock = threading.Lock()

    def write(self, line: str) -> int:
        """Append a line that ends with a line break."""
        self.append(line.encode())
        return len(line)

    def append(self, line: bytes) -> None:
        """The same, of a line that is encoded."""
        if not self.file.write(line):
            self.failed = True

    def flush(self) -> None:
        """Nothing waits: every line went to the kernel at once."""


class _Rotating:
    """What the three exporters have in common."""

    _signal: ClassVar[Signal]

    def __init__(
        self,
        directory: str | None = None,
        max_file: float | None = None,
        max_total: float | None = None,
        max_age: float | None = None,
        clock: Callable[[], float] = time.time,
        file: Any = None,
    ) -> None:
        settings = Settings.from_environment()
        bounds = Bounds(
            settings.directory if directory is None else directory,
            (settings.max_file if max_file is None else max_file) * _MEGABYTE,
            (settings.max_total if max_total is None else max_total) * _MEGABYTE,
            (settings.max_age if max_age is None else max_age) * _HOUR,
        )
        self._file = file or RotatingFile(self._signal.name, bounds, clock)
        self._begin()
        # In a forked child this lock and the official exporter's may be held by a thread that did not come along.
        begin_anew(self._begin)

    def _begin(self) -> None:
        self._lines = _Lines(self._file)
        self._attach()

    def _attach(self) -> None:
        super().__init__(stream=cast("IO[str]", self._lines))  # type: ignore[call-arg]

    def _exported(self, export: Callable[[Any], Any], batch: object) -> bool:
        """Whether the batch could be encoded and the file took its line."""
        with self._lines.lock:
            self._lines.failed = False
            return export(batch).name == "SUCCESS" and not self._lines.failed


class _Line:
    """Takes the place of a file, to have a batch's line."""

    def __init__(self) -> None:
        self.content = b""

    def write(self, line: bytes) -> bool:
        """Append to the content."""
        self.content += line
        return True

    def close(self) -> None:
        """Nothing is open."""


class LineEncoder:
    """Encodes batches of one signal as the files have them; `exporter` has the official exporter's preferences."""

    def __init__(self, signal: Signal, settings: Settings, guard: Guard) -> None:
        self._line = _Line()
        self.exporter: Any
        if signal is TRACES:
            fast = "json" in settings.fast_paths
            self.exporter = RotatingSpanExporter(file=self._line, guard=guard, fast=fast)
        else:
            self.exporter = (WholeMetricExporter if signal is METRICS else RotatingLogExporter)(file=self._line)

    def encode(self, batch: Any) -> bytes:
        """The line of a batch, with its break; empty if it cannot be encoded. Not thread-safe."""
        self._line.content = b""
        self.exporter.export(batch)
        return self._line.content


class RotatingSpanExporter(_Rotating, FileSpanExporter):
    """Writes spans; sizes in megabytes, age in hours, each from the settings where it is not given.

    A batch that our encoder fails for is encoded by the official exporter, and `guard` counts the fault.
    """

    _signal = TRACES

    def __init__(self, *where: Any, guard: Guard | None = None, fast: bool | None = None, **bounds: Any) -> None:
        super().__init__(*where, **bounds)
        self._guard = guard or Guard()
        fast = "json" in Settings.from_environment().fast_paths if fast is None else fast
        self._encoded = _encoder() if fast else None
        self._stopped = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write a batch as one line; FAILURE when nothing was written."""
        return SpanExportResult.SUCCESS if self._exported(self._export, spans) else SpanExportResult.FAILURE

    def _export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        line = self._line(spans)
        # After a shutdown the official exporter refuses the batch and logs it; no file is opened again.
        if self._stopped or not line:
            return super().export(spans)
        self._lines.append(line)
        return SpanExportResult.SUCCESS

    def _line(self, spans: Sequence[ReadableSpan]) -> bytes:
        """Nothing where it is for the official exporter to say what becomes of the batch."""
        with self._guard:
            return self._encoded(spans) if self._encoded else b""
        return b""

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Close the file."""
        self._stopped = True
        super().shutdown(timeout_millis, **kwargs)
        self._lines.file.close()


def _encoder() -> Callable[[Sequence[ReadableSpan]], bytes] | None:
    try:
        from ailoop_otel.recording.fast.json_lines import encoded
    except ImportError:
        return None
    return encoded


class WholeMetricExporter(_Rotating, FileMetricExporter):
    """Writes metrics; sizes in megabytes, age in hours, each from the settings where it is not given.

    The official exporter honours `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION`.
    """

    _signal = METRICS

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Write a collection as one line; FAILURE when it could not be written."""
        written = self._exported(super().export, metrics_data)
        return MetricExportResult.SUCCESS if written else MetricExportResult.FAILURE

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Close the file."""
        super().shutdown(timeout_millis, **kwargs)
        self._lines.file.close()


class RotatingMetricExporter(WholeMetricExporter):
    """The same, but of a collection that is no file's first only the metrics that changed; all from time to time."""

    def __init__(self, *where: Any, **bounds: Any) -> None:
        super().__init__(*where, **bounds)
        self._changes = Changes()

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Write what has changed of a collection as one line; FAILURE when that could not be written."""
        now = self._lines.file.clock()
        wanted = self._changes.since_last(metrics_data, now)
        file = self._lines.file.path
        result = super().export(wanted)
        if result is MetricExportResult.SUCCESS and wanted is not metrics_data and self._lines.file.path != file:
            # Each file can be read without those before it.
            result = super().export(self._changes.all_of(metrics_data, now))
        if result is not MetricExportResult.SUCCESS:
            self._changes.forget()
        return result


class RotatingLogExporter(_Rotating, LogRecordExporter):  # type: ignore[misc]
    """Writes log records; sizes in megabytes, age in hours, each from the settings where it is not given.

    Raises ImportError where OpenTelemetry has no exporter of logs into files.
    """

    _signal = LOGS

    def _attach(self) -> None:
        self._official = file_log_exporter()(stream=cast("IO[str]", self._lines))

    def export(self, batch: Sequence[Any]) -> Any:
        """Write a batch as one line; FAILURE when nothing was written."""
        results: list[Any] = []

        def export(batch: Sequence[Any]) -> Any:
            results.append(self._official.export(batch))
            return results[0]

        written = self._exported(export, batch)
        return results[0] if written else type(results[0]).FAILURE

    def shutdown(self) -> None:
        """Close the file."""
        self._official.shutdown()
        self._lines.file.close()

    def force_flush(self, timeout_millis: float = 30_000) -> bool:
        """Nothing waits."""
        return True
