"""All dialects: those of AILoop's two generations, and those of other packages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, NamedTuple, TypeVar

from ailoop_otel.protocol.delegates import Delegates
from ailoop_otel.protocol.dialect import ChunkForm, Dialect, Meaning, Notice, Reply, ReplyKind
from ailoop_otel.protocol.jsonrpc import Json
from ailoop_otel.protocol.stateless import Stateless

GROUP: Final = "ailoop_otel_dialect"
_Result = TypeVar("_Result")


class Plugin(NamedTuple):
    """A dialect of another package: its entry point's name, its distribution, why it is not used ("" if it is)."""

    name: str
    distribution: str
    problem: str = ""


class Registry:
    """The dialects in use, and what their frames mean. One that fails is left out from then on, and reported once."""

    def __init__(self, own: Iterable[Dialect], plugins: Iterable[EntryPoint] = ()) -> None:
        self._own = tuple(own)
        self.plugins: dict[str, Plugin] = {}
        self.report: Callable[[str], None] = _unreported
        self.dialects = self._own
        self._index()
        for point in plugins:
            self._load(point)

    # --- Requests -----------------------------------------------------------------------------------------
    def named(self, name: str) -> Dialect | None:
        """The dialect with this name."""
        return next((dialect for dialect in self.dialects if dialect.name == name), None)

    def session_of(self, method: str | None, params: Json) -> str | None:
        """The session that a request names."""
        dialect = self._by_method.get(method or "", self._own[0])
        return self._asked(dialect, dialect.session_of, params)

    def command_of(self, method: str | None, params: Json) -> str | None:
        """The first word of a message, lower case, where it begins with a slash."""
        dialect = self._by_method.get(method or "", self._own[0])
        text = self._asked(dialect, dialect.text_of, params)
        if not isinstance(text, str):
            return None
        start = text[:64].lstrip()
        return start.split(maxsplit=1)[0].lower() if start.startswith("/") else None

    # --- Frames of the server -----------------------------------------------------------------------------
    def form(self, text: str) -> ChunkForm | None:
        """The form of a frame that begins as one with a chunk does."""
        if text.startswith(self.heads):
            for form in self._dialect_of_form:
                if text.startswith(form.head):
                    return form
        return None

    def dialect_of(self, form: ChunkForm) -> Dialect:
        """The dialect that a form is of."""
        return self._dialect_of_form[form]

    def repeats_text(self, text: str) -> bool:
        """Whether a frame only repeats the text of a streamed answer, as its beginning shows."""
        return text.startswith(self._repeating_heads)

    def started(self, method: str | None, result: Any) -> str | None:
        """The session that the reply to a start request names; None where the method starts none."""
        dialect = self._by_start.get(method or "")
        return self._asked(dialect, dialect.started, result) if dialect is not None else None

    def notice(self, method: Any, params: Any) -> tuple[Dialect | None, Notice]:
        """What a notification means, and the dialect that sends such ones; unreadable where no dialect knows it."""
        params = params if isinstance(params, dict) else {}
        if isinstance(method, str):
            for dialect in self.dialects:
                notice = self._asked(dialect, dialect.notice, method, params)
                if notice is not None:
                    return dialect, notice
        return None, Notice(Meaning.UNREADABLE, self._own[0].session_of(params))

    def replies(self, result: Any) -> list[tuple[Dialect, Reply]]:
        """What the reply to a message can mean: of the dialects that know it, the answer if one sees an answer."""
        known = []
        for dialect in self.dialects:
            reply = self._asked(dialect, dialect.reply, result)
            if reply is not None:
                if reply.kind is ReplyKind.ANSWER:
                    return [(dialect, reply)]
                known.append((dialect, reply))
        return known

    # --- Plugins ------------------------------------------------------------------------------------------
    def problems(self) -> list[str]:
        """One line for each plugin that is not used."""
        return [_line(plugin) for plugin in self.plugins.values() if plugin.problem]

    def _load(self, point: EntryPoint) -> None:
        distribution = point.dist.name if point.dist is not None else "?"
        try:
            loaded = point.load()
            dialect = loaded() if isinstance(loaded, type) else loaded
            problem = _flaw(dialect, self.dialects)
        except (Exception, SystemExit) as fault:  # noqa: BLE001 - somebody else's code
            problem = " ".join(f"{type(fault).__name__}: {fault}".split())
        name = point.name if problem else dialect.name
        self.plugins[name] = Plugin(name, distribution, problem)
        if not problem:
            self.dialects = (*self.dialects, dialect)
            self._index()

    def _asked(self, dialect: Dialect, method: Callable[..., _Result], *arguments: Any) -> _Result | None:
        if dialect in self._own:
            return method(*arguments)
        try:
            return method(*arguments)
        except Exception as fault:  # noqa: BLE001 - somebody else's code: the other dialects go on
            self.leave_out(dialect, f"{method.__name__} raised {type(fault).__name__}")
            return None

    def leave_out(self, dialect: Dialect, problem: str) -> bool:
        """Use another package's dialect no longer; returns False where it is one of AILoop's own."""
        plugin = self.plugins.get(dialect.name)
        if dialect in self._own or plugin is None:
            return False
        self.dialects = tuple(each for each in self.dialects if each is not dialect)
        self._index()
        if not plugin.problem:
            self.plugins[dialect.name] = plugin = plugin._replace(problem=problem)
            self.report(_line(plugin))
        return True

    def _index(self) -> None:
        dialects = self.dialects
        self.methods = frozenset[str]().union(*(dialect.methods | _requests(dialect) for dialect in dialects))
        self.message_methods = frozenset(dialect.message_method for dialect in dialects)
        self.stop_methods = frozenset(dialect.stop_method for dialect in dialects)
        self.commands = frozenset[str]().union(*(dialect.commands for dialect in dialects))
        self._by_method: dict[str, Dialect] = {}
        self._by_start: dict[str, Dialect] = {}
        self._dialect_of_form: dict[ChunkForm, Dialect] = {}
        for dialect in dialects:
            self._by_start.setdefault(dialect.start_method, dialect)
            for method in _requests(dialect):
                self._by_method.setdefault(method, dialect)
            for form in dialect.chunk_forms:
                self._dialect_of_form[form] = dialect
        self.heads = tuple(form.head for form in self._dialect_of_form)
        self._repeating_heads = tuple(dialect.repeating_head for dialect in dialects if dialect.repeating_head)


