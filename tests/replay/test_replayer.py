"""Which lines are sent, in which order, and never twice."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ailoop_otel.recorded.files import find
from ailoop_otel.recorded.otlp_json import LOGS, METRICS, TRACES
from ailoop_otel.replay.delivery import Answer, ReplayStopped
from ailoop_otel.replay.export_request import ExportRequest
from ailoop_otel.replay.replayer import Replayer, Summary
from tests.recorded.locked import lock
from tests.replay.exports import logs, metrics, names, recording, traces

HERE = "http://127.0.0.1:4318"
TAKEN = Answer(accepted=True)
LINES = some.lists(some.sampled_from([traces("a"), traces("b"), traces("c"), logs("d"), b"garbage\n", b"\n"]))


class Collector:
    """Accepts every request, unless `answer` decides otherwise, and keeps what it accepted."""

    def __init__(self, answer: Callable[[ExportRequest], Answer] = lambda request: TAKEN) -> None:
        self.taken: list[bytes] = []
        self._answer = answer

    def send(self, request: ExportRequest) -> Answer:
        """Answer one line."""
        answer = self._answer(request)
        if answer.accepted:
            self.taken.append(request.content)
        return answer


class Run:
    """One replay of a directory; `names` of the accepted spans, `messages` on single lines."""

    def __init__(
        self,
        folder: Path,
        collector: Collector | None = None,
        *,
        to: str = HERE,
        again: bool = False,
        wanted: frozenset[object] = frozenset({TRACES}),
        state: Path | None = None,
    ) -> None:
        self.collector = collector or Collector()
        self.messages: list[str] = []
        self.read = 0
        replayer = Replayer(self.collector.send, to, wanted, state, self.messages.append, again=again)  # type: ignore[arg-type]
        replayer.run(find(folder), self._count)
        self.summary: Summary = replayer.summary

    @property
    def names(self) -> list[str]:
        """Names of what was taken."""
        return names(self.collector.taken)

    def _count(self, size: int) -> None:
        self.read += size


def test_everything_is_sent_once(tmp_path: Path) -> None:
    """In the order of the files; the second time nothing is."""
    folder = recording(tmp_path, "one", "two")
    (folder / "traces-20251122T140000Z-7-2.jsonl").write_bytes(traces("three", spans=4))
    first = Run(folder)
    assert first.names == ["one", "two", "three"]
    assert (first.summary.sent, first.summary.records[TRACES], first.summary.is_complete) == (3, 6, True)
    assert first.read == sum(path.stat().st_size for path in find(folder))
    second = Run(folder)
    assert (second.names, second.summary.already, second.summary.is_complete) == ([], 3, True)


def test_only_what_is_new_is_sent(tmp_path: Path) -> None:
    """A file that its server still writes grows between two replays."""
    folder = recording(tmp_path, "one")
    Run(folder)
    (path,) = find(folder)
    path.write_bytes(path.read_bytes() + traces("two"))
    assert Run(folder).names == ["two"]


def test_a_file_may_be_renamed_copied_and_cut(tmp_path: Path) -> None:
    """A line is known by its content, wherever it stands."""
    folder = recording(tmp_path, "one", "two", "three")
    Run(folder)
    (path,) = find(folder)
    path.rename(folder / "moved.jsonl")
    (folder / "cut.jsonl").write_bytes(traces("three") + traces("one"))
    run = Run(folder)
    assert (run.names, run.summary.already) == ([], 5)


def test_what_stands_there_twice_is_sent_once(tmp_path: Path) -> None:
    """A copy beside its original would double every span."""
    folder = recording(tmp_path, "one", "two")
    (folder / "copy.jsonl").write_bytes(traces("one") + traces("two"))
    assert Run(folder).names == ["one", "two"]


def test_another_collector_gets_everything(tmp_path: Path) -> None:
    """And so does the same one, if that is asked for."""
    folder = recording(tmp_path, "one", "two")
    Run(folder)
    assert Run(folder, to="http://elsewhere").names == ["one", "two"]
    assert Run(folder, again=True).names == ["one", "two"]
    assert Run(folder).names == []


def test_what_is_acknowledged_may_be_noted_elsewhere(tmp_path: Path) -> None:
    """Where the recording may only be read; otherwise it stands beside each file."""
    first, second = recording(tmp_path / "a", "one"), recording(tmp_path / "b", "two")
    Run(first, state=tmp_path / "state")
    assert sorted(path.suffix for path in first.iterdir()) == [".jsonl"]
    assert Run(first, state=tmp_path / "state").names == []
    Run(second)
    assert sorted(path.suffix for path in second.iterdir()) == [".jsonl", ".sqlite"]


def test_a_half_written_last_line_waits_for_the_next_time(tmp_path: Path) -> None:
    """It is no failure, and not sent before it is complete."""
    folder = recording(tmp_path, "one")
    (path,) = find(folder)
    whole = path.read_bytes()
    path.write_bytes(whole + traces("two")[:-20])
    first = Run(folder)
    assert (first.names, first.summary.half_written, first.summary.is_complete) == (["one"], [path.name], True)
    path.write_bytes(whole + traces("two"))
    assert Run(folder).names == ["two"]


def test_a_last_line_that_lacks_only_its_break_is_sent(tmp_path: Path) -> None:
    """And not again when the break has come."""
    folder = recording(tmp_path, "one")
    (path,) = find(folder)
    path.write_bytes(traces("one").rstrip())
    assert Run(folder).names == ["one"]
    path.write_bytes(traces("one") + traces("two"))
    assert Run(folder).names == ["two"]


def test_a_torn_line_is_reported_and_what_stands_behind_it_sent(tmp_path: Path) -> None:
    """Once; nothing else is lost with it."""
    folder = recording(tmp_path)
    path = folder / "traces.jsonl"
    path.write_bytes(traces("one") + traces("torn")[:90] + traces("two") + b"garbage\n" + traces("three"))
    first = Run(folder)
    assert first.names == ["one", "two", "three"]
    assert first.messages == [
        "traces.jsonl, line 2: no telemetry, or torn",
        "traces.jsonl, line 3: no telemetry, or torn",
    ]
    assert (first.summary.invalid, first.summary.is_complete) == (2, True)
    assert Run(folder).names == []


@pytest.mark.fault(
    "files",
    theirs="A line without end",
    promise="Reported, and memory stays small",
)
def test_an_endless_line_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no line of ours, and must not fill memory."""
    monkeypatch.setattr("ailoop_otel.recorded.input_file.LONGEST_LINE", 1000)
    folder = recording(tmp_path, "one")
    (folder / "a.jsonl").write_bytes(b"x" * 5000 + b"\n" + traces("two"))
    run = Run(folder)
    assert run.names == ["two", "one"]
    assert run.messages == ["a.jsonl, line 1: longer than any export"]


