"""The words that all formats share: title, headline, captions, environment."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from ailoop_otel.measure.report.contents import Report
from ailoop_otel.measure.report.text import CODE, flat, plain, sentence
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.quantities import shown
from ailoop_otel.measure.results.run import Context
from ailoop_otel.measure.verdict.verdict import Judgement, Verdict
from ailoop_otel.units import counted, duration, size

_SOURCES: Final = {
    "client": "measured by load, as its clients saw it",
    "telemetry": "read from the server's own telemetry",
    "tests": "timed by tests",
    "legacy": "imported from files of the earlier generation's tests",
}
# The figures of the headline; those that were not measured are left out.
_KEY_FIGURES: Final = (
    (definitions.FIRST_CHUNK, "p95", "First AI chunk, p95"),
    (definitions.COMPLETION, "p95", "Complete answer, p95"),
    (definitions.SERVER_FIRST_CHUNK, "p95", "First AI chunk on the server, p95"),
    (definitions.SERVER_COMPLETION, "p95", "Complete answer on the server, p95"),
    (definitions.TIMEOUT_TOLD, "p50", "AI timeout until the client is told, p50"),
    (definitions.TIMEOUT_DETECTED, "p50", "AI timeout until detected, p50"),
    (definitions.RATE, "mean", "Answers per second"),
    (definitions.STABLE_SESSIONS, "mean", "Largest stable number"),
    (definitions.STABLE_RATE, "mean", "Largest stable rate"),
    (definitions.MEMORY, "max", "Server memory, at most"),
)
_VERDICTS: Final = {
    Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.NOT_JUDGED: "not judged",
}  # fmt: skip


class KeyFigure(NamedTuple):
    """A figure of the headline: what it is, its number in a scale, and the name of the scale's unit."""

    words: str
    number: str
    unit: str


def title(report: Report) -> str:
    """The report's title."""
    return f"AILoop performance: {plain(report.context.scenario, 80) or 'a run'}"


def subject(report: Report) -> str:
    """What was measured, how, where and when, in one sentence."""
    context = report.context
    server = context.server
    where = f" at {plain(server['url'])}" if server.get("url") else ""
    dialect = f" ({plain(server['dialect'])} dialect)" if server.get("dialect") else ""
    lasted = f", over {duration(context.duration)}" if context.duration > 0 else ""
    began = f", begun {plain(context.started_at, 40)}" if context.started_at else ""
    return f"AILoop server{where}{dialect}, {_SOURCES.get(context.source, plain(context.source))}{began}{lasted}."


def headline(report: Report) -> str:
    """The key figures in one sentence."""
    parts = [f"{each.words} {each.number} {each.unit}" for each in key_figures(report)]
    if report.exchanges:
        parts.insert(0, f"{counted(len(report.exchanges), 'exchange')}, {failed_share(report)} failed")
    return f"{'; '.join(parts)}." if parts else "Nothing was observed."


def failed_share(report: Report) -> str:
    """The share of exchanges that failed: `0.4 %`."""
    share = 100 * report.failed / max(1, len(report.exchanges))
    return f"{share:.2g} %" if 0 < share < 99.5 else f"{share:.0f} %"


def key_figures(report: Report) -> list[KeyFigure]:
    """The most important figures that were measured; none of them includes failures."""
    found = []
    for definition, figure, words in _KEY_FIGURES:
        row = report.row(definition)
        value = getattr(row.summary, figure) if row else math.nan
        if row and not math.isnan(value):
            found.append(KeyFigure(words, row.scale.number(value), row.scale.name))
    return found


def verdict(judgement: Judgement) -> str:
    """How many figures were judged, and with which result; the first note if none was."""
    if not judgement.rows:
        return sentence(judgement.notes[0]) if judgement.notes else "nothing was judged"
    counts = Counter(row.verdict for row in judgement.rows)
    parts = [f"{counts[each]} {_VERDICTS[each]}" for each in Verdict if counts[each]]
    return f"{counted(len(judgement.rows), 'figure')} judged: {', '.join(parts)}"


def figures_caption(report: Report) -> str:
    """What a reader must know to read the table of figures."""
    rows, parts = [row for row in report.rows if not row.single], []
    if any(row.summary.failures for row in rows):
        parts.append(
            "n counts what did not fail, and the first line of a metric leaves failures out; the line below it has "
            "them as infinitely slow (∞)."
        )
    else:
        parts.append("No failures: figures with failures as infinitely slow (∞) would be the same.")
    missing = [(row.definition.title, row.summary.missing) for row in rows if row.summary.missing and not row.label]
    if missing:
        counts = "; ".join(f"{name}, {number:,} times" for name, number in missing)
        parts.append(f"What never came though nothing failed is in no figure: {counts}.")
    in_ramp = len(report.exchanges_with_ramp) - len(report.exchanges)
    if in_ramp:
        parts.append(
            f"The search for a limit, {counted(in_ramp, 'exchange')}, is in the plots and the raw data; "
            "figures, errors and the worst are of the time that was held after it."
        )
        # A histogram has no phases.
        whole = [row.title for row in rows if row.definition.name in report.run.histograms]
        parts += [f"{name}: of both." for name in whole]
    if report.warmup:
        parts.append(f"{counted(report.warmup, 'observation')} of the warm-up: in the raw data, in no figure.")
    return " ".join(parts)


def failures_sentence(report: Report) -> str:
    """How many exchanges failed, of how many."""
    if not report.exchanges:
        return "No message to an AI was followed to its answer."
    rate = shown(1000 * report.failed / len(report.exchanges), definitions.ERROR_RATE)
    return f"{report.failed:,} of {counted(len(report.exchanges), 'exchange')} failed: {rate}."


def traces_hint(report: Report) -> str:
    """How to show a trace by its id; empty if there are links, or no traces."""
    if report.context.jaeger or not any(each.trace_id for each in report.worst):
        return ""
    known = str(report.context.server.get("telemetry", ""))
    where = f"{plain(known)} " if known and CODE.fullmatch(f"`{known}`") else ""
    return f"A trace is shown by `ailoop-otel traces {where}--trace ID`{'' if where else ', where the server writes'}."


def environment(context: Context) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Where and with what the run was measured: groups, each with a title and pairs of name and value."""
    run = {"scenario": context.scenario, "source": context.source, "started": context.started_at}
    if context.duration:
        run["duration"] = duration(context.duration)
    machine = dict(context.machine)
    if isinstance(memory := machine.get("memory"), int):
        machine["memory"] = size(memory)
    groups = {
        "Run": run,
        "Load": context.load,
        "Server": context.server,
        "Machine": machine,
        "Versions": context.versions,
        "Settings": context.settings,
    }
    for name, entries in groups.items():
        if entries:
            yield name, list(flat(entries))


def load_unit(context: Context) -> str:
    """The unit of the levels of a load curve: messages/s, or sessions."""
    ramp = context.settings.get("ramp")
    is_rate = isinstance(ramp, dict) and ramp.get("of") == "rate"
    return (definitions.RATE if is_rate else definitions.SESSIONS).shown_in


def shown_definitions(report: Report) -> list[Definition]:
    """The definition of each metric in the report, and of each that was judged."""
    judged = {row.metric for row in report.judgement.rows} if report.judgement else set()
    observed = {row.definition.name for row in report.rows}
    return [each for name, each in definitions.DEFINITIONS.items() if name in observed | judged]
