"""What the environment says."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel import names
from ailoop_otel.settings import Settings, environment, is_true

NUMBERS = [setting for setting in names.SETTINGS if setting.kind == "number"]
FLAGS = [names.SETTING_TRUST_CLIENT, names.SETTING_HTTP]


def read(**variables: str) -> Settings:
    """Settings from these variables, without their prefix."""
    return Settings.from_environment({f"AILOOP_OTEL_{name}": text for name, text in variables.items()})


def test_an_empty_environment_gives_the_defaults() -> None:
    """Those of the table of names and those in the code are the same."""
    assert Settings.from_environment({}) == Settings()


@pytest.mark.parametrize("setting", NUMBERS + FLAGS, ids=lambda setting: setting.name)
@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_is_not_set(setting: names.Setting, text: str) -> None:
    """As OpenTelemetry's own variables have it."""
    assert Settings.from_environment({setting.name: text}) == Settings()


@pytest.mark.parametrize(
    ("name", "field", "text", "value"),
    [
        ("AI_TIMEOUT_FIRST_CHUNK", "first_chunk", "2.5", 2.5),
        ("AI_TIMEOUT_STALL", "stall", "0", 0.0),
        ("AI_TIMEOUT_TOTAL", "total", " 7 ", 7.0),
        ("TRUST_CLIENT_TRACE", "trust_client", "TRUE", True),
        ("HTTP", "http", "off", False),
        ("DIRECTORY", "directory", "/somewhere", "/somewhere"),
        ("MAX_SESSIONS", "max_sessions", "5", 5),
        ("MAX_EXCHANGES", "max_exchanges", "1e3", 1000),
        ("FILE_MAX_SIZE", "max_file", "0.5", 0.5),
        ("DIRECTORY_MAX_SIZE", "max_total", "2", 2.0),
        ("FILE_MAX_AGE", "max_age", "1", 1.0),
        ("CONTENT_MAX_SIZE", "content_limit", "500", 500),
        ("REDACT", "redact", " mine:hook ", "mine:hook"),
        ("FAST_PATHS", "fast_paths", "none", frozenset()),
        ("FAST_PATHS", "fast_paths", " Spans , json,", frozenset({"spans", "json"})),
    ],
)
def test_a_variable_sets_its_field(name: str, field: str, text: str, value: Any) -> None:
    """And no other."""
    settings = read(**{name: text})
    assert settings == dataclasses.replace(Settings(), **{field: value})
    assert type(getattr(settings, field)) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("SPAN_ONLY", True),
        ("span_and_event", True),
        ("false", False),
        ("NO_CONTENT", False),
        ("", False),
    ],
)
def test_content_capture_is_switched_by_the_standard_variable(text: str, value: bool) -> None:
    """In its older values and in its newer ones."""
    settings = Settings.from_environment({names.SETTING_CONTENT.name: text})
    assert settings == dataclasses.replace(Settings(), content=value)


def test_content_that_would_go_nowhere_is_not_captured() -> None:
    """There are no content events: that is said, and nothing is captured."""
    settings = Settings.from_environment({names.SETTING_CONTENT.name: "EVENT_ONLY"})
    assert not settings.content
    assert "is not true or false" in settings.problems[0]


@pytest.mark.parametrize("text", ["soon", "nan", "inf", "-1", "1e999", "86401", "5s", "1,5"])
def test_a_bad_number_is_one_sentence_and_the_default(text: str) -> None:
    """The server starts all the same."""
    settings = read(AI_TIMEOUT_STALL=text)
    assert settings.stall == 30.0
    assert settings.problems == (
        f"AILOOP_OTEL_AI_TIMEOUT_STALL={text!r} is not a number from 0 to 86400 (s); 30 is used instead.",
    )


def test_a_bad_flag_is_one_sentence_and_the_default() -> None:
    """It says what it would have understood."""
    settings = read(HTTP="maybe", TRUST_CLIENT_TRACE="2")
    assert (settings.http, settings.trust_client) == (True, False)
    assert [problem.split(";")[0] for problem in settings.problems] == [
        "AILOOP_OTEL_TRUST_CLIENT_TRACE='2' is not true or false",
        "AILOOP_OTEL_HTTP='maybe' is not true or false",
    ]


@pytest.mark.parametrize("text", ["all", "ALL", ",", "spans,histograms,protobuf,json"])
def test_all_fast_paths_are_the_default(text: str) -> None:
    """Also where each of them is named."""
    assert read(FAST_PATHS=text) == Settings()


@pytest.mark.parametrize("text", ["some", "spans,all", "none,json", "spans json", "journal"])
def test_a_fast_path_that_does_not_exist(text: str) -> None:
    """One clear sentence, and the default."""
    settings = read(FAST_PATHS=text)
    (problem,) = settings.problems
    assert problem.startswith(f"AILOOP_OTEL_FAST_PATHS={text!r} is not all, none, or some of spans, histograms, ")
    assert settings == dataclasses.replace(Settings(), problems=settings.problems)


@pytest.mark.parametrize("name", ["MAX_SESSIONS", "MAX_EXCHANGES"])
def test_nothing_may_be_followed_without_bounds_or_not_at_all(name: str) -> None:
    """One is the least."""
    settings = read(**{name: "0"})
    assert len(settings.problems) == 1
    assert settings == dataclasses.replace(Settings(), problems=settings.problems)


@given(st.dictionaries(st.sampled_from([setting.name for setting in names.SETTINGS]), st.text()))
@pytest.mark.fault(
    "settings",
    theirs="Arbitrary values of our variables",
    promise="Settings that can be used, and no exception",
)
def test_whatever_the_environment_holds_the_settings_can_be_used(variables: dict[str, str]) -> None:
    """A bad value never raises, and never gets through."""
    settings = Settings.from_environment(variables)
    assert 0 <= settings.first_chunk <= names.DAY
    assert settings.max_sessions >= 1
    assert settings.directory


def test_the_settings_are_frozen() -> None:
    """They are read once."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().stall = 1.0  # type: ignore[misc]


def test_a_flag_is_read_in_any_of_its_forms() -> None:
    """As people write it."""
    assert all(map(is_true, ["1", "true", "YES", " on "]))
    assert not any(map(is_true, ["", "0", "no", "2", "tru"]))


def test_another_projects_variable_is_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    """And empty where it is not set."""
    monkeypatch.setenv("OTEL_SOMETHING", " x ")
    assert environment("OTEL_SOMETHING") == "x"
    monkeypatch.delenv("OTEL_SOMETHING")
    assert environment("OTEL_SOMETHING") == ""


def test_what_is_misspelt_is_told_with_the_nearest_name() -> None:
    """And without its value; the settings that are known are as they were."""
    found = Settings.from_environment({"AILOOP_OTEL_DIRECTRY": "canary", "AILOOP_OTEL_QQQ": "1", "OTEL_OTHER": "1"})
    assert found.problems == (
        "AILOOP_OTEL_DIRECTRY=… is no setting of this package; the nearest is AILOOP_OTEL_DIRECTORY.",
        "AILOOP_OTEL_QQQ=… is no setting of this package.",
    )
    assert dataclasses.replace(found, problems=()) == Settings()
