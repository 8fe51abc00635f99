"""The verdict as JUnit XML, `junit.xml`: CI servers list each judged figure as a test, GitLab in the merge request.

Format: https://github.com/testmoapp/junitxml. A figure that the data cannot decide is a skipped test.
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ailoop_otel.measure.report.annotations import WHOLE, judged_line
from ailoop_otel.measure.report.text import LONGEST_SENTENCE, plain
from ailoop_otel.measure.results.run import Context
from ailoop_otel.measure.verdict.verdict import Judgement, Verdict

SUITE: Final = "ailoop-otel"
# The only two that `plain` leaves and XML has no place for: https://www.w3.org/TR/xml/#charsets
_NO_XML: Final = str.maketrans({"\ufffe": None, "\uffff": None})


def render(judgement: Judgement | None, context: Context) -> str:
    """Render the document; for a run that was not judged it has one test, which is skipped."""
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


def _case(suite: Element, group: str, name: str, verdict: Verdict, about: str) -> None:
    case = SubElement(suite, "testcase", classname=f"{SUITE}.{plain(group)}", name=plain(name))
    message = plain(about, LONGEST_SENTENCE)
    if verdict is Verdict.FAIL:
        SubElement(case, "failure", message=message, type=verdict.value).text = message
    elif verdict is not Verdict.PASS:
        SubElement(case, "skipped", message=message)
