"""The locks that `make unit` and `make oldest` run on are the two ends of each range in pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomllib
from packaging.requirements import Requirement
from packaging.version import Version

from tests.matrix.cells import oldest

ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# All ranges but the package's own name, by which one extra includes another.
RANGES = [
    required
    for extra in (_PROJECT["dependencies"], *_PROJECT["optional-dependencies"].values())
    for required in map(Requirement, extra)
    if required.name != _PROJECT["name"]
]


def _locked(lock: str, name: str) -> list[Version]:
    """The versions of a package in a lock, one for each set of Pythons."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    return [Version(found) for found in re.findall(rf"^{re.escape(name)}==(\S+)", text, re.MULTILINE)]


@pytest.mark.parametrize("required", RANGES, ids=lambda required: required.name)
def test_make_oldest_runs_on_the_lower_bound_of_each_range(required: Requirement) -> None:
    """On the first version that it names, and that Pythons of today have a wheel of."""
    versions = _locked("oldest", required.name)
    bound = oldest(required).partition("==")[2]
    assert any(f"{version}.".startswith(f"{bound}.") for version in versions), versions
    assert all(required.specifier.contains(version, prereleases=True) for version in versions)


@pytest.mark.parametrize("required", RANGES, ids=lambda required: required.name)
def test_make_unit_runs_within_each_range(required: Requirement) -> None:
    """And above its lower bound, where there is something newer."""
    versions = _locked("dev", required.name)
    assert versions
    assert all(required.specifier.contains(version, prereleases=True) for version in versions)
    assert max(versions) >= max(_locked("oldest", required.name))
