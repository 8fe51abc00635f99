"""What every format says in the same words: the headline, captions, one judged figure, one of the worst exchanges."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ailoop_otel.measure.report import units
from ailoop_otel.measure.report.digest import SOURCES, Digest
from ailoop_otel.measure.report.exchanges import COMPLETIONS, FIRST_CHUNKS, Exchange, told_by
from ailoop_otel.measure.report.outside import flat, plain
from ailoop_otel.measure.results import definitions as table
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.run import Context
from ailoop_otel.measure.verdict.verdict import Judged, Judgement, Verdict

# What the headline says of a run, as far as it was measured.
_KEYS: Final = (
    (table.FIRST_CHUNK, "p95", "First AI chunk, p95"),
    (table.COMPLETION, "p95", "Complete answer, p95"),
    (table.SERVER_FIRST_CHUNK, "p95", "First AI chunk on the server, p95"),
    (table.SERVER_COMPLETION, "p95", "Complete answer on the server, p95"),
    (table.RATE, "mean", "Answers per second"),
    (table.STABLE_SESSIONS, "mean", "Largest stable number"),
    (table.MEMORY, "max", "Server memory, at most"),
)
_SIZES: Final = frozenset({"memory"})


class Key(NamedTuple):
    """A figure that a reader wants first."""

    words: str
    number: str
    unit: str


class ToldJudgement(NamedTuple):
    """One judged figure in words; each with its unit."""

    value: str
    interval: str
    limit: str
    change: str
    change_interval: str
    unit: str
    numbers: tuple[str, str, str]
    """Value, interval and limit without the unit, for a row that has a column for it."""


class ToldExchange(NamedTuple):
    """One exchange in words; `times` are first chunk, completion and longest gap, each with its unit."""

    number: str
    session: str
    at: str
    times: tuple[str, str, str]


def title(digest: Digest) -> str:
    """What the report is called."""
    return f"AILoop performance: {plain(digest.context.scenario, 80) or 'a run'}"


def subject(digest: Digest) -> str:
    """What was measured, how, where and when: a sentence or two."""
    context = digest.context
    server = context.server
    where = f" at {plain(server['url'])}" if server.get("url") else ""
    dialect = f" ({plain(server['dialect'])} dialect)" if server.get("dialect") else ""
    lasted = f", over {units.duration(context.duration)}" if context.duration > 0 else ""
    began = f", begun {plain(context.started_at, 40)}" if context.started_at else ""
    return f"AILoop server{where}{dialect}, {SOURCES.get(context.source, plain(context.source))}{began}{lasted}."


def headline(digest: Digest) -> str:
    """The figures that a reader wants first, in one sentence."""
    parts = [f"{each.words} {each.number} {each.unit}" for each in keys(digest)]
    if digest.exchanges:
        parts.insert(0, f"{units.counted(len(digest.exchanges), 'exchange')}, {failed_share(digest)} failed")
    return f"{'; '.join(parts)}." if parts else "Nothing was observed."


def failed_share(digest: Digest) -> str:
    """The share of exchanges that failed: `0.4 %`."""
    share = 100 * digest.failed / max(1, len(digest.exchanges))
    return f"{share:.2g} %" if 0 < share < 99.5 else f"{share:.0f} %"


def keys(digest: Digest) -> list[Key]:
    """The figures that a reader wants first, as far as they were measured; failures are left out of all of them."""
    found = []
    for definition, figure, words in _KEYS:
        row = digest.row(definition)
        value = getattr(row.summary, figure) if row else math.nan
        if row and not math.isnan(value):
            found.append(Key(words, row.scale.number(value), row.scale.name))
    return found


def verdict(judgement: Judgement) -> str:
    """What the verdict rests on."""
    if not judgement.rows:
        return sentence(judgement.notes[0]) if judgement.notes else "nothing was judged"
    counts = Counter(row.verdict for row in judgement.rows)
    parts = [f"{counts[each]} {_said(each)}" for each in Verdict if counts[each]]
    return f"{units.counted(len(judgement.rows), 'figure')} judged: {', '.join(parts)}"


def further(judgement: Judgement) -> tuple[str, ...]:
    """The notes that the verdict's own line does not say."""
    return judgement.notes if judgement.rows else judgement.notes[1:]


def judged(row: Judged, digest: Digest) -> ToldJudgement:
    """One judged figure in its metric's scale."""
    scale = digest.scale(row)
    interval = _interval(scale.number, row.low, row.high)
    limit = row.target if row.target is not None else row.reference
    return ToldJudgement(
        value=scale.quantity(row.value),
        interval=interval if interval == units.NOTHING else f"{interval} {scale.name}",
        limit=f"{row.against} {scale.quantity(limit)}",
        change=units.change(row.change),
        change_interval=_interval(units.change, row.change_low, row.change_high).strip(units.NOTHING),
        unit=scale.name,
        numbers=(scale.number(row.value), interval, f"{row.against} {scale.number(limit)}"),
    )


