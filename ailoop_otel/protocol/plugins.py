"""Dialects of other packages: found by their entry points, loaded, and checked before they are used."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, NamedTuple

from ailoop_otel.protocol.dialect import ChunkForm, Dialect, Meaning, Notice, Reply, ReplyKind
from ailoop_otel.protocol.foreign import harmless
from ailoop_otel.protocol.jsonrpc import read_frame
from ailoop_otel.protocol.traits import MIXED, TRAITS, UNKNOWN

GROUP: Final = "ailoop_otel_dialect"
# All methods of a dialect may become labels of metrics.
_MOST_METHODS: Final = 256
_LONGEST_NAME: Final = 32
_SETS: Final = ("methods", "notifications", "commands")
_TEXTS: Final = ("path", "session_key", "text_key", "repeating_head")
_REQUESTS: Final = ("message_method", "start_method", "stop_method")
_FLAGS: Final = (*TRAITS, "takes_meta")
_FORM_TEXTS: Final = ("head", "empty", "final", "repeated")


class Plugin(NamedTuple):
    """A dialect of another package: its name, its distribution, and why it is not used ("" if it is)."""

    name: str
    distribution: str
    problem: str = ""

    @property
    def line(self) -> str:
        """The problem as one line for a log."""
        return f"the dialect {self.name!r} of {self.distribution} is not used: {self.problem}"


def installed() -> list[EntryPoint]:
    """The entry points of all dialects that are installed; none where an installation cannot be read."""
    try:
        return list(entry_points(group=GROUP))
    except Exception:  # noqa: BLE001 - the metadata of any package: AILoop's own dialects need none
        return []


def load(point: EntryPoint, others: Iterable[Dialect]) -> tuple[Plugin, Dialect | None]:
    """Load what an entry point names: a subclass of `Dialect`, or an instance of one."""
    distribution = point.dist.name if point.dist is not None else "?"
    try:
        loaded = point.load()
        dialect = loaded() if isinstance(loaded, type) else loaded
        problem = flaw(dialect, others)
        name = point.name if problem else dialect.name
    except KeyboardInterrupt:
        raise
    except BaseException as fault:  # noqa: BLE001 - another package's code
        problem, name = " ".join(f"{type(fault).__name__}: {fault}".split()), point.name
    return Plugin(name, distribution, problem), None if problem else dialect


def requests(dialect: Dialect) -> frozenset[str]:
    """All methods of requests that a dialect declares."""
    named = {getattr(dialect, attribute) for attribute in _REQUESTS} - {""}
    return dialect.methods | named


# --- Before it is used ------------------------------------------------------------------------------------
def flaw(dialect: Any, others: Iterable[Dialect]) -> str:
    """Why an object cannot be used as a dialect beside others; "" if it can."""
    if not isinstance(dialect, Dialect):
        return f"{type(dialect).__name__} is no subclass of ailoop_otel.protocol.dialect.Dialect"
    name = getattr(dialect, "name", None)
    if not isinstance(name, str) or not name.isidentifier() or name != name.lower() or len(name) > _LONGEST_NAME:
        return f"its `name` has to be a lower-case identifier of at most {_LONGEST_NAME} characters"
    others = [*others]
    if name in (UNKNOWN, MIXED) or name in {other.name for other in others}:
        return f"the name {name!r} is taken"
    return _attribute_flaw(dialect) or _method_flaw(dialect) or _form_flaw(dialect, others)


def _attribute_flaw(dialect: Dialect) -> str:
    for attribute in _SETS:
        values = getattr(dialect, attribute)
        if not isinstance(values, frozenset) or not all(isinstance(value, str) for value in values):
            return f"its `{attribute}` has to be a frozenset of texts"
    for attribute in (*_TEXTS, *_REQUESTS):
        if not isinstance(getattr(dialect, attribute), str):
            return f"its `{attribute}` has to be a text"
    for attribute in _FLAGS:
        if not isinstance(getattr(dialect, attribute), bool):
            return f"its `{attribute}` has to be True or False"
    return ""


def _method_flaw(dialect: Dialect) -> str:
    if not dialect.message_method:
        return "its `message_method` has to name the request that brings a message"
    methods = requests(dialect)
    if len(methods) > _MOST_METHODS:
        return f"it has more than {_MOST_METHODS} methods, and each is a label of metrics"
    strange = next((method for method in sorted(methods) if harmless(method) is None), None)
    if strange is not None:
        return f"its method {strange[:64]!r} cannot be a label: letters, digits and _ . : / - only, 64 at most"
    return ""


def _form_flaw(dialect: Dialect, others: list[Dialect]) -> str:
    forms = dialect.chunk_forms
    if not isinstance(forms, tuple) or not all(isinstance(form, ChunkForm) for form in forms):
        return "its `chunk_forms` has to be a tuple of ChunkForm objects"
    for form in forms:
        if not all(isinstance(getattr(form, part, None), str) for part in _FORM_TEXTS) or not form.head:
            return "each of its `chunk_forms` has to have a `head`, and only texts for parts"
        if not isinstance(getattr(form, "cumulative", None), bool):
            return "each of its `chunk_forms` has to be `cumulative`, or not: True or False"
    heads = {form.head: each.name for each in others for form in each.chunk_forms}
    for form in forms:
        for head, name in heads.items():
            if head.startswith(form.head) or form.head.startswith(head):
                return f"the `head` of one of its chunk forms begins frames of the dialect {name!r} too"
        heads[form.head] = dialect.name
    repeating = dialect.repeating_head
    if repeating and any(head.startswith(repeating) for head in heads):
        return "its `repeating_head` begins frames with chunks too"
    return ""


# --- While it is used -------------------------------------------------------------------------------------
def notice_read(value: object) -> Notice | None:
    """A notice as a plugin returned it; TypeError where it is none."""
    if value is None:
        return None
    if not isinstance(value, Notice) or not isinstance(value.meaning, Meaning) or not isinstance(value.text, str):
        raise TypeError("no Notice was returned")
    return value._replace(session_id=harmless(value.session_id), repeats=bool(value.repeats))


def reply_read(value: object) -> Reply | None:
    """A reply as a plugin returned it; TypeError where it is none."""
    if value is None:
        return None
    if not isinstance(value, Reply) or not isinstance(value.kind, ReplyKind) or not isinstance(value.text, str):
        raise TypeError("no Reply was returned")
    return value


def form_read(form: ChunkForm, text: str) -> None:
    """Read a frame by a plugin's form, so that the same does not fail later; TypeError where a result is none."""
    session, size = form.session(text), form.text_size(text)
    if (session is not None and not isinstance(session, str)) or not isinstance(size, int):
        raise TypeError("session() has to return a text or None, text_size() a number")
    tail = form.tail(text) if form.cumulative else ""
    if tail and not isinstance(tail, str):
        raise TypeError("tail() has to return a text or NO_TAIL")


