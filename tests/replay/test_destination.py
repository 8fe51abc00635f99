"""Where a recording goes, from the command line and the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from ailoop_otel.recorded.otlp_json import LOGS, TRACES
from ailoop_otel.replay.http import destination
from ailoop_otel.settings import UsageError


@pytest.mark.parametrize(
    ("named", "variable", "base"),
    [
        ("", "", "http://127.0.0.1:4318"),
        ("", "https://gateway/otlp/", "https://gateway/otlp"),
        ("http://here:1", "http://there:2", "http://here:1"),
        ("http://here:1/v1/traces", "", "http://here:1"),
        ("http://here:1/a/v1/logs/", "", "http://here:1/a"),
        ("http://user:secret@here:1?key=secret", "", "http://here:1"),
        ("http://[::1]:4318", "", "http://[::1]:4318"),
    ],
)
def test_the_address_is_the_named_one_or_the_environment_s(
    named: str, variable: str, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a signal's path, which is added again, and without secrets, as it is shown."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", variable)
    found = destination(named, insecure=False)
    assert found.base == base
    assert (found.url(TRACES), found.url(LOGS)) == (f"{base}/v1/traces", f"{base}/v1/logs")


def test_a_user_in_the_address_is_kept_for_the_collector_alone() -> None:
    """As a browser would."""
    assert destination("http://us%20er:p%40ss@here:1", insecure=False).user == ("us er", "p@ss")
    assert destination("http://here:1", insecure=False).user is None


def test_headers_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the form that OpenTelemetry gives them."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20abc, x-tenant = a")
    assert destination("", insecure=False).headers == {"authorization": "Basic abc", "x-tenant": "a"}


def test_certificates_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The authority's, and the client's own with its key."""
    for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"):
        (tmp_path / name).touch()
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", str(tmp_path / name))
    found = destination("https://here", insecure=False)
    assert found.verify == str(tmp_path / "CERTIFICATE")
    assert found.certificate == (str(tmp_path / "CLIENT_CERTIFICATE"), str(tmp_path / "CLIENT_KEY"))
    assert destination("https://here", insecure=True).verify is False


def test_a_certificate_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than every line with an error that names no file."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem")
    with pytest.raises(UsageError, match="OTEL_EXPORTER_OTLP_CERTIFICATE names /nowhere/ca.pem, which is no file"):
        destination("", insecure=False)


@pytest.mark.parametrize(
    "address", ["here:4318", "127.0.0.1", "ftp://here", "http://", "http://a:b:c", "http://h:99999"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """With one that would be."""
    with pytest.raises(UsageError, match=r"is no address: write it like http://127\.0\.0\.1:4318"):
        destination(address, insecure=False)


def test_a_refused_address_keeps_its_secrets() -> None:
    """It is printed, and may be in a log."""
    with pytest.raises(UsageError) as raised:
        destination("ftp://user:secret@here?key=secret", insecure=False)
    assert "secret" not in str(raised.value)


def test_an_environment_that_says_grpc_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its endpoint is another port; a named one is taken at its word."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(UsageError, match="name the OTLP/HTTP address with --endpoint"):
        destination("", insecure=False)
    assert destination("http://here:4318", insecure=False).base == "http://here:4318"
