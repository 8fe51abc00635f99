"""docs/architecture.md and its picture, compared with the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests import architecture
from tests.architecture import CODE, PAGE, PICTURE, ROOT

TEXT: Final = PAGE.read_text(encoding="utf-8")


def path_of(name: str) -> Path:
    """Where a path of the page leads: from the repository's root if there is one, else from the package."""
    return ROOT / name if (ROOT / name).exists() else CODE / name


def test_picture_and_table_are_what_the_imports_give() -> None:
    """`make docs` was run after the last change."""
    assert PICTURE.read_text(encoding="utf-8") == architecture.picture()
    assert architecture.page(TEXT) == TEXT


def test_no_package_imports_one_of_a_higher_layer() -> None:
    """Else the picture would have arrows that lead up."""
    layers = architecture.layers()
    level = {package: number for number, layer in enumerate(layers) for package in layer}
    found = architecture.arrows()
    assert [(one, other) for one, others in found.items() for other in others if level[other] <= level[one]] == []


def test_every_package_of_the_code_is_in_the_page() -> None:
    """But for what nothing imports, the version and the start-up file, and `__init__.py`."""
    there = {path.stem for path in CODE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there == {package for layer in architecture.layers() for package in layer} | {"__init__", "version"}


@pytest.mark.parametrize(("file", "name"), sorted(set(architecture.steps(TEXT))))
def test_a_step_of_the_page_leads_to_code(file: str, name: str) -> None:
    """The file is there and defines the name."""
    assert architecture.defines(path_of(file), name)


def test_all_paths_of_the_page_are_there() -> None:
    """Files and folders alike."""
    files = architecture.files(TEXT)
    assert len(files) > 40
    assert [name for name in sorted(files) if not path_of(name).exists()] == []


def test_each_way_visits_as_many_files_as_it_says() -> None:
    """Counted in its numbered steps."""
    ways = re.findall(r"(\d+) files\.\n\n((?:\d+\. |   ).*?)\n\n(?!\d)", TEXT, re.DOTALL)
    counts = [(int(count), len(set(re.findall(r"`([\w/]+\.py)`", steps)))) for count, steps in ways]
    assert len(counts) == 4
    assert all(named == visited for named, visited in counts), counts
