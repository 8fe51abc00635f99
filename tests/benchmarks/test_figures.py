"""A figure keeps to its limit or is named; the table says which."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import page, table
from tests.benchmarks.__main__ import PAGE
from tests.benchmarks.figures import Check, Figure, Result, Spread
from tests.benchmarks.rows import chunk, exchange, export, memory, rows, sessions, startup, timeouts
from tests.benchmarks.statistics import bootstrap, median, percentile, unpaired


@pytest.mark.parametrize(
    ("figure", "reached"),
    [
        (Figure("", Spread(1.0, 0.5, 2.0), "", most=1.0), True),
        (Figure("", Spread(1.1, 0.5, 2.0), "", most=1.0), False),
        (Figure("", Spread(0.9, 0.5, 2.0), "", most=1.0, surely=True), False),
        (Figure("", Spread(0.9, 0.5, 0.99), "", most=1.0, surely=True), True),
        (Figure("", Spread(59.0), "", least=60), False),
        (Figure("", Spread(61.0, 50.0, 70.0), "", least=60), True),
        (Figure("", Spread(1.0, -0.1, 2.0), "", holds=0), True),
        (Figure("", Spread(1.0, 0.1, 2.0), "", holds=0), False),
        (Figure("", Spread(1e9), ""), True),
    ],
)
def test_a_limit_is_kept_or_not(figure: Figure, reached: bool) -> None:
    """By the value, by the interval's far end, or by what the interval holds."""
    assert figure.reached is reached


def test_a_miss_is_named() -> None:
    """What was missed and what was not so, and nothing else."""
    good = Figure("fine", Spread(1.0), "µs", most=2)
    bad = Figure("slow", Spread(3.0), "µs", most=2)
    result = Result(1, "row", "A row", [good, bad], [Check("all there", True), Check("whole", False, "2 of 3")])
    assert result.misses == ["row: slow is 3 µs, to be ≤ 2", "row: not so: whole (2 of 3)"]
    document = table.document([result], {}, quick=True)
    assert [figure["verdict"] for figure in document["rows"][0]["figures"]] == ["reached", "missed"]
    assert json.loads(json.dumps(document)) == document
    text = table.markdown([result], {"Python": "3"}, quick=False)
    assert "| slow | 3.00 µs |  | ≤ 2 | missed |" in text
    assert "**Not so**: whole (2 of 3)." in text
    assert "quick run" in table.markdown([result], {}, quick=True)
    assert "quick run" not in text


def test_an_interval_holds_the_median_of_what_was_drawn() -> None:
    """Of 1,000 values around 10 it is narrow, and rounds stay together."""
    values = np.random.default_rng(1).normal(10.0, 1.0, 1000)
    spread = median(values)
    assert spread.low is not None
    assert spread.high is not None
    assert spread.low < 10.0 < spread.high < spread.low + 0.3
    paired = bootstrap(lambda more, less: float(np.median(more - less)), values + 1.0, values)
    assert (paired.low, paired.high) == pytest.approx((1.0, 1.0))
    apart = unpaired(lambda more, less: float(np.median(more) - np.median(less)), values + 1.0, values)
    assert apart.low is not None
    assert apart.low < 0.99


def test_a_percentile_is_a_value_that_was_seen() -> None:
    """And 0.95 is refused where 95 is meant."""
    assert percentile(range(1, 101), 95) == 95
    with pytest.raises(ValueError, match="between 1 and 100"):
        percentile([1.0], 0.95)


