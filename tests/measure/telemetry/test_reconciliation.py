"""Client and server, message by message: joined by trace, and what differs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind, format_trace_id

from ailoop_otel import names
from ailoop_otel.measure import Refusal
from ailoop_otel.measure.client.message import Message
from ailoop_otel.measure.client.session import connect
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.telemetry.reconciliation import reconciled
from tests.ailoop.process import DELEGATES, serving, standin
from tests.ailoop.provider import Provider
from tests.view.sample import Sample


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Sample]:
    """A server process that writes files."""
    writer = Sample(tmp_path / "telemetry")
    yield writer
    writer.close()


def _trusted(sample: Sample, at: float, seconds: float, first_chunk: float | None, outcome: str = "ok") -> str:
    """An exchange below its client's own trace."""
    root = sample.exchange("s", at, seconds, outcome, first_chunk=first_chunk)
    return format_trace_id(root.get_span_context().trace_id)


def _linked(sample: Sample, client: str, at: float = 0, seconds: float = 1) -> str:
    """An exchange in a trace of the server's own, with its client's as attribute."""
    attributes = {names.OUTCOME: "ok", names.CLIENT_TRACE_ID: client, names.TIME_TO_FIRST_CHUNK: 0.25}
    root = sample.span("sendUserMessage", at, seconds, attributes, kind=SpanKind.SERVER)
    return format_trace_id(root.get_span_context().trace_id)


def _asked(trace: str, first: float, completion: float, outcome: str = "ok", **more: object) -> list[Observation]:
    place = {"at": 7.0, "outcome": outcome, "trace_id": trace, "session": 3, "exchange": 5, "process": 1, **more}
    return [
        observed(definitions.FIRST_CHUNK, first, **place),  # type: ignore[arg-type]
        observed(definitions.COMPLETION, completion, **place),  # type: ignore[arg-type]
    ]


def _client(*rows: list[Observation]) -> Run:
    return Run(Context("throughput", notes=("before",)), [row for each in rows for row in each])


def _values(run: Run, definition: Definition) -> list[float]:
    return [row.value for row in run.of(definition)]


def test_a_message_gets_the_servers_times_and_the_difference(sample: Sample) -> None:
    """In its place in the client's run, phase included."""
    trace = _trusted(sample, 0, 2.5, 0.5)
    run = reconciled(_client(_asked(trace, 0.75, 3.0, phase="hold")), sample.directory)
    assert _values(run, definitions.SERVER_FIRST_CHUNK) == [0.5]
    assert _values(run, definitions.SERVER_COMPLETION) == [2.5]
    assert _values(run, definitions.FIRST_CHUNK_DIFFERENCE) == [0.25]
    assert _values(run, definitions.COMPLETION_DIFFERENCE) == [0.5]
    assert {(row.at, row.session, row.exchange, row.process, row.phase) for row in run.observations} == {
        (7.0, 3, 5, 1, "hold")
    }
    assert {row.unit for row in run.observations} == {"s"}
    assert "before" in run.context.notes
    said = "for the first chunk the client waited 250 ms longer than the server says (median of 1), p95 250 ms."
    assert f"Client and server: {said}" in run.context.notes


def test_where_the_client_is_not_trusted_its_trace_is_an_attribute(sample: Sample) -> None:
    """All rows of the message then lead to the trace that the server recorded, which a client's id does not find."""
    trace = _linked(sample, "c" * 32)
    run = reconciled(_client(_asked("c" * 32, 0.5, 1.5)), sample.directory)
    assert _values(run, definitions.FIRST_CHUNK_DIFFERENCE) == [0.25]
    assert {row.trace_id for row in run.observations} == {trace}


@pytest.mark.parametrize("trusted", [True, False])
def test_a_run_is_reconciled_anew(sample: Sample, trusted: bool) -> None:
    """The second time comes to the same as the first: nothing is there twice, and nothing contradicts itself."""
    client = _trusted(sample, 0, 2.5, 0.5) if trusted else "c" * 32
    if not trusted:
        _linked(sample, client)
    run = _client(_asked(client, 3.0, 4.0))
    once = reconciled(run, sample.directory)
    again = reconciled(once, sample.directory)
    assert again.context.notes == once.context.notes
    assert again.observations == once.observations


def test_another_servers_telemetry_replaces_the_notes(sample: Sample, tmp_path: Path) -> None:
    """Found on both sides, or on none: not both."""
    sample.exchange("s", 0, 1)
    once = reconciled(_client(_asked(_trusted(sample, 0, 2.5, 0.5), 0.75, 3.0)), sample.directory)
    other = Sample(tmp_path / "other")  # whose first trace is the sample's first
    other.exchange("s", 0, 1)
    other.close()
    before, note = reconciled(once, other.directory).context.notes
    assert before == "before"
    assert note.startswith("Client and server: none of the client's 1 messages")


def test_the_warm_up_stays_out(sample: Sample) -> None:
    """What was measured in the warm-up is in no figure of the difference either."""
    trace = _trusted(sample, 0, 2.5, 0.5)
    run = reconciled(_client(_asked(trace, 0.75, 3.0, phase="warmup")), sample.directory)
    assert _values(run, definitions.FIRST_CHUNK_DIFFERENCE) == []
    assert any(row.metric == "first_chunk_difference" for row in run.observations)


