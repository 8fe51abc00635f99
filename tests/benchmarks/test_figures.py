"""A figure keeps to its limit or is named; the table says which."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.benchmarks import __main__ as main
from tests.benchmarks import page, table
from tests.benchmarks.__main__ import PAGE
from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import Environments
from tests.benchmarks.figures import Check, Figure, Result, Spread
from tests.benchmarks.rows import (
    chunk,
    exchange,
    export,
    instructions,
    memory,
    rows,
    server,
    sessions,
    startup,
    timeouts,
)
from tests.benchmarks.serving.counted import Counted
from tests.benchmarks.serving.load import Window
from tests.benchmarks.serving.variants import Variant
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
    """Numbered in the table's order, each with a number and a name of its own."""
    found = rows()
    numbers = [row.NUMBER for row in found]
    assert numbers == sorted(set(numbers))
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
    """Beside the least coroutine wrapper in the same run; so is one object that stays, and a frame that does not."""
    costs = {"nothing": [100.0] * 9, "least": [300.0] * 9, "this": [290.0] * 9}
    kept = {"chunks": 1000, "held": 5, "blocks": 0}
    good = {"costs": costs, "frames": True, "spans": 1.0}
    assert _misses(lambda result: chunk.judge(result, {"1 KiB": [good]}, kept)) == []
    dear = {**good, "costs": {**costs, "this": [400.0] * 9}}
    assert (
        "times the least coroutine wrapper is 1.5 ×, to be ≤ 1"
        in _misses(lambda result: chunk.judge(result, {"1 KiB": [dear]}, kept))[0]
    )
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


def _counted(cost: float) -> Counted:
    return Counted((cost * 1e6, cost * 1.01e6, cost * 1.02e6), 0.6e6, 1000, True, (3.0, 4.0, 5.0))


def test_many_instructions_are_missed() -> None:
    """Beyond 1.5 % alone, 3 % with everything, and 0.2 million a second at rest; others are told."""
    cheap = {"without": 50.0, "none": 50.5, "files": 51.4, "otlp": 51.5, "less spans": 53.0, "logfire": 90.0}
    counted = {name: _counted(cost) for name, cost in cheap.items()}
    rested = {"without": 0.6e6, "files": 0.7e6, "logfire": 5e6}
    assert _misses(lambda result: instructions.judge(result, counted, rested)) == []
    dear = {**counted, "none": _counted(51.0), "files": _counted(52.0)}
    missed = _misses(lambda result: instructions.judge(result, dear, {**rested, "files": 1e6}))
    assert [line.split(", to be ")[0] for line in missed] == [
        "row: beyond without: ailoop-otel, exporters none is 2 %",
        "row: beyond without: ailoop-otel, files is 4 %",
        "row: at rest, beyond without: ailoop-otel, files is 0.4 million/s",
    ]
    nothing = {**counted, "files": replace(counted["files"], recorded=0)}
    assert "files: spans came out" in _misses(lambda result: instructions.judge(result, nothing, rested))[0]
    told = Result(9, "instructions", "")
    instructions.judge(told, counted, rested)
    assert told.notes[0].startswith("an exchange took 3.0 to 5.0 s under the counter")
    saved = next(each for each in told.figures if each.name == instructions.saving("spans"))
    assert saved.spread.value == pytest.approx(100 * (53.0 - 51.4) / 50.0)