def test_the_page_keeps_what_is_written_by_hand(tmp_path: Path) -> None:
    """Only what stands between the marks is replaced, however often."""
    path = tmp_path / "page.md"
    path.write_text(f"before\n\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    page.fill(path, "new")
    page.fill(path, "newer")
    assert path.read_text() == f"before\n\n{page.BEGIN}\n\nnewer\n\n{page.END}\nafter\n"
    path.write_text("no marks")
    with pytest.raises(ValueError, match="no marks"):
        page.fill(path, "new")


def test_the_documentation_has_a_place_for_the_table() -> None:
    """Between the marks, once."""
    text = PAGE.read_text()
    assert (text.count(page.BEGIN), text.count(page.END)) == (1, 1)
    assert text.index(page.BEGIN) < text.index(page.END)


def test_the_rows_are_there() -> None:
    """Numbered as they are in the table, each with a name of its own."""
    found = rows()
    assert [row.NUMBER for row in found] == [*range(1, len(found) + 1)]
    assert len({row.NAME for row in found}) == len(found)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.00012, "0.00012"), (1.234, "1.23"), (12.34, "12.3"), (15320.4, "15,320")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    """And no exponent."""
    assert table.number(value) == text


def _misses(row: object) -> list[str]:
    result = Result(0, "row", "")
    row(result)  # type: ignore[operator]
    return result.misses


def test_a_dear_chunk_is_missed() -> None:
    """0.5 µs are too many; so is one object that stays, and a frame that does not."""
    costs = {"nothing": [100.0] * 9, "least": [300.0] * 9, "this": [400.0] * 9}
    kept = {"chunks": 1000, "held": 5, "blocks": 0}
    good = {"costs": costs, "frames": True, "spans": 1.0}
    assert _misses(lambda result: chunk.judge(result, {"1 KiB": [good]}, kept)) == []
    dear = {**good, "costs": {**costs, "this": [600.0] * 9}}
    assert "frames of 1 KiB is 0.5 µs" in _misses(lambda result: chunk.judge(result, {"1 KiB": [dear]}, kept))[0]
    lost = {**good, "frames": False}
    assert "every frame arrived" in _misses(lambda result: chunk.judge(result, {"1 KiB": [lost]}, kept))[0]
    leaking = {**kept, "blocks": 1000}
    assert "objects kept" in _misses(lambda result: chunk.judge(result, {"1 KiB": [good]}, leaking))[0]


def _exchange(cost: float, spans: float) -> dict[str, object]:
    answer = {"cpu": cost, "fixed": cost, "spans": {"a": spans}, "frames": True, "shapes": [], "points": {}}
    return {**answer, "faults": 0, "collection": 1.0}


def test_a_dear_exchange_is_missed() -> None:
    """By what the SDK alone costs, by what others cost, and by its spans."""
    cheap = {
        "nothing": _exchange(1e4, 0),
        "sdk": _exchange(11e4, 3),
        "ailoop": _exchange(12e4, 3),
        "ailoop:files": _exchange(13e4, 3),
        "otel_asgi:otlp": _exchange(1e7, 104),
    }
    assert _misses(lambda result: exchange.judge(result, [cheap] * 3)) == []
    dear = _misses(lambda result: exchange.judge(result, [{**cheap, "ailoop": _exchange(2e5, 3)}] * 3))
    assert [line.split(" is ")[0] for line in dear] == [
        "row: times the SDK alone",
        "row: cheaper than OpenTelemetry ASGI with OTLP, chunks included",
    ]
    few = _misses(lambda result: exchange.judge(result, [{**cheap, "ailoop": _exchange(12e4, 2)}] * 3))
    assert few == ["row: not so: ailoop: 3 spans an exchange ([2])"]


def test_heavy_sessions_are_missed() -> None:
    """At rest, and by an exchange that costs more among many."""
    nothing = {"rest": 1000.0, "open": 1500.0, "frames": True, "spans": {}}
    ours = {**nothing, "rest": 4000.0, "open": 5000.0, "spans": {"ailoop.first_chunk": 10}}
    assert len(_misses(lambda result: sessions.weigh(result, {"nothing": nothing, "ailoop": ours}, 10))) == 1

    def rounds(many: float) -> list[dict[str, dict[str, object]]]:
        costs = {"ailoop 1": 2e5, "nothing 1": 1e5, "ailoop 9": many, "nothing 9": 1e5}
        return [{name: _exchange(cost, 3) for name, cost in costs.items()}] * 3

    assert _misses(lambda result: sessions.compare(result, rounds(2e5), (1, 9))) == []
    assert "sessions: 9, times that of one is 2 ×" in _misses(lambda r: sessions.compare(r, rounds(3e5), (1, 9)))[0]


