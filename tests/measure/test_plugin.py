"""The pytest plugin, in test runs of its own."""

from __future__ import annotations

import sys

import pytest

from ailoop_otel.measure.results import definitions, storage
from tests.measure.plugin_runs import SETTINGS, timed
from tests.measure.scripted_server import Scripted

pytest_plugins = ["pytester"]

STEPS = """
    import time
    def test_steps(ailoop):
        with ailoop.step("log in"):
            time.sleep(0.05)
        assert ailoop.mark("ready") >= 0
"""
FAST = '[step]\np95 = "10 s"\n'
SLOW = '[step]\np95 = "1 ms"\n'


@pytest.fixture(autouse=True)
def _apart(pytester: pytest.Pytester) -> None:
    """The runs have neither our settings nor a cache."""
    pytester.makeini(SETTINGS)


def test_steps_are_summarised_in_the_terminal_and_in_files(pytester: pytest.Pytester) -> None:
    """One row a step, each in seconds and under its own name, and all files of a run."""
    pytester.makepyfile(STEPS)
    result = pytester.runpytest_inprocess("--ailoop-report", "report")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*AILoop performance*", "*log in*", "*ready*", "Report and raw data: *report"])
    run = storage.load(pytester.path / "report")
    rows = {row.label: row for row in run.of(definitions.STEP)}
    assert rows["log in"].value >= 0.05
    assert rows["log in"].at < rows["ready"].at
    written = {path.name for path in (pytester.path / "report").iterdir()}
    assert {"run.json", "observations.csv", "summary.json", "summary.md", "report.html"} <= written
    assert (run.context.source, run.context.scenario) == ("tests", "tests")
    assert run.context.machine["cores"] > 0


def test_a_step_that_raises_has_failed(pytester: pytest.Pytester) -> None:
    """By its exception's name; a skipped test has not."""
    pytester.makepyfile("""
        import pytest
        def test_raises(ailoop):
            with ailoop.step("breaks"):
                raise LookupError
        def test_skips(ailoop):
            with ailoop.step("skipped"):
                pytest.skip("not now")
    """)
    result, run = timed(pytester)
    assert result.ret == 1
    assert [(row.label, row.outcome) for row in run.of(definitions.STEP)] == [("breaks", "LookupError")]


def test_answers_are_timed_by_the_products_definitions(pytester: pytest.Pytester, answering: Scripted) -> None:
    """In a plain test and in an asynchronous one: first chunk, completion, failures and the session itself."""
    pytester.makepyfile(f"""
        import math
        def test_plain(ailoop):
            with ailoop.connect("{answering.url}") as chat:
                answer = chat.ask("first=0.1 gap=0.05 chunks=3")
                assert answer.ok and answer.chunks == 3
                assert 0.1 <= answer.first_chunk < answer.completion
                assert answer.longest_gap >= 0.04
                failed = chat.ask("end=ai_error")
                assert failed.outcome == "ai_error" and not failed.ok
        async def test_async(ailoop):
            async with ailoop.connect("{answering.url}") as chat:
                answer = await chat.ask("hello")
                assert answer.ok and len(answer.trace_id) == 32
    """)
    result, run = timed(pytester)
    result.assert_outcomes(passed=2)
    assert len(list(run.of(definitions.FIRST_CHUNK))) == 3
    assert [row.outcome for row in run.of(definitions.COMPLETION)].count("ai_error") == 1
    assert [row.value for row in run.of(definitions.SESSION_TURNS)] == [2, 1]
    assert len({row.exchange for row in run.of(definitions.COMPLETION)}) == 3
    assert len({row.session for row in run.of(definitions.SESSION_START)}) == 2
    result.stdout.fnmatch_lines(["*1 of 3 exchanges failed*"])


def test_a_server_that_is_not_there_fails_the_test(pytester: pytest.Pytester) -> None:
    """One clear error at the test's own line, nothing of ours above it, no thread left and no warning."""
    pytester.makepyfile("""
        def test_nobody(ailoop):
            with ailoop.connect("ws://127.0.0.1:9/ws"):
                pass
        async def test_nobody_async(ailoop):
            async with ailoop.connect("ws://127.0.0.1:9/ws"):
                pass
        def test_no_address(ailoop):
            with ailoop.connect("http://127.0.0.1:9/ws"):
                pass
    """)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=3)
    output = [line for line in result.outlines if line.startswith("E ")]
    assert len(output) == 3
    assert all("no session could be had at ws://127.0.0.1:9/ws, is the server running? " in line for line in output[:2])
    assert "it looks like ws://127.0.0.1:8000/ws" in output[2]
    result.stdout.no_fnmatch_line("*ailoop_otel/measure/*.py:*")
    result.stdout.no_fnmatch_line("*concurrent/futures*")


def test_what_a_crashed_worker_loses_is_reported(pytester: pytest.Pytester) -> None:
    """The summary has what the other worker timed, and reports that something is missing."""
    pytester.makepyfile(test_whole="def test_one(ailoop): ailoop.mark('here')")
    pytester.makepyfile(test_torn="import os\ndef test_two(ailoop):\n    ailoop.mark('gone')\n    os._exit(3)")
    result = pytester.runpytest_subprocess("-n", "2", "--dist", "loadfile", "--max-worker-restart", "0")
    assert result.ret != 0
    output = " ".join(result.stdout.str().split())
    assert "1 processes of the test run crashed: what they had timed is missing." in output
    assert "here" in output


