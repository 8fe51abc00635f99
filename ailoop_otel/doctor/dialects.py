"""The dialects that other packages bring: which are used, and why another is not."""

from __future__ import annotations

from collections.abc import Iterator

from ailoop_otel.doctor.findings import DIALECTS, OK, TROUBLE, Finding
from ailoop_otel.protocol.plugins import requests
from ailoop_otel.protocol.registry import Registry


def examine(registry: Registry) -> Iterator[Finding]:
    """One finding for each plugin that is installed; none where there is no plugin."""
    for plugin in registry.plugins:
        dialect = registry.named(plugin.name)
        if plugin.problem or dialect is None:
            sentence = f"of {plugin.distribution}, not used: {plugin.problem.rstrip('.')}."
            mend = f"Correct it (docs/dialects.md), or pip uninstall {plugin.distribution}."
            yield Finding(DIALECTS, TROUBLE, plugin.name, sentence, mend)
        else:
            methods = ", ".join(sorted(requests(dialect)))
            sentence = f"of {plugin.distribution}; messages come by {dialect.message_method}; methods: {methods}."
            yield Finding(DIALECTS, OK, plugin.name, sentence)