def test_a_late_timeout_is_missed() -> None:
    """By its p99, by the last of all, and where one was never told."""
    prompt = {"noticed": [0.001] * 100, "told": [0.01] * 100, "spans": 100, "beside": [0.001] * 100, "collected": 0.2}
    assert _misses(lambda result: timeouts.judge_spread(result, "free", prompt, 100)) == []
    late = {**prompt, "noticed": [0.02] * 100}
    assert "noticed p99, free is 20 ms" in _misses(lambda result: timeouts.judge_spread(result, "free", late, 100))[0]
    assert _misses(lambda result: timeouts.judge_at_once(result, {**prompt, "told": [3.0] * 100}, 100)) == [
        "row: all due at once, the last told is 3 s, to be ≤ 2"
    ]
    assert "every one was told" in _misses(lambda result: timeouts.judge_spread(result, "free", prompt, 101))[0]


def test_a_slow_start_is_missed() -> None:
    """2 ms where the variable is not set, 30 where it is and there is no server, and a server by more than a half."""
    programs = ("without", "with", "off", "on", "framework off", "framework on", "nothing", "server off")
    quick = {
        **dict.fromkeys(programs, [(0.02, 0.02)] * 5),
        **dict.fromkeys(("imports", "server on", "server otlp"), [(0.42, 0.42)] * 5),
        "server on": [(0.2, 0.2)] * 5,
    }
    assert _misses(lambda result: startup.judge(result, quick)) == []
    slow = {
        **quick,
        "with": [(0.022, 0.022)] * 5,
        "framework on": [(0.05, 0.05)] * 5,
        "server on": [(0.26, 0.26)] * 5,
    }
    assert _misses(lambda result: startup.judge(result, slow)) == [
        "row: added, the variable not set, wall is 2 ms, to be ≤ 1",
        "row: added, the variable set, the web framework imported, CPU is 30 ms, to be ≤ 20",
        "row: added CPU of a server, times that of `import fastapi, uvicorn` is 0.6 ×, to be ≤ 0.5",
    ]


def test_a_heavy_process_is_missed() -> None:
    """Beyond what the SDK needs alone, not beyond a process without telemetry."""
    weights = {name: [{"Rss": 50.0, "Private_Dirty": 30.0}] * 3 for name in ("nothing",)}
    for way in memory.WAYS:
        weights[f"{way} sdk"] = [{"Rss": 55.0, "Private_Dirty": 35.0}] * 3
        weights[f"{way} ours"] = [{"Rss": 56.5, "Private_Dirty": 36.5}] * 3
    assert _misses(lambda result: memory.judge(result, weights)) == []
    weights["files ours"] = [{"Rss": 58.0, "Private_Dirty": 36.5}] * 3
    assert _misses(lambda result: memory.judge(result, weights)) == [
        "row: beyond the SDK into files, resident is 3 MB, to be ≤ 2"
    ]


def test_a_span_is_followed_to_its_end() -> None:
    """What it costs here and elsewhere, added up."""
    result = Result(7, "export", "")
    ours = {"wall": 3e5, "cpu": 4e5, "frames": True}
    export.judge(result, [ours] * 3, [{**ours, "cpu": 1e5}] * 3, {"collector": 25e-6, "Jaeger": 75e-6})
    told = {figure.name: figure.spread.value for figure in result.figures}
    assert told["recorded, encoded and sent by one process"] == pytest.approx(10_000)
    assert told["CPU of a span end to end"] == pytest.approx(200)
