"""Sessions are sampled whole, by a hash of their id, and an argument that cannot be used is told."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from ailoop_otel import names
from ailoop_otel.recording.session_sampler import SessionSampler, from_argument
from ailoop_otel.recording.spans import registered_sampler


def _sampled(share: float, sessions: int, messages: int = 3) -> dict[str, set[bool]]:
    tracer = TracerProvider(SessionSampler(share), shutdown_on_exit=False).get_tracer("test")
    decided: dict[str, set[bool]] = {}
    for number in range(sessions * messages):
        session = f"session-{number % sessions}"
        span = tracer.start_span("sendUserMessage", attributes={names.SESSION_ID: session})
        child = tracer.start_span("chat", set_span_in_context(span))
        decided.setdefault(session, set()).update(each.get_span_context().trace_flags.sampled for each in (span, child))
    return decided


def test_a_conversation_is_whole_or_absent() -> None:
    """All messages of one session, and all spans below them, are decided alike; about the share of them is there."""
    decided = _sampled(0.25, 400)
    assert all(len(answers) == 1 for answers in decided.values())
    assert 60 < sum(True in answers for answers in decided.values()) < 140


def test_another_process_decides_the_same() -> None:
    """A session whose messages go to two servers, or outlives a restart, is sampled by both or by none."""
    assert _sampled(0.5, 50) == _sampled(0.5, 50)


def test_what_is_sampled_at_a_share_is_sampled_at_a_larger_one() -> None:
    """To raise the share adds sessions, and takes none away."""
    fewer, more = _sampled(0.2, 200), _sampled(0.6, 200)
    assert all(True in more[session] for session, answers in fewer.items() if True in answers)


@pytest.mark.parametrize(("share", "expected"), [(0.0, False), (1.0, True)])
def test_none_and_all(share: float, expected: bool) -> None:
    """0 samples no session and 1 all."""
    assert all(answers == {expected} for answers in _sampled(share, 50).values())


def test_without_a_session_the_trace_id_decides() -> None:
    """As OpenTelemetry's own sampler by ratio does it: the lower 64 bits of the id."""
    sampler = SessionSampler(0.5)
    low, high = sampler.should_sample(None, 1, "x"), sampler.should_sample(None, (1 << 127) + (1 << 63), "x")
    assert (low.decision.is_sampled(), high.decision.is_sampled()) == (True, False)


@pytest.mark.parametrize("sampled", [False, True])
def test_the_parent_is_followed(sampled: bool) -> None:
    """What a client's trace decided holds, whatever the session."""
    above = SpanContext(1, 2, True, TraceFlags(int(sampled)))
    tracer = TracerProvider(SessionSampler(0.0 if sampled else 1.0), shutdown_on_exit=False).get_tracer("test")
    span = tracer.start_span("x", set_span_in_context(NonRecordingSpan(above)), attributes={names.SESSION_ID: "s"})
    assert span.get_span_context().trace_flags.sampled is sampled


def test_what_is_not_sampled_is_recorded_and_not_exported() -> None:
    """So that it can still be kept when it fails; the SDK's own processors leave it alone."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(SessionSampler(0.0), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    span = provider.get_tracer("test").start_span("x")
    assert span.is_recording()
    span.end()
    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize(
    ("argument", "share", "failures"),
    [
        (None, 1.0, 60.0),
        ("", 1.0, 60.0),
        ("0.1", 0.1, 60.0),
        (" share = 0.1 , failures = 5 ", 0.1, 5.0),
        ("failures=0", 1.0, 0.0),
    ],
)
def test_the_argument_is_read(argument: str | None, share: float, failures: float) -> None:
    """A bare number is the share; what is not said has its default."""
    sampler = from_argument(argument)
    assert (sampler.share, sampler.failures) == (share, failures)


@pytest.mark.parametrize("argument", ["10 %", "2", "-1", "nan", "share=", "rate=0.1", "failures=many"])
def test_an_argument_that_cannot_be_used_is_told(argument: str, caplog: pytest.LogCaptureFixture) -> None:
    """One line names it, and all sessions are sampled: less would be lost without a word."""
    sampler = from_argument(argument)
    told = caplog.messages
    assert (sampler.share, sampler.failures) == (1.0, 60.0)
    assert len(told) == 1
    assert repr(argument) in told[0]


def test_opentelemetrys_variable_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed package registers it under its name; the SDK's own names are left to the SDK."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "ailoop_session")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.1")
    sampler = registered_sampler()
    assert isinstance(sampler, SessionSampler)
    assert sampler.share == 0.1
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    assert registered_sampler() is None


def test_a_sampler_that_raises_is_told_and_all_is_sampled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another package's sampler that cannot be made does not stop the server, nor lose its traces."""

    class Broken:
        value = "theirs:make"

        def load(self) -> object:
            raise ImportError("no such module")

    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "theirs")
    monkeypatch.setattr("ailoop_otel.recording.spans.entry_points", lambda **_: [Broken()])
    sampler = registered_sampler()
    assert isinstance(sampler, ParentBased)
    assert sampler.get_description() != ParentBased(ALWAYS_OFF).get_description()
    assert "no such module" in caplog.text