def test_only_the_signals_that_are_wanted_are_sent(tmp_path: Path) -> None:
    """The others are counted, and can be sent later."""
    folder = recording(tmp_path, "one")
    (folder / "logs.jsonl").write_bytes(logs("two"))
    (folder / "mixed.jsonl").write_bytes(metrics("three") + metrics("torn")[:60] + traces("four"))
    first = Run(folder)
    assert (first.names, first.summary.unwanted) == (["four", "one"], 2)
    second = Run(folder, wanted=frozenset({TRACES, LOGS, METRICS}))
    assert second.names == ["two", "three"]


def test_a_refused_line_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    """The next replay tries it again."""
    folder = recording(tmp_path, "one", "two", "three")
    refuse = Collector(lambda request: Answer(b"two" not in request.content, message="400 no"))
    first = Run(folder, refuse)
    assert (first.names, first.summary.refused[TRACES], first.summary.is_complete) == (["one", "three"], 1, False)
    (path,) = find(folder)
    assert f"{path.name}, line 2: 1 span refused with 400 no" in first.messages
    assert Run(folder).names == ["two"]


@pytest.mark.fault(
    "files",
    theirs="A collector refuses a line because of one span",
    promise="Halved until that one is alone; the others are sent once",
)
def test_one_bad_span_does_not_cost_its_line(tmp_path: Path) -> None:
    """What is refused is halved until the bad one is alone; the others are never sent twice."""
    folder = recording(tmp_path)
    (folder / "traces.jsonl").write_bytes(traces("one", spans=100))

    def refuse(request: ExportRequest) -> Answer:
        bad = b"0000000042" in request.content
        return Answer(not bad, message="400 no" * bad, divisible=True)

    first = Run(folder, Collector(refuse))
    assert sorted(_spans(first)) == [f"{number:016x}" for number in range(1, 101) if number != 0x42]
    assert (first.summary.records[TRACES], first.summary.refused[TRACES], first.summary.sent) == (99, 1, 0)
    assert first.messages == ["traces.jsonl, line 1: 1 span refused with 400 no"]
    second = Run(folder)
    assert (_spans(second), second.summary.is_complete) == (["0000000000000042"], True)
    assert Run(folder).summary.already == 1


