"""Functions of other packages are wrapped and unwrapped; what others wrapped meanwhile stays wrapped."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import wrapt

from ailoop_otel.guard import Guard
from ailoop_otel.instrumentor import AILoopMiddleware
from ailoop_otel.runtime import Runtime
from ailoop_otel.server.patching import Patches, Target
from ailoop_otel.server.stack import stack_targets
from ailoop_otel.server.targets import TARGETS

MODULE = "module_to_be_wrapped"
SOURCE = """
class Base:
    def greet(self): return "hello"

class Child(Base):
    pass

class Parting:
    @staticmethod
    def at_rest(): return "bye"

def count(): return 1
"""


def marking(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    """A wrapper that shows."""
    return ["ours", wrapped(*args, **kwargs)]


def target(path: str) -> Target:
    """Something in the module."""
    return Target(MODULE, path, lambda host: marking)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], ModuleType]]:
    """Import the module, which was not imported before."""
    (tmp_path / f"{MODULE}.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda: importlib.import_module(MODULE)
    sys.modules.pop(MODULE, None)


@pytest.fixture
def patches() -> Iterator[Patches]:
    """What is taken back in any case."""
    patches = Patches(Runtime(Guard(strict=True)))
    yield patches
    patches.undo()


@pytest.mark.parametrize("early", [True, False], ids=["before the import", "after the import"])
def test_wrapped_whenever_it_is_imported(early: bool, load: Callable[[], ModuleType], patches: Patches) -> None:
    """The order of import and switching on does not matter."""
    if not early:
        load()
    patches.apply((target("count"), target("Base.greet")))
    module = load()
    assert module.count() == ["ours", 1]
    assert module.Base().greet() == ["ours", "hello"]


def test_an_inherited_method_is_wrapped_where_it_is_defined(load: Callable[[], ModuleType], patches: Patches) -> None:
    """What is missing, or only inherited, is left out; nothing is wrapped twice that way."""
    module = load()
    patches.apply((target("Base.greet"), target("Child.greet"), target("Child.nothing"), target("Nobody.greet")))
    assert module.Child().greet() == ["ours", "hello"]


def test_the_original_is_back(load: Callable[[], ModuleType], patches: Patches) -> None:
    """Not something like it: the very object, whatever kind of method it was."""
    module = load()
    paths = ("Base.greet", "Parting.at_rest", "count")
    originals = [original(module, path) for path in paths]
    patches.apply(tuple(target(path) for path in paths))
    assert module.Parting.at_rest() == ["ours", "bye"]
    patches.undo()
    assert all(original(module, path) is it for path, it in zip(paths, originals, strict=True))


@pytest.mark.fault(
    "foreign",
    theirs="Somebody else has wrapped what we had wrapped",
    promise="Theirs stays when ours goes",
)
def test_what_somebody_wrapped_since_stays(load: Callable[[], ModuleType], patches: Patches) -> None:
    """Theirs is not thrown away, and ours within it does nothing; switched on again, ours works once."""
    module = load()
    patches.apply((target("count"),))
    ours = module.count
    theirs = module.count = lambda: ["theirs", ours()]
    assert module.count() == ["theirs", ["ours", 1]]
    patches.undo()
    assert module.count is theirs
    assert module.count() == ["theirs", 1]


def test_a_module_that_is_imported_after_the_end(load: Callable[[], ModuleType], patches: Patches) -> None:
    """An import hook cannot be taken back, and does nothing."""
    patches.apply((target("count"),))
    patches.undo()
    assert load().count() == 1


def test_a_module_that_is_imported_after_the_second_beginning(load: Callable[[], ModuleType], patches: Patches) -> None:
    """The first import hook is still there, and it is wrapped once."""
    patches.apply((target("count"),))
    patches.undo()
    patches.apply((target("count"),))
    assert load().count() == ["ours", 1]


def test_a_method_that_says_when_its_wrapper_is_needed(load: Callable[[], ModuleType], patches: Patches) -> None:
    """Else the original is called, and it looks like the original all the time."""
    at_work: list[str] = []
    patches.apply((Target(MODULE, "Base.greet", lambda host: marking, needed=lambda: at_work),))
    module = load()
    base = module.Child()
    assert base.greet() == "hello"
    at_work.append("something")
    assert base.greet() == ["ours", "hello"]
    assert module.Base.greet.__name__ == "greet"
    ours = module.Base.greet
    patches.undo()
    assert base.greet() == "hello"
    assert ours(base) == "hello"


def test_a_wrapper_that_cannot_be_set_hurts_nobody(load: Callable[[], ModuleType]) -> None:
    """Such a target is left out and counted, the others are wrapped."""
    guard = Guard()
    patches = Patches(Runtime(guard))
    module = load()
    module.frozen = int
    patches.apply((target("frozen.bit_length"), target("count")))
    assert module.count() == ["ours", 1]
    assert guard.errors == 1
    patches.undo()
    assert module.count() == 1


def test_every_original_of_the_web_stack_is_back() -> None:
    """Each attribute that is wrapped in starlette, FastAPI, the ASGI middleware and the standard library."""
    runtime = Runtime(Guard(strict=True))
    places = [
        (importlib.import_module(each.module), each)
        for each in stack_targets(runtime.guard, AILoopMiddleware) + TARGETS
        if find_spec(each.module.partition(".")[0])
    ]
    # Older FastAPI leaves the one or the other to starlette.
    places = [(module, each) for module, each in places if original(module, each.path)]
    originals = [original(module, each.path) for module, each in places]
    patches = Patches(runtime)
    for _ in range(2):
        patches.apply(tuple(each for _, each in places))
        wrapped = [original(module, each.path) for module, each in places]
        patches.undo()
        assert all(isinstance(each, wrapt.FunctionWrapper) for each in wrapped if not hasattr(each, "__code__"))
        assert all(each.__wrapped__ is one for each, one in zip(wrapped, originals, strict=True))
        now = [original(module, each.path) for module, each in places]
        assert all(one is other for one, other in zip(now, originals, strict=True))
    assert len(places) >= 4


def original(module: ModuleType, path: str) -> Any:
    """What stands in a module's or class's own dictionary."""
    owner: Any = module
    *parts, name = path.split(".")
    for part in parts:
        owner = getattr(owner, part)
    return vars(owner).get(name)
