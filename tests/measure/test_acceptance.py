"""Real runs against a scripted server, judged: once; `acceptance.py` does it twenty times."""

from __future__ import annotations

from ailoop_otel.measure.load import scenario
from ailoop_otel.measure.load.campaign import measure
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.verdict.verdict import Verdict
from tests.measure.acceptance import repeat
from tests.measure.scripted_server import scripted


def test_real_runs_are_never_judged_wrongly() -> None:
    """Whatever else the machine does: the same never fails, a fifth slower never passes, all else has its reason."""
    settings = ("sessions=25", "opening=1000", "warmup=0.3", "duration=1.2")
    with scripted(spread=0.05, chunks=2) as server:

        def run(number: int, factor: float) -> Run:
            words = f"first={0.15 * factor:.3f} gap={0.02 * factor:.4f}"
            return measure(scenario.load("throughput", settings, [words]), server.url)

        found = repeat(1, run)
    assert found.same[Verdict.FAIL] == 0, found.reasons
    assert found.slower[Verdict.PASS] == 0, found.reasons
    assert found.same.total() == found.slower.total() == 1
