"""The SDK's providers: those that somebody has set already, those that a file declares, and those that we make."""

from __future__ import annotations

import importlib
import socket
import weakref
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.sdk.environment_variables import (
    OTEL_BLRP_MAX_QUEUE_SIZE,
    OTEL_BLRP_SCHEDULE_DELAY,
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_BSP_SCHEDULE_DELAY,
    OTEL_CONFIG_FILE,
    OTEL_METRIC_EXPORT_INTERVAL,
    OTEL_RESOURCE_ATTRIBUTES,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import (
    HOST_NAME,
    PROCESS_PID,
    PROCESS_RUNTIME_DESCRIPTION,
    PROCESS_RUNTIME_NAME,
    PROCESS_RUNTIME_VERSION,
    SERVICE_NAME,
    ProcessResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import SpanProcessor

from ailoop_otel.export import choice
from ailoop_otel.export.delivery import CountingLogProcessor, CountingMetricExporter, CountingSpanProcessor, Places
from ailoop_otel.export.exporters import Shared, attempt, reason
from ailoop_otel.export.failures import FailureProcessor
from ailoop_otel.export.ledger import Ledger
from ailoop_otel.export.quiet import QuietReader
from ailoop_otel.guard import warn
from ailoop_otel.recorded.otlp_json import LOGS, METRICS, TRACES, Signal
from ailoop_otel.recording.deferred import DeferredWork
from ailoop_otel.recording.fast import histograms
from ailoop_otel.recording.internals import LOGS as LOGS_API
from ailoop_otel.recording.internals import sdk_logs, update_resource
from ailoop_otel.recording.session_sampler import SessionSampler
from ailoop_otel.recording.spans import OwnTracerProvider, registered_sampler
from ailoop_otel.settings import environment
from ailoop_otel.version import __version__

Provider = Any
SERVICE: Final = "ailoop"
DISTRO: Final = "ailoop-otel"
# A distribution of its own, and experimental: it may be missing, or have changed.
_CONFIGURATION: Final = "opentelemetry.configuration"
# Of what the SDK detects. Not the command line, which may hold secrets, nor the user's name and paths.
_OF_PROCESS: Final = (PROCESS_PID, PROCESS_RUNTIME_NAME, PROCESS_RUNTIME_VERSION, PROCESS_RUNTIME_DESCRIPTION)
# The SDK's own defaults, which it does not export.
_PLACES: Final = 2048
_BATCH: Final = 512
_SPAN_DELAY_MS: Final = 5_000

_API: Final[dict[Signal, ModuleType | None]] = {TRACES: trace, METRICS: metrics, LOGS: LOGS_API}
# Made by us and shut down since. A global provider cannot be taken back, so it may still be the global one.
_ENDED: Final[weakref.WeakSet[Provider]] = weakref.WeakSet()


def resource() -> Resource:
    """The resource of this process: `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, else service `ailoop`.

    What these do not say of the machine and the process is detected. The SDK gives each process a
    `service.instance.id` of its own, and another after a fork.
    """
    detected = {HOST_NAME: socket.gethostname(), **of_process(_OF_PROCESS).attributes}
    made = Resource(detected).merge(
        Resource.create({"telemetry.distro.name": DISTRO, "telemetry.distro.version": __version__})
    )
    # Attributes given to `create` would win over the environment, so the default is put in afterwards, in the
    # place of the SDK's own.
    if str(made.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return made.merge(Resource({SERVICE_NAME: SERVICE}))
    return made


def of_process(wanted: Sequence[str]) -> Resource:
    """Those attributes of this process that are `wanted`, by the SDK's detector."""
    detected = ProcessResourceDetector().detect().attributes
    return Resource({name: detected[name] for name in wanted if name in detected})


def begin_anew(provider: Provider) -> None:
    """In a forked child, have the resource of a provider of ours say whose it is, unless the user says so."""
    if f"{PROCESS_PID}=" not in environment(OTEL_RESOURCE_ATTRIBUTES):
        update_resource(provider, of_process([PROCESS_PID]))


def configure(path: str) -> bool:
    """Have the SDK set the global providers up as `OTEL_CONFIG_FILE` declares; False, and one line, if it cannot."""

    def explain(fault: BaseException) -> str:
        is_missing = isinstance(fault, ModuleNotFoundError) and fault.name == _CONFIGURATION
        mend = "pip install opentelemetry-configuration" if is_missing else "correct the file"
        return f"{OTEL_CONFIG_FILE}={path!r} is ignored ({reason(fault)}). To mend it, {mend}."

    return bool(attempt(lambda: _configure(path), explain))


def _configure(path: str) -> bool:
    module = importlib.import_module(_CONFIGURATION)
    try:
        module.configure_sdk(module.load_config_file(path))
    except module.ConfigurationError as fault:
        raise ValueError(str(fault)) from fault
    return True


def existing(signal: Signal) -> Provider | None:
    """The global provider that somebody has set, or None; one of ours that was shut down is none."""
    provider = _global(signal)
    # Somebody else's may have no hash, as Logfire's have none.
    ended = any(provider is each for each in _ENDED)
    return None if provider is None or ended or _is_stand_in(signal, provider) else provider


def no_op(signal: Signal) -> Provider | None:
    """A provider that does nothing; None where OpenTelemetry has no such signal."""
    return _from_api(signal, "NoOp{}Provider")()


def publish(signal: Signal, provider: Provider) -> None:
    """Make a provider the global one, if there is none yet; one line in the log where that fails."""
    before = _global(signal)
    if before is None or not _is_stand_in(signal, before):
        return
    _from_api(signal, "set_{}_provider")(provider)
    now = _global(signal)
    if now is not provider:
        warn(f"{signal.name} of this package are exported, but those of other code go to a {type(now).__name__}.")


def retire(provider: Provider) -> None:
    """Note that a provider of ours has been shut down."""
    _ENDED.add(provider)


def make(
    signal: Signal, exporters: Sequence[Any], resource: Resource, shared: Shared
) -> tuple[Provider, Sequence[Places]]:
    """A signal's provider with its exporters, and their queues; may raise for bad `OTEL_*`."""
    if signal is TRACES:
        return _make_traces(exporters, resource, shared)
    if not exporters:
        # Nobody can add any later, as with traces: what is recorded would go nowhere.
        return no_op(signal), ()
    if signal is METRICS:
        return _make_metrics(exporters, resource, shared), ()
    return _make_logs(exporters, resource, shared.ledger)


def _make_traces(exporters: Sequence[Any], resource: Resource, shared: Shared) -> tuple[Provider, Sequence[Places]]:
    places = choice.whole(OTEL_BSP_MAX_QUEUE_SIZE, _PLACES)
    batch = min(places, choice.whole(OTEL_BSP_MAX_EXPORT_BATCH_SIZE, _BATCH))
    default = choice.SPAN_DELAY_MS if choice.is_embedded(TRACES) else _SPAN_DELAY_MS
    delay = choice.whole(OTEL_BSP_SCHEDULE_DELAY, default)
    counting = [CountingSpanProcessor(exporter, shared.ledger, places, batch, delay) for exporter in exporters]
    processors: list[SpanProcessor] = [*counting]
    sampler = registered_sampler()
    if isinstance(sampler, SessionSampler) and processors:
        processors = [FailureProcessor(processors, sampler.failures)]
    deferred, light = DeferredWork(shared.guard), "spans" in shared.settings.fast_paths
    provider = OwnTracerProvider(resource, processors, deferred=deferred, light=light, sampler=sampler)
    return provider, [processor.places for processor in counting]


def _make_metrics(exporters: Sequence[Any], resource: Resource, shared: Shared) -> Provider:
    embedded = choice.is_embedded(METRICS)
    interval = choice.whole(OTEL_METRIC_EXPORT_INTERVAL, choice.METRIC_INTERVAL_MS)
    # Some "exporters" are readers that wait to be asked, such as Prometheus's.
    ready = [exporter for exporter in exporters if isinstance(exporter, MetricReader)]
    fast = "histograms" in shared.settings.fast_paths and histograms.fits(exporters)
    store = histograms.HistogramStore() if fast else None
    others = (exporter for exporter in exporters if not isinstance(exporter, MetricReader))
    periodic = [CountingMetricExporter(exporter, shared.ledger, store) for exporter in others]
    if store is not None and embedded and not environment(OTEL_METRIC_EXPORT_INTERVAL):
        timed: list[MetricReader] = [QuietReader(exporter, interval, store) for exporter in periodic]
    else:
        timed = [PeriodicExportingMetricReader(exporter, interval) for exporter in periodic]
    readers = [*ready, *timed]
    try:
        if store is not None:
            return histograms.LightMeterProvider(resource, readers, store)
        return MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)
    except Exception:
        for reader in readers:  # their threads would go on
            reader.shutdown()
        raise


def _make_logs(exporters: Sequence[Any], resource: Resource, ledger: Ledger) -> tuple[Provider, Sequence[Places]]:
    # Attached to no logger of the server's: its records hold whole frames.
    provider = sdk_logs().LoggerProvider(resource=resource, shutdown_on_exit=False)
    delay = choice.whole(OTEL_BLRP_SCHEDULE_DELAY, choice.LOG_DELAY_MS)
    places = choice.whole(OTEL_BLRP_MAX_QUEUE_SIZE, _PLACES)
    processors = [CountingLogProcessor(exporter, ledger, places, delay) for exporter in exporters]
    for processor in processors:
        provider.add_log_record_processor(processor)
    return provider, [processor.places for processor in processors]


def _from_api(signal: Signal, name: str) -> Any:
    """A function or class of the API, by its name without the noun; without the API it does nothing."""
    return getattr(_API[signal], name.format(signal.maker if "NoOp" in name else signal.maker.lower()), _nothing)


def _nothing(*_: object) -> None:
    return None


def _global(signal: Signal) -> Provider | None:
    return _from_api(signal, "get_{}_provider")()


def _is_stand_in(signal: Signal, provider: Provider) -> bool:
    """Whether nobody has set a provider: then the API hands out an object of a class of its own.

    Its name is private for two of the three signals, so it is recognised by where it is defined: in the API, and it
    is not the API's provider that does nothing, which somebody may have set. A provider that is mistaken for it is
    not replaced (`publish`), and this package exports through its own provider.
    """
    api, no_op = _API[signal], _from_api(signal, "NoOp{}Provider")
    if api is None or (isinstance(no_op, type) and isinstance(provider, no_op)):
        return False
    module = type(provider).__module__
    in_api = module == api.__name__ or module.startswith(f"{api.__name__}.")
    # Elsewhere in OpenTelemetry are the SDK's providers, and they can be flushed.
    return in_api or (module.startswith("opentelemetry.") and not hasattr(provider, "force_flush"))