def exchange(each: Exchange) -> ToldExchange:
    """One exchange, its times in the unit that suits each."""
    times = (each.first_chunk, each.completion, each.longest_gap)
    told = (units.scale("s", seconds).quantity(seconds) for seconds in times)
    first, complete, gap = told
    return ToldExchange(
        str(each.number) if each.number >= 0 else units.NOTHING,
        str(each.session) if each.session >= 0 else units.NOTHING,
        units.scale("s", 1.0).quantity(each.at),
        (first, complete, gap),
    )


def exchange_heads(digest: Digest) -> tuple[str, str, str]:
    """What the times of an exchange are called: the server's are not the client's."""
    first, complete = told_by(digest.run, FIRST_CHUNKS), told_by(digest.run, COMPLETIONS)
    return (
        "First chunk" if first is FIRST_CHUNKS[0] else "First chunk, server",
        "Complete" if complete is COMPLETIONS[0] else "Complete, server",
        "Longest gap",
    )


def figures_caption(digest: Digest) -> str:
    """What must be known to read the table of figures."""
    rows, parts = digest.table, []
    if any(row.summary.failures for row in rows):
        parts.append(
            "n counts what did not fail, and the first line of a metric leaves failures out; the line below it has "
            "them as infinitely slow (∞)."
        )
    else:
        parts.append("No failures: figures with failures as infinitely slow (∞) would be the same.")
    missing = [(row.definition.title, row.summary.missing) for row in rows if row.summary.missing and not row.label]
    if missing:
        told = "; ".join(f"{name}, {number:,} times" for name, number in missing)
        parts.append(f"What never came though nothing failed is in no figure: {told}.")
    searched = len(digest.seen) - len(digest.exchanges)
    if searched:
        parts.append(
            f"The search for a limit, {units.counted(searched, 'exchange')}, is in the plots and the raw data; "
            "figures, errors and the worst are of the time that was held after it."
        )
        whole = [row.title for row in rows if row.definition.name in digest.run.histograms]
        parts += [f"{name}: of both." for name in whole]
    if digest.warmup:
        parts.append(f"{units.counted(digest.warmup, 'observation')} of the warm-up: in the raw data, in no figure.")
    return " ".join(parts)


def errors(digest: Digest) -> str:
    """How many exchanges failed, of how many."""
    if not digest.exchanges:
        return "No message to an AI was followed to its answer."
    rate = units.per_thousand(1000 * digest.failed / len(digest.exchanges))
    return f"{digest.failed:,} of {units.counted(len(digest.exchanges), 'exchange')} failed: {rate} per 1,000."


def traces_hint(digest: Digest) -> str:
    """How a trace is found by its id where no link leads to it."""
    if digest.context.jaeger or not any(each.trace_id for each in digest.worst):
        return ""
    return "A trace is shown by `ailoop-otel traces --trace ID`."


def sentence(text: str) -> str:
    """A note as a sentence, whoever wrote it."""
    shown = plain(text, 2000).strip()
    return f"{shown[:1].upper()}{shown[1:]}{'' if shown.endswith(('.', '!', '?')) else '.'}" if shown else ""


def environment(context: Context) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Where and with what it was measured: titled lists of names and values."""
    run = {"scenario": context.scenario, "source": context.source, "started": context.started_at}
    if context.duration:
        run["duration"] = units.duration(context.duration)
    machine = {
        name: units.scale("By", value).quantity(value) if name in _SIZES and isinstance(value, (int, float)) else value
        for name, value in context.machine.items()
    }
    groups = {
        "Run": run,
        "Server": context.server,
        "Machine": machine,
        "Versions": context.versions,
        "Settings": context.settings,
    }
    for name, entries in groups.items():
        if entries:
            yield name, list(flat(entries))


def definitions(digest: Digest) -> list[Definition]:
    """The definition of each metric in the report, and of each that was judged."""
    judged = {row.metric for row in digest.judgement.rows} if digest.judgement else set()
    shown = {row.definition.name for row in digest.rows}
    return [each for name, each in table.DEFINITIONS.items() if name in shown | judged]


def unit(definition: Definition) -> str:
    """A definition's unit in words."""
    return units.WORDS[definition.unit]


def _interval(shown: Callable[[float], str], low: float | None, high: float | None) -> str:
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return units.NOTHING
    return f"{shown(low)} to {shown(high)}"


def _said(verdict: Verdict) -> str:
    return {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.INCONCLUSIVE: "inconclusive"}[verdict]
