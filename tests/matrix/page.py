"""The page docs/compatibility.md, made from docs/results/matrix.json."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from tests.matrix.cells import RANGES
from tests.reliability.page import table
from tests.reliability.results import RESULTS, WHOLE, Result

PATH = RESULTS.parent / "compatibility.md"
_HEAD = f"""# Compatibility

Which generations of AILoop, which Pythons and which versions of its libraries this package was tried with. Written from
runs by `make matrix`; do not edit. Each row is a fresh environment with the package's wheel, a server as a process of
its own with `AILOOP_OTEL_ENABLED=true`, a client that sends two messages, and SIGTERM at once. *{WHOLE}* is:

- each message is one trace: message, first chunk, stream, agent, model calls and tool, each below its parent (the
  earlier generation has no agents, and its tools never worked);
- first chunk and completion are between what the AI's provider did and what the client saw, by 5 ms;
- the metrics of first chunk and duration count both messages;
- neither the package nor OpenTelemetry warns of anything in the server's output;
- `ailoop-otel traces` shows the messages, and `ailoop-otel doctor` finds nothing wrong.

Where a server fails, it is started once more without the package, and the row says if it fails then too. *Cannot be
installed* are versions that do not go together, or not with this Python. The stand-in is the server of the tests, which
speaks like the real one; for `doctor` the functions that it lacks are added. README has the versions that AILoop's
current generation needs (*its pins*).

## Versions that were whole

The oldest and the newest of each in a row below that is whole. The range is that in `pyproject.toml`; what has none is
AILoop's, not the package's.
"""
_CI = """## What runs on every change

`make test` runs on two locks of requirements: `make unit` on the newest of everything (`requirements/dev.txt`), and
`make oldest` on the web stack of today's AILoop with the oldest of each range in `pyproject.toml`
(`requirements/oldest.txt`). A test compares both locks with the ranges. The rows below are run by `make matrix`.
"""


def page(result: Result) -> str:
    """The whole page, markdown."""
    rows = result["rows"]
    lines = [_HEAD, *table(("what", "range", "oldest", "newest"), _tried(rows)), _CI]
    for group in dict.fromkeys(row["group"] for row in rows):
        shown = (_row(row) for row in rows if row["group"] == group)
        lines += [f"## {group}\n", *table(("what", "Python", "versions", "result", "date"), shown)]
    return "\n".join(lines)


def _tried(rows: list[Result]) -> Iterator[tuple[str, ...]]:
    whole = [{"Python": row["python"], **row["installed"]} for row in rows if row["result"] == WHOLE]
    ranges = {each.name: f"`{each.specifier}`" for each in RANGES}
    for name in dict.fromkeys(name for row in whole for name in row):
        versions = sorted({row[name] for row in whole if name in row}, key=Version)
        yield (name, ranges.get(name, ""), versions[0], versions[-1])


def _row(row: Result) -> tuple[str, ...]:
    versions = ", ".join(f"{name} {row['installed'][name]}" for name in row["shown"])
    return (row["cell"], row["python"], versions, row["result"], row["date"])
