"""All of a release but the upload: `make release`. Builds into dist/ from what is committed.

Each step prints one line; the first that fails ends it. What needs a network or a decision does not: that is told at
the end, and the exit code is 1.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from ailoop_otel.version import __version__
from tests.release.artifacts import ROOT, build, digest, environment, run, trace_left
from tests.release.promised import CHANGELOG, write

DIST = ROOT / "dist"


def main() -> int:
    """Build, check, install, remove, list; returns the exit code."""
    open_points = []
    if run("git", "status", "--porcelain").strip():
        open_points.append("the working tree has changes that are not committed, and so not in this build")
    if f"\n## {__version__}" not in CHANGELOG.read_text(encoding="utf-8"):
        open_points.append(f"CHANGELOG.md has no section {__version__}")
    with TemporaryDirectory() as place:
        folder = Path(place)
        _build(folder)
        wheel = next(DIST.glob("*.whl"))
        if left := trace_left(wheel, folder / "bare"):
            raise SystemExit(f"the wheel leaves behind: {', '.join(sorted(left))}")
        _tell("installed and removed without a trace")
        open_points += _newest(folder, wheel)
    _tell(f"names of telemetry: {write().relative_to(ROOT)}")
    for point in open_points:
        _tell(f"OPEN: {point}")
    return 1 if open_points else 0


def _build(folder: Path) -> None:
    first, second = build(folder / "one"), build(folder / "two")
    for suffix, path in first.items():
        if digest(path) != digest(second[suffix]):
            raise SystemExit(f"{path.name} is not the same when it is built again")
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    for path in first.values():
        shutil.copy(path, DIST)
        _tell(f"{path.name}: built twice, byte-equal, sha256 {digest(path)}")
    files = [str(path) for path in sorted(DIST.iterdir())]
    run(sys.executable, "-m", "twine", "check", "--strict", *files)
    programs = Path(sys.executable).parent
    run(str(programs / "check-wheel-contents"), *(file for file in files if file.endswith(".whl")))
    run(str(programs / "hadolint"), *map(str, sorted(ROOT.glob("Dockerfile*"))), ".devcontainer/Dockerfile")
    _tell("twine, check-wheel-contents and hadolint find nothing")


def _newest(folder: Path, wheel: Path) -> list[str]:
    """Install it with the newest of everything; bill of materials and known vulnerabilities of that."""
    try:
        python = environment(folder / "newest")
        run(python, "-m", "pip", "install", "--quiet", f"{wheel}[measure]")
    except RuntimeError as fault:
        return [f"not installed with the newest of everything: {str(fault).splitlines()[-1]}"]
    run(python, "-m", "pip", "check")
    version = run(str(folder / "newest" / "bin" / "ailoop-otel"), "--version").strip()
    _tell(f"installed with the newest of everything: {version}")
    programs = Path(sys.executable).parent
    bill = DIST / f"ailoop_otel-{__version__}.cdx.json"
    run(str(programs / "cyclonedx-py"), "environment", python, "--output-file", str(bill))
    _tell(f"bill of materials: {bill.relative_to(ROOT)}")
    packages = next((folder / "newest" / "lib").glob("python*/site-packages"))
    try:
        run(str(programs / "pip-audit"), "--path", str(packages), "--progress-spinner", "off", "--skip-editable")
    except RuntimeError as fault:
        return [f"pip-audit: {str(fault).splitlines()[-1]}"]
    _tell("pip-audit knows of no vulnerability")
    return []


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command prints


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as fault:
        sys.exit(str(fault))
