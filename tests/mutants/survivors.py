"""The mutants that no test notices, with the reasons why that is right."""

from __future__ import annotations

from typing import Final, NamedTuple


class Survivor(NamedTuple):
    """A mutant that survived: where it is, the line as it was and as it became."""

    module: str
    function: str
    was: str
    became: str


class Reason(NamedTuple):
    """Why survivors are left: those of a function of which the old or the new line contains one of `lines`.

    `equivalent` where no test could notice them.
    """

    module: str
    function: str
    lines: tuple[str, ...]
    why: str
    equivalent: bool = True

    def applies(self, survivor: Survivor) -> bool:
        """Whether it is the reason of this survivor."""
        if (self.module, self.function) != survivor[:2]:
            return False
        return any(line in survivor.was or line in survivor.became for line in self.lines)


REASONS: Final[tuple[Reason, ...]] = ()


def reason_of(survivor: Survivor) -> Reason | None:
    """The reason why it is left, if there is one."""
    return next((reason for reason in REASONS if reason.applies(survivor)), None)
