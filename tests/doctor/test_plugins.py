"""Other instrumentation beside ours."""

from __future__ import annotations

import pytest

from ailoop_otel import doctor
from ailoop_otel.doctor import plugins
from ailoop_otel.doctor.findings import NOTE, OK, PROBLEM, Finding
from tests.doctor.conftest import Install, about
from tests.protocol.invented import dialect, parley, registry

POINTS = "[opentelemetry_instrumentor]\n{0} = nowhere:Instrumentor\n"


@pytest.mark.parametrize("name", ["asgi", "requests", "threading", "starlette", "urllib3"])
def test_what_we_handle_is_fine(name: str, install: Install) -> None:
    """No span is made twice."""
    install(f"opentelemetry-instrumentation-{name}", "0.66b2", points=POINTS.format(name))
    assert about(plugins.check(), name).level == OK


def test_what_nobody_knows_is_a_note(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is switched off."""
    install("opentelemetry-instrumentation-redis", "0.66b2", points=POINTS.format("redis"))
    finding = about(plugins.check(), "redis")
    assert (finding.level, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS" in finding.mend) == (NOTE, True)
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "redis, django")
    assert about(plugins.check(), "redis").level == OK


@pytest.mark.parametrize(
    ("variables", "level"),
    [
        ({}, NOTE),
        ({"PYTHONPATH": "/x/opentelemetry/instrumentation/auto_instrumentation"}, PROBLEM),
        ({"OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "true"}, PROBLEM),
        ({"OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "false"}, OK),
    ],
)
def test_log_records_are_not_to_be_exported(
    variables: dict[str, str], level: str, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AILoop logs what its users write, and the package that exports it does so unless it is switched off."""
    install("opentelemetry-instrumentation-logging", "0.66b2", points=POINTS.format("logging"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    finding = about(plugins.check(), "logging")
    assert finding.level == level
    assert level == OK or finding.mend == "Set OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION=false."


def test_the_sdk_may_export_them_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any other package."""
    name = "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED"
    monkeypatch.setenv(name, "true")
    finding = about(plugins.check(), name)
    assert (finding.level, finding.mend) == (PROBLEM, f"Unset {name}.")


def test_ourselves_switched_off_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that does it is named."""
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "ailoop,requests")
    finding = about(plugins.check(), "ailoop")
    assert finding.level == PROBLEM
    assert "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS" in finding.mend


@pytest.mark.parametrize(
    ("variables", "level"),
    [
        ({}, NOTE),
        ({"OTEL_PYTHON_DISTRO": "ailoop"}, OK),
        ({"OTEL_PYTHON_DISTRO": "distro"}, PROBLEM),
        ({"PYTHONPATH": "/x/opentelemetry/instrumentation/auto_instrumentation:/y"}, PROBLEM),
    ],
)
def test_of_two_distros_ours_is_to_be_named(
    variables: dict[str, str], level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note as long as opentelemetry-instrument is not used."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    finding = about(plugins.check(), "Distro")
    assert finding.level == level
    assert level == OK or finding.mend == "Set OTEL_PYTHON_DISTRO=ailoop."


def test_a_distro_that_is_not_there_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip of the pen, as a rule."""
    monkeypatch.setenv("OTEL_PYTHON_DISTRO", "ailop")
    assert about(plugins.check(), "OTEL_PYTHON_DISTRO").level == PROBLEM


def test_fastapis_own_telemetry_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fine by itself; a second set-up of the SDK is not."""
    assert about(plugins.check(), "FastAPI").level == OK
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    assert [finding.level for finding in plugins.check() if finding.subject == "FastAPI"] == [OK, NOTE]


def test_each_plugin_is_listed_with_its_package() -> None:
    """What is used with its methods, what is not with the reason and what to do."""
    made = registry(parley().Parley, dialect(queues=1))
    used = about(plugins.check_dialects(made), "parley")
    assert used.level == OK
    assert used.sentence == (
        "of ailoop-theirs; messages come by chat.ask; methods: chat.ask, chat.close, chat.history, chat.open."
    )
    unused = about(plugins.check_dialects(made), "theirs")
    assert unused.level == PROBLEM
    assert unused.sentence == "of ailoop-theirs, not used: its `queues` has to be True or False."
    assert "docs/dialects.md" in unused.mend


def test_without_plugins_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few have one; with one the whole examination has its finding."""
    assert list(plugins.check_dialects(registry())) == []
    monkeypatch.setattr(doctor, "DIALECTS", registry(dialect()))
    findings: tuple[Finding, ...] = doctor.examine("", "", 0.1).findings
    assert about(findings, "theirs").level == OK
