"""The verdict as CI servers read it: annotations of a GitHub workflow, and JUnit XML (`junit.xml`).

Annotations stand at the top of a workflow's page and in the pull request. Most other servers list the tests of JUnit
XML, GitLab in the merge request.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Final, TextIO
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ailoop_otel.measure.report.text import LONGEST_SENTENCE, plain, sentence
from ailoop_otel.measure.results.quantities import shown
from ailoop_otel.measure.results.run import Context
from ailoop_otel.measure.verdict.verdict import Judged, Judgement, Verdict

# What stands for the whole run beside its figures: that load and measurement were what was asked for.
WHOLE: Final = "the run itself"
SUITE: Final = "ailoop-otel"
_LEVELS: Final = {Verdict.FAIL: "error", Verdict.INCONCLUSIVE: "warning"}
# How a workflow command writes what would end it, in its text and in one of its properties:
# https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message
_IN_TEXT: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY: Final = _IN_TEXT | str.maketrans({":": "%3A", ",": "%2C"})
# The only two that `plain` leaves and XML has no place for: https://www.w3.org/TR/xml/#charsets
_NO_XML: Final = str.maketrans({"\ufffe": None, "\uffff": None})


def annotate(judgement: Judgement | None, stream: TextIO | None = None) -> None:
    """Write the annotations where a GitHub workflow reads them, to standard error; elsewhere nothing."""
    if judgement is not None and os.environ.get("GITHUB_ACTIONS") == "true":
        (stream or sys.stderr).writelines(f"{line}\n" for line in commands(judgement))


def commands(judgement: Judgement) -> Iterator[str]:
    """One workflow command for each figure that did not pass, and one for a run that did not for another reason."""
    for row in judgement.rows:
        if row.verdict in _LEVELS:
            yield _command(row.verdict, f"{row.metric} {row.figure}", judged_line(row))
    if judgement.own_verdict in _LEVELS:
        yield _command(judgement.own_verdict, WHOLE, " ".join(map(sentence, judgement.notes)))


def junit(judgement: Judgement | None, context: Context) -> str:
    """Render the verdict as JUnit XML, each judged figure as a test: https://github.com/testmoapp/junitxml.

    A figure that the data cannot decide is a skipped test, and so is the only one of a run that was not judged.
    """
    suites = Element("testsuites")
    suite = SubElement(suites, "testsuite", name=f"{SUITE} {plain(context.scenario, 80)}".strip())
    rows = judgement.rows if judgement else ()
    for row in rows:
        _case(suite, row.metric, f"{row.metric} {row.figure}", row.verdict, judged_line(row))
    notes = " ".join(judgement.notes) if judgement else "nothing was judged: give targets or a baseline"
    _case(suite, SUITE, WHOLE, judgement.own_verdict if judgement else Verdict.INCONCLUSIVE, notes)
    results = [child.tag for case in suite for child in case]
    counts = {"tests": len(suite), "failures": results.count("failure"), "skipped": results.count("skipped")}
    for element in (suites, suite):
        element.attrib |= {name: str(count) for name, count in counts.items()} | {"errors": "0"}
    suite.set("timestamp", plain(context.started_at, 40))
    indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(suites, encoding="unicode").translate(_NO_XML)}\n'


def judged_line(row: Judged) -> str:
    """A judged figure in one line: its value, what it is held against, and the reason of its verdict."""
    held = "" if row.limit is None else f", {row.against} {shown(row.limit, row.metric)}"
    return f"{shown(row.value, row.metric)}{held}: {row.reason}"


def _command(verdict: Verdict, title: str, text: str) -> str:
    name = f"AILoop performance: {plain(title)} {verdict.value}".translate(_IN_PROPERTY)
    return f"::{_LEVELS[verdict]} title={name}::{plain(text, LONGEST_SENTENCE).translate(_IN_TEXT)}"


def _case(suite: Element, group: str, name: str, verdict: Verdict, about: str) -> None:
    case = SubElement(suite, "testcase", classname=f"{SUITE}.{plain(group)}", name=plain(name))
    message = plain(about, LONGEST_SENTENCE)
    if verdict is Verdict.FAIL:
        SubElement(case, "failure", message=message, type=verdict.value).text = message
    elif verdict is not Verdict.PASS:
        SubElement(case, "skipped", message=message)
