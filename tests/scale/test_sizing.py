"""What docs/scale.md computes: the simulations that its formulas rest on, and that it is what the last run says."""

from __future__ import annotations

import json

import pytest

from tests.scale.page import PATH, RESULT, page
from tests.scale.sizing import MARGIN, PARTITIONS_EACH, WAIT, Costs, size, skew, undecided_at_most


def test_the_page_is_what_the_last_run_says() -> None:
    """`make scale-test` was run after the last change of how it is written."""
    assert PATH.read_text(encoding="utf-8") == page(json.loads(RESULT.read_text(encoding="utf-8")))


def test_nothing_was_lost_in_the_last_run() -> None:
    """The topic held each span; every trace that had to be kept is there, whole."""
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    assert result["spans"] == result["acknowledged"] == result["topic"]["different"]
    kept, drawn, late = result["kept"], result["drawn"], result["late"]
    assert kept["absent"] == drawn["absent"] == kept["pieces"] == drawn["pieces"] == 0
    assert kept["whole"] == kept["made"]
    assert late["whole"] == late["made"] > 0
    assert result["faults"] == []
    assert result["dropped"]["absent"] == result["dropped"]["asked"]


@pytest.mark.parametrize("rate", [2.0, 50.0])
def test_the_margin_of_traces_in_memory_is_never_reached(rate: float) -> None:
    """Where traces begin at random, the most that are undecided is within the margin of rate × decision_wait."""
    most = undecided_at_most(rate, WAIT, 7_200)
    assert rate * WAIT < most < rate * WAIT * MARGIN


@pytest.mark.parametrize("ingesters", [2, 5, 30])
def test_partitions_spread_the_work(ingesters: int) -> None:
    """Four for an ingester: the busiest has a tenth more than the mean; one more than ingesters: a third more."""
    assert skew(ingesters * PARTITIONS_EACH, ingesters, 100_000) < 1.1
    assert skew(ingesters + 1, ingesters, 100_000) > 1.3


COSTS = Costs(5, 3_000, 500, 1e-4, 1e-4, 1e-4, 2e-4, 1e-3, 600, 1e-2, 4_000, 10_000, 300)


def test_what_is_needed_grows_with_the_messages() -> None:
    """Ten times the messages: ten times the disk and the undecided traces; never fewer programs than one to lose."""
    small, large = size(100, 5e6, COSTS), size(1_000, 5e7, COSTS)
    assert large.kafka_disk == pytest.approx(10 * small.kafka_disk)
    assert large.traces * large.ingesters == pytest.approx(10 * small.traces * small.ingesters, rel=0.01)
    least = size(1, 1_000, COSTS)
    assert (least.gateways, least.brokers, least.nodes, least.ingesters) == (2, 3, 3, 1)
