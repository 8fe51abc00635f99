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


REASONS: Final = (
    Reason("answer", "Answer.__init__", ("= None", '= ""', "XXXX"), "The value is as false as the one before."),
    Reason("answer", "Answer._update", ("self._base = None",), "The value is as false as the one before."),
    Reason("answer", "Answer._chunk", ("gap >= self.max_gap",), "An equal gap is the longest, too."),
    Reason("answer", "Answer._follow", ("head[+1]",), "The second character of the heads is a quote, as the last is."),
    Reason("stateless", "_Update.session", ("text.find(",), "Within a text a quote is escaped: the mark stands once."),
    Reason("stateless", "_Update.tail", ("text.find(",), "Within a text a quote is escaped: the mark stands once."),
    Reason("stateless", "_Update.session", ("start <= 0",), "The mark stands behind the head, never at 0."),
    Reason("delegates", "_Piece.session", ("end > 1",), "The mark stands behind the head, never at 1."),
    Reason("socket", "_arrived", ("set_span_in_context(call.span, )",), "The context is the base at that moment."),
    Reason("socket", "_arrived", ("or 1006",), "The code is compared with 1012 alone."),
    Reason("estimates", "_of_values", ("_between(None",), "Of this one only the bounds are used."),
    Reason("percentiles", "summarise", ("dtype=None",), "Values are floats already."),
    Reason(
        "plugins", "notice_read", ("NO NOTICE",), "The wording of a line for who writes a plugin.", equivalent=False
    ),
    Reason(
        "plugins", "_cumulative_disagreement", ("WHETHER",), "The wording of a line for who writes a plugin.",
        equivalent=False,
    ),
)  # fmt: skip


def reason_of(survivor: Survivor) -> Reason | None:
    """The reason why it is left, if there is one."""
    return next((reason for reason in REASONS if reason.applies(survivor)), None)
