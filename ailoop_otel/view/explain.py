"""`ailoop-otel explain`: why an exchange took longer than the usual ones, or than another."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ailoop_otel import units
from ailoop_otel.recorded.files import ReadCounts, read
from ailoop_otel.recorded.records import Span
from ailoop_otel.settings import UsageError
from ailoop_otel.terminal import Terminal
from ailoop_otel.view import json_output, overview, theme, waterfall
from ailoop_otel.view.causes import Cause, causes
from ailoop_otel.view.profile import Profile, Usual, profiles, usual, usual_of
from ailoop_otel.view.servers import Servers
from ailoop_otel.view.theme import Look
from ailoop_otel.view.trace_files import existing, only_undelivered, several, trace_prefix, unreadable

# The newest traces are compared; further ones must not fill memory.
_MOST_TRACES: Final = 2_000
_MOST_SPANS: Final = 500  # of a trace
_SIDE_BY_SIDE: Final = 100
_BETWEEN: Final = 3


@dataclass(frozen=True, slots=True)
class Explanation:
    """An exchange, what it is compared with, and why it took longer; the first cause is the culprit."""

    profile: Profile
    usual: Usual
    causes: Sequence[Cause]
    against: Profile | None

    def more(self, part: str) -> float:
        """How many seconds longer a part took than it does usually."""
        return self.profile.parts.get(part, 0.0) - self.usual.parts.get(part, 0.0)


def explain(
    place: Path,
    traces: Sequence[str],
    console: Console,
    *,
    since: int = 0,
    json: bool = False,
    zone: tzinfo | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> None:
    """Print why an exchange took longer; without one of `traces`, that which is furthest from what is usual.

    With two of `traces` the first is compared with the second. Raises UsageError if there is no such exchange.
    """
    wanted = [trace_prefix(trace) for trace in traces]
    paths, counts, servers = existing(place), ReadCounts(), Servers(clock)
    found = profiles(_newest(paths, wanted, since, counts, servers), servers)
    if len(wanted) > 2:
        raise UsageError("explain takes one trace, or two to compare: leave the others out")
    if not counts.understood:
        raise UsageError(unreadable(place, counts))
    if not found:
        raise UsageError(
            f"no exchange in {place}: {only_undelivered(paths) or '`ailoop-otel traces` shows what there is'}"
        )
    explanation = explained(found, wanted, only_undelivered(paths))
    if json:
        json_output.write(console, document(explanation))
        overview.warn(counts, paths)
        return
    times = (found[0].exchange.start, found[-1].exchange.end)
    for part in _drawn(explanation, theme.look(console, zone, times)):
        console.print(part)
        console.print()
    for warning in overview.warnings(counts, paths):
        console.print(warning)


def explained(found: Sequence[Profile], wanted: Sequence[str] = (), missing: str = "") -> Explanation:
    """Explain one of these exchanges: that of the first wanted trace against the second, or against the usual ones.

    `missing` says which exchanges are not among these.
    """
    if len(wanted) == 2:
        profile, against = (_of(found, beginning, missing) for beginning in wanted)
        compared, than = usual_of([against]), f"in {against.exchange.trace_id[:8]}"
    else:
        profile, against = _of(found, wanted[0], missing) if wanted else _furthest(found), None
        compared, than = usual(profile, found), "usually"
    return Explanation(profile, compared, causes(profile, compared, found, than), against)


def document(explanation: Explanation) -> dict[str, object]:
    """The JSON object of an explanation."""
    profile, compared = explanation.profile, explanation.usual
    parts = {**dict.fromkeys(compared.parts, 0.0), **profile.parts}
    return {
        **json_output.exchange(profile.exchange),
        "kind": "explanation",
        "culprit": explanation.causes[0].kind if explanation.causes else None,
        "causes": [
            {"cause": cause.kind, "seconds": cause.seconds, "text": cause.text, "trace_id": cause.trace_id or None}
            for cause in explanation.causes
        ],
        "usual": {
            "exchanges": compared.count,
            "same_agent_and_model": compared.same_kind,
            "duration_s": compared.seconds if compared.count else None,
            "trace_id": compared.typical.exchange.trace_id if compared.typical else None,
        },
        "parts": [
            {"part": part, "duration_s": taken, "usual_s": compared.parts.get(part, 0.0) if compared.count else None}
            for part, taken in parts.items()
        ],
        "text": _sentences(explanation),
    }


def _newest(
    paths: Sequence[Path], wanted: Sequence[str], since: int, counts: ReadCounts, servers: Servers
) -> dict[str, list[Span]]:
    """The spans of the newest traces and of the wanted ones, by trace."""
    kept: OrderedDict[str, list[Span]] = OrderedDict()
    asked: dict[str, list[Span]] = {}
    for batch in read(paths, counts):
        servers.note(batch)
        for span in batch.spans:
            if span.end < since:
                continue
            held = asked if wanted and span.trace_id.startswith(tuple(wanted)) else kept
            spans = held.setdefault(span.trace_id, [])
            if len(spans) < _MOST_SPANS or span.server:
                spans.append(span)
            if len(kept) > _MOST_TRACES:
                kept.popitem(last=False)
    servers.look()
    return {**kept, **asked}


def _of(found: Sequence[Profile], beginning: str, missing: str) -> Profile:
    meant = [profile for profile in found if profile.exchange.trace_id.startswith(beginning)]
    traces = {profile.exchange.trace_id for profile in meant}
    if not meant:
        others = missing or "`ailoop-otel traces` shows which there are"
        raise UsageError(f"no exchange's trace begins with {beginning}: {others}")
    if len(traces) > 1:
        raise several(beginning, traces)
    return max(meant, key=lambda profile: profile.exchange.seconds)


def _furthest(found: Sequence[Profile]) -> Profile:
    """The exchange that lasted longest beyond the median of its kind."""
    kinds = {profile.kind for profile in found}
    usually = {kind: usual_of([each for each in found if each.kind == kind]).seconds for kind in kinds}
    return max(found, key=lambda profile: profile.exchange.seconds - usually[profile.kind])


def _sentences(explanation: Explanation) -> str:
    exchange, compared, against = explanation.profile.exchange, explanation.usual, explanation.against
    took = f"Trace {exchange.trace_id[:8]} took {units.duration(exchange.seconds)}"
    if exchange.lost:
        took = f"Trace {exchange.trace_id[:8]} was lost with its server after {units.duration(exchange.seconds)}"
    elif exchange.open:
        took = f"Trace {exchange.trace_id[:8]} has no end yet, and lasted {units.duration(exchange.seconds)} so far"
    kind = zip(("agent", "model"), explanation.profile.kind, strict=True)
    who = " and ".join(f"{word} {name}" for word, name in kind if name)
    same = f" of {who}" if who and compared.same_kind else ""
    if against is not None:
        than = f"; trace {against.exchange.trace_id[:8]} took {units.duration(compared.seconds)}."
    elif compared.count:
        others, take = ("other", "takes") if compared.count == 1 else ("others", "take")
        median = " in the median" if compared.count > 1 else ""
        than = f"; {compared.count:,} {others}{same} {take} {units.duration(compared.seconds)}{median}."
    else:
        than = "; there is no other exchange to compare it with."
    sentences = [took + than]
    error = f" ({exchange.error_type})" if exchange.error_type not in ("", exchange.outcome) else ""
    if exchange.failed and not exchange.open:
        sentences.append(f"It ended as {exchange.outcome}{error}.")
    sentences += [cause.text for cause in explanation.causes]
    if not explanation.causes and compared.count:
        sentences.append("Nothing stands out: every part of it took about as long as it does otherwise.")
    return " ".join(sentences)


def _drawn(explanation: Explanation, look: Look) -> list[RenderableType]:
    profile, typical = explanation.profile, explanation.usual.typical
    shown = [("this one", profile)]
    if typical is not None and typical is not profile:
        shown.append(("compared with" if explanation.against else "a usual one", typical))
    length = max(max(span.end for span in each.spans) - min(span.start for span in each.spans) for _, each in shown)
    wide = look.console.width >= _SIDE_BY_SIDE and len(shown) > 1
    width = (look.console.width - _BETWEEN) // 2 if wide else look.console.width
    narrow = replace(look, console=Terminal(file=look.console.file, width=width, legacy_windows=False, _environ={}))
    columns = [_column(label, each, narrow, length) for label, each in shown]
    text = Text(_sentences(explanation), "", overflow="fold")
    if not wide:
        return [text, _parts(explanation, look), *columns]
    grid = Table.grid(padding=(0, _BETWEEN, 0, 0))
    for _ in columns:
        grid.add_column(width=width, no_wrap=True)
    grid.add_row(*columns)
    return [text, _parts(explanation, look), grid]


def _column(label: str, profile: Profile, look: Look, length: int) -> RenderableType:
    title = Text().append(label, theme.HEADING).append("  ").append_text(waterfall.heading(profile.exchange, look))
    title.truncate(look.console.width, overflow="ellipsis")
    return Group(
        title, waterfall.trace_line(profile.exchange.trace_id), waterfall.waterfall(profile.spans, look, length)
    )


def _parts(explanation: Explanation, look: Look) -> RenderableType:
    """What each part took, beside what it takes usually; the longest bar is the greatest difference.

    With nothing to compare with the bars are what each part took.
    """
    profile, compared = explanation.profile, explanation.usual
    taken = {part for part, seconds in (*compared.parts.items(), *profile.parts.items()) if seconds}
    parts = sorted(taken, key=lambda part: (-abs(explanation.more(part)), part))
    most = max((abs(explanation.more(part)) for part in parts), default=0.0) or 1.0
    width = max(6, min(30, look.console.width - 66))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=theme.QUIET)
    table.add_column("Part", no_wrap=True)
    for heading in ("This", "Otherwise", "More"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for part in parts:
        more = explanation.more(part)
        bar = theme.STREAM * round(width * abs(more) / most)
        sign = "+" if more >= 0 else "-"
        table.add_row(
            part,
            units.duration(profile.parts.get(part, 0.0)),
            units.duration(compared.parts.get(part, 0.0)) if compared.count else units.NOTHING,
            f"{sign}{units.duration(abs(more))}" if compared.count else units.NOTHING,
            Text(bar, "" if not compared.count else theme.BAD if more > 0 else theme.GOOD),
        )
    return table
