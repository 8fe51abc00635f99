"""The three faults of the published report, tried on this kit: each is refused or cannot be expressed."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from statistics import median

import pytest

from ailoop_otel.cli import main
from ailoop_otel.measure import Refusal, report
from ailoop_otel.measure.client.conversation import Conversation
from ailoop_otel.measure.client.exchanges import Place, message_observations
from ailoop_otel.measure.client.message import Message
from ailoop_otel.measure.legacy import import_files
from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.report.exchanges import exchanges_of
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.results.definitions import DEFINITIONS
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run

LATENCIES = [observed(definitions.COMPLETION, 0.06, float(at), exchange=at) for at in range(9)]
BYTES = Observation(definitions.COMPLETION.name, 2_633_826, "By", 9.0)


def _run(*rows: Observation) -> Run:
    return Run(Context("memory_usage"), rows)


def _summary(run: Run, directory: Path) -> list[dict[str, object]]:
    report.write(run, directory)
    metrics: list[dict[str, object]] = json.loads((directory / "summary.json").read_text())["metrics"]
    return metrics


# --- Bytes printed as milliseconds -------------------------------------------------------------------------
def test_bytes_cannot_be_observed_as_seconds() -> None:
    """An observation takes its unit from its metric's definition, wherever it is created."""
    assert {observed(definition, 1.0, 0.0).unit for definition in DEFINITIONS.values() if definition.unit == "s"} == {
        "s"
    }
    with pytest.raises(TypeError):
        observed(definitions.COMPLETION, 2_633_826, 0.0, unit="By")


def test_bytes_among_latencies_are_refused(tmp_path: Path) -> None:
    """A row that was forged past the definition makes no report at all."""
    with pytest.raises(Refusal, match=r"completion is defined in 's', and one of its observations is in 'By'"):
        report.write(_run(*LATENCIES, BYTES), tmp_path)


def test_bytes_written_among_the_raw_data_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Raw data that somebody appended to, as the old tests did to their files, is no report either."""
    storage.save(_run(*LATENCIES), tmp_path)
    with (tmp_path / storage.TABLE).open("a", newline="") as file:
        csv.writer(file).writerow([*BYTES])
    assert main(["report", str(tmp_path)]) == 2
    assert "one of its observations is in 'By'" in capsys.readouterr().err


def test_memory_is_never_in_seconds(tmp_path: Path) -> None:
    """Memory beside latencies stays a row of its own, in bytes."""
    run = _run(*LATENCIES, observed(definitions.MEMORY, 2_633_826, 9.0))
    figures = {str(each["metric"]): (each["unit"], each["mean"]) for each in _summary(run, tmp_path)}
    assert figures == {"completion": ("s", pytest.approx(0.06)), "server_memory": ("By", 2_633_826)}


# --- Two populations under one name ------------------------------------------------------------------------
def test_session_starts_and_timeouts_have_no_common_median(tmp_path: Path) -> None:
    """Events of two kinds are two metrics: no figure lies between them."""
    rows = []
    for at in range(5):
        rows.append(observed(definitions.SESSION_START, 0.002, float(at)))
        rows.append(observed(definitions.TIMEOUT_TOLD, 10.008, float(at), outcome="ai_timeout"))
    between = median(row.value for row in rows)
    medians = {each["metric"]: each["p50"] for each in _summary(_run(*rows), tmp_path)}
    assert medians == {"session_start": 0.002, "ai_timeout_told": 10.008}
    assert between not in medians.values()


def test_steps_of_different_names_are_never_figured_together(tmp_path: Path) -> None:
    """What a test names itself has figures by that name only."""
    rows = [observed(definitions.STEP, 0.002, 0.0, label="start"), observed(definitions.STEP, 10.0, 0.0, label="wait")]
    assert {each["label"]: each["p50"] for each in _summary(_run(*rows * 5), tmp_path)} == {"start": 0.002, "wait": 10}


def test_a_percentile_is_a_value_that_was_seen() -> None:
    """Of an even number of values the median is one of them, so it cannot lie where nothing is."""
    rows = [observed(definitions.COMPLETION, value, 0.0) for value in (0.002, 10.0)]
    (row,) = build_report(_run(*rows)).rows
    assert row.summary.p50 in (0.002, 10.0)


# --- An acknowledgement that counts as an answer -----------------------------------------------------------
def test_an_acknowledgement_is_no_answer() -> None:
    """The earlier generation's response after a millisecond completes nothing and is no first chunk."""
    conversation = Conversation(lambda text: None)
    started = {"sessionId": "s", "status": 1, "reason": "Session started"}
    conversation.take(json.dumps({"jsonrpc": "2.0", "method": "SessionStatusNotification", "params": started}), 0.0)
    message = Message(0.0)
    conversation.ask(message, "s", "ping", 0.0)
    conversation.take('{"jsonrpc": "2.0", "id": 1, "result": {"messageId": "m", "status": 0}}', 0.00062)
    assert message.acknowledged == 0.00062
    assert not message.ended
    message.abandon("client_timeout")
    figures = {row.metric: row.value for row in message_observations(message, Place(0.0))}
    assert figures["acknowledgement"] == 0.00062
    assert math.isnan(figures["first_chunk"])
    assert math.isnan(figures["completion"])


def test_an_acknowledgement_in_an_old_file_is_no_answer(tmp_path: Path) -> None:
    """Replies of the old tests are no exchange: nothing in the report calls them complete."""
    path = tmp_path / "long_running_session_metrics.csv"
    path.write_text("event,latency\nstart_session,0.0022\n" + "".join(f"user_msg_{n},0.00062\n" for n in range(30)))
    run = import_files([path])
    assert exchanges_of(run) == []
    assert {metric.name for metric in run.metrics()} == {"legacy_session_start", "legacy_reply"}
    report.write(run, tmp_path / "report")
    assert "it is no answer's latency" in (tmp_path / "report" / "report.html").read_text().replace("&#39;", "'")


def test_a_slash_command_is_among_no_answers() -> None:
    """The server answers it itself within a millisecond: a mean over both would describe neither."""
    message = Message(1.0)
    message.sent, message.completed, message.command = 1.0, 1.002, True
    assert {row.metric for row in message_observations(message, Place(0.0))} == {"command", "send_delay"}
