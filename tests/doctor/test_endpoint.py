"""Where telemetry goes, and which hop broke."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ailoop_otel.doctor import endpoint
from ailoop_otel.doctor.findings import NOTE, OK, PROBLEM
from ailoop_otel.replay.acknowledged import NAME, Acknowledged
from tests.ailoop.process import free_port
from tests.doctor.backend import Backend
from tests.doctor.conftest import about, examined, to
from tests.replay.exports import traces


def test_a_span_is_followed_into_jaeger(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from a service of its own, and is looked for until it has been indexed."""
    backend.delay = 3
    to(monkeypatch, backend.url)
    found = examined(backend.url)
    assert about(found, "Collector").level == OK
    assert about(found, "Jaeger").level == OK
    (trace_id,) = backend.traces
    assert about(found, "Jaeger").sentence.endswith(f"/trace/{trace_id}")
    assert "ailoop-otel-doctor" in backend.services


def test_a_jaeger_nearby_is_asked_unbidden(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the collector is on this machine too."""
    monkeypatch.setattr(endpoint, "DEFAULT_JAEGER", backend.url)
    to(monkeypatch, backend.url)
    assert about(examined(), "Jaeger").level == OK


def test_without_a_jaeger_the_rest_is_a_note(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option is named."""
    to(monkeypatch, backend.url)
    finding = about(examined(), "Jaeger")
    assert finding.level == NOTE
    assert "--jaeger URL" in finding.mend


@pytest.mark.fault(
    "collector",
    theirs="The collector takes a span and Jaeger never sees it",
    promise="`doctor` says that what broke is behind the collector",
)
def test_a_span_that_jaeger_never_sees_is_a_problem(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector took it: whatever broke is behind it."""
    backend.finds = False
    to(monkeypatch, backend.url)
    finding = about(examined(backend.url, 0.5), "Jaeger")
    assert finding.level == PROBLEM
    assert "collector took the span" in finding.sentence
    assert "collector's exporters" in finding.mend


def test_a_jaeger_that_was_named_must_answer(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is secret in its address is not repeated."""
    to(monkeypatch, backend.url)
    finding = about(examined(f"http://user:secret@127.0.0.1:{free_port()}"), "Jaeger")
    assert (finding.level, "does not answer" in finding.sentence) == (PROBLEM, True)
    assert "secret" not in str(finding)
    assert "correct --jaeger" in finding.mend


def test_files_need_a_folder_that_can_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that is not there yet is made by the server, not here."""
    assert about(examined(), "Files").level == OK
    assert not (tmp_path / "ailoop-telemetry").exists()
    (tmp_path / "taken").touch()
    monkeypatch.setenv("AILOOP_OTEL_DIRECTORY", "taken")
    finding = about(examined(), "Files")
    assert (finding.level, "is no directory" in finding.sentence) == (PROBLEM, True)
    assert "AILOOP_OTEL_DIRECTORY" in finding.mend
    monkeypatch.setenv("AILOOP_OTEL_DIRECTORY", "locked")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "may not be written" in about(examined(), "Files").sentence


def test_a_jaeger_behind_a_password_is_asked_with_it(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is printed nowhere."""
    to(monkeypatch, backend.url)
    found = examined(backend.url.replace("http://", "http://me:hid%40den@"))
    assert about(found, "Jaeger").level == OK
    assert backend.authorizations[-1] == "Basic bWU6aGlkQGRlbg=="
    assert "hid%40den" not in str(found)


def test_a_port_that_speaks_no_http_is_no_jaeger(
    backend: Backend, gibberish: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its gRPC port, for example."""
    to(monkeypatch, backend.url)
    assert "does not answer" in about(examined(gibberish), "Jaeger").sentence


@pytest.mark.parametrize(
    ("variables", "subject", "level"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, "OTEL_SDK_DISABLED", PROBLEM),
        ({"OTEL_CONFIG_FILE": "otel.yaml"}, "OTEL_CONFIG_FILE", PROBLEM),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "Traces", PROBLEM),
        ({"OTEL_TRACES_EXPORTER": "console"}, "Traces", NOTE),
        ({"OTEL_TRACES_EXPORTER": "none"}, "Traces, metrics, logs", NOTE),
    ],
)
def test_other_places_are_reported(
    variables: dict[str, str], subject: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as they can be looked at without making anything."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert about(examined(), subject).level == level


def test_a_jaeger_that_gets_nothing_is_not_asked() -> None:
    """Files do not go there."""
    assert about(examined("http://127.0.0.1:1"), "Jaeger").level == NOTE


def test_what_waits_for_the_collector_is_reported(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """How much of which signal, since when, and how to send it; not what was acknowledged, nor recordings."""
    to(monkeypatch, backend.url)
    folder = tmp_path / "ailoop-telemetry"
    folder.mkdir()
    waiting = folder / "undelivered-traces-20251122T140000Z-999999-1.jsonl"
    waiting.write_bytes(traces("one", spans=3) + traces("two", spans=2))
    (folder / "traces-20251122T140000Z-999999-1.jsonl").write_bytes(traces("recorded"))
    finding = about(examined(), "Undelivered")
    assert finding.level == NOTE
    assert "5 of traces" in finding.sentence
    assert "2025-11-22" in finding.sentence
    assert "ailoop-otel replay" in finding.mend
    with Acknowledged(folder / NAME, backend.url) as acknowledged:
        acknowledged.add(traces("one", spans=3).strip())
    assert "2 of traces" in about(examined(), "Undelivered").sentence
    waiting.unlink()
    assert not any(finding.subject == "Undelivered" for finding in examined())
