"""The verdict as annotations of a GitHub workflow: they stand at the top of its page and in the pull request.

Format: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Final, TextIO

from ailoop_otel.measure.report.text import LONGEST_SENTENCE, plain, sentence
from ailoop_otel.measure.results.quantities import shown
from ailoop_otel.measure.verdict.verdict import Judged, Judgement, Verdict

# What stands for the whole run beside its figures: that load and measurement were what was asked for.
WHOLE: Final = "the run itself"
_LEVELS: Final = {Verdict.FAIL: "error", Verdict.INCONCLUSIVE: "warning"}
# How a workflow command writes what would end it: in its text, and in one of its properties.
_IN_TEXT: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


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


def judged_line(row: Judged) -> str:
    """A judged figure in one line: its value, what it is held against, and the reason of its verdict."""
    limit = row.target if row.target is not None else row.reference
    held = "" if limit is None else f", {row.against} {shown(limit, row.metric)}"
    return f"{shown(row.value, row.metric)}{held}: {row.reason}"


def _command(verdict: Verdict, title: str, text: str) -> str:
    name = f"AILoop performance: {plain(title)} {verdict.value}".translate(_IN_PROPERTY)
    return f"::{_LEVELS[verdict]} title={name}::{plain(text, LONGEST_SENTENCE).translate(_IN_TEXT)}"