@pytest.mark.parametrize(("targets", "code", "verdict"), [(FAST, 0, "PASS"), (SLOW, 1, "FAIL")])
def test_a_missed_target_fails_the_run(pytester: pytest.Pytester, targets: str, code: int, verdict: str) -> None:
    """All tests pass, and the exit code is that of the verdict."""
    pytester.makepyfile("""
        import time
        def test_many(ailoop):
            for _ in range(100):
                with ailoop.step("work"):
                    time.sleep(0.003)
    """)
    (pytester.path / "targets.toml").write_text(targets)
    result = pytester.runpytest_inprocess("--ailoop-targets", "targets.toml")
    result.assert_outcomes(passed=1)
    assert result.ret == code
    result.stdout.fnmatch_lines([f"* {verdict}  *"])


def test_an_earlier_report_is_the_baseline(pytester: pytest.Pytester, answering: Scripted) -> None:
    """The first run has none and passes; an answer that takes six times as long fails the next."""
    pytester.makepyfile(f"""
        def test_many(ailoop, pytestconfig):
            with ailoop.connect("{answering.url}") as chat:
                for _ in range(30):
                    chat.ask("first=" + ("0.005" if pytestconfig.option.verbose else "0.03"))
    """)
    first = pytester.runpytest_inprocess("-v", "--ailoop-report", "before", "--ailoop-baseline", "before")
    assert first.ret == 0
    first.stdout.fnmatch_lines(["*There is no baseline yet to compare with*"])
    assert pytester.runpytest_inprocess("--ailoop-baseline", "before").ret == 1


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("--ailoop-targets", "gone.toml"), "*cannot read the targets*gone.toml*"),
        (("--ailoop-targets", "bad.toml"), "*there is no metric 'nonsense'*"),
        (("--ailoop-baseline", "bad.toml"), "*bad.toml is no baseline*"),
        (("--ailoop-baseline", "typo", "--ailoop-report", "report"), "*the baseline *typo is not there*"),
    ],
)
def test_a_file_that_makes_no_sense_is_told_before_the_first_test(
    pytester: pytest.Pytester, words: tuple[str, ...], output: str
) -> None:
    """A usage error in one line."""
    (pytester.path / "bad.toml").write_text('[nonsense]\np95 = "1 s"\n')
    pytester.makepyfile(STEPS)
    result = pytester.runpytest_inprocess(*words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([output])
    assert "INTERNALERROR" not in result.stderr.str()


def test_a_report_that_cannot_be_written_fails_the_run(pytester: pytest.Pytester) -> None:
    """The summary is there all the same, with the reason."""
    (pytester.path / "report").write_text("a file")
    pytester.makepyfile(STEPS)
    result = pytester.runpytest_inprocess("--ailoop-report", "report")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*log in*", "ailoop-otel: *report*"])


def test_unused_it_costs_and_says_nothing(pytester: pytest.Pytester) -> None:
    """No library is imported, nothing is printed."""
    pytester.makepyfile("""
        import sys
        def test_plain():
            heavy = {"numpy", "scipy", "hdrh", "vl_convert", "rich", "websockets", "opentelemetry", "jinja2"}
            assert not heavy & sys.modules.keys()
    """)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    assert "AILoop" not in result.stdout.str()


def test_a_report_of_nothing_says_so(pytester: pytest.Pytester) -> None:
    """Without any timing a requested report is not written, and the reason is printed."""
    pytester.makepyfile("def test_plain(): pass")
    result = pytester.runpytest_inprocess("--ailoop-report", "report")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*no test timed anything with the ailoop fixture*"])


def test_without_the_extra_only_its_users_fail(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests run; the fixture prints how to install what it needs."""
    monkeypatch.setitem(sys.modules, "hdrh", None)
    pytester.makepyfile(STEPS + "    def test_plain(): pass")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the ailoop fixture needs hdrh: pip install 'ailoop-otel*measure*'*"])


@pytest.mark.parametrize(("fixture", "scope"), [("ailoop_module", "module"), ("ailoop_session", "session")])
def test_a_conversation_spans_tests(pytester: pytest.Pytester, answering: Scripted, fixture: str, scope: str) -> None:
    """Its fixture is of the module or the run: one session, and a turn of it in each test."""
    pytester.makepyfile(f"""
        import pytest
        @pytest.fixture(scope={scope!r})
        def chat({fixture}):
            with {fixture}.connect({answering.url!r}) as chat:
                yield chat
        def test_first(chat):
            assert chat.ask("hello").ok
        def test_second(chat):
            assert chat.ask("and again").ok
    """)
    result, run = timed(pytester)
    assert result.ret == 0
    assert len(list(run.of(definitions.SESSION_START))) == 1
    assert [row.value for row in run.of(definitions.SESSION_TURNS)] == [2]
    assert len({row.exchange for row in run.of(definitions.COMPLETION)}) == 2