@pytest.mark.parametrize("row", [server, instructions])
def test_without_the_real_server_its_rows_say_so(row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word, and nothing that was missed."""
    for name in ("AILOOP_CHECKOUT", "AILOOP_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    result = Result(row.NUMBER, row.NAME, row.TITLE)
    row.run(Bench(True, Environments(lambda _: None), lambda _: None), result)
    assert (result.figures, result.misses, len(result.notes)) == ([], [], 1)
    assert "needs AILOOP_CHECKOUT" in result.notes[0]


def test_others_that_cannot_be_counted_are_left_out_with_a_word() -> None:
    """What of the package cannot be counted is a miss."""

    def work(variant: Variant) -> str:
        if variant.name in ("ddtrace", "none"):
            raise RuntimeError("it\nended")
        return variant.name

    result = Result(9, "instructions", "")
    bench = Bench(True, Environments(lambda _: None), lambda _: None)
    done = instructions.in_parallel(bench, result, ["without", "none", "ddtrace", "logfire"], work)
    assert done == {"without": "without", "logfire": "logfire"}
    assert result.notes == ["ddtrace was not counted: it ended"]
    assert result.misses == ["instructions: not so: none could be counted (it ended)"]


def _window(cpu: float) -> Window:
    return Window(cpu, 1, 1 / cpu, (0.01, 0.02), True)


def test_a_dear_package_is_missed_on_the_real_server() -> None:
    """By the far end of the ratio's interval, pair by pair; what others cost is told of the rounds they were in."""

    def rounds(times: float) -> list[dict[str, Window]]:
        pairs = [{"without": _window(cpu), "files": _window(cpu * times)} for cpu in (0.02, 0.03, 0.04)]
        pairs[0]["ddtrace"] = _window(0.04)
        return pairs

    result = Result(3, "server", "")
    server.judge(result, rounds(1.04))
    assert result.misses == []
    told = {figure.name: figure.spread.value for figure in result.figures}
    assert (told[server.extra("files")], told[server.extra("ddtrace")]) == (pytest.approx(4), pytest.approx(100))
    assert (
        "extra CPU: ailoop-otel, files is 6 %, to be surely ≤ 5"
        in _misses(lambda result: server.judge(result, rounds(1.06)))[0]
    )


def test_the_page_opens_with_what_it_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In four lines and a picture, from what was measured and from nothing else."""
    monkeypatch.setattr(main, "PICTURE", tmp_path / "page.svg")
    bare = table.document([Result(1, "chunk", "")], {}, quick=False)
    assert "was not measured" in main.opened(bare, "the tables")
    assert not (tmp_path / "page.svg").exists()
    counting = Result(9, "instructions", "")
    counted = {name: _counted(cost) for name, cost in (("without", 50.0), ("files", 51.4), ("less json", 51.5))}
    instructions.judge(counting, {**counted, "ddtrace": _counted(95.0)}, {"without": 0.6e6, "files": 0.7e6})
    pairs = Result(3, "server", "")
    server.judge(pairs, [{"without": _window(0.02), "files": _window(0.0206)}] * 3)
    chunks = Result(1, "chunk", "", [Figure("times the least coroutine wrapper", Spread(0.9, 0.8, 1.0), "×", most=1.0)])
    document = json.loads(json.dumps(table.document([chunks, pairs, counting], {}, quick=False)))
    text = main.opened(document, "the tables")
    first, second, third, fourth = (line for line in text.splitlines() if line.startswith("- "))
    assert ("**+2.8 %** more instructions" in first, "+3.0 % more CPU" in first) == (True, True)
    assert "ddtrace +90.0 % instructions" in second
    assert third.startswith(
        "- A further chunk costs 0.90 times the least coroutine around a send; a server at rest 0.10"
    )
    assert fourth == "- 6 of 6 figures that have a limit keep to it."
    assert "| `json` | +0.2 % | 0.20 … 0.20 | less than 0.5 % |" in text
    assert text.endswith("the tables")
    picture = ElementTree.fromstring((tmp_path / "page.svg").read_text())
    words = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert ("ddtrace" in words, "+90.0" in words, "+3.0" in words) == (True, True, True)


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
    assert (
        _misses(lambda result: timeouts.judge_spread(result, "busy", {**late, "switch": 0.01}, 100, never_waits=True))
        == []
    )
    slow = {**late, "switch": 0.005}
    assert _misses(lambda result: timeouts.judge_spread(result, "busy", slow, 100, never_waits=True)) == [
        "row: … in switch intervals of 5 ms is 4 ×, to be ≤ 2.5"
    ]
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
