"""What switches the instrumentation on."""

from __future__ import annotations

import os
import site
from pathlib import Path

import pytest

from ailoop_otel.doctor import environment
from ailoop_otel.doctor.findings import NOTE, OK, PROBLEM
from ailoop_otel.settings import read_dotenv
from tests.doctor.conftest import about

ENABLED = "AILOOP_OTEL_ENABLED"


@pytest.mark.parametrize(
    ("value", "dotenv", "level", "words"),
    [
        ("true", "", OK, "true in this environment"),
        ("", "", NOTE, "observed only by another way"),
        ("false", "", NOTE, "observed only by another way"),
        ("", "true", PROBLEM, "too late"),
        ("maybe", "", PROBLEM, "not true or false"),
    ],
)
def test_the_variable_counts_in_the_environment_only(
    value: str, dotenv: str, level: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the `.env` it is read too late."""
    if value:
        monkeypatch.setenv(ENABLED, value)
    finding = about(environment.check({ENABLED: dotenv} if dotenv else {}), ENABLED)
    assert finding.level == level
    assert words in finding.sentence
    assert level == OK or f"Set {ENABLED}=true" in finding.mend


def test_a_missing_start_up_file_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The remedy names both ways."""
    assert about(environment.check({}), "Start-up file").level == OK
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(tmp_path)])
    finding = about(environment.check({}), "Start-up file")
    assert finding.level == PROBLEM
    assert "--force-reinstall ailoop-otel" in finding.mend
    assert "ailoop-otel run --" in finding.mend


def test_settings_that_cannot_be_used_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """From both sources; the environment takes precedence over the `.env`."""
    name = "AILOOP_OTEL_AI_TIMEOUT_TOTAL"
    finding = about(environment.check({name: "soon"}), name)
    assert (finding.level, finding.mend) == (PROBLEM, f"Correct {name} or unset it.")
    monkeypatch.setenv(name, "60")
    assert about(environment.check({name: "soon"}), "Settings").level == OK


def test_a_dotenv_is_read_as_the_server_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotes, comments and `export`; other people's variables are left alone, and what is set already stays."""
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    (tmp_path / ".env").write_text(
        "OPENROUTER_API_KEY=secret\n# OTEL_A=1\nexport OTEL_B = 'x # y'\nOTEL_C=2 # two\nOTEL_LOGS_EXPORTER=otlp\n"
    )
    found = read_dotenv(tmp_path)
    assert found == {"OTEL_B": "x # y", "OTEL_C": "2", "OTEL_LOGS_EXPORTER": "otlp"}
    with environment.added(found):
        assert [os.environ.get(name) for name in sorted(found)] == ["x # y", "2", "none"]
    assert "OTEL_B" not in os.environ
    assert about(environment.check(found), ".env").sentence.startswith("adds OTEL_B, OTEL_C;")


def test_what_is_misspelt_or_meant_as_milliseconds_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the server's log names it."""
    monkeypatch.setenv("AILOOP_OTEL_DIRECTRY", "x")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "10000")
    assert "AILOOP_OTEL_DIRECTORY" in about(environment.check({}), "AILOOP_OTEL_DIRECTRY").sentence
    assert about(environment.check({}), "OTEL_EXPORTER_OTLP_TIMEOUT").level == PROBLEM
