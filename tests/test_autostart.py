"""What the start-up file does to interpreters: to servers all, to other programs next to nothing, harm to none."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ailoop_otel
from tests.serving.folder import Folder
from tests.switching.servers import converse, running
from tests.switching.ways import STARTUP_FILE

ROOT = Path(__file__).parent / "ailoop"
STARTUP = Path(ailoop_otel.__file__).parent / "startup"
VARIABLE = "AILOOP_OTEL_ENABLED"
LIGHT = ["ailoop_otel", "ailoop_otel.autostart", "ailoop_otel.version"]
PRINT_MODULES = (
    "import sys; print(*sorted(m for m in sys.modules if m.startswith(('ailoop_otel', 'wrapt', 'opentel'))))"
)
BUILD = """
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
async def talk(websocket): pass
Starlette(routes=[WebSocketRoute("/ws", talk)]).build_middleware_stack()
"""
PRINT_STATE = f"{BUILD}\nimport sys; print('ailoop_otel.activation' in sys.modules)"
MULTI_LINE = "raise RuntimeError('first line\\nsecond line')"


def run(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder, with variables added to an environment that has none of ours."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AILOOP_"))}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**plain, **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def break_module(folder: Path, name: str, code: str) -> dict[str, str]:
    """A module that raises when it is imported, and the variables that put it before the real one."""
    path = folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code, encoding="utf-8")
    return {VARIABLE: "true", "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


def test_without_the_variable_nothing_is_imported(tmp_path: Path) -> None:
    """`python -c pass` knows nothing of this package."""
    assert run(PRINT_MODULES, tmp_path).stdout == "\n"


def test_both_start_up_files_are_one_cheap_line() -> None:
    """`.pth` imports nothing unless the variable is set; `.start` (PEP 829) names a function."""
    lines = (STARTUP / "ailoop_otel.pth").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f'import os; os.environ.get("{VARIABLE}") and ')
    assert entry() == "ailoop_otel.autostart:start"


def test_the_function_is_light_without_the_variable(tmp_path: Path) -> None:
    """Interpreters that know `.start` files call it always: it imports no more than itself."""
    code = f"import pkgutil; pkgutil.resolve_name({entry()!r})(); {PRINT_MODULES}; print(len(sys.meta_path))"
    modules, finders = run(code, tmp_path).stdout.splitlines()
    assert modules.split() == LIGHT
    assert finders == run("import sys; print(len(sys.meta_path))", tmp_path).stdout.strip()


def test_the_function_called_twice_is_called_once(tmp_path: Path) -> None:
    """Where both start-up files are obeyed nothing happens twice."""
    code = f"import pkgutil, sys; pkgutil.resolve_name({entry()!r})(); print(len(sys.meta_path))"
    once = run("import sys; print(len(sys.meta_path))", tmp_path, **{VARIABLE: "true"})
    assert run(code, tmp_path, **{VARIABLE: "true"}).stdout == once.stdout


def test_a_program_that_is_no_server_is_left_alone(tmp_path: Path) -> None:
    """Tools that an instrumented server runs inherit its variable: no module, no thread, no file, no word."""
    code = f"{PRINT_MODULES}; import threading; print(threading.active_count())"
    done = run(code, tmp_path, **{VARIABLE: "true"})
    modules, threads = done.stdout.splitlines()
    assert modules.split() == LIGHT
    assert threads == "1"
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


# What programs do that import the server's packages or its web framework, and are no server.
NO_SERVER = {
    "the web framework": "import starlette.applications",
    "an application without a WebSocket": """
from starlette.applications import Starlette
from starlette.routing import Route
Starlette(routes=[Route("/", print)]).build_middleware_stack()
""",
    "the earlier generation": "import interactive_server.main",
    "threads and requests": """
import threading
import interactive_server.main, requests
thread = threading.Thread(target=print)
thread.start()
thread.join()
try:
    requests.post("http://127.0.0.1:1/")
except OSError:
    pass
""",
    "the MCP server": """
import asyncio, socket
from interactive_server.mcp_integration import get_mcp_manager
probe = socket.socket()
probe.bind(("127.0.0.1", 0))
port = probe.getsockname()[1]
probe.close()
async def main():
    print(await get_mcp_manager().start_mcp_server({"port": port}))
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except OSError:
            await asyncio.sleep(0.02)
    writer.write(b"GET /sse HTTP/1.0\\r\\n\\r\\n")
    assert b"200" in await reader.readline()
