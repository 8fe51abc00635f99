"""Draws docs/report.png: the plots of a report, as Chromium shows them, from a load on a server that it starts.

python -m tests.docs.report_picture [--seconds N] [--checkout DIR --python INTERPRETER]
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import expect, sync_playwright

from tests.ailoop.process import LOOPBACK, STATELESS, Installation, checkout, free_port, standin
from tests.ailoop.provider import Provider
from tests.docs.pages import DOCS

PICTURE: Final = DOCS / "report.png"
_ROOT: Final = DOCS.parent
# The first row of the plots and what is below it.
_SHOWN: Final = ("latency", "sides", "gaps")
_WIDTH, _HEIGHT = 1136, 900  # pixels
_PATIENCE: Final = 60_000.0  # milliseconds, until a plot is drawn
_DEFAULT: Final = "say chunks=24 delay=0.4 gap=0.03"


def measured(folder: Path, server: Installation, seconds: float) -> Path:
    """Put the mixed load on a server for some seconds and return the page of the report."""
    port, out = free_port(), folder / "run"
    with Provider(default=_DEFAULT) as provider:
        reached = provider.plain_environment() if server == standin(STATELESS) else provider.environment()
        command = [*server.command, str(port)]
        subprocess.run(
            [
                *(sys.executable, "-m", "ailoop_otel.cli", "measure", "mixed"),
                *("--start", shlex.join(command), "--url", f"ws://{LOOPBACK}:{port}/ws", "--out", str(out)),
                *("--set", f"duration={seconds:g}", "--set", "warmup=2"),
            ],
            cwd=server.root,
            env={**reached, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(_ROOT), "HOME": str(folder)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    return next(out.rglob("report.html"))


def draw(report: Path, picture: Path, chromium: str) -> None:
    """Photograph the plots of a report, with the values of one point shown."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": _WIDTH, "height": _HEIGHT}).new_page()
        page.goto(report.as_uri())
        for name in _SHOWN:
            figure = page.locator(f"#plot-{name}")
            figure.scroll_into_view_if_needed()
            expect(figure.locator("svg.marks")).to_be_visible(timeout=_PATIENCE)
        page.locator(f"#plot-{_SHOWN[0]}").scroll_into_view_if_needed()
        page.locator(f"#plot-{_SHOWN[0]} .mark-symbol.role-mark path").first.hover(force=True)
        boxes = [box for name in _SHOWN if (box := page.locator(f"#plot-{name}").bounding_box())]
        top, bottom = min(box["y"] for box in boxes), max(box["y"] + box["height"] for box in boxes)
        scrolled = page.evaluate("window.scrollY")
        page.screenshot(
            path=picture,
            full_page=True,
            clip={"x": 0, "y": max(0, top + scrolled - 20), "width": _WIDTH, "height": bottom - top + 40},
        )
        browser.close()


def main() -> None:
    """Measure, and draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--checkout", default="")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    chosen = parser.parse_args()
    server = checkout(chosen.checkout, chosen.python) if chosen.checkout else standin(STATELESS)
    with TemporaryDirectory() as folder:
        draw(measured(Path(folder), server, chosen.seconds), PICTURE, chosen.chromium)


if __name__ == "__main__":
    main()