def test_a_line_that_is_too_large_is_sent_in_parts(tmp_path: Path) -> None:
    """However large the collector lets them be; a larger limit later on doubles nothing."""
    folder = recording(tmp_path)
    (folder / "traces.jsonl").write_bytes(traces("one", spans=100))

    def small(request: ExportRequest) -> Answer:
        return Answer(len(request.content) < 5000, divisible=True)

    answers = iter([small] * 5)
    first = Run(folder, Collector(lambda request: next(answers, _halt)(request)))
    assert 0 < len(_spans(first)) < 100
    second = Run(folder)
    assert sorted(_spans(first) + _spans(second)) == [f"{number:016x}" for number in range(1, 101)]
    assert (second.summary.sent, second.summary.is_complete) == (1, True)


def test_a_collector_that_refuses_everything_is_not_asked_for_ever(tmp_path: Path) -> None:
    """Halving ends, and all are counted."""
    folder = recording(tmp_path)
    (folder / "traces.jsonl").write_bytes(traces("one", spans=512))
    asked: list[ExportRequest] = []

    def refuse(request: ExportRequest) -> Answer:
        asked.append(request)
        return Answer(False, divisible=True)

    run = Run(folder, Collector(refuse))
    assert run.summary.refused[TRACES] == 512
    assert len(asked) < 150


@settings(deadline=None, max_examples=20)
@given(
    counts=some.lists(some.integers(1, 9), min_size=1, max_size=3),
    bad=some.sets(some.integers(1, 9)),
    stops=some.lists(some.integers(0, 12), max_size=3),
)
def test_however_it_is_halved_and_stopped_each_good_span_is_taken_once(
    counts: list[int], bad: set[int], stops: list[int]
) -> None:
    """The bad ones never; a collector that likes them later gets them too."""
    lines = [traces(f"line {number}", spans=count) for number, count in enumerate(counts)]
    spans = [f"line {line} {span:016x}" for line, count in enumerate(counts) for span in range(1, count + 1)]

    def judge(request: ExportRequest) -> Answer:
        return Answer(not any(b'"spanId":"%016x"' % span in request.content for span in bad), divisible=True)

    with tempfile.TemporaryDirectory() as name:
        folder = recording(Path(name))
        (folder / "traces.jsonl").write_bytes(b"".join(lines))
        runs = []
        for stop in [*stops, 10_000]:
            answers = iter([judge] * stop)
            runs.append(Run(folder, Collector(lambda request, left=answers: next(left, _interrupt)(request))))
        good = [span for run in runs for span in _spans(run, named=True)]
        assert sorted(good) == sorted(span for span in spans if int(span[-16:], 16) not in bad)
        runs.append(Run(folder))
        assert sorted(span for run in runs for span in _spans(run, named=True)) == sorted(spans)


def _interrupt(request: ExportRequest) -> Answer:
    raise KeyboardInterrupt


def _halt(request: ExportRequest) -> Answer:
    raise ReplayStopped("it is away")


def _spans(run: Run, *, named: bool = False) -> list[str]:
    taken = [json.loads(content) for content in run.collector.taken]
    spans = [span for each in taken for r in each["resourceSpans"] for s in r["scopeSpans"] for span in s["spans"]]
    return [f"{span['name']} {span['spanId']}" if named else span["spanId"] for span in spans]


def test_what_was_rejected_of_a_line_is_counted(tmp_path: Path) -> None:
    """The line is acknowledged: sent again, all the rest of it would be there twice."""
    folder = recording(tmp_path, "one")
    first = Run(folder, Collector(lambda request: Answer(accepted=True, rejected=2, message="too old")))
    assert (first.summary.rejected[TRACES], first.summary.is_complete) == (2, False)
    assert first.messages[0].endswith("line 1: 2 spans rejected too old")
    assert Run(folder).names == []


def test_a_warning_is_reported(tmp_path: Path) -> None:
    """Collectors may accept all and still send a message."""
    run = Run(recording(tmp_path, "one"), Collector(lambda request: Answer(accepted=True, message="slow down")))
    assert run.messages[0].endswith("line 1: taken, with a warning: slow down")
    assert run.summary.is_complete


