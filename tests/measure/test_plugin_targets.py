"""The marker for targets of one test, and the fixtures of a wider scope, also under pytest-xdist."""

from __future__ import annotations

import pytest

from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.testing.summary import run_of
from ailoop_otel.measure.verdict import targets
from ailoop_otel.measure.verdict.targets import Targets
from tests.measure.plugin_runs import SETTINGS, timed
from tests.measure.scripted_server import Scripted

pytest_plugins = ["pytester"]

# A line of pytest's short summary, which repeats the whole error where the variable CI is set.
SUMMARY = "ERROR "
STEP = """
    import time
    import pytest
    @pytest.mark.ailoop_targets({})
    def test_it(ailoop):
        with ailoop.step("work"):
            time.sleep(0.01)
"""


@pytest.fixture(autouse=True)
def _apart(pytester: pytest.Pytester) -> None:
    """The runs have neither our settings nor a cache, and know no marker but those that plugins tell of."""
    pytester.makeini(SETTINGS)


def test_a_test_fails_by_its_own_targets(pytester: pytest.Pytester, answering: Scripted) -> None:
    """By what it timed itself, errors among it, and not by what another test did; a file's targets stay the run's."""
    pytester.makepyfile(f"""
        import pytest
        def test_without(ailoop):
            with ailoop.connect({answering.url!r}) as chat:
                assert not chat.ask("end=ai_error first=0.3").ok
        @pytest.mark.ailoop_targets(first_chunk={{"max": "250 ms"}}, error_rate={{"value": "0 /1000"}})
        @pytest.mark.parametrize("message", ["hello", "first=0.3", "end=ai_error"])
        def test_with(ailoop, message):
            with ailoop.connect({answering.url!r}) as chat:
                for _ in range(5):
                    chat.ask(message)
    """)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        ["ailoop_targets: first_chunk max 3?? ms, target 250 ms: *", "*error_rate value 1,000 per 1,000, target 0 *"]
    )


WRONG = {
    'frist_chunk={"p95": "1 s"}': "there is no metric 'frist_chunk': did you mean 'first_chunk'?",
    'first_chunk={"p95": 1}': "p95 = '1' has no unit: write \"2 s\"",
    'first_chunk={"p42": "1 s"}': "first_chunk has no such figure",
    'first_chunk="1 s"': 'first_chunk=\'1 s\' is no table: write first_chunk={"max": "2 s"}',
    '"1 s"': "its targets are keywords: @pytest.mark.ailoop_targets(",
    "": "its targets are keywords: ",
}


def test_a_wrong_marker_is_one_error_at_collection(pytester: pytest.Pytester) -> None:
    """Each in one line that names the test and the mend; no test runs."""
    pytester.makepyfile(**{f"test_{number}": STEP.format(each) for number, each in enumerate(WRONG)})
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    lines = [line for line in result.outlines if "::test_it: ailoop_targets: " in line and not line.startswith(SUMMARY)]
    assert len(lines) == len(WRONG)
    for number, told in enumerate(WRONG.values()):
        (line,) = (line for line in lines if f"test_{number}.py::" in line)
        assert told in line
    result.assert_outcomes(errors=len(WRONG))


def test_a_wrong_marker_is_the_same_error_under_xdist(pytester: pytest.Pytester) -> None:
    """Which repeats it for each worker, as it does with every error at collection."""
    pytester.makepyfile(STEP.format('frist_chunk={"p95": "1 s"}'))
    result = pytester.runpytest_subprocess("-n", "2")
    assert result.ret != 0
    told = {line for line in result.outlines if "::test_it: ailoop_targets: " in line}
    assert len([line for line in told if not line.startswith(SUMMARY)]) == 1
    assert "INTERNALERROR" not in result.stdout.str()


