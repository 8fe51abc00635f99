"""Which exporters the environment asks for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ailoop_otel.export import choice
from ailoop_otel.export.choice import SIGNALS
from ailoop_otel.export.distro import AILoopDistro, defaults
from ailoop_otel.recorded.otlp_json import LOGS, METRICS, TRACES

FILES = ("ailoop_json_files",)
OTLP = ("otlp",)

RULES = [
    ({}, FILES, FILES, FILES),
    ({"OTEL_TRACES_EXPORTER": ""}, FILES, FILES, FILES),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, OTLP, OTLP, OTLP),
    ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x"}, OTLP, OTLP, OTLP),
    ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c/x"}, OTLP, OTLP, OTLP),
    ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://c/x"}, OTLP, OTLP, OTLP),
    ({"OTEL_TRACES_EXPORTER": "console"}, ("console",), (), ()),
    ({"OTEL_TRACES_EXPORTER": "none"}, (), (), ()),
    ({"OTEL_TRACES_EXPORTER": " None "}, (), (), ()),
    ({"OTEL_METRICS_EXPORTER": "none"}, (), (), ()),
    ({"OTEL_LOGS_EXPORTER": "otlp"}, (), (), OTLP),
    ({"OTEL_TRACES_EXPORTER": "console, otlp ,console,,none"}, ("console", "otlp"), (), ()),
    ({"OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, ("console",), OTLP, OTLP),
    (
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "x"},
        OTLP,
        (),
        ("x",),
    ),
    ({"OTEL_TRACES_EXPORTER": "ailoop_json_files"}, FILES, (), ()),
    ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, FILES, FILES, FILES),
    ({"OTEL_SERVICE_NAME": "mine"}, FILES, FILES, FILES),
]


def _set(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("variables", "traces", "metrics", "logs"), RULES)
def test_each_rule(
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    traces: tuple[str, ...],
    metrics: tuple[str, ...],
    logs: tuple[str, ...],
) -> None:
    """What is set decides, for each signal; files only where nothing is."""
    _set(monkeypatch, variables)
    assert (choice.exporters(TRACES), choice.exporters(METRICS), choice.exporters(LOGS)) == (traces, metrics, logs)
    assert choice.is_anything_set() is (traces != FILES or metrics != FILES)


@pytest.mark.parametrize(("variables", "traces", "metrics", "logs"), RULES)
def test_the_distro_says_the_same(
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    traces: tuple[str, ...],
    metrics: tuple[str, ...],
    logs: tuple[str, ...],
) -> None:
    """After the distro the environment asks for the same exporters as without it."""
    _set(monkeypatch, variables)
    for name in defaults():
        monkeypatch.setenv(name, variables.get(name, ""))
    AILoopDistro().configure()
    assert (choice.exporters(TRACES), choice.exporters(METRICS), choice.exporters(LOGS)) == (traces, metrics, logs)


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:4318"])
def test_metrics_suit_a_dashboard_wherever_they_go(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's minute leaves rates of a minute without a second point."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    assert defaults()["OTEL_METRIC_EXPORT_INTERVAL"] == "10000"


def test_a_configuration_file_counts_as_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`OTEL_CONFIG_FILE` says where telemetry goes, so the distro adds no exporter."""
    monkeypatch.setenv("OTEL_CONFIG_FILE", "otel.yaml")
    assert choice.is_anything_set()
    assert not any(signal.exporter in defaults() for signal in SIGNALS)


@pytest.mark.parametrize(
    ("variables", "protocol", "endpoint"),
    [
        ({}, "http/protobuf", "http://localhost:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc", "http://localhost:4317"),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, "grpc", "http://localhost:4317"),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            "http/protobuf",
            "http://localhost:4318/v1/traces",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1/"}, "http/protobuf", "http://c:1/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:1/t"}, "http/protobuf", "http://c:1/t"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:secret@c:1/p?key=secret"},
            "http/protobuf",
            "https://c:1/p",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "me:secret@c:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc", "c:1"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://[::1"}, "http/protobuf", "http://[::1"),
    ],
)
def test_protocol_and_endpoint(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], protocol: str, endpoint: str
) -> None:
    """OTLP without a protocol is http/protobuf, and what is shown of an endpoint holds no secret."""
    _set(monkeypatch, variables)
    assert (choice.protocol(TRACES), choice.endpoint(TRACES)) == (protocol, endpoint)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "1_000 "])
@pytest.mark.fault(
    "settings",
    theirs="A number of OpenTelemetry's own variables is none",
    promise="One line and the default, where the SDK would raise",
)
def test_a_bad_number_is_one_line_and_the_default(
    monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]], text: str
) -> None:
    """The SDK would raise, or log a traceback."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", text)
    assert choice.whole("OTEL_BSP_MAX_QUEUE_SIZE", 7) == 7
    assert len(lines()) == 1
    assert "OTEL_BSP_MAX_QUEUE_SIZE" in lines()[0]


def test_a_good_number_is_taken(monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]) -> None:
    """A whole number above 0 is what it says."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", " 12 ")
    assert choice.whole("OTEL_BSP_MAX_QUEUE_SIZE", 7) == 12
    assert lines() == []


def test_the_distro_leaves_a_service_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """`service.name` among the resource attributes is not overruled by a variable of ours."""
    assert defaults()["OTEL_SERVICE_NAME"] == "ailoop"
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=x,service.name=mine")
    assert "OTEL_SERVICE_NAME" not in defaults()


def test_a_timeout_in_milliseconds_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable once; what is no number is told where it is used."""
    assert choice.milliseconds() == []
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "10000")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "999")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "1500")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "soon")
    first, second = choice.milliseconds()
    assert first.startswith("OTEL_EXPORTER_OTLP_TIMEOUT=10000 is 10000 seconds:")
    assert first.endswith("Set 10 for 10 s.")
    assert second.startswith("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=1500 is")