def test_a_signal_that_is_not_taken_does_not_keep_the_others(tmp_path: Path) -> None:
    """Jaeger accepts no logs: one line reports it, and its traces are sent all the same."""
    folder = recording(tmp_path, "one")
    (folder / "logs.jsonl").write_bytes(logs("two") + logs("three"))
    collector = Collector(lambda request: TAKEN if request.signal is TRACES else Answer(False, 0, "404", True))
    run = Run(folder, collector, wanted=frozenset({TRACES, LOGS}))
    assert (run.names, run.summary.unsupported[LOGS], run.summary.is_complete) == (["one"], 2, False)
    assert run.messages == ["Logs are not taken: 404"]


def test_what_was_sent_before_the_end_of_patience_is_kept(tmp_path: Path) -> None:
    """The collector goes away in the middle: the next replay begins there."""
    folder = recording(tmp_path, "one", "two", "three")
    halted = Run(folder, Collector(_stop_at(1, ReplayStopped("it is away"))))
    assert (halted.names, halted.summary.stopped, halted.summary.is_complete) == (["one"], "it is away", False)
    assert Run(folder).names == ["two", "three"]


def test_ctrl_c_keeps_what_was_sent(tmp_path: Path) -> None:
    """As killing does."""
    folder = recording(tmp_path, "one", "two", "three")
    stopped = Run(folder, Collector(_stop_at(2, KeyboardInterrupt())))
    assert (stopped.names, stopped.summary.interrupted) == (["one", "two"], True)
    assert Run(folder).names == ["three"]


@pytest.mark.fault(
    "files",
    theirs="A file is deleted while it is replayed",
    promise="The others are sent",
)
def test_a_file_that_goes_meanwhile_is_no_failure(tmp_path: Path) -> None:
    """The writer's rotation took it between listing and export_request."""
    folder = recording(tmp_path, "one")
    (folder / "a.jsonl").write_bytes(traces("two"))
    gone = folder / "b.jsonl"
    gone.write_bytes(traces("three"))

    def answer(request: ExportRequest) -> Answer:
        gone.unlink(missing_ok=True)
        return TAKEN

    run = Run(folder, Collector(answer))
    assert (run.names, run.summary.is_complete) == (["two", "one"], True)


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the others are sent."""
    folder = recording(tmp_path, "one")
    (folder / "locked.jsonl").write_bytes(traces("two"))
    lock(monkeypatch, lambda path: path.name == "locked.jsonl")
    run = Run(folder)
    assert (run.names, run.summary.unreadable) == (["one"], ["locked.jsonl (Permission denied)"])
    assert not run.summary.is_complete


@settings(deadline=None, max_examples=25)
@given(lines=LINES, torn=some.integers(0, 60), stops=some.lists(some.integers(0, 4), max_size=4))
def test_however_often_it_is_stopped_each_line_is_taken_once(lines: list[bytes], torn: int, stops: list[int]) -> None:
    """Whatever stands in the file, and wherever it stops."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "traces.jsonl").write_bytes(b"".join(lines) + traces("late")[:torn])
        taken: list[str] = []
        for stop in stops:
            taken += Run(folder, Collector(_stop_at(stop, KeyboardInterrupt()))).names
        (folder / "traces.jsonl").write_bytes(b"".join(lines) + traces("late"))
        taken += Run(folder).names
    spans = [line.strip() for line in lines if b"resourceSpans" in line]
    assert taken == list(dict.fromkeys([*names(spans), "late"]))


def _stop_at(count: int, fault: BaseException) -> Callable[[ExportRequest], Answer]:
    answers = iter([TAKEN] * count)

    def answer(request: ExportRequest) -> Answer:
        try:
            return next(answers)
        except StopIteration:
            raise fault from None

    return answer


def test_compressed_files_are_sent(tmp_path: Path) -> None:
    """The whole one, and of the one that was cut what is there; the next replay sends no line of them again."""
    folder = tmp_path / "telemetry"
    folder.mkdir()
    (folder / "traces-1.jsonl.gz").write_bytes(gzip.compress(traces("one") + traces("two")))
    (folder / "traces-2.jsonl.gz").write_bytes(gzip.compress(traces("three"))[:-8])
    run = Run(folder)
    assert run.names == ["one", "two", "three"]
    assert run.summary.unreadable == ["traces-2.jsonl.gz (compressed, and cut off or damaged: read up to there)"]
    (folder / "traces-1.jsonl").write_bytes(traces("one") + traces("two"))
    assert Run(folder).names == []
