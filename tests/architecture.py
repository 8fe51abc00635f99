"""Writes what docs/architecture.md shows of the code: docs/architecture.svg, and the page's table of packages.

Packages and arrows come from the imports, the layers from the contract that import-linter checks (pyproject.toml), and
what a package is for from its docstring.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Final

import grimp
import tomllib

ROOT: Final = Path(__file__).parent.parent
CODE: Final = ROOT / "ailoop_otel"
PAGE: Final = ROOT / "docs" / "architecture.md"
PICTURE: Final = ROOT / "docs" / "architecture.svg"
BEGIN: Final = "<!-- written by make docs -->"
END: Final = "<!-- end of what make docs writes -->"

Arrows = dict[str, set[str]]

# Pixels.
_BOX, _HEIGHT, _GAP, _ROW, _MARGIN, _LANE = 106, 30, 18, 74, 16, 10
_STYLE: Final = """
text { font: 14px ui-monospace, Menlo, Consolas, monospace; text-anchor: middle; fill: #1f2328; }
rect { fill: #f6f8fa; stroke: #57606a; }
path { fill: none; stroke: #57606a; stroke-width: 1.2; }
.head { fill: #57606a; stroke: none; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } rect { fill: #21262d; stroke: #8b949e; } path { stroke: #8b949e; } .head { fill: #8b949e; }
}
"""


# --- The code --------------------------------------------------------------------------------------------------------
def layers() -> list[list[str]]:
    """The packages of each layer, the topmost first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]
    assert contract["containers"] == [CODE.name]
    return [sorted(layer.split(" | ")) for layer in contract["layers"]]


def arrows() -> Arrows:
    """For each package of the layers the others that it imports."""
    known = {package for layer in layers() for package in layer}
    found: Arrows = {package: set() for package in known}
    graph = grimp.build_graph(CODE.name, cache_dir=None)
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            one, other = (name.split(".")[1] if "." in name else "" for name in (module, imported))
            if one != other and {one, other} <= known:
                found[one].add(other)
    return found


def shown(package: str) -> str:
    """A package as a reader looks for it: a folder or a file."""
    return f"{package}/" if (CODE / package).is_dir() else f"{package}.py"


def purpose(package: str) -> str:
    """The first paragraph of a package's docstring."""
    path = CODE / package / "__init__.py" if (CODE / package).is_dir() else CODE / f"{package}.py"
    documented = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(documented.partition("\n\n")[0].split())


# --- The page --------------------------------------------------------------------------------------------------------
def page(text: str) -> str:
    """The page with its table as the code is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def table() -> str:
    """The packages by layer, what each is for, and what it imports."""
    lines = ["| layer | package | what it is for | imports |", "| --- | --- | --- | --- |"]
    imported = arrows()
    for number, layer in enumerate(layers(), 1):
        for package in layer:
            others = ", ".join(f"`{other}`" for other in sorted(imported[package]))
            lines.append(f"| {number} | `{shown(package)}` | {purpose(package)} | {others} |")
    return "\n".join(lines)


# --- The picture -----------------------------------------------------------------------------------------------------
@dataclass(eq=False)
class _Node:
    """A box, or without a text the place where an arrow passes a layer."""

    text: str = ""
    x: float = 0.0
    above: list[_Node] = field(default_factory=list)
    below: list[_Node] = field(default_factory=list)

    @property
    def half(self) -> float:
        return _BOX / 2 if self.text else _LANE / 2


def picture() -> str:
    """The packages in their layers, with an arrow to each that is imported and not reached by other arrows, SVG."""
    rows, lines = _graph()
    _place(rows)
    left = min(node.x - node.half for row in rows for node in row) - _MARGIN
    width = round(max(node.x + node.half for row in rows for node in row) + _MARGIN - left)
    height = _ROW * (len(rows) - 1) + _HEIGHT + 2 * _MARGIN
    top = {id(node): _MARGIN + _ROW * number for number, row in enumerate(rows) for node in row}
    for row in rows:
        for node in row:
            node.x = round(node.x - left)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<title>Which package of {CODE.name} imports which</title>",
        f"<style>{_STYLE}</style>",
        *(_curve(line, top) for line in lines),
    ]
    for node in (node for row in rows for node in row if node.text):
        drawn.append(f'<rect x="{node.x - _BOX // 2}" y="{top[id(node)]}" width="{_BOX}" height="{_HEIGHT}" rx="6"/>')
        drawn.append(f'<text x="{node.x}" y="{top[id(node)] + 20}">{escape(node.text)}</text>')
    return "\n".join([*drawn, "</svg>", ""])


def _graph() -> tuple[list[list[_Node]], list[list[_Node]]]:
    """The nodes of each layer, and each arrow as the nodes that it passes."""
    found = layers()
    boxes = {package: _Node(shown(package)) for layer in found for package in layer}
    place = {package: number for number, layer in enumerate(found) for package in layer}
    rows = [[boxes[package] for package in layer] for layer in found]
    lines = []
    for one, other in sorted(_shortest(arrows())):
        lanes = [_Node() for _ in range(place[one] + 1, place[other])]
        for number, lane in enumerate(lanes, place[one] + 1):
            rows[number].append(lane)
        line = [boxes[one], *lanes, boxes[other]]
        for upper, lower in zip(line, line[1:], strict=False):
            upper.below.append(lower)
            lower.above.append(upper)
        lines.append(line)
    return rows, lines


def _shortest(found: Arrows) -> Iterator[tuple[str, str]]:
    """The arrows without those whose end other arrows lead to as well."""
    for one, others in found.items():
        for other in others:
            if not any(other in _reached(found, between) for between in others - {other}):
                yield one, other


def _reached(found: Arrows, one: str) -> set[str]:
    return found[one].union(*(_reached(found, other) for other in found[one]))


def _place(rows: list[list[_Node]]) -> None:
    """Give each node an x beside its neighbours', row by row, down and up until it hardly changes (Sugiyama's way)."""
    for row in rows:
        _spread(row, [0.0] * len(row))
    for turn in range(60):
        down = turn % 2 == 0
        for row in rows if down else reversed(rows):
            near = [(node.above if down else node.below) or node.above or node.below for node in row]
            wanted = [sum(each.x for each in others) / len(others) for others in near]
            if turn < 40:
                # Later passes keep the order and only straighten.
                order = sorted(range(len(row)), key=lambda number: (wanted[number], number))
                row[:] = [row[number] for number in order]
                wanted = [wanted[number] for number in order]
            _spread(row, wanted)


def _spread(row: list[_Node], wanted: list[float]) -> None:
    """The places nearest to the wanted ones, in this order, at which no two nodes touch."""
    offsets = [0.0]
    for one, other in zip(row, row[1:], strict=False):
        offsets.append(offsets[-1] + one.half + _GAP + other.half)
    blocks: list[tuple[float, int]] = []
    for place, offset in zip(wanted, offsets, strict=True):
        mean, count = place - offset, 1
        while blocks and blocks[-1][0] > mean:
            before, size = blocks.pop()
            mean, count = (before * size + mean * count) / (size + count), size + count
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    for node, mean, offset in zip(row, means, offsets, strict=True):
        node.x = mean + offset


def _curve(line: Iterable[_Node], top: dict[int, int]) -> str:
    first, *others = line
    y = top[id(first)] + _HEIGHT
    path, x = f"M{first.x} {y}", first.x
    for node in others:
        end = top[id(node)] - (4 if node.text else 0)
        middle = (y + end) // 2
        path += f" C{x} {middle} {node.x} {middle} {node.x} {end}"
        x, y = node.x, end
        if not node.text:
            y += _HEIGHT
            path += f" V{y}"
    return f'<path d="{path}"/><path class="head" d="M{x - 4} {y - 4}h8l-4 8z"/>'


# --- The ways through the code ---------------------------------------------------------------------------------------
def steps(text: str) -> list[tuple[str, str]]:
    """What the page refers to as a file and a name in it, as `wire/state.py` `Wire.complete`."""
    return re.findall(r"`([\w/]+\.py)`\s+`([\w.]+)`", text)


def files(text: str) -> set[str]:
    """All paths that the page names in backticks, from the repository's root or from the package."""
    return set(re.findall(r"`((?:[\w.-]+/)+(?:[\w-]+\.[a-z]+)?|[\w-]+\.(?:py|toml))`", text))


def defines(path: Path, dotted: str) -> bool:
    """Whether a module defines a name: a function, a class, a method, an attribute of a class or a constant."""
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    for name in dotted.split("."):
        found = [each for each in body if name in _names(each)]
        if not found:
            return False
        body = found[0].body if isinstance(found[0], ast.ClassDef) else []
    return True


def _names(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {statement.name}
    if isinstance(statement, ast.AnnAssign | ast.Assign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return {target.id for target in targets if isinstance(target, ast.Name)}
    return set()


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