def test_a_target_of_what_a_test_does_not_time_fails_it(pytester: pytest.Pytester) -> None:
    """A pass would say that it was met. Where the marker is the module's, it is for those tests that it fits."""
    pytester.makepyfile(
        test_own=STEP.format('first_chunk={"max": "1 s"}'),
        test_module="""
            import pytest
            pytestmark = pytest.mark.ailoop_targets(first_chunk={"max": "1 s"})
            def test_other(ailoop):
                ailoop.mark("here")
        """,
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*first_chunk was not observed in this test*"])


def test_the_nearest_marker_holds(pytester: pytest.Pytester) -> None:
    """Figure by figure: a test's own goes before its class's, which goes before its module's."""
    pytester.makepyfile("""
        import time
        import pytest
        pytestmark = pytest.mark.ailoop_targets(step={"max": "1 ns", "min": "1 h"})
        @pytest.mark.ailoop_targets(step={"max": "1 h"})
        class TestAll:
            @pytest.mark.ailoop_targets(step={"min": "2 h"})
            def test_both(self, ailoop):
                ailoop.mark("here")
            @pytest.mark.ailoop_targets(step={"max": "1 ns"})
            def test_own(self, ailoop):
                ailoop.mark("here")
    """)
    pytester.runpytest_inprocess().assert_outcomes(passed=1, failed=1)


def test_too_few_values_pass_and_are_told_in_the_tests_properties(pytester: pytest.Pytester) -> None:
    """A percentile of one value that is within is inconclusive: JUnit's file has the verdict and its reason."""
    pytester.makepyfile(STEP.format('step={"p95": "10 s"}'))
    pytester.runpytest_inprocess("--junit-xml", "junit.xml").assert_outcomes(passed=1)
    assert 'name="ailoop step p95" value="inconclusive: ' in (pytester.path / "junit.xml").read_text()


def test_a_target_for_the_runs_errors_is_judged(pytester: pytest.Pytester, answering: Scripted) -> None:
    """One of a file, for the error rate of all tests: a figure that nobody asked for is none of a test run."""
    (pytester.path / "targets.toml").write_text('[error_rate]\nvalue = "5 /1000"\n')
    pytester.makepyfile(f"""
        def test_errors(ailoop):
            with ailoop.connect({answering.url!r}) as chat:
                assert not any(chat.ask("end=ai_error").ok for _ in range(6))
    """)
    result, run = timed(pytester, "--ailoop-targets", "targets.toml")
    assert result.ret == 1
    judged, plain = (
        run_of(run.observations, each) for each in (targets.load(pytester.path / "targets.toml", "tests"), Targets())
    )
    assert [row.value for row in judged.of(definitions.ERROR_RATE)] == [1000]
    assert not list(plain.of(definitions.ERROR_RATE))


def test_each_worker_of_xdist_hands_over_what_it_timed(pytester: pytest.Pytester, answering: Scripted) -> None:
    """One conversation in each worker, markers judged where the test ran, and one summary, which keeps them apart."""
    pytester.makepyfile(f"""
        import pytest
        @pytest.fixture(scope="module")
        def chat(ailoop_module):
            with ailoop_module.connect({answering.url!r}) as chat:
                yield chat
        @pytest.mark.ailoop_targets(completion={{"max": "30 s"}})
        @pytest.mark.parametrize("number", range(4))
        def test_turn(chat, number):
            assert chat.ask("hello").ok
        @pytest.mark.ailoop_targets(completion={{"max": "1 ns"}})
        def test_slow(chat):
            assert chat.ask("hello").ok
    """)
    result = pytester.runpytest_subprocess("-n", "2", "--dist", "each", "--ailoop-report", "report")
    result.assert_outcomes(passed=8, failed=2)
    assert result.stdout.str().count("AILoop performance") == 1 + 1  # the section, and the summary's title
    run = storage.load(pytester.path / "report")
    assert [row.value for row in run.of(definitions.SESSION_TURNS)] == [5, 5]
    rows = list(run.of(definitions.COMPLETION))
    assert len({row.session for row in rows}) == 2
    assert len(rows) == len({row.exchange for row in rows}) == 10
    assert {row.process for row in rows} == {1, 2}
    assert all(0 <= row.at < 60 for row in rows)