def disagreement(dialect: Dialect, form: ChunkForm, text: str) -> str:
    """In what a chunk form reads a frame otherwise than the dialect's `notice` does; "" where they agree.

    For the tests of a dialect too: call it with each recorded frame that begins with `form.head`.
    """
    frame = read_frame(text)
    if frame is None:
        return ""
    params = frame.get("params")
    notice = dialect.notice(str(frame.get("method")), params if isinstance(params, dict) else {})
    if notice is None:
        return "notice() does not know the frame"
    final = bool(form.final) and text.endswith(form.final)
    meaning = Meaning.FINAL if final else Meaning.UPDATE if form.cumulative else Meaning.PIECE
    if notice.meaning is not meaning:
        return f"by the form it is {meaning.name}, by notice() {notice.meaning.name}"
    if harmless(form.session(text)) != harmless(notice.session_id):
        return "the session"
    if form.text_size(text) not in _sizes(notice.text):
        return "the size of the text"
    return _cumulative_disagreement(form, notice, text) if meaning is Meaning.UPDATE else ""


def _cumulative_disagreement(form: ChunkForm, notice: Notice, text: str) -> str:
    if (bool(form.empty) and text.startswith(form.empty)) is bool(notice.text):
        return "whether there is any text (`empty`)"
    if (bool(form.repeated) and text.endswith(form.repeated)) is not notice.repeats:
        return "whether it is sent again (`repeated`)"
    tail = form.tail(text)
    if isinstance(tail, str) and not text[len(form.head) + form.text_size(text) :].endswith(tail):
        return "where the text ends (`tail`)"
    return ""


def _sizes(text: str) -> set[int]:
    # Encoders differ: some write other characters than ASCII as they are, some put a backslash before a slash.
    plain = {len(json.dumps(text, ensure_ascii=ascii_only)) - 2 for ascii_only in (True, False)}
    return plain | {size + text.count("/") for size in plain}
