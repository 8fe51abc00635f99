"""The page docs/reliability.md, made from the results of the proofs: docs/results/*.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.reliability.balance import FIELDS
from tests.reliability.faults import SECTIONS
from tests.reliability.results import RESULTS, WHOLE, Result

PATH = RESULTS.parent / "reliability.md"
_HEAD = """# Reliability

What may go wrong, ours and theirs, what is promised then, and the test that shows it. Written from the results of the
tests by `make faults`; do not edit. A test notes what it **made** (spans, messages, …), what was **delivered** to a
collector, what is **kept** on disk, and what the package says is **lost**: made = delivered + kept + lost, or the test
fails. Where there is nothing to count the columns are empty.
"""
_COLUMNS = ("what goes wrong", "whose fault", "what is promised", "shown by", *FIELDS, "last run")
_STARTS = f"""## Starts

Each row from a run: the stand-in is started in this way with AILOOP_OTEL_ENABLED=true, a client sends two messages, and
SIGTERM comes at once. *{WHOLE}* is: both messages are a trace each (message, first chunk, stream, agent, model call),
the session is one, no span is there twice, and the exit code is 0 or the signal's. Written by `make start-matrix`.
"""
_START_COLUMNS = (
    "started by",
    "Python",
    "versions",
    "result",
    "exit code",
    "seconds to stop",
    "lines of ours in the log",
)
# What is known of every result, and is not a count of its own.
_COMMON = ("what", "date", "version", "python")


def page(found: dict[str, Result]) -> str:
    """The whole page, markdown."""
    faults = found["faults"]
    lines = [_HEAD, "## The last runs\n", *table(("proof", "result", "date", "version"), _runs(found))]
    if "soak" in found:
        lines.append(
            "![Memory, what waits on disk and what has arrived, while the collector is away twice](soak.svg)\n"
        )
    for section, title in SECTIONS.items():
        rows = [_cells(row) for row in faults["rows"] if row["section"] == section]
        if rows:
            lines += [f"## {title}\n", *table(_COLUMNS, rows)]
    if "start-matrix" in found:
        lines += _matrix(found["start-matrix"])
    return "\n".join(lines)


def _matrix(result: Result) -> list[str]:
    lines = [_STARTS]
    for group in dict.fromkeys(row["group"] for row in result["rows"]):
        rows = (_start(row) for row in result["rows"] if row["group"] == group)
        lines += [f"### {group}\n", *table(_START_COLUMNS, rows)]
    return lines


def _runs(found: dict[str, Result]) -> Iterable[tuple[str, ...]]:
    for name, result in found.items():
        told = _TOLD.get(name, _counts)(result)
        yield (f"`make {name}`", told, result["date"], result["version"])


def _faults(result: Result) -> str:
    outcomes: Counter[str] = Counter()
    sums: dict[str, Counter[str]] = {}
    for row in result["rows"]:
        outcomes.update(_run(row["outcomes"]))
        for of, counts in row["balance"].items():
            sums.setdefault(of, Counter()).update(counts)
    told = [f"{len(result['rows'])} faults in {outcomes.total()} tests: {_outcomes(outcomes)}"]
    told += [
        f"{counts['made']:,} {of} made = {counts['delivered']:,} delivered + {counts['kept']:,} kept + "
        f"{counts['lost']:,} lost"
        for of, counts in sorted(sums.items())
    ]
    return "; ".join(told)


def _starts(result: Result, what: str = "starts") -> str:
    whole = sum(row["result"] == WHOLE for row in result["rows"])
    return f"{whole} of {len(result['rows'])} {what} are whole"


def _compatible(result: Result) -> str:
    return _starts(result, "sets of versions")


def _counts(result: Result) -> str:
    plain = {name: value for name, value in result.items() if name not in _COMMON}
    return "; ".join(
        f"{name.replace('_', ' ')} {value:,}" if isinstance(value, int | float) else f"{name.replace('_', ' ')} {value}"
        for name, value in plain.items()
        if isinstance(value, int | float | str)
    )


def _start(row: Result) -> tuple[str, ...]:
    ended = (str(row[name]) if name in row else "" for name in ("exit", "seconds_to_stop"))
    result = f"{row['result']} ({row['note']})" if row.get("note") else row["result"]
    return (row["start"], row["python"], row["versions"], result, *ended, str(len(row.get("lines", ()))))


def _cells(row: Result) -> tuple[str, ...]:
    path, _, name = row["test"].rpartition("::")
    counted = ["<br>".join(_counted(of, counts, field) for of, counts in row["balance"].items()) for field in FIELDS]
    shown = f"[{name}](../{path.partition('::')[0]})"
    return (row["fault"], row["whose"], row["promise"], shown, *counted, _outcomes(_run(row["outcomes"])))


def _counted(of: str, counts: dict[str, int], field: str) -> str:
    count = counts[field]
    thing = of.removesuffix("s") if count == 1 else of
    return f"{count:,} {thing}" if field == FIELDS[0] else f"{count:,}"


def _run(outcomes: dict[str, int]) -> dict[str, int]:
    """The outcomes without what is skipped beside others: the parameters for the real server, where there is none."""
    return {outcome: count for outcome, count in outcomes.items() if outcome != "skipped"} or outcomes


def _outcomes(outcomes: dict[str, int]) -> str:
    said = {"skipped": "not run"}
    return ", ".join(f"{count} {said.get(outcome, outcome)}" for outcome, count in sorted(outcomes.items()))


_TOLD = {"faults": _faults, "matrix": _compatible, "start-matrix": _starts}


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A table, markdown."""
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    return [*lines, *("| " + " | ".join(each.replace("|", "\\|") for each in row) + " |" for row in rows), ""]
