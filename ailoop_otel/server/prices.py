"""What model calls cost by a file of the user's, where the provider does not say.

["openai/gpt-4o*"]   # a pattern of models, as in a shell; the first that fits counts
input = 2.50         # USD for a million tokens
output = 10.00
cached = 1.25        # those of the prompt that the provider had cached; `input` where it is left out
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from ailoop_otel import names
from ailoop_otel.guard import tried, warn
from ailoop_otel.protocol.foreign import amount
from ailoop_otel.tracking.usage import Usage

_MILLION: Final = 1_000_000
_KINDS: Final = ("input", "output", "cached")


@dataclass(frozen=True)
class Price:
    """The prices of the models that a pattern fits, USD for a million tokens."""

    pattern: str
    input: float
    output: float
    cached: float

    def of(self, usage: Usage) -> float:
        """What was used, in USD."""
        cached = usage.cache_read or 0
        read = max(0, (usage.input_tokens or 0) - cached)
        return (read * self.input + cached * self.cached + (usage.output_tokens or 0) * self.output) / _MILLION


class Prices:
    """The prices of a file."""

    def __init__(self, prices: tuple[Price, ...]) -> None:
        self._prices = prices

    def apply(self, model: str, usage: Usage) -> None:
        """Set the cost of what a model used, if its tokens and its price are known."""
        price = next((each for each in self._prices if fnmatchcase(model, each.pattern)), None)
        if price is not None and (usage.input_tokens is not None or usage.output_tokens is not None):
            usage.cost, usage.cost_source = price.of(usage), names.COMPUTED


def prices_in(path: str) -> Prices | None:
    """The prices in a TOML file; None without a path, and, with a line for the operator, of a file that has none."""
    if not path:
        return None
    prices, fault = tried(_read, path)
    if fault is not None:
        what = str(fault) if isinstance(fault, (ValueError, ImportError)) else type(fault).__name__
        warn(f"{names.SETTING_PRICES.name}={path!r} can't be used ({what}); no cost is computed.")
    return prices


def _read(path: str) -> Prices:
    if sys.version_info >= (3, 11):
        import tomllib
    else:  # the extra `measure` has it
        import tomli as tomllib

    tables = tomllib.loads(Path(path).expanduser().read_text(encoding="utf-8"))
    return Prices(tuple(_price(pattern, table) for pattern, table in tables.items()))


def _price(pattern: str, table: Any) -> Price:
    known = dict(table) if isinstance(table, dict) else {}
    found = {kind: amount(known.pop(kind, None)) for kind in _KINDS}
    if known or found["input"] is None or found["output"] is None or (found["cached"] is None and "cached" in table):
        raise ValueError(f"{pattern!r} is not a table of `input`, `output` and, if need be, `cached`, each a number")
    return Price(pattern, found["input"], found["output"], found["input"] if (c := found["cached"]) is None else c)