asyncio.run(main())
""",
}
PRINT_TELEMETRY = """
import sys
print(*sorted(m for m in sys.modules if m.startswith(('opentelemetry', 'wrapt', 'ailoop_otel'))))
"""
WAITING = {*LIGHT, "ailoop_otel.server", "ailoop_otel.server.first_application"}


@pytest.mark.parametrize("case", NO_SERVER)
def test_what_is_no_server_imports_nothing_for_us(case: str, tmp_path: Path) -> None:
    """With the variable there is no module of OpenTelemetry that is not there without it: newer FastAPI has some."""
    root = ROOT / ("delegates" if "earlier" in case else "stateless")
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    variables = {"PYTHONPATH": path, "OPENROUTER_API_KEY": "key"}
    without = run(NO_SERVER[case] + PRINT_TELEMETRY, tmp_path, **variables)
    done = run(NO_SERVER[case] + PRINT_TELEMETRY, tmp_path, **variables, **{VARIABLE: "true"})
    assert (done.returncode, without.returncode) == (0, 0), done.stderr + without.stderr
    added = set(done.stdout.splitlines()[-1].split()) - set(without.stdout.splitlines()[-1].split())
    assert added == WAITING


@pytest.mark.parametrize(("text", "on"), [(" YES ", True), ("0", False)])
def test_what_the_variable_may_say(text: str, on: bool, tmp_path: Path) -> None:
    """It is a flag like the others."""
    done = run(PRINT_STATE, tmp_path, **{VARIABLE: text})
    assert (done.stdout, done.stderr) == (f"{on}\n", "")


def test_a_bad_value_is_one_clear_line(tmp_path: Path) -> None:
    """It is told what is wrong and what is done instead; the program runs without us."""
    done = run(PRINT_STATE, tmp_path, **{VARIABLE: "maybe"})
    assert done.stdout == "False\n"
    assert done.stderr == f"ailoop-otel: {VARIABLE}='maybe' is not true or false; false is used instead.\n"


@pytest.mark.parametrize("code", ["raise ImportError('not for this platform')", MULTI_LINE])
def test_a_broken_installation_is_one_clear_line(code: str, tmp_path: Path) -> None:
    """The program starts without us, and is told how to mend it."""
    done = run(PRINT_STATE + "; print('goes on')", tmp_path, **break_module(tmp_path, "wrapt", code))
    assert done.returncode == 0
    assert done.stdout.endswith("\ngoes on\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith("ailoop-otel: could not be switched on (")
    assert "pip install --force-reinstall ailoop-otel" in line


def test_the_other_finders_are_asked_as_always(tmp_path: Path) -> None:
    """The finder behind ours sees the module that switches us on, though others come into the list meanwhile."""
    code = """
import sys, wrapt
wrapt.register_post_import_hook(print, "nothing")
class Witness:
    seen = []
    def find_spec(self, name, path=None, target=None):
        self.seen.append(name)
ours = next(n for n, finder in enumerate(sys.meta_path) if type(finder).__name__ == "Occasion")
sys.meta_path.insert(ours + 1, Witness())
import starlette.applications
print({"starlette", "starlette.applications"} <= set(Witness.seen))
"""
    done = run(code, tmp_path, **{VARIABLE: "true"})
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.fault(
    "settings",
    theirs="The installation is broken",
    promise="The server answers; one line says so",
)
async def test_a_server_answers_with_a_broken_installation(tmp_path: Path) -> None:
    """It is told so in one line, and nothing is recorded."""
    variables = break_module(tmp_path, "wrapt", MULTI_LINE)
    folder = Folder(tmp_path / "telemetry")
    async with running(STARTUP_FILE, folder, **variables) as server:
        await converse(server.port)
        said = server.output()
    assert said.count("ailoop-otel:") == 1
    assert "Traceback" not in said
    assert not folder.path.exists()


@pytest.mark.fault(
    "settings",
    theirs="A package that we need is missing",
    promise="The server answers; one line says how to mend it",
)
async def test_a_server_answers_though_a_dependency_is_missing(tmp_path: Path) -> None:
    """What is missed only when the application starts is told then, and how to mend it; the server is untouched."""
    module = "opentelemetry/exporter/otlp/json/file/__init__"
    variables = break_module(tmp_path, module, "raise ImportError('no wheel for this platform')")
    async with running(STARTUP_FILE, Folder(tmp_path / "telemetry"), **variables) as server:
        await converse(server.port)
        await converse(server.port)
        await asyncio.to_thread(server.stop)
        said = server.output()
    assert "no wheel for this platform" in said
    assert "pip install --force-reinstall ailoop-otel" in said
    assert "Traceback" not in said


def entry() -> str:
    """The function that the `.start` file names."""
    lines = (STARTUP / "ailoop_otel.start").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line and not line.startswith("#"))
    return line
