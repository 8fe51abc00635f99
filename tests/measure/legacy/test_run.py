"""Old CSV files: events and units stay apart, and notes explain what a summary of the mixed column gets wrong."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from pathlib import Path
from statistics import fmean, median

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.legacy import MetricsFile, import_files, summary_faults
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import DEFINITIONS, Definition
from ailoop_otel.measure.results.run import Run

BURST = [("user_msg_0_0", 0.020), ("user_msg_0_1", 0.030), ("user_msg_1_0", 0.040), ("user_msg_1_1", 0.050)]
TIMEOUTS = [("start_session", 0.0022), ("timeout_trigger", 10.0085)]
TALK = [("start_session", 0.0022), ("user_msg_0", 0.0014), ("user_msg_1", 0.0004), ("user_msg_2", 0.0006)]


def _write(path: Path, *rows: tuple[object, object]) -> Path:
    path.write_text("event,latency\n" + "".join(f"{first},{second}\n" for first, second in rows))
    return path


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """Two runs of the old memory test: four messages in a burst, then bytes below a header of their own."""
    header = ("memory_current", "memory_peak")
    rows = [*BURST, header, (2_600_000, 2_633_000), *BURST, header, (2_586_000, 2_619_000)]
    return _write(tmp_path / "memory_usage_metrics.csv", *rows)


@pytest.fixture
def timeouts(tmp_path: Path) -> Path:
    """Three runs of the old timeout test."""
    return _write(tmp_path / "ai_service_timeout_metrics.csv", *TIMEOUTS * 3)


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """Two runs of the old long session."""
    return _write(tmp_path / "long_running_session_metrics.csv", *TALK * 2)


def _values(run: Run, definition: Definition) -> list[float]:
    return [row.value for row in run.of(definition)]


def test_each_event_has_a_name_and_a_unit_of_its_own(memory: Path, timeouts: Path, talk: Path) -> None:
    """Rows of the three files come apart by event; bytes are bytes."""
    run = import_files([memory, timeouts, talk])
    assert {metric.name: (metric.unit, len(_values(run, metric))) for metric in run.metrics()} == {
        "legacy_burst_reply": ("s", 8),
        "legacy_memory_current": ("By", 2),
        "legacy_memory_peak": ("By", 2),
        "legacy_reply": ("s", 6),
        "legacy_session_start": ("s", 5),
        "legacy_timeout": ("s", 3),
    }
    assert all(row.unit == DEFINITIONS[row.metric].unit for row in run.observations)
    assert run.context.source == "legacy"


def test_runs_and_sessions_are_told_apart(memory: Path, talk: Path) -> None:
    """A run begins where an event comes again, or behind its memory; sessions count on."""
    run = import_files([memory, talk])
    assert run.context.settings["runs"] == {memory.name: 2, talk.name: 2}
    burst = list(run.of(definitions.LEGACY_BURST_REPLY))
    assert len({row.session for row in burst}) == 4
    replies = list(run.of(definitions.LEGACY_REPLY))
    assert len({row.session for row in replies}) == 2
    assert not {row.session for row in burst} & {row.session for row in replies}


def test_bytes_taken_for_seconds_are_noted(memory: Path) -> None:
    """The mean of the mixed column is computed as it was published, and the mean without the bytes."""
    (note,) = summary_faults(MetricsFile(memory))
    wrong = fmean([seconds for _, seconds in BURST * 2] + [2_633_000, 2_619_000]) * 1000
    assert f"{wrong:,.2f} ms over 10 rows" in note
    assert "2 of them are bytes (up to 2,633,000)" in note
    assert "legacy_burst_reply is 35.00 ms over 8" in note


def test_a_median_between_two_populations_is_noted(timeouts: Path) -> None:
    """A median that no row is near is noted with the populations around it."""
    (note,) = summary_faults(MetricsFile(timeouts))
    assert f"{median([0.0022, 10.0085]) * 1000:,.2f} ms" in note
    assert "legacy_session_start from 2.20 ms to 2.20 ms; legacy_timeout from 10,008.50 ms to 10,008.50 ms" in note


def test_an_acknowledgement_is_no_answer(talk: Path) -> None:
    """Replies that come sooner than a session starts are acknowledgements."""
    (note,) = summary_faults(MetricsFile(talk))
    assert "0.60 ms: sooner than a session starts (2.20 ms)" in note
    assert "acknowledgement" in note


@pytest.mark.parametrize(
    "rows",
    [
        BURST,
        [("start_session", 0.002), ("user_msg_0", 0.8), ("start_session", 0.003)],
        [("start_session", 0.002), ("timeout_trigger", 0.0021), ("start_session", 0.0019), ("timeout_trigger", 0.002)],
        [("timeout_trigger", 1.0), ("timeout_trigger", 10.0)],
        [("user_msg_0", 0.0004)],
    ],
)
def test_a_sound_file_is_accused_of_nothing(tmp_path: Path, rows: list[tuple[str, float]]) -> None:
    """A fault that the rows do not show is not noted."""
    assert list(summary_faults(MetricsFile(_write(tmp_path / "sound.csv", *rows)))) == []


def test_error_counts_are_no_latencies(tmp_path: Path) -> None:
    """The third kind of section gives a note, and the run after it is read."""
    rows = [*TALK, ("error_type", "count"), ("no_response", 3), *TALK]
    run = import_files([_write(tmp_path / "errors.csv", *rows)])
    assert len(_values(run, definitions.LEGACY_REPLY)) == 6
    assert "errors.csv: errors that the tests counted: 3 no_response." in run.context.notes


def test_what_belongs_to_nothing_stays_out_and_is_noted(tmp_path: Path) -> None:
    """Unknown events, negative and infinite seconds, bytes without their header and torn rows count nowhere."""
    odd = [("mystery", 1.0), ("user_msg_7", -1), ("user_msg_8", "inf"), ("2600000", "2633000"), ("user_msg_9", "")]
    run = import_files([_write(tmp_path / "odd.csv", *TALK, *odd)])
    assert len(run.observations) == len(TALK)
    (note,) = [note for note in run.context.notes if "stayed out" in note]
    assert "5 rows belong to no known event" in note
    assert "the first in line 6" in note


@pytest.mark.parametrize("text", ["", "event,latency\n", "id,name\n1,2\n", "a,b\x00c\n", '"torn\n'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    """A file without a single row of the three is refused by name."""
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(Refusal, match=r"other\.csv"):
        import_files([path])


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The refusal names the file."""
    with pytest.raises(Refusal, match=r"gone\.csv cannot be read: No such file"):
        import_files([tmp_path / "gone.csv"])


