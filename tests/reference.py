"""Writes docs/telemetry.md from the table of names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ailoop_otel import names
from ailoop_otel.names import Name

PATH = Path(__file__).parent.parent / "docs" / "telemetry.md"
_HEAD = f"""# Telemetry

Every name that ailoop-otel puts into telemetry, and every variable it reads. Made from `ailoop_otel/names/` by
`make docs`; do not edit.

The names `gen_ai.*` are those of [OpenTelemetry's GenAI conventions]({names.GEN_AI_CONVENTIONS}),
release v0.1.0.

Units are UCUM: `s` seconds, `By` bytes, `MBy` megabytes, `h` hours, `{{thing}}` a count of things.
"""


def page() -> str:
    """The whole page, markdown."""
    return "\n".join(
        [
            _HEAD,
            *section("Spans", ("name", "description"), (_cells(span) for span in names.SPANS)),
            *section("Outcomes", ("outcome", "description"), (_cells(outcome) for outcome in names.OUTCOMES)),
            "The first that applies, from the top. All but `ok` set the span's status to ERROR and `error.type`.\n",
            *section("Span attributes", ("name", "unit", "description"), (_united(name) for name in names.ATTRIBUTES)),
            *section("Metrics", ("name", "unit", "instrument", "labels", "description"), map(_metric, names.METRICS)),
            "A histogram's count says how often; `ailoop.exchange.duration` counts the exchanges to divide by.\n",
            *section(
                "Metrics of a load test",
                ("name", "unit", "instrument", "labels", "description"),
                map(_metric, names.LOAD_METRICS),
            ),
            f"Of the service `{names.LOAD_SERVICE}`, while `ailoop-otel measure --otlp` runs.\n",
            *section("Log events", ("name", "description"), (_cells(event) for event in names.EVENTS)),
            *section("Settings", ("variable", "default", "unit", "description"), map(_setting, names.SETTINGS)),
        ]
    )


def section(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A heading and a table below it, in lines of markdown."""
    lines = [f"## {title}\n", "| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def _cells(name: Name) -> tuple[str, ...]:
    return (f"`{name.name}`", name.description)


def _united(name: Name) -> tuple[str, ...]:
    return (f"`{name.name}`", _code(name.unit), name.description)


def _metric(metric: names.Metric) -> tuple[str, ...]:
    labels = ", ".join(_code(label) for label in metric.labels)
    return (f"`{metric.name}`", _code(metric.unit), metric.kind.replace("_", " "), labels, metric.description)


def _setting(setting: names.Setting) -> tuple[str, ...]:
    default = f"{setting.default:g}" if isinstance(setting.default, float) else str(setting.default).lower()
    return (f"`{setting.name}`", _code(default), _code(setting.unit), setting.description)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(page(), encoding="utf-8")
