"""The command line, in this process and as users start it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ailoop_otel import cli
from ailoop_otel.version import __version__
from tests.view.sample import Sample, a_day

START = "import sys; from ailoop_otel.cli import main; sys.exit(main())"
# Makes rich and typer as absent as they are without the extra.
BARE = "import sys; sys.modules['rich'] = sys.modules['typer'] = None; "


def _run(arguments: Sequence[str], *, code: str = START, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AILOOP_", "OTEL_"))}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**environment, "PYTHONPATH": str(Path(cli.__file__).parents[1]), **variables},
    )


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """A directory of telemetry."""
    a_day(tmp_path / "telemetry")
    return tmp_path / "telemetry"


def test_traces_shows_a_directory(day: Path) -> None:
    """Tables on the output, nothing beside it, and no colour in a pipe."""
    result = _run(["traces", str(day)], COLUMNS="100")
    assert (result.returncode, result.stderr) == (0, "")
    assert "AILoop telemetry" in result.stdout
    assert "✗ ai_error · 500" in result.stdout
    assert "\x1b" not in result.stdout


def test_traces_takes_its_directory_from_the_settings(
    day: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The variable that sets where the server writes also sets where the reader looks."""
    monkeypatch.setenv("AILOOP_OTEL_DIRECTORY", str(day))
    assert cli.main(["traces", "--json", "--limit", "1"]) == 0
    assert '"kind": "totals"' in capsys.readouterr().out.splitlines()[-1]


