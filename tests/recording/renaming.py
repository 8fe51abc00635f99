"""OpenTelemetry as a later release may be: a name that it does not promise is another one, wherever it uses it.

A program of its own, as the names are read when modules are imported: `python -m tests.recording.renaming CHANGE`
changes the source of OpenTelemetry's modules while they are imported, records one of everything, and prints what went
wrong inside the package.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from types import CodeType, ModuleType
from typing import Any

ROOT = "opentelemetry"
# Modules that were imported with a change in them.
CHANGED: list[str] = []


@dataclass(frozen=True)
class Rename:
    """An identifier that is another one in all modules that begin with `within`; of an attribute only `.old`."""

    old: str
    new: str
    within: tuple[str, ...] = (ROOT,)
    attribute: bool = False

    def applied(self, module: str, source: bytes) -> ast.Module | None:
        """The module's code with the other name; None where it does not have the old one."""
        return self.into(ast.parse(source)) if self.concerns(module, source) else None

    def concerns(self, module: str, source: bytes) -> bool:
        """Whether the module has the old name."""
        return self.old.encode() in source and module.startswith(self.within)

    def into(self, tree: ast.Module) -> ast.Module:
        """The same code, changed in place."""
        for node in ast.walk(tree):
            self._rename(node)
        return tree

    def _rename(self, node: ast.AST) -> None:
        if self.attribute:
            if isinstance(node, ast.Attribute) and node.attr == self.old:
                node.attr = self.new
            return
        for field, value in ast.iter_fields(node):
            if isinstance(value, str) and not (isinstance(node, ast.Constant) and value != self.old):
                # A module's name has parts.
                parts = [self.new if part == self.old else part for part in value.split(".")]
                setattr(node, field, ".".join(parts))
            elif isinstance(value, list) and value and all(isinstance(each, str) for each in value):
                setattr(node, field, [self.new if each == self.old else each for each in value])


@dataclass(frozen=True)
class Edit:
    """Another text in one module; each part must be there."""

    module: str
    parts: tuple[tuple[str, str], ...]

    def applied(self, module: str, source: bytes) -> ast.Module | None:
        """The module's code with the other text."""
        if module != self.module:
            return None
        text = source.decode()
        for pattern, other in self.parts:
            text, count = re.subn(pattern, other, text)
            assert count, pattern
        return ast.parse(text)


class Several:
    """Many identifiers at once, none of them a module's name."""

    def __init__(self, *parts: Rename) -> None:
        self._parts = parts
        self.waiting = {part.old for part in parts}
        """Those that no module had so far."""

    def applied(self, module: str, source: bytes) -> ast.Module | None:
        """The module's code with all the other names; None where it has none of the old ones."""
        parts = [part for part in self._parts if part.concerns(module, source)]
        tree = ast.parse(source) if parts else None
        for part in parts:
            assert tree is not None
            part.into(tree)
            self.waiting.discard(part.old)
        return tree


Change = Rename | Edit | Several


