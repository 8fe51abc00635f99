"""What is released: the same bytes each time, only what belongs there, and nothing left after it was removed."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from ailoop_otel.version import __version__
from tests.release.artifacts import ROOT, build, digest, trace_left

pytestmark = pytest.mark.skipif(
    subprocess.run(["git", "rev-parse"], cwd=ROOT, capture_output=True, check=False).returncode != 0,
    reason="a release is built from a git repository",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Sdist and wheel of what is committed."""
    return build(tmp_path_factory.mktemp("one"))


@pytest.mark.timeout(180)
def test_built_again_it_is_the_same(built: dict[str, Path], tmp_path: Path) -> None:
    """Byte by byte, in another folder and at another time."""
    again = build(tmp_path)
    assert built.keys() == {".gz", ".whl"}
    assert {suffix: digest(path) for suffix, path in built.items()} == {
        suffix: digest(path) for suffix, path in again.items()
    }


def test_the_version_stands_in_one_place(built: dict[str, Path]) -> None:
    """In version.py; names and metadata of both files have it from there."""
    assert all(f"-{__version__}" in path.name for path in built.values())
    stated = f'"{__version__}"'
    found = [path for path in (ROOT / "ailoop_otel").rglob("*.py") if stated in path.read_text(encoding="utf-8")]
    assert [path.name for path in found] == ["version.py"]
    assert stated not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_wheel_holds_the_package_and_its_start_up_files(built: dict[str, Path]) -> None:
    """Nothing of tests, documentation or development."""
    with zipfile.ZipFile(built[".whl"]) as wheel:
        tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {"ailoop_otel", "ailoop_otel.pth", "ailoop_otel.start", f"ailoop_otel-{__version__}.dist-info"}


def test_the_source_distribution_can_be_worked_on(built: dict[str, Path]) -> None:
    """Tests, documentation and what the Makefile needs are in it."""
    with tarfile.open(built[".gz"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    for name in (
        "Makefile",
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "mkdocs.yml",
        "docs/index.md",
        "tests/conftest.py",
    ):
        assert name in names, name


@pytest.mark.timeout(180)
def test_it_is_removed_without_a_trace(built: dict[str, Path], tmp_path: Path) -> None:
    """An environment has the same files before it was installed and after it was removed."""
    assert trace_left(built[".whl"], tmp_path / "environment") == set()