def test_traces_writes_to_a_terminal_of_another_encoding(day: Path) -> None:
    """Signs that it lacks become plain ones, in columns as straight as before."""
    result = _run(["traces", str(day)], PYTHONIOENCODING="ascii", COLUMNS="80")
    assert result.returncode == 0
    assert "|x protocol_error~|     -|" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["traces", "missing"], "no telemetry in missing: start the server with AILOOP_OTEL_ENABLED=true"),
        (["traces", "--outcome", "fine"], "there is no outcome 'fine': take one of protocol_error,"),
        (["traces", "--since", "soon"], "--since 'soon' is no time: "),
        (["traces", "--limit", "0"], "--limit 0 shows nothing"),
        (["traces", "--follow", "--trace", "ab"], "--follow shows what comes, --trace what has come"),
        (["traces", "--json", "--html", "x.html"], "--json prints no page to write: leave it out, or --html and --svg"),
        (["explain", "--json", "--svg", "x.svg"], "--json prints no page to write"),
        (["traces", "--follow", "--svg", "x.svg"], "--follow has no end that a page could show"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """On the error output, with exit code 2."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"ailoop-otel: {message}")
    assert output.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_option_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and the option is named."""
    assert cli.main(["traces", "--bogus"]) == 2
    assert "--bogus" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--help"], ["traces", "--help"], ["run", "--help"]])
def test_help_is_no_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is no argument at all."""
    assert cli.main(arguments) == 0
    assert "ailoop-otel" in capsys.readouterr().out


def test_the_program_lists_its_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them, and the option for the version."""
    cli.main(["--help"])
    assert {"run", "traces", "doctor", "--version"} <= set(re.findall(r"[\w-]+", capsys.readouterr().out))


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "ailoop-otel run -- python -m interactive_server.main"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, "spans go there now"),
    ],
)
def test_without_arguments_it_says_what_to_do_next(
    variables: dict[str, str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Where there is no telemetry: how to switch it on, or where it goes."""
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cli.main([]) == 0
    assert sentence in capsys.readouterr().out


def test_without_arguments_telemetry_is_summed_up(
    day: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is telemetry: the newest of it, and no waterfall."""
    monkeypatch.setenv("AILOOP_OTEL_DIRECTORY", str(day))
    assert cli.main([]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert "AILoop telemetry" in output.out
    assert "Worst exchange" not in output.out
    assert "Next: `ailoop-otel explain`" in output.out


def test_every_command_has_examples_that_its_own_parser_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """An example with an option that is gone, or that was never there, fails here."""
    for name, examples in cli._EXAMPLES.items():
        assert cli.main([name, "--help"]) == 0
        shown = capsys.readouterr().out
        assert "Examples:" in shown
        options = set(re.findall(r"--[\w-]+", shown.partition("Examples:")[0]))
        for example in examples:
            assert example.split()[0] == name
            assert set(re.findall(r"--[a-z][\w-]*", example)) <= options, example


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete_it(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The script that `--install-completion` writes asks for what comes next by these variables."""
    words = {"bash": {"COMP_WORDS": "ailoop-otel tr", "COMP_CWORD": "1"}}
    typed = words.get(shell, {"_TYPER_COMPLETE_ARGS": "ailoop-otel tr", "_TYPER_COMPLETE_FISH_ACTION": "get-args"})
    for name, value in {"_AILOOP_OTEL_COMPLETE": f"complete_{shell}", **typed}.items():
        monkeypatch.setenv(name, value)
    cli.main([])
    assert "traces" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["traces"], ["measure", "--list"], ["report"]])
def test_no_color_is_respected(
    day: Path, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://no-color.org, also where colours are forced."""
    colour = re.compile(r"\x1b\[[\d;]*(?:3\d|4\d|9\d)[\d;]*m")
    monkeypatch.chdir(tmp_path)
    for name, value in (("AILOOP_OTEL_DIRECTORY", str(day)), ("TERM", "xterm-256color"), ("FORCE_COLOR", "1")):
        monkeypatch.setenv(name, value)
    assert cli.main(arguments) == 0
    assert arguments != ["traces"] or colour.search(capsys.readouterr().out)
    monkeypatch.setenv("NO_COLOR", "1")
    capsys.readouterr()
    assert cli.main(arguments) == 0
    assert not colour.search(capsys.readouterr().out)


@pytest.mark.parametrize("width", [60, 100, 160])
def test_a_width_is_respected(
    day: Path, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No line is longer than the terminal."""
    monkeypatch.setenv("COLUMNS", str(width))
    assert cli.main(["traces", str(day)]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= width


@pytest.mark.parametrize("arguments", [["--version"], ["--version", "traces"]])
def test_the_version_is_printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Alone on a line."""
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == f"ailoop-otel {__version__}\n"


def test_without_the_extra_the_remedy_is_one_line() -> None:
    """Whatever needs rich or typer names the command that installs them."""
    each = "from ailoop_otel.cli import main; sys.exit(sum(map(main, (['traces'], ['--help'], []))))"
    result = _run([], code=BARE + each)
    assert (result.returncode, result.stdout) == (3 * 2, "")
    assert result.stderr == "ailoop-otel: this needs rich and typer: pip install 'ailoop-otel[cli]'\n" * 3


def test_run_switches_the_instrumentation_on() -> None:
    """The command gets its arguments, the variable and the rest of the environment, also without the extra."""
    show = "import os, sys; print(os.environ['AILOOP_OTEL_ENABLED'], os.environ['KEPT'], sys.argv[1:])"
    for start in (["run", "--"], ["run"]):
        result = _run([*start, sys.executable, "-c", show, "--port", "80"], code=BARE + START, KEPT="1")
        assert (result.returncode, result.stdout) == (0, "true 1 ['--port', '80']\n")


def test_run_becomes_the_command() -> None:
    """Same process: signals and the exit code are the command's."""
    result = _run(["run", "--", sys.executable, "-c", "import os; os.kill(os.getpid(), 15)"])
    assert result.returncode == -signal.SIGTERM
    assert _run(["run", "--", sys.executable, "-c", "raise SystemExit(7)"]).returncode == 7


def test_run_reports_what_it_cannot_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that is not there is 127, one that cannot be executed 126, as in a shell."""
    assert cli.main(["run", "--", "no-such-command-here"]) == 127
    assert capsys.readouterr().err == "ailoop-otel: command not found: no-such-command-here\n"
    plain = tmp_path / "plain"
    plain.touch()
    assert cli.main(["run", "--", str(plain)]) == 126
    assert capsys.readouterr().err.startswith(f"ailoop-otel: cannot run {plain}: ")


@pytest.mark.parametrize("arguments", [["run"], ["run", "--"], ["run", "--port", "80"]])
def test_run_without_a_command_is_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and one line."""
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err == "usage: ailoop-otel run -- COMMAND [ARGUMENT ...]\n"


@pytest.mark.parametrize("words", ["traces '{day}' --limit 1000", "measure --list"])
def test_a_reader_that_stops_reading_is_no_error(day: Path, words: str) -> None:
    """`ailoop-otel traces | head -1` ends without a word, as all commands do."""
    command = f'"{sys.executable}" -c "{START}" {words.format(day=day)} | head -1; exit ${{PIPESTATUS[0]}}'
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "code", "closed"),
    [
        (["traces", "{day}", "--json"], 0, "stdout"),
        (["traces", "{day}", "--follow", "--since", "2000-01-01"], 0, "stdout"),
        (["doctor", "--timeout", "0.1"], 1, "stdout"),
        (["traces", "missing"], 2, "stderr"),
        (["--help"], 0, "stdout"),
    ],
)
def test_without_a_reader_the_exit_code_is_its_own(
    day: Path, words: list[str], code: int, closed: str, tmp_path: Path
) -> None:
    """A failure stays one under `pipefail`, without a traceback; what has no end of its own ends."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as unread, (tmp_path / "seen").open("w+") as seen:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AILOOP_", "OTEL_"))}
        result = subprocess.run(
            [sys.executable, "-c", START, *(word.format(day=day) for word in words)],
            stdout=unread if closed == "stdout" else seen,
            stderr=unread if closed == "stderr" else seen,
            timeout=60,
            cwd=tmp_path,
            env={
                **environment,
                "PYTHONPATH": str(Path(cli.__file__).parents[1]),
                "OTEL_TRACES_EXPORTER": "nosuch",
            },
        )
        seen.seek(0)
        assert (result.returncode, seen.read()) == (code, "")


def test_ctrl_c_ends_following_without_a_traceback(tmp_path: Path) -> None:
    """A line of a real file comes through a real pipe, and then the user has seen enough."""
    sample = Sample(tmp_path / "telemetry")
    process = subprocess.Popen(
        [sys.executable, "-c", START, "traces", str(sample.directory), "--follow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("following 1 file")
    sample.exchange("s-1", 1, 1)
    sample.close()
    assert "✓ ok" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "")
