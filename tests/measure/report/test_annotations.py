"""The verdict as annotations of a GitHub workflow."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.measure.report.annotations import annotate, commands
from ailoop_otel.measure.verdict.verdict import Judgement, Verdict
from tests.measure.report import sample

# As the runner reads a line: https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
COMMAND = re.compile(r"::(error|warning) title=([^:,\r\n]*)::([^\r\n]*)")


def test_each_figure_that_did_not_pass_is_annotated() -> None:
    """A failure as an error, what the data cannot decide as a warning, each with its numbers and its reason."""
    assert list(commands(sample.judgement())) == [
        "::error title=AILoop performance%3A completion p95 fail::"
        "5,100 ms, baseline 4,080 ms: 25 %25 slower, 10 %25 is allowed",
        "::error title=AILoop performance%3A completion p99 fail::∞, target 10,000 ms: ∞, the most is 10 s",
        "::warning title=AILoop performance%3A message_rate value inconclusive::"
        "7.76 messages/s, baseline 8 messages/s: 3 %25 fewer (−6 %25 to +1 %25), which holds the 5 %25 that are "
        "allowed",
    ]


def test_a_run_that_was_not_what_was_asked_for() -> None:
    """No figure failed: the reason is told once."""
    judgement = Judgement((), Verdict.FAIL, ("half of the sessions were refused",))
    assert list(commands(judgement)) == [
        "::error title=AILoop performance%3A the run itself fail::Half of the sessions were refused."
    ]


@pytest.mark.parametrize(("variable", "written"), [("true", True), ("", False), ("false", False)])
def test_only_in_a_workflow(variable: str, written: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere they would be noise."""
    monkeypatch.setenv("GITHUB_ACTIONS", variable)
    stream = io.StringIO()
    annotate(sample.judgement(), stream)
    annotate(None, stream)
    assert bool(stream.getvalue()) is written


@given(text=st.text())
def test_no_text_ends_a_command_or_begins_another(text: str) -> None:
    """Each is one line of the form that the runner reads."""
    made = sample.judgement()
    for line in commands(replace(made, rows=tuple(replace(row, reason=text, figure=text) for row in made.rows))):
        assert COMMAND.fullmatch(line), line
