"""The table: for the terminal, as markdown, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from tests.benchmarks.figures import Figure, Result

HEADERS = ("", "figure", "value", "95 % interval", "to be", "")


def number(value: float) -> str:
    """Three digits that count, without an exponent."""
    if value == 0:
        return "0"
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    text = f"{value:,.{digits}f}"
    return f"{value:.3g}" if float(text.replace(",", "")) == 0 else text


def interval(spread: Mapping[str, float | None]) -> str:
    """Its two ends; empty where there is none."""
    low, high = spread["low"], spread["high"]
    return "" if low is None or high is None else f"{number(low)} … {number(high)}"


def terminal(results: Sequence[Result]) -> Table:
    """The table in colour."""
    table = Table(*HEADERS, title="What it costs", title_justify="left")
    table.columns[2].justify = table.columns[3].justify = "right"
    for result in results:
        table.add_section()
        for position, figure in enumerate(result.figures):
            name = f"{result.number} {result.name}" if position == 0 else ""
            colour = {"reached": "green", "missed": "bold red"}.get(_verdict(figure), "")
            table.add_row(name, *_cells(figure), style=colour)
        for note in result.notes:
            table.add_row("", f"[dim]{note}[/dim]")
    return table


def markdown(results: Sequence[Result], machine: Mapping[str, str], quick: bool) -> str:
    """The table and what it was measured on."""
    lines = ["**A quick run**: these figures are not to be believed.", ""] if quick else []
    for result in results:
        lines += [f"### {result.number}. {result.title}", ""]
        if result.figures:
            lines += ["| figure | value | 95 % interval | to be | |", "| --- | ---: | ---: | --- | --- |"]
            lines += [f"| {' | '.join(_cells(figure))} |" for figure in result.figures]
            lines.append("")
        lines += [f"- {note}" for note in result.notes]
        checked = [check.name for check in result.checks if check.held]
        if checked:
            lines.append(f"- Checked: {'; '.join(checked)}.")
        lines += [f"- **Not so**: {check.name} ({check.seen})." for check in result.checks if not check.held]
        lines.append("")
    told = "; ".join(f"{name}: {value}" for name, value in machine.items())
    return "\n".join([*lines, f"Measured on: {told}.", ""])


def document(results: Sequence[Result], machine: Mapping[str, str], quick: bool) -> dict[str, Any]:
    """All of it, for other programs."""
    rows = []
    for result in results:
        row = asdict(result)
        for figure, written in zip(result.figures, row["figures"], strict=True):
            written["verdict"] = _verdict(figure)
        rows.append(row)
    return {"machine": dict(machine), "quick": quick, "rows": rows, "misses": misses(results)}


def misses(results: Sequence[Result]) -> list[str]:
    """What was not reached, one sentence each."""
    return [miss for result in results for miss in result.misses]


def _cells(figure: Figure) -> tuple[str, ...]:
    spread = figure.spread
    unit = f" {figure.unit}" if figure.unit else ""
    return (figure.name, number(spread.value) + unit, interval(asdict(spread)), figure.limit, _verdict(figure))


def _verdict(figure: Figure) -> str:
    if not figure.judged:
        return ""
    return "reached" if figure.reached else "missed"
