"""`make bench`: measure all rows, write the table, and fail where a figure is missed."""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from tests.benchmarks import chart, summary, table
from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import HOME, ROOT, Environments, Unavailable
from tests.benchmarks.figures import Check, Result
from tests.benchmarks.machine import machine
from tests.benchmarks.measured import Failed
from tests.benchmarks.page import fill
from tests.benchmarks.rows import Row, rows

PAGE = ROOT / "docs" / "performance.md"
PICTURE = PAGE.with_suffix(".svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all was reached, 1 when something was missed, 2 for a bad argument, 130 after Ctrl-C."""
    known = {row.NAME: row for row in rows()}
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one or two minutes: to try it, not to believe it")
    parser.add_argument("--only", nargs="+", choices=known, help="these rows only", metavar="ROW")
    parser.add_argument("--page", action="store_true", help="write docs/performance.md, as a whole run does by itself")
    chosen = parser.parse_args(arguments)
    console = Console()
    HOME.mkdir(exist_ok=True)
    # However it is stopped, what it started is stopped with it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    begun = time.strftime("%Y-%m-%d %H:%M")
    before = machine(begun)
    try:
        environments = Environments(lambda text: console.print(f"[dim]{text}[/dim]"))
        results = [measure(known[name], chosen.quick, environments, console) for name in chosen.only or known]
    except KeyboardInterrupt:
        console.print("stopped; nothing was written")
        return 130
    told = {**machine(begun), "load before": before["load before"]}
    whole = not chosen.only and not chosen.quick
    report(results, told, chosen.quick, page=whole or chosen.page, console=console)
    for miss in table.misses(results):
        console.print(f"[bold red]missed[/bold red] {miss}", soft_wrap=True)
    return 1 if table.misses(results) else 0


def measure(row: Row, quick: bool, environments: Environments, console: Console) -> Result:
    """One row; what keeps it from being measured is a failed check."""
    result = Result(row.NUMBER, row.NAME, row.TITLE)
    began = time.monotonic()
    with console.status(f"{row.NUMBER} {row.TITLE}") as status:

        def say(text: str) -> None:
            status.update(f"{row.NUMBER} {row.TITLE}: {text}")
            if not console.is_terminal:
                console.print(f"{row.NUMBER} {row.TITLE}: {text}", soft_wrap=True)

        try:
            row.run(Bench(quick, environments, say), result)
        except (Failed, Unavailable) as fault:
            result.checks.append(Check("the row could be measured", False, str(fault)))
        except Exception as fault:  # noqa: BLE001 - what the other rows came to is not to be lost
            console.print_exception()
            result.checks.append(Check("the row could be measured", False, repr(fault)))
    console.print(f"{row.NUMBER} {row.TITLE}: {time.monotonic() - began:.0f} s")
    return result


def report(results: Sequence[Result], told: dict[str, str], quick: bool, *, page: bool, console: Console) -> None:
    """Print the table and write it, with `page` into the documentation too."""
    console.print(table.terminal(results))
    text = table.markdown(results, told, quick)
    document = table.document(results, told, quick)
    (HOME / "results.md").write_text(text)
    (HOME / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    console.print(f"written: {HOME.name}/results.md, {HOME.name}/results.json")
    if page:
        fill(PAGE, opened(document, text))
        console.print(f"written: {PAGE.relative_to(ROOT)}")


def opened(document: Mapping[str, Any], text: str) -> str:
    """What stands on the page: the answer in four lines and a picture, what fast paths save, then the tables.

    The picture is written beside the page.
    """
    parts = ["\n".join(summary.lines(document))]
    picture = chart.draw(document)
    if picture is not None:
        PICTURE.write_text(picture)
        parts.append(f"![What an exchange costs the real server, beside others]({PICTURE.name})")
    parts += ["\n".join(part) for part in (summary.saved(document),) if part]
    return "\n\n".join([*parts, "## All figures", text])


if __name__ == "__main__":
    raise SystemExit(main())
