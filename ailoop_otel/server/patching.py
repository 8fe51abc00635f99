"""Wraps functions of other packages when their module is imported, and puts the originals back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from types import ModuleType
from typing import Any

import wrapt

from ailoop_otel.guard import warn
from ailoop_otel.server.hooks import HookHost

# As wrapt calls it: the wrapped callable, the instance it is bound to, its arguments.
Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]


@dataclass(frozen=True)
class Target:
    """One function to wrap: the module it is in, the path within it, and what makes the wrapper.

    `gives` is what users lose without it, empty for a function that may well be absent, and `generation` the one of
    AILoop that has it. A method that is called in loops has `needed`, which returns whether the wrapper has anything to
    do now: the plain function that asks costs a quarter of wrapt's wrapper.
    """

    module: str
    path: str
    hook: Callable[[HookHost], Wrapper]
    generation: str = ""
    gives: str = ""
    needed: Callable[[], object] | None = None


class Patches:
    """Targets that are wrapped as soon as their modules are imported, until `undo`; only while `armed` do they act."""

    def __init__(self, host: HookHost) -> None:
        self._host = host
        self.armed = False
        # The owner of each function that is wrapped, its name there, the original and what stands in its place.
        self._done: list[tuple[Any, str, Any, Any]] = []

    def apply(self, targets: tuple[Target, ...]) -> None:
        """Wrap each target now or when its module is imported; a missing one is left out."""
        self.armed = True
        generation = object()
        self._generation = generation
        for target in targets:

            def hook(module: ModuleType, target: Target = target) -> None:
                # wrapt cannot remove a hook.
                if self.armed and self._generation is generation:
                    with self._host.guard:
                        self._wrap(module, target)

            wrapt.register_post_import_hook(hook, target.module)

    def undo(self) -> None:
        """Put back every original, unless it was wrapped again since: there our wrapper stays and does nothing."""
        self.armed = False
        while self._done:
            owner, name, original, wrapped = self._done.pop()
            with self._host.guard:
                if vars(owner).get(name) is wrapped:
                    setattr(owner, name, original)

    def _wrap(self, module: ModuleType, target: Target) -> None:
        *path, name = target.path.split(".")
        owner: Any = module
        for part in path:
            owner = getattr(owner, part, None)
        # Only where it is defined: an inherited one is wrapped where it comes from.
        if owner is None or not callable(vars(owner).get(name)):
            # A missing class may be of another generation: `ailoop-otel doctor` distinguishes the two.
            if target.gives and owner is not None:
                warn(f"this server has no {target.module}.{target.path}: without {target.gives}; the rest works")
            return
        original, wrapper = vars(owner)[name], target.hook(self._host)
        if target.needed is not None:
            wrapped = self._asking(original, wrapper, target.needed)
        else:
            wrapped = wrapt.FunctionWrapper(original, wrapper, enabled=lambda: self.armed)
        setattr(owner, name, wrapped)
        self._done.append((owner, name, original, wrapped))

    def _asking(self, original: Any, wrapper: Wrapper, needed: Callable[[], object]) -> Any:
        @wraps(original)
        def method(instance: Any, *args: Any, **kwargs: Any) -> Any:
            if needed() and self.armed:
                return wrapper(original.__get__(instance), instance, args, kwargs)
            return original(instance, *args, **kwargs)

        return method
