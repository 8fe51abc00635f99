"""A name of telemetry that a version had does not vanish unseen."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from ailoop_otel.version import __version__
from tests.release.promised import CHANGELOG, FOLDER, broken, current


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_what_a_version_promised_is_kept(path: Path) -> None:
    """Or the changelog says that it was removed."""
    promised = json.loads(path.read_text(encoding="utf-8"))
    assert broken(promised, current(), CHANGELOG.read_text(encoding="utf-8")) == []


def test_this_version_has_a_list() -> None:
    """`make release` writes it."""
    assert (FOLDER / f"{__version__}.json").exists()


def test_a_name_that_is_gone_is_noticed_unless_the_changelog_says_so() -> None:
    """As is a metric of another unit."""
    now = copy.deepcopy(current())
    kept = copy.deepcopy(now)
    del kept["attributes"]["session.id"]
    name = next(iter(kept["metrics"]))
    kept["metrics"][name] = ["histogram", "ms"]
    assert [line.split(": ")[0] for line in broken(now, kept, "")] == ["attributes", "metrics"]
    told = f"## 0.2.0\n\n### Removed\n\n- `session.id`, as\n  `{name}` has another unit.\n"
    assert broken(now, kept, told) == []
