"""Where telemetry goes, and whether it gets there."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from opentelemetry.sdk.environment_variables import OTEL_CONFIG_FILE, OTEL_SDK_DISABLED

from ailoop_otel.doctor import jaeger, probe
from ailoop_otel.doctor.findings import ENDPOINT, NOTE, OK, TROUBLE, Finding
from ailoop_otel.export import choice
from ailoop_otel.export.choice import SIGNALS, TRACES, Signal
from ailoop_otel.names import SETTING_DIRECTORY
from ailoop_otel.settings import Settings, environment, is_true


def examine(checkout: Path, query: str, patience: float) -> Iterator[Finding]:
    """Each place that telemetry goes to; a collector is sent one span, which Jaeger at `query` is asked for."""
    if is_true(environment(OTEL_SDK_DISABLED)):
        yield Finding(ENDPOINT, TROUBLE, OTEL_SDK_DISABLED, "nothing is recorded.", f"Unset {OTEL_SDK_DISABLED}.")
        return
    if environment(OTEL_CONFIG_FILE):
        yield _declared(checkout / environment(OTEL_CONFIG_FILE))
        return
    places: dict[str, list[Signal]] = {}
    for signal in SIGNALS:
        for name in choice.exporters(signal) or ("none",):
            places.setdefault(name, []).append(signal)
    for name, signals in places.items():
        yield from _place(name, signals, checkout)
    if choice.OTLP in choice.exporters(TRACES):
        yield from _collector(query, patience)
    elif query:
        sentence = "it is not asked: traces do not go to a collector by OTLP."
        yield Finding(ENDPOINT, NOTE, "Jaeger", sentence, f"Set {TRACES.endpoint}.")


def _place(name: str, signals: list[Signal], checkout: Path) -> Iterator[Finding]:
    told = ", ".join(signal.name for signal in signals)
    if name == "none":
        yield Finding(ENDPOINT, NOTE, told.capitalize(), "kept nowhere, as the environment says.")
    elif name == choice.FILES:
        yield _files(checkout / Settings.from_environment().directory, told)
    elif name == choice.OTLP:
        for signal in signals:
            where = f"to {choice.endpoint(signal)} by {choice.protocol(signal)}."
            yield Finding(ENDPOINT, OK, signal.name.capitalize(), where)
    else:
        yield from (_named(name, signal) for signal in signals)


def _named(name: str, signal: Signal) -> Finding:
    if entry_points(group=signal.group, name=name):
        return Finding(ENDPOINT, NOTE, signal.name.capitalize(), f"to the exporter {name!r}, which is not tried here.")
    package = f"opentelemetry-exporter-{name.replace('_', '-')}"
    mend = f"pip install {package}, or correct {signal.exporter}."
    return Finding(ENDPOINT, TROUBLE, signal.name.capitalize(), f"no exporter {name!r} is installed.", mend)


def _files(directory: Path, told: str) -> Finding:
    existing = next(place for place in (directory, *directory.absolute().parents) if place.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding(ENDPOINT, OK, "Files", f"{told} into {directory}, which can be written.")
    why = "may not be written by this user" if existing.is_dir() else "is no directory"
    mend = f"Set {SETTING_DIRECTORY.name} to a directory that the server's user may write."
    return Finding(ENDPOINT, TROUBLE, "Files", f"{told} should go into {directory}, but {existing} {why}.", mend)


def _declared(path: Path) -> Finding:
    if find_spec("opentelemetry.configuration") is None:
        sentence = "the package that reads it is missing, so it is ignored."
        return Finding(ENDPOINT, TROUBLE, OTEL_CONFIG_FILE, sentence, "pip install opentelemetry-configuration.")
    if not path.is_file():
        return Finding(ENDPOINT, TROUBLE, OTEL_CONFIG_FILE, f"there is no file {path}.", f"Correct {OTEL_CONFIG_FILE}.")
    return Finding(ENDPOINT, NOTE, OTEL_CONFIG_FILE, f"telemetry goes where {path} says, which is not tried here.")


def _collector(query: str, patience: float) -> Iterator[Finding]:
    begin = time.monotonic()
    where = choice.endpoint(TRACES)
    sent = probe.send(patience)
    if sent.broken is not None:
        hop = sent.broken
        yield Finding(ENDPOINT, TROUBLE, "Collector", f"{hop.name}: {where}, {hop.sentence}.", hop.mend)
        return
    took = (time.monotonic() - begin) * 1e3
    sentence = f"took a span of service {probe.SERVICE} in {took:.0f} ms, trace {sent.trace_id}."
    yield Finding(ENDPOINT, OK, "Collector", sentence)
    yield _jaeger(query, sent.trace_id, patience, is_near=jaeger.is_loopback(where))


def _jaeger(query: str, trace_id: str, patience: float, *, is_near: bool) -> Finding:
    base = query or jaeger.DEFAULT
    shown = re.sub(r"//[^/@]*@", "//", base.partition("?")[0])
    if not jaeger.answers(base) if query or is_near else True:
        if query:
            mend = "Start Jaeger, or correct --jaeger: it is the address of its pages, port 16686 as a rule."
            return Finding(ENDPOINT, TROUBLE, "Jaeger", f"its query API does not answer at {shown}.", mend)
        sentence = "whether the span got further than the collector is not known: no Jaeger is near."
        return Finding(ENDPOINT, NOTE, "Jaeger", sentence, "Name its address: ailoop-otel doctor --jaeger URL.")
    if jaeger.has(base, trace_id, patience):
        return Finding(ENDPOINT, OK, "Jaeger", f"the span is there: {shown.rstrip('/')}/trace/{trace_id}")
    sentence = f"the collector took the span, but within {patience:g} s {shown} has not seen it."
    mend = "Look at the collector's exporters and its log; if this is not its Jaeger, name that with --jaeger URL."
    return Finding(ENDPOINT, TROUBLE, "Jaeger", sentence, mend)