def test_it_tells_who_was_found_on_one_side_only(sample: Sample) -> None:
    """Exchanges of days before the load are not counted; those during the load are."""
    _trusted(sample, -5000, 1, 0.5)
    first = _trusted(sample, 0, 1, 0.5)
    _trusted(sample, 1, 1, 0.5)
    last = _trusted(sample, 2, 1, 0.5)
    asked = _client(_asked(first, 1, 2), _asked("d" * 32, 1, 2), _asked(last, 1, 2), _asked("e" * 32, 1, 2))
    (note,) = (note for note in reconciled(asked, sample.directory).context.notes if "both sides" in note)
    assert "2 messages were found on both sides, 2 only by the client, 1 only on the server" in note


def test_one_trace_for_many_messages_is_not_guessed(sample: Sample) -> None:
    """A note reports a client that sends one trace id with all its messages."""
    for at in range(3):
        _linked(sample, "c" * 32, at)
    one = _trusted(sample, 5, 1, 0.5)
    run = reconciled(_client(_asked("c" * 32, 0.5, 1.5), _asked(one, 1, 2)), sample.directory)
    assert len(_values(run, definitions.COMPLETION_DIFFERENCE)) == 1
    assert "Client and server: 1 traces hold several messages and were not compared." in run.context.notes


def test_disagreement_about_the_outcome_is_noted(sample: Sample) -> None:
    """Half an answer passed off as whole: the client saw nothing, the server knows; no difference is made of it."""
    trace = _trusted(sample, 0, 2.5, 0.5, "cut")
    run = reconciled(_client(_asked(trace, 0.75, 3.0)), sample.directory)
    assert _values(run, definitions.COMPLETION_DIFFERENCE) == []
    assert [row.outcome for row in run.of(definitions.SERVER_COMPLETION)] == ["cut"]
    said = "they disagree on the outcome of 1 messages: ok for the client and cut on the server (1)."
    assert f"Client and server: {said}" in run.context.notes


def test_an_answer_without_a_chunk_has_no_difference_of_it(sample: Sample) -> None:
    """What never came on either side differs by nothing."""
    trace = _trusted(sample, 0, 2.5, None)
    run = reconciled(_client(_asked(trace, math.nan, 3.0)), sample.directory)
    assert _values(run, definitions.FIRST_CHUNK_DIFFERENCE) == []
    assert _values(run, definitions.COMPLETION_DIFFERENCE) == [0.5]


def test_an_ai_timeout_is_brought_along(sample: Sample) -> None:
    """When the instrumentation noticed is known to the server alone."""
    root = sample.exchange("s", 0, 31.0, "ai_timeout", timeout="first_chunk", first_chunk=None)
    trace = format_trace_id(root.get_span_context().trace_id)
    run = reconciled(_client(_asked(trace, math.nan, 31.5, "ai_timeout")), sample.directory)
    assert _values(run, definitions.TIMEOUT_DETECTED) == [pytest.approx(30.0021)]
    assert _values(run, definitions.REPORT_DELAY) == [pytest.approx(0.9979)]


def test_telemetry_of_another_server_is_noted(sample: Sample) -> None:
    """Nothing is joined, and a note gives the reason."""
    _trusted(sample, 0, 1, 0.5)
    run = reconciled(_client(_asked("f" * 32, 1, 2)), sample.directory)
    assert any(note.startswith("Client and server: none of the client's 1 messages") for note in run.context.notes)


def test_no_telemetry_is_refused(tmp_path: Path) -> None:
    """As for a report from telemetry alone."""
    with pytest.raises(Refusal, match="no telemetry"):
        reconciled(_client(_asked("f" * 32, 1, 2)), tmp_path)


async def _conversation(url: str) -> list[Message]:
    session = await connect(url)
    await session.start()
    messages = [await session.ask("[[say chunks=3 delay=0.2 gap=0.05]]", patience=30) for _ in range(3)]
    await session.stop()
    return messages


def test_a_real_load_is_joined_with_a_server_that_does_not_trust_its_clients(tmp_path: Path) -> None:
    """Both know the same messages, and the client waited longer; `measure` is joined with servers that trust it."""
    telemetry = tmp_path / "telemetry"
    switches = {
        "AILOOP_OTEL_ENABLED": "true",
        "AILOOP_OTEL_DIRECTORY": str(telemetry),
        "AILOOP_OTEL_TRUST_CLIENT_TRACE": "false",
    }
    with (
        Provider() as provider,
        serving(standin(DELEGATES), {**provider.plain_environment(), **switches}) as server,
    ):
        messages = asyncio.run(_conversation(f"ws://127.0.0.1:{server.port}/ws"))
    rows = [
        _asked(
            message.trace_id,
            message.first - message.planned if message.first else math.nan,
            message.completed - message.planned,
            message.outcome,
            exchange=number,
        )
        for number, message in enumerate(messages)
    ]
    run = reconciled(_client(*rows), telemetry)
    assert any("3 messages were found on both sides, 0 only by the client, 0 only on" in n for n in run.context.notes)
    differences = _values(run, definitions.FIRST_CHUNK_DIFFERENCE)
    assert len(differences) == 3
    assert all(difference > -0.001 for difference in differences)
    # The machine may delay now one message, now another.
    assert min(differences) < 0.5
    assert next(run.of(definitions.SERVER_FIRST_CHUNK)).value >= 0.2
    assert not {row.trace_id for row in run.observations} & {message.trace_id for message in messages}