class Finder:
    """Finds OpenTelemetry's modules, also those that have another name now, and loads them changed."""

    def __init__(self, change: Change) -> None:
        self._change = change
        # An attribute is no module.
        module = isinstance(change, Rename) and not change.attribute
        self._old, self._new = (change.old, change.new) if isinstance(change, Rename) and module else ("", "")

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `sys.meta_path` asks."""
        parent, _, last = name.rpartition(".")
        if not name.startswith(f"{ROOT}."):
            return None
        if last == self._old:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        file = self._old if last == self._new else last
        spec = PathFinder.find_spec(f"{parent}.{file}", path)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            return spec
        loader = Loader(name, spec.origin, self._change)
        return spec_from_file_location(
            name, spec.origin, loader=loader, submodule_search_locations=spec.submodule_search_locations
        )


class Loader(SourceFileLoader):
    """Loads a module with a change in it."""

    def __init__(self, name: str, path: str, change: Change) -> None:
        super().__init__(name, path)
        self._change = change

    def get_code(self, fullname: str) -> CodeType | None:
        """Its code; nothing changed is kept on disk."""
        tree = self._change.applied(fullname, self.get_data(self.path))
        if tree is None:
            return super().get_code(fullname)
        CHANGED.append(fullname)
        return compile(ast.fix_missing_locations(tree), self.path, "exec")


def install(change: Change) -> None:
    """From now on OpenTelemetry is imported with a change; its entry points lead to the names that it has then."""
    sys.meta_path.insert(0, Finder(change))
    load = importlib.metadata.EntryPoint.load

    def changed(point: importlib.metadata.EntryPoint) -> Any:
        value = re.sub(rf"\b{change.old}\b", change.new, point.value) if isinstance(change, Rename) else point.value
        return load(importlib.metadata.EntryPoint(point.name, value, point.group))

    importlib.metadata.EntryPoint.load = changed  # type: ignore[method-assign]


_SPAN = f"{ROOT}.trace.span"
_BATCHES = (f"{ROOT}.sdk._shared_internal", f"{ROOT}.sdk.trace.export", f"{ROOT}.sdk._logs._internal.export")
_FIELDS = (
    "_name", "_context", "_kind", "_instrumentation_info", "_instrumentation_scope", "_parent", "_start_time",
    "_end_time", "_attributes", "_events", "_links", "_resource", "_status",
)  # fmt: skip
# What `recording.internals` mentions, each alone: there is another way round each. What the package used to lean on is
# changed at once, as there is no way round that it could take.
CHANGES: dict[str, Change | None] = {
    "nothing": None,
    "the module opentelemetry._logs": Rename("_logs", "logs"),
    "the modules _internal": Rename("_internal", "_inside"),
    "the module _shared_internal": Rename("_shared_internal", "_shared_inside"),
    "LogRecordExporter": Rename("LogRecordExporter", "RecordExporter"),
    "the current span's key": Rename("_SPAN_KEY", "_CURRENT"),
    "a second key in the context": Edit(
        f"{ROOT}.trace.propagation",
        ((r"context=context\)\n    return ctx", r'context=set_value("second", 1, context))\n    return ctx'),),
    ),
    "a span context in another order": Edit(
        _SPAN,
        (
            (r"\(trace_id, span_id, is_remote, trace_flags, trace_state, is_valid\)",
             "(is_valid, trace_id, span_id, is_remote, trace_flags, trace_state)"),
            (r"return self\[(\d)\]", r"return self[(\1 + 1) % 6]"),
        ),
    ),
    "a span context with one more": Edit(_SPAN, ((r"trace_state, is_valid\),", "trace_state, is_valid, None),"),)),
    "DEFAULT_ON": Rename("DEFAULT_ON", "BY_DEFAULT"),
    "_batch_processor": Rename("_batch_processor", "_processor"),
    "BatchProcessor.emit": Rename("emit", "enqueue", _BATCHES),
    "_preferred_temporality": Rename("_preferred_temporality", "_temporality"),
    "_preferred_aggregation": Rename("_preferred_aggregation", "_aggregation"),
    "the module _log_encoder": Rename("_log_encoder", "log_encoder"),
    "_channel": Rename("_channel", "_connection"),
    "what is not leaned on": Several(
        Rename("sampler", "_sampler", attribute=True),
        Rename("id_generator", "_id_generator", attribute=True),
        Rename("span_processor", "_span_processor", attribute=True),
        Rename("max_events", "most_events", (f"{ROOT}.sdk.trace",), attribute=True),
        Rename("_encode_span", "_span_encoded"),
        Rename("_encode_attributes", "_attributes_encoded"),
        Rename("ProxyTracerProvider", "UnsetTracerProvider"),
        Rename("_ProxyMeterProvider", "_UnsetMeterProvider"),
        Rename("ProxyLoggerProvider", "UnsetLoggerProvider"),
        Rename("_is_instrumented_by_opentelemetry", "_is_on"),
        *(Rename(name, f"{name}_now", (f"{ROOT}.sdk",)) for name in _FIELDS),
    ),
}  # fmt: skip


def record() -> None:
    """One of each signal, and a span with all that a span may have."""
    from opentelemetry.trace import Link, SpanKind, get_current_span

    from ailoop_otel import names
    from ailoop_otel.export.pipeline import Pipeline
    from ailoop_otel.guard import Guard
    from ailoop_otel.instrumentor import AILoopInstrumentor
    from ailoop_otel.recording.spans import EMPTY, context_of
    from ailoop_otel.recording.telemetry import SECOND, Telemetry
    from ailoop_otel.settings import Settings

    instrumentor = AILoopInstrumentor()
    instrumentor.instrument()
    assert instrumentor.is_instrumented_by_opentelemetry
    guard = Guard()
    settings = Settings.from_environment()
    pipeline = Pipeline.start(settings, guard)
    telemetry = Telemetry(pipeline.tracer_provider, pipeline.meter_provider, pipeline.logger_provider, settings, guard)
    start = telemetry.clock.wall()
    parent = telemetry.start_span("parent", start, {"text": "x"}, EMPTY, SpanKind.SERVER)
    assert get_current_span(context_of(parent)) is parent
    link = Link(parent.get_span_context(), {"of": "a link"})
    child = telemetry.start_span("child", start, {"number": 7}, context_of(parent), SpanKind.CLIENT, [link])
    child.set_attribute("reasons", ["stop"])
    child.add_event("event", {"b": 2})
    telemetry.first_chunk.record(0.5, {}, context_of(child))
    telemetry.errors.add(1, {"error.type": "other"})
    telemetry.end_span(child, start + SECOND, {"late": True}, error=True)
    telemetry.defer(telemetry.event, names.EVENT_SESSION_START, start, {}, context_of(parent))
    telemetry.defer(telemetry.end_span, parent, start + 2 * SECOND)
    assert pipeline.shutdown(30)
    instrumentor.uninstrument()
    sys.stdout.write(f"faults: {guard.errors + pipeline.dropped()}\n")


if __name__ == "__main__":
    chosen = CHANGES[sys.argv[1]]
    if chosen is not None:
        assert not any(name.startswith(f"{ROOT}.") for name in sys.modules)
        install(chosen)
    record()
    assert CHANGED or chosen is None
    assert not isinstance(chosen, Several) or not chosen.waiting, chosen.waiting