def test_a_file_named_twice_is_refused(talk: Path) -> None:
    """Rows may not count twice."""
    with pytest.raises(Refusal, match="named twice"):
        import_files([talk, talk])


@given(some.lists(some.tuples(some.text(max_size=12), some.text(max_size=12)), max_size=8))
@pytest.mark.fault(
    "files",
    theirs="Arbitrary text between the rows of a legacy file",
    promise="No exception, and no row changes",
)
def test_no_row_gets_in_that_is_not_known(rows: list[tuple[str, str]]) -> None:
    """Whatever stands between two sound rows, it raises nothing and changes neither of them."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "hostile.csv"
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerows([("event", "latency"), ("start_session", 0.5), *rows, ("user_msg_1", 0.25)])
        path.write_text(text.getvalue(), encoding="utf-8", errors="replace", newline="")
        file = MetricsFile(path)
    assert file.latencies[0].seconds == 0.5
    assert file.latencies[-1].seconds == 0.25


@pytest.mark.parametrize("number", ["1e308", "inf", "9" * 400, "-1", "nan"])
def test_a_number_that_nobody_measured_is_left_out(tmp_path: Path, number: str) -> None:
    """Two such would make a sum without end."""
    path = _write(tmp_path / "old.csv", ("start_session", 0.0022), ("user_msg_0", number), ("user_msg_1", number))
    file = MetricsFile(path)
    assert (len(file.latencies), file.left_out, file.column) == (1, 2, [0.0022])
    assert list(import_files([path]).observations)


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    """It must not fill memory."""
    path = tmp_path / "old.csv"
    path.write_bytes(b"event,latency\n" + b"x" * 2_000_000)
    with pytest.raises(Refusal, match="a line is longer than 1,000,000 bytes"):
        MetricsFile(path)


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    """With the mark that some programs put first."""
    path = tmp_path / "old.csv.gz"
    path.write_bytes(gzip.compress("\ufeffevent,latency\nstart_session,0.0022\n".encode()))
    assert [row.seconds for row in MetricsFile(path).latencies] == [0.0022]
