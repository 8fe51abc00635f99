"""The picture of docs/performance.md: bars of what the real server pays, drawn from the results; an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from tests.benchmarks.serving.variants import FILES, NO_HOOKS, NONE, OTLP, PEERS, TITLES
from tests.benchmarks.summary import Document, beyond, extra_cpu

_STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; } .value { font-variant-numeric: tabular-nums; }
.ours { fill: #0969da; } .others { fill: #8c959f; }
path { stroke: #1f2328; stroke-width: 1.2; fill: none; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .ours { fill: #4493f8; } .others { fill: #6e7681; } path { stroke: #e6edf3; }
}
"""
_WIDTH, _LEFT, _RIGHT = 800, 270, 110  # px; labels stand left of the bars, values right of them
_LINE, _BAR = 26, 16  # px
Bar = tuple[str, bool, dict[str, Any]]  # what, whether it is ours, the figure


def draw(document: Document) -> str | None:
    """The picture; None where the real server was not measured."""
    groups = [
        ("Instructions of an exchange, beyond without (%)", _bars(document, beyond)),
        ("CPU of an exchange, beyond without (%)", _bars(document, extra_cpu)),
    ]
    drawn: list[str] = []
    top = 8
    for title, bars in groups:
        if bars:
            drawn += _group(title, bars, top)
            top += _LINE * (len(bars) + 1) + 14
    if not drawn:
        return None
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" height="{top}">'
    title = "<title>What an exchange costs the real server, beside others</title>"
    return "\n".join([head, title, f"<style>{_STYLE}</style>", *drawn, "</svg>", ""])


def _bars(document: Document, of: Any) -> list[Bar]:
    names = (NONE, NO_HOOKS, FILES, OTLP, *PEERS)
    found = ((name, of(document, name)) for name in names)
    return [(TITLES[name], name not in PEERS, figure) for name, figure in found if figure is not None]


def _group(title: str, bars: Sequence[Bar], top: int) -> list[str]:
    spreads = [figure["spread"] for _, _, figure in bars]
    most = max(max(spread["value"], spread["high"] or 0.0, 0.0) for spread in spreads) or 1.0
    scale = (_WIDTH - _LEFT - _RIGHT) / most
    drawn = [f'<text class="title" x="8" y="{top + 16}">{escape(title)}</text>']
    for position, (name, ours, figure) in enumerate(bars, start=1):
        spread = figure["spread"]
        y = top + position * _LINE
        middle = y + _BAR / 2
        end = _LEFT + max(0.0, spread["value"]) * scale
        right = end
        drawn += [
            f'<text x="8" y="{y + 13}">{escape(name)}</text>',
            f'<rect class="{"ours" if ours else "others"}" x="{_LEFT}" y="{y}" '
            f'width="{max(1.0, end - _LEFT):.1f}" height="{_BAR}"/>',
        ]
        if spread["low"] is not None and spread["high"] is not None:
            low, high = (_LEFT + max(0.0, spread[side]) * scale for side in ("low", "high"))
            drawn.append(
                f'<path d="M{low:.1f} {middle - 4}v8 M{low:.1f} {middle}H{high:.1f} M{high:.1f} {middle - 4}v8"/>'
            )
            right = max(end, high)
        drawn.append(f'<text class="value" x="{right + 6:.1f}" y="{y + 13}">{spread["value"]:+.1f}</text>')
    return drawn
