"""The verdict as annotations of a GitHub workflow, and as JUnit XML."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.measure.report.ci import WHOLE, annotate, commands, junit
from ailoop_otel.measure.results.run import Context
from ailoop_otel.measure.verdict.verdict import Judgement, Verdict
from tests.measure.report import sample

CONTEXT = Context("mixed", started_at="2025-11-22T18:04:23.120Z")
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


def suite(judgement: Judgement | None) -> Element:
    found = fromstring(junit(judgement, CONTEXT)).find("testsuite")
    assert found is not None
    return found


def results(judgement: Judgement | None) -> dict[str, str]:
    """What became of each test, by its name."""
    return {
        case.get("name", ""): next((child.tag for child in case), "passed")
        for case in suite(judgement).iter("testcase")
    }


def test_each_judged_figure_is_a_test() -> None:
    """A failure is one, and what the data cannot decide is skipped; the run as a whole adds nothing to them."""
    assert results(sample.judgement()) == {
        "first_chunk p95": "passed",
        "completion p95": "failure",
        "completion p99": "failure",
        "message_rate value": "skipped",
        "server_memory max": "passed",
        WHOLE: "passed",
    }


def test_counts_and_reasons_are_there() -> None:
    """CI servers show the counts without reading the tests."""
    found = suite(sample.judgement())
    assert {name: found.get(name) for name in ("tests", "failures", "skipped", "errors")} == {
        "tests": "6", "failures": "2", "skipped": "1", "errors": "0",
    }  # fmt: skip
    assert [each.get("message") for each in found.iter("failure")] == [
        "5,100 ms, baseline 4,080 ms: 25 % slower, 10 % is allowed",
        "∞, target 10,000 ms: ∞, the most is 10 s",
    ]


@pytest.mark.parametrize(("verdict", "result"), [(Verdict.FAIL, "failure"), (Verdict.INCONCLUSIVE, "skipped")])
def test_a_run_that_was_not_what_was_asked_for_is_a_test(verdict: Verdict, result: str) -> None:
    """All figures pass, and the run does not: that is a test of its own, with the reason."""
    passed = tuple(row for row in sample.judgement().rows if row.verdict is Verdict.PASS)
    judgement = Judgement(passed, verdict, ("half of the sessions were refused",))
    assert results(judgement)[WHOLE] == result
    (case,) = [each for each in suite(judgement).iter("testcase") if each.get("name") == WHOLE]
    assert case[0].get("message") == "half of the sessions were refused"


def test_what_was_not_judged_is_skipped() -> None:
    """It is not a success."""
    assert results(None) == {WHOLE: "skipped"}


@given(text=st.text())
def test_it_can_be_parsed_whatever_the_texts_are(text: str) -> None:
    """XML has no place for some characters."""
    made = sample.judgement()
    judgement = replace(made, rows=tuple(replace(row, reason=text, figure=text) for row in made.rows), notes=(text,))
    fromstring(junit(judgement, Context(text, started_at=text)))