def _requests(dialect: Dialect) -> frozenset[str]:
    return frozenset((dialect.message_method, dialect.start_method, dialect.stop_method)) - {""}


def _flaw(dialect: Any, others: Iterable[Dialect]) -> str:
    """Why an object cannot be used as a dialect; "" if it can."""
    if not isinstance(dialect, Dialect):
        return f"{type(dialect).__name__} is no subclass of ailoop_otel.protocol.dialect.Dialect"
    name = getattr(dialect, "name", None)
    if not isinstance(name, str) or not name.isidentifier() or len(name) > 64:
        return "its `name` has to be a short identifier"
    if name in {other.name for other in others}:
        return f"there is another dialect named {name!r}"
    for attribute in ("methods", "commands", "notifications"):
        values = getattr(dialect, attribute)
        if not isinstance(values, frozenset) or not all(isinstance(value, str) for value in values):
            return f"its `{attribute}` has to be a frozenset of texts"
    if not all(isinstance(form, ChunkForm) and getattr(form, "head", "") for form in dialect.chunk_forms):
        return "each of its `chunk_forms` has to be a ChunkForm with a head"
    return ""


def _line(plugin: Plugin) -> str:
    return f"the dialect {plugin.name!r} of {plugin.distribution} is not used: {plugin.problem}"


def _unreported(line: str) -> None:
    return None


DIALECTS: Final = Registry((Stateless(), Delegates()), entry_points(group=GROUP))
