"""What is asked for."""

from __future__ import annotations

import pytest

from ailoop_otel.settings import UsageError
from ailoop_otel.view.options import Filters, TracesOptions


def test_an_unknown_outcome_is_refused() -> None:
    """With the outcomes that there are."""
    with pytest.raises(UsageError, match="protocol_error, .* ok, open"):
        Filters(outcome="timeout")


def test_a_limit_that_shows_nothing_is_refused() -> None:
    """A table has at least one row."""
    with pytest.raises(UsageError, match="take 1 or more"):
        Filters(limit=0)


def test_a_session_is_found_by_what_the_table_shows() -> None:
    """By the beginning of its id, or by head and tail."""
    assert Filters(session="f47").has_session("f47ac10b")
    assert Filters(session="f4…0b").has_session("f47ac10b")
    assert not Filters(session="f48").has_session("f47ac10b")
    assert Filters().has_session("")


def test_the_directory_is_the_settings_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer's setting is the reader's as well."""
    monkeypatch.setenv("AILOOP_OTEL_DIRECTORY", "elsewhere")
    assert str(TracesOptions().place) == "elsewhere"
    assert str(TracesOptions(directory="here").place) == "here"
