"""The summary for programs."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.report.summary_json import document, strict
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.run import Run
from tests.measure.report import sample

NUMBER = (int, float)
SHAPE: dict[str, Any] = {
    "format": int, "method": str, "warmup": int,
    "context": {"scenario": str, "source": str, "started_at": str, "duration": NUMBER, "machine": dict,
                "versions": dict, "settings": dict, "server": dict, "notes": list, "jaeger": str},
    "metrics": [{"metric": str, "label": str, "title": str, "definition": str, "unit": str, "each": str, "better": str,
                 "n": int, "failures": int, "missing": int, "with_failures": dict}],
    "requests": {"exchanges": int, "failed": int, "per_1000": (*NUMBER, type(None))},
    "errors": [{"what": str, "kind": str, "count": int, "total": int, "per_1000": NUMBER}],
    "worst": [{"exchange": (int, type(None)), "session": (int, type(None)), "at": NUMBER, "outcome": str,
               "trace_id": str, "link": str}],
}  # fmt: skip
JUDGED = {"metric": str, "unit": str, "figure": str, "verdict": str, "reason": str, "against": str, "n": int}


def fits(value: Any, shape: Any) -> bool:
    """Whether a document has all entries of a shape, each of its type."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            name in value and fits(value[name], each) for name, each in shape.items()
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(each, shape[0]) for each in value)
    return isinstance(value, shape) and not (isinstance(value, bool) and shape is not bool)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def written(run: Run, **more: Any) -> Any:
    return json.loads(json.dumps(document(build_report(run, **more)), allow_nan=False), parse_constant=refuse)


@pytest.mark.parametrize(
    "run",
    [sample.mixed(80), sample.few(), sample.few(math.nan), sample.few(*[math.nan] * 9, outcome="cut"), sample.steps()],
    ids=["mixed", "nothing", "only NaN", "all failed", "steps"],
)
def test_it_has_the_shape_that_its_description_promises(run: Run) -> None:
    """For every kind of run."""
    assert fits(written(run), SHAPE)


def test_every_figure_has_its_unit_and_definition() -> None:
    """They are those of the table of metrics."""
    for metric in written(sample.mixed(80))["metrics"]:
        definition = definitions.DEFINITIONS[metric["metric"]]
        assert (metric["unit"], metric["definition"]) == (definition.unit, definition.text)


def test_infinity_is_a_string_and_nan_is_null() -> None:
    """Half of the exchanges failed; of the others one number is known."""
    made = sample.few(1.0).observations[0]
    run = Run(sample.CONTEXT, [made, made._replace(exchange=2, outcome="cut")])
    (metric,) = written(run)["metrics"]
    assert metric["with_failures"] == {"p50": 1.0, "p90": "+inf", "p95": "+inf", "p99": "+inf", "max": "+inf"}
    assert written(sample.few(math.nan))["metrics"][0]["mean"] is None


def test_a_judgement_is_there_in_full() -> None:
    """Each row has its limit; a missing judgement is null."""
    found = written(sample.mixed(80), judgement=sample.judgement())["judgement"]
    assert fits(found, {"verdict": str, "method": str, "notes": list, "rows": [JUDGED]})
    assert (found["verdict"], found["rows"][1]["verdict"], found["rows"][1]["change"]) == ("fail", "fail", 0.25)
    assert (found["rows"][2]["value"], found["rows"][4]["low"]) == ("+inf", None)
    assert written(sample.few())["judgement"] is None


def test_a_link_is_written_where_jaeger_is_known() -> None:
    """And nowhere else."""
    run = sample.mixed(80)
    assert all(each["link"].startswith("http://127.0.0.1:16686/trace/") for each in written(run)["worst"])
    assert not any(each["link"] for each in written(sample.relabelled(run, jaeger=""))["worst"])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers() | st.text(), inner, max_size=3),
        max_leaves=12,
    )
)
def test_any_settings_become_strict_json(value: object) -> None:
    """Settings and the description of the machine come from files and other programs."""
    json.loads(json.dumps(strict({"settings": value}), allow_nan=False), parse_constant=refuse)
