"""What a row comes to: figures with their spread and what they are to be, and checks that the work was done."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Spread:
    """A value and the interval that holds it with 95 % confidence; the interval is absent for what is only counted."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Figure:
    """One number of a row. `most` and `least` are its limits, `holds` is what its interval must hold.

    Where `surely` is set it is the interval's far end that must keep to the limit, else the value itself. A figure
    without any limit is told and not judged.
    """

    name: str
    spread: Spread
    unit: str
    most: float | None = None
    least: float | None = None
    holds: float | None = None
    surely: bool = False

    @property
    def judged(self) -> bool:
        """Whether it has a limit."""
        return self.limit != ""

    @property
    def reached(self) -> bool:
        """Whether it keeps to its limits; true for one that has none."""
        low, high = self._ends()
        if self.holds is not None and not low <= self.holds <= high:
            return False
        far, near = (high, low) if self.surely else (self.spread.value, self.spread.value)
        return (self.most is None or far <= self.most) and (self.least is None or near >= self.least)

    @property
    def limit(self) -> str:
        """Its limits in words; empty where it has none."""
        parts = []
        if self.most is not None:
            parts.append(f"{'surely ' if self.surely else ''}≤ {self.most:g}")
        if self.least is not None:
            parts.append(f"≥ {self.least:g}")
        if self.holds is not None:
            parts.append(f"holds {self.holds:g}")
        return ", ".join(parts)

    def _ends(self) -> tuple[float, float]:
        value = self.spread.value
        low, high = self.spread.low, self.spread.high
        return value if low is None else low, value if high is None else high


@dataclass(frozen=True)
class Check:
    """Whether the work that was measured was done: spans came out, frames arrived."""

    name: str
    held: bool
    seen: str = ""


@dataclass
class Result:
    """What a row came to. `notes` say what was left out, and why."""

    number: int
    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def misses(self) -> list[str]:
        """One sentence for each figure that was not reached and each check that failed."""
        figures = [
            f"{self.name}: {figure.name} is {figure.spread.value:.3g} {figure.unit}, to be {figure.limit}"
            for figure in self.figures
            if not figure.reached
        ]
        return figures + [f"{self.name}: not so: {each.name} ({each.seen})" for each in self.checks if not each.held]
