"""The documentation's example for CI, run as a runner does, against a server that is too slow and one that is not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.measure.scripted_server import scripted

PAGE = Path(__file__).parent.parent.parent / "docs" / "measuring.md"
SLOW, FAST = 2.2, 0.02  # seconds to the first chunk; the example's target is 2 s


def block(language: str, containing: str) -> str:
    """The code of the page on measuring in a language that contains a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if containing in block)
    return str(found)


@dataclass(frozen=True)
class Job:
    """What a job came to: the exit code of each of its steps that ran, what they printed, and the job's summary."""

    codes: list[int]
    output: str
    summary: str


def job(folder: Path, first: float) -> Job:
    """Run the example's steps with the page's test and targets, one after the other, as GitHub's runner does.

    After a step that failed, only those with `if: always()` are run. How `run` is executed:
    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
    """
    summary = folder / "summary.md"
    (folder / "targets.toml").write_text(block("toml", "# targets.toml"), encoding="utf-8")
    codes, output = [], ""
    with scripted(first=first, chunks=2) as server:
        test = block("python", "(ailoop)")
        assert len([line for line in test.splitlines() if line.strip()]) <= 10
        # Without the limit that the test has itself: the target alone has to notice.
        test = test.replace("assert answer.first_chunk < 2 ", "")
        (folder / "test_server.py").write_text(test.replace("ws://127.0.0.1:8000/ws", server.url), encoding="utf-8")
        for step in yaml.safe_load(block("yaml", "--ailoop-report")):
            if any(codes) and step.get("if") != "always()":
                continue
            ended = subprocess.run(
                ["bash", "-e", "-c", step["run"]],
                cwd=folder, capture_output=True, text=True, timeout=120, check=False,
                env={
                    **os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                    "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary),
                },
            )  # fmt: skip
            codes.append(ended.returncode)
            output += ended.stdout + ended.stderr
    return Job(codes, output, summary.read_text(encoding="utf-8"))


def test_a_slow_server_fails_the_step_and_its_figure_is_annotated(tmp_path: Path) -> None:
    """The tests themselves pass; the target fails the step with its value and limit, and the summary is written."""
    slow = job(tmp_path, SLOW)
    assert slow.codes == [1, 0], slow.output
    assert "1 passed" in slow.output
    (line,) = [line for line in slow.output.splitlines() if line.startswith("::error")]
    assert re.match(r"::error title=AILoop performance%3A first_chunk max fail::2,2\d\d ms, target 2,000 ms: ", line), (
        line
    )
    assert "first_chunk" in slow.summary
    assert "FAIL" in slow.summary.upper()


def test_a_fast_one_passes_and_nothing_is_annotated(tmp_path: Path) -> None:
    """Exit code 0, and the same summary."""
    fast = job(tmp_path, FAST)
    assert fast.codes == [0, 0], fast.output
    assert "1 passed" in fast.output
    assert "::" not in re.sub(r"test_server\.py::", "", fast.output)
    assert "PASS" in fast.summary.upper()
