"""Files that hold only what no collector has taken: every command that reads them says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from ailoop_otel import cli
from ailoop_otel.recorded.files import undelivered
from ailoop_otel.recorded.otlp_json import UNDELIVERED
from tests.view.sample import Sample

ENDPOINT = "http://127.0.0.1:4318"


@pytest.fixture(autouse=True)
def place(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server that sends to a collector, which went away before the last exchange."""
    sample.exchange("s-1", 0, 1.0)
    sample.close()
    sample.path.rename(sample.directory / f"{UNDELIVERED}{sample.path.name}")
    monkeypatch.chdir(sample.directory.parent)
    monkeypatch.setenv("AILOOP_OTEL_DIRECTORY", str(sample.directory))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", ENDPOINT)
    return sample.directory


def _said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert cli.main(words) == code
    output = capsys.readouterr()
    return " ".join((output.out + output.err).split())


@pytest.mark.parametrize("words", [(), ("traces",), ("explain",), ("top", "--once"), ("traces", "--outcome", "cut")])
def test_what_is_missing_is_said(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """With where it went and how to look there."""
    said = _said(capsys, *words)
    assert "hese files hold only what was not delivered" in said
    assert f"the rest went to OTEL_EXPORTER_OTLP_ENDPOINT={ENDPOINT}" in said
    assert "`ailoop-otel traces --jaeger URL`" in said


def test_without_the_server_s_settings_it_is_said_as_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The names of the files tell it."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
    assert "the rest went to the collector of the server" in _said(capsys, "traces")


@pytest.mark.parametrize("words", [("traces", "--trace"), ("explain",)])
def test_a_trace_that_is_not_here_may_be_there(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """It was delivered, for all that is known."""
    assert "the rest went to" in _said(capsys, *words, "0" * 32, code=2)


def test_of_some_files_their_number_is_said(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of a time without a collector are whole."""
    whole = Sample(place, 102)
    whole.exchange("s-1", 0, 1.0)
    whole.close()
    assert "1 of these 2 files hold only what was not delivered" in _said(capsys, "traces")


def test_files_from_before_the_collector_are_not_what_happens_now(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary says where spans go."""
    (path,) = undelivered(list(place.iterdir()))
    path.rename(place / path.name.removeprefix(UNDELIVERED))
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT={ENDPOINT}: spans go there now" in _said(capsys)
