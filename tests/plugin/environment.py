"""A fresh environment with the wheels of ailoop-otel and of the plugin, and what is run in it.

What both need is taken from the environment of the tests, so that no network is used.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.ailoop.process import STATELESS, Installation, Server, free_port, standin
from tests.ailoop.provider import Provider

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
PACKAGE = HERE / "package"
PARLEY = "parley"


@dataclass(frozen=True)
class Environment:
    """One that is installed; `python` is its interpreter."""

    python: Path

    def run(self, *words: str, cwd: Path, timeout: float = 120.0, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `ailoop-otel` with some words."""
        return subprocess.run(
            [str(self.python), "-m", "ailoop_otel.cli", *words],
            capture_output=True, text=True, timeout=timeout, cwd=cwd, env={**plain(), **variables}, check=False,
        )  # fmt: skip

    def parley(self, telemetry: Path, **variables: str) -> Server:
        """The server Parley, switched on; not started yet."""
        command = (str(self.python), "-m", "uvicorn", "served:app", "--port")
        return self._server(Installation(HERE, PARLEY, command), telemetry, variables)

    def ailoop(self, telemetry: Path, provider: Provider, **variables: str) -> Server:
        """The stand-in of AILoop's current generation, switched on; not started yet."""
        command = (str(self.python), "-m", "interactive_server.main", "--port")
        variables = {**provider.plain_environment(), **variables}
        return self._server(Installation(standin(STATELESS).root, STATELESS, command), telemetry, variables)

    def _server(self, installation: Installation, telemetry: Path, variables: dict[str, str]) -> Server:
        switched_on = {"AILOOP_OTEL_ENABLED": "true", "AILOOP_OTEL_DIRECTORY": str(telemetry)}
        return Server(installation, {**switched_on, **variables}, port=free_port())


def plain() -> dict[str, str]:
    """This process's variables without those that are about telemetry or the way to modules."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AILOOP_", "PYTHON"))}
    return kept | {"COLUMNS": "160"}


def install(folder: Path) -> Environment:
    """Build both wheels and install them by pip into a new environment, unless this is done."""
    python = folder / "venv" / "bin" / "python"
    if (folder / "whole").exists():
        return Environment(python)
    wheels = folder / "wheels"
    source = shutil.copytree(PACKAGE, folder / "package", ignore=shutil.ignore_patterns("__pycache__", "dist"))
    for project in (ROOT, source):
        _run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(wheels), str(project))
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
    pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "--quiet")
    _run(*pip, "--no-deps", "--no-index", *(str(wheel) for wheel in sorted(wheels.glob("*.whl"))))
    site = Path(_run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # A line in a file of this kind adds a folder behind the environment's own, whose files of this kind do not count.
    (site / "tests-environment.pth").write_text(sysconfig.get_path("purelib") + "\n")
    installed = json.loads(_run(str(python), "-c", _WHERE))
    assert all(Path(each).is_relative_to(site) for each in installed), installed
    (folder / "whole").touch()
    return Environment(python)


_WHERE = "import ailoop_otel, ailoop_otel_parley as p, json; print(json.dumps([ailoop_otel.__file__, p.__file__]))"


def _run(*words: str) -> str:
    # Not in this folder: what is in it would be imported before what is installed.
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env=plain(), cwd="/", check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


def broken(folder: Path, name: str, code: str) -> dict[str, str]:
    """Install one more plugin, `name`, whose module has this code; the variables by which a process finds it."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[ailoop_otel_dialect]\n{name} = {name}:Theirs\n")
    return {"PYTHONPATH": str(folder)}
