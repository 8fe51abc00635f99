"""`make mutants`: run mutmut over the chosen modules, and list the mutants that no test notices."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console

from tests.mutants import page
from tests.mutants.modules import MODULES
from tests.mutants.survivors import Survivor
from tests.mutants.workspace import HOME, codes, forget, generate, prepare, run

RESULTS = HOME / "results.json"
# mutmut's exit codes of a mutant that survived: all tests passed, or none calls its function.
_SURVIVED = frozenset({0, 5, 33})
_ENOUGH = 90.0  # percent


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where enough of each module's mutants that are not equivalent were killed, 1 where fewer were."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--module", nargs="+", choices=MODULES, default=list(MODULES), metavar="MODULE")
    parser.add_argument("--sample", type=int, help="of each module so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--again", action="store_true", help="run only those again that survived the last time")
    parser.add_argument("--page", action="store_true", help="write docs/mutants.md from all results so far")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes at a time")
    chosen = parser.parse_args(arguments)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    prepare()
    os.chdir(HOME)
    if chosen.sample:
        generate()
    results: page.Results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    seeds: dict[str, int | None] = dict.fromkeys(chosen.module)
    wanted: list[str] = []
    for module in chosen.module:
        if chosen.again:
            seeds[module] = results[module]["seed"]
            wanted += [name for name, code in codes(module).items() if code in _SURVIVED]
            continue
        forget(module)
        names = sorted(codes(module)) if chosen.sample else []
        if chosen.sample and chosen.sample < len(names):
            seeds[module] = chosen.seed
            wanted += random.Random(chosen.seed).sample(names, chosen.sample)
        else:
            wanted.append(f"{MODULES[module].removesuffix('.py').replace('/', '.')}.x*")
    run(wanted, chosen.workers)
    for module, seed in seeds.items():
        results[module] = {**_counts(module), "seed": seed}
        console.print(page.reasons({module: results[module]}))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    console.print(page.table({module: results[module] for module in chosen.module}))
    if chosen.page:
        page.write({module: results[module] for module in MODULES if module in results})
    return int(any(page.share(results[module]) < _ENOUGH for module in chosen.module))


def _counts(module: str) -> dict[str, Any]:
    found = {name: code for name, code in codes(module).items() if code is not None}
    survived = [name for name, code in found.items() if code in _SURVIVED]
    return {
        "mutants": len(codes(module)),
        "run": len(found),
        "killed": len(found) - len(survived),
        "survivors": list(_survivors(module, survived)),
    }


def _survivors(module: str, names: Sequence[str]) -> Iterator[Survivor]:
    import mutmut.__main__  # noqa: F401 - the module below can be imported only after it
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    for name in names:
        diff = get_diff_for_mutant(name, path=MODULES[module])
        lines = [line for line in diff.splitlines() if line[:1] in ("-", "+") and line[:3] not in ("---", "+++")]
        was, became = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
        function = name.rpartition(".")[2].partition("__mutmut")[0].removeprefix("x_").removeprefix("xǁ")
        yield Survivor(module, function.replace("ǁ", "."), was, became)


if __name__ == "__main__":
    sys.exit(main())
