"""The names `gen_ai.*` against what the GenAI conventions say, as tests/gen_ai.json has it from their pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel import names

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "gen_ai.json").read_text(encoding="utf-8"))
METRICS = {metric.name: metric for metric in names.METRICS if metric.name.startswith("gen_ai.")}
# What they want or recommend and is not there: a provider invents the model that answered, and there is one provider.
LEFT_OUT = {"server.address", "server.port", "gen_ai.response.model"}
# An agent is one model's in AILoop's configuration only; whose model was asked is on the spans below.
LEFT_OUT_OF = {"gen_ai.invoke_agent.duration": {names.GEN_AI_REQUEST_MODEL}}
ADDED = {metric.name: {names.GEN_AI_AGENT_NAME} for metric in names.TOTALS}


def test_the_facts_are_of_the_release_that_the_table_names() -> None:
    """A name of a newer one is checked against newer facts."""
    assert FACTS["source"] == names.GEN_AI_CONVENTIONS


def test_all_metrics_that_the_conventions_have_for_a_client_are_there() -> None:
    """And none beside them."""
    assert sorted(METRICS) == sorted(FACTS["metrics"])


@pytest.mark.parametrize("name", FACTS["metrics"])
def test_a_metric_is_as_the_conventions_say(name: str) -> None:
    """Its instrument, its unit, and its labels."""
    fact, metric = FACTS["metrics"][name], METRICS[name]
    assert metric.kind.removeprefix("observable_") == fact["instrument"]
    assert metric.unit == fact["unit"]
    wanted = set(fact["attributes"]) - LEFT_OUT - LEFT_OUT_OF.get(name, set())
    assert set(metric.labels) == wanted | ADDED.get(name, set())


def test_each_attribute_is_one_that_a_span_of_theirs_has() -> None:
    """None is made up, and none is of an older release."""
    known = {name for facts in (*FACTS["spans"].values(), *(each["attributes"] for each in FACTS["metrics"].values()))
             for name in facts}  # fmt: skip
    assert {each.name for each in names.ATTRIBUTES if each.name.startswith("gen_ai.")} <= known
    required = {name for facts in FACTS["spans"].values() for name, level in facts.items() if level == "required"}
    assert required <= {each.name for each in names.ATTRIBUTES}
