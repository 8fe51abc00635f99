"""What modules define is read, not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ailoop_otel.doctor.server import defines, locate

MODULE = """
raise SystemExit("imported")
from .other import Borrowed
from .other import Borrowed as Renamed
try:
    import fast
except ImportError:
    class Sometimes:
        def method(self): ...
class Base:
    def method(self): ...
    alias = method
class Derived(Base):
    async def own(self): ...
def function(): ...
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A package whose modules must not be imported."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "package" / "module.py").write_text(MODULE)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("Base.method", True),
        ("Base.alias", True),
        ("Derived.own", True),
        ("Derived.method", False),
        ("Derived.gone", False),
        ("Gone.method", False),
        ("Sometimes.method", True),
        ("Borrowed.method", True),
        ("Renamed.method", True),
        ("function", True),
        ("function.method", False),
    ],
)
def test_a_path_is_followed_as_wrapping_follows_it(place: Path, path: str, *, there: bool) -> None:
    """Through classes and conditions, to where it is defined and not where it is inherited."""
    assert defines(place / "package" / "module.py", path) is there


def test_a_module_is_found_where_it_would_be_imported_from(place: Path, tmp_path: Path) -> None:
    """The first folder wins, packages without `__init__` add up, and what is not there is None."""
    later = tmp_path / "later"
    (later / "package").mkdir(parents=True)
    (later / "package" / "only.py").touch()
    (later / "spread").mkdir()
    (later / "spread" / "one.py").touch()
    (place / "spread").mkdir()
    assert locate("package.module", [place, later]) == place / "package" / "module.py"
    assert locate("package.only", [place, later]) is None
    assert locate("spread.one", [place, later]) == later / "spread" / "one.py"
    assert locate("package", [place]) == place / "package" / "__init__.py"
