"""The picture of a soak: memory of both servers, what waits on disk and what has arrived; an SVG, light or dark."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

from tests.soak.run import DOWN, REFUSES

# A grey that can be read on a light page and on a dark one.
_INK = "#808890"
_PANELS = (("Memory, MB", 1e6), ("On disk, MB", 1e6), ("Messages arrived", 1))
_SERIES = (
    (0, "memory", "#2f81f7", "with ailoop-otel"),
    (0, "memory_without", _INK, "without"),
    (1, "waiting", "#d8702c", None),
    (2, "delivered", "#2da44e", None),
)


def draw(soak: dict[str, Any]) -> str:
    """The picture of a result, as it is kept."""
    samples = soak["samples"]
    at = [sample["at"] for sample in samples]
    with mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "soak", "font.family": "sans-serif", "text.color": _INK}
    ):
        figure, panels = plt.subplots(3, 1, sharex=True, figsize=(10.6, 5.4), height_ratios=(3, 1.4, 1.4))
        for panel, (title, _) in zip(panels, _PANELS, strict=True):
            panel.set_ylabel(title, color=_INK)
            panel.tick_params(colors=_INK, length=0)
            panel.grid(color=_INK, alpha=0.25)
            panel.spines[:].set_visible(False)
            panel.patch.set_alpha(0)
            for begin, end in (DOWN, REFUSES):
                panel.axvspan(begin * soak["seconds"], end * soak["seconds"], color="#e5534b", alpha=0.12, linewidth=0)
        for number, name, colour, label in _SERIES:
            panels[number].plot(
                at, [sample[name] / _PANELS[number][1] for sample in samples], color=colour, label=label
            )
            panels[number].set_ylim(bottom=0)
        for (begin, _), text in ((DOWN, " nobody listens"), (REFUSES, " answers 503")):
            panels[0].text(begin * soak["seconds"], panels[0].get_ylim()[1], text, va="top", color=_INK)
        panels[0].legend(loc="lower right", ncols=2, frameon=False)
        panels[2].set_xlabel("seconds", color=_INK)
        figure.align_ylabels()
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None}, bbox_inches="tight")
        plt.close(figure)
    # Without the XML declaration and the type of the document, which no page needs.
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]
