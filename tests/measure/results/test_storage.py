"""A run directory holds a complete run; a damaged one is refused with the reason."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results import definitions, histograms, storage
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run

CONTEXT = Context(
    "mixed", started_at="2025-06-01T12:00:00Z", duration=3.5, machine={"cores": 2}, versions={"python": "3.11"},
    settings={"rate": 4.0}, server={"url": "ws://127.0.0.1:8000/ws", "pid": None}, notes=("one", "two"),
)  # fmt: skip
ROWS = [
    observed(definitions.FIRST_CHUNK, 0.25, 1.5, session=3, exchange=7, trace_id="ab" * 16, process=1),
    observed(definitions.FIRST_CHUNK, math.nan, 2.0, outcome="no_answer", phase="warmup", exchange=8),
    observed(definitions.STEP, 0.1, 2.5, label='a "step", named\nso'),
]


def saved(tmp_path: Path, rows: list[Observation] = ROWS) -> Path:
    gaps = histograms.histogram()
    for value in (0.001, 0.02, 0.02, 5000.0):
        histograms.record(gaps, value)
    storage.save(Run(CONTEXT, rows, {"chunk_gap": gaps}), tmp_path / "run")
    return tmp_path / "run"


def same(one: Observation, other: Observation) -> bool:
    """Equal, with NaN equal to itself."""
    both_missing = math.isnan(one.value) and math.isnan(other.value)
    return one._replace(value=0) == other._replace(value=0) and (both_missing or one.value == other.value)


def test_a_run_comes_back_whole(tmp_path: Path) -> None:
    """Context, observations and histograms are the same after a save and a load."""
    run = storage.load(saved(tmp_path))
    assert run.context == CONTEXT
    assert all(map(same, run.observations, ROWS))
    assert len(run.observations) == len(ROWS)
    gaps = run.histograms["chunk_gap"]
    assert gaps.get_total_count() == 4
    assert gaps.get_value_at_percentile(50) == pytest.approx(20_000, rel=0.001)
    assert gaps.get_max_value() == pytest.approx(3600e6, rel=0.001)


def test_the_raw_data_is_tidy_csv_and_json(tmp_path: Path) -> None:
    """Each row has its unit; what never came is an empty cell and a null."""
    directory = saved(tmp_path)
    with (directory / storage.TABLE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["unit"] for row in rows] == ["s", "s", "s"]
    assert [row["value"] for row in rows] == ["0.25", "", "0.1"]
    document = json.loads((directory / storage.DOCUMENT).read_text())["observations"]
    assert [row["value"] for row in document] == [0.25, None, 0.1]
    assert document[2]["label"] == 'a "step", named\nso'


def test_no_draft_is_left(tmp_path: Path) -> None:
    """Only the three files are in the directory."""
    assert sorted(each.name for each in saved(tmp_path).iterdir()) == sorted(
        [storage.RUN, storage.TABLE, storage.DOCUMENT]
    )


def test_an_empty_run_is_a_run(tmp_path: Path) -> None:
    """No observation at all is no error."""
    assert storage.load(saved(tmp_path, [])).observations == []
    assert json.loads((tmp_path / "run" / storage.DOCUMENT).read_text()) == {"observations": []}


@given(
    st.lists(st.tuples(st.just(math.nan) | st.floats(-1e17, 1e17), st.floats(0, 1e5), st.text(max_size=20)), max_size=5)
)
def test_any_value_and_label_survives(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, float, str]]
) -> None:
    """Whatever a label holds, rows are neither lost nor mixed up."""
    made = [observed(definitions.STEP, value, round(at, 6), label=_storable(label)) for value, at, label in rows]
    directory = tmp_path_factory.mktemp("run")
    storage.save(Run(CONTEXT, made), directory)
    found = storage.load(directory).observations
    assert len(found) == len(made)
    assert all(map(same, found, made))


def _storable(text: str) -> str:
    return text.encode(errors="replace").decode()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (storage.RUN, None, "is no run directory"),
        (storage.RUN, "{", "is damaged"),
        (storage.RUN, "[]", "was not written by"),
        (storage.RUN, '{"context": {}, "format": 99}', "has format 99"),
        (storage.RUN, '{"context": {}, "format": 1}', "damaged run directory"),
        (storage.RUN, '{"context": {"scenario": "x"}, "format": 1, "histograms": {"a": "zz"}}', "not a histogram"),
        (storage.TABLE, None, "cannot be read"),
        (storage.TABLE, "metric,value\na,1\n", "damaged run directory"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path: Path, name: str, text: str | None, expected: str) -> None:
    """One sentence names what is wrong with a directory."""
    directory = saved(tmp_path)
    if text is None:
        (directory / name).unlink()
    else:
        (directory / name).write_text(text)
    with pytest.raises(Refusal, match=expected):
        storage.load(directory)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A file where the directory should be is one clear error."""
    (tmp_path / "run").write_text("")
    with pytest.raises(Refusal, match="cannot be written"):
        saved(tmp_path)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "'", "''", "a=1", "it's", ""])
def test_no_cell_is_a_formula(tmp_path: Path, text: str) -> None:
    """A spreadsheet would compute what a server or a client wrote; read back it is the same text."""
    row = observed(definitions.DETECTION_DELAY, -0.5, 1.0, label=text, outcome=text, trace_id=text)
    directory = saved(tmp_path, [row])
    with (directory / storage.TABLE).open(newline="") as file:
        (written,) = csv.DictReader(file)
    for name in ("label", "outcome", "trace_id"):
        assert not written[name].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert (written["value"], written["at"], written["session"]) == ("-0.5", "1.0", "-1")
    assert list(storage.load(directory).observations) == [row]


@pytest.mark.parametrize("cell", ["inf", "-inf", "nan", "1e300", "x"])
def test_a_value_that_cannot_have_been_measured_is_damage(tmp_path: Path, cell: str) -> None:
    """It would be the best or the worst of all."""
    directory = saved(tmp_path)
    table = directory / storage.TABLE
    table.write_text(table.read_text().replace(",0.25,", f",{cell},"))
    with pytest.raises(Refusal, match="damaged run directory"):
        storage.load(directory)


@pytest.mark.parametrize(
    "context",
    [{"scenario": 5}, {"notes": "text"}, {"notes": [5]}, {"duration": math.nan}, {"duration": -1}, {"settings": []},
     {"server": None}, {"duration": 10**400}],
)  # fmt: skip
def test_a_context_of_other_types_is_damage(tmp_path: Path, context: dict[str, object]) -> None:
    """Each member has the type that the report reckons with."""
    directory = saved(tmp_path)
    head = json.loads((directory / storage.RUN).read_text())
    head["context"] |= context
    (directory / storage.RUN).write_text(json.dumps(head))
    with pytest.raises(Refusal, match="damaged run directory"):
        storage.load(directory)
