"""Draws docs/trace.svg, the README's picture, from what the demo recorded: `make picture`."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from rich.console import Console

from ailoop_otel import names
from ailoop_otel.view.options import Filters, TracesOptions
from ailoop_otel.view.traces import show
from tests.demo.__main__ import FOLDER
from tests.serving.folder import Folder

PICTURE = Path(__file__).parent.parent.parent / "docs" / "trace.svg"
# rich's own template fetches a font from a content network; a picture in a README should fetch nothing.
_FORMAT = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" xml:space="preserve">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; white-space: pre;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    """Draw the exchange that stalled."""
    (stalled,) = [
        span.trace
        for span in Folder(FOLDER).spans("sendUserMessage")
        if span.attributes.get(names.TIMEOUT_RECOVERED) and span.attributes[names.STREAM_CHUNKS] == 9
    ]
    console = Console(record=True, width=100, force_terminal=True, color_system="truecolor", file=StringIO())
    show(TracesOptions(directory=str(FOLDER), filters=Filters(), trace=stalled, waterfalls=1, json=False), console)
    PICTURE.write_text(console.export_svg(title="ailoop-otel traces", code_format=_FORMAT), encoding="utf-8")


if __name__ == "__main__":
    main()
