"""`docs/mutants.md`: the table of what was run, and the survivors with their reasons."""

from __future__ import annotations

from typing import Any, Final

from tests.mutants.survivors import Survivor, reason_of
from tests.mutants.workspace import ROOT

PAGE: Final = ROOT / "docs" / "mutants.md"
_BEGIN: Final = "<!-- written by make mutants PAGE=1 -->\n"
_END: Final = "<!-- end -->"

Results = dict[str, dict[str, Any]]


def share(row: dict[str, Any]) -> float:
    """The share of the mutants that were run and are not equivalent which were killed, percent."""
    equivalent = sum(_is_equivalent(each) for each in _survivors(row))
    return 100 * row["killed"] / max(1, row["run"] - equivalent)


def table(results: Results) -> str:
    """A line for each module, and the sum of all."""
    lines = [
        "| module | mutants | run | killed | survived | of these equivalent | killed of the others |",
        "|" + "---|" * 7,
    ]
    rows = {name: results[name] for name in results}
    every: dict[str, Any] = {key: sum(row[key] for row in rows.values()) for key in ("mutants", "run", "killed")}
    every["survivors"] = [each for row in rows.values() for each in row["survivors"]]
    for name, row in [*rows.items(), ("all", every)]:
        survived = _survivors(row)
        equivalent = sum(map(_is_equivalent, survived))
        sampled = f"{row['run']} (seed {row['seed']})" if row.get("seed") is not None else str(row["run"])
        cells = (name, row["mutants"], sampled, row["killed"], len(survived), equivalent, f"{share(row):.1f} %")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def reasons(results: Results) -> str:
    """The survivors by their reasons; those without one at the end."""
    grouped: dict[str, list[Survivor]] = {}
    for row in results.values():
        for survivor in _survivors(row):
            reason = reason_of(survivor)
            kind = "" if reason is None else "Equivalent: " if reason.equivalent else "Not tested: "
            grouped.setdefault("Not killed yet." if reason is None else kind + reason.why, []).append(survivor)
    lines = []
    for why in sorted(grouped, key=lambda why: (why == "Not killed yet.", why)):
        lines.append(f"\n{why}\n")
        lines += [f"- `{each.module}` {each.function}: `{each.was}` → `{each.became}`" for each in grouped[why]]
    return "\n".join(lines) + "\n"


def write(results: Results) -> None:
    """Write the table and the reasons into the page, between its marks."""
    before, rest = PAGE.read_text().split(_BEGIN)
    PAGE.write_text(f"{before}{_BEGIN}\n{table(results)}{reasons(results)}\n{_END}{rest.partition(_END)[2]}")


def _survivors(row: dict[str, Any]) -> list[Survivor]:
    return [Survivor(*each) for each in row["survivors"]]


def _is_equivalent(survivor: Survivor) -> bool:
    reason = reason_of(survivor)
    return reason is not None and reason.equivalent
