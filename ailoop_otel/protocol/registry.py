"""All dialects: those of AILoop's two generations, and those of other packages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint
from typing import Any, Final, TypeVar

from ailoop_otel.protocol import plugins
from ailoop_otel.protocol.delegates import Delegates
from ailoop_otel.protocol.dialect import ChunkForm, Dialect, Meaning, Notice, Reply, ReplyKind
from ailoop_otel.protocol.foreign import harmless
from ailoop_otel.protocol.jsonrpc import Json
from ailoop_otel.protocol.plugins import Plugin, requests
from ailoop_otel.protocol.stateless import Stateless

# So many frames of a plugin's chunk form are also parsed and held against its `notice`.
_COMPARED: Final = 16
_Result = TypeVar("_Result")


class Registry:
    """The dialects in use, and what their frames mean.

    AILoop's own are asked first. A plugin cannot raise here: a call that does counts as no answer, so that the frame
    stays unread, and is reported once. `plugins` holds all that were found, also those that are not used.
    """

    def __init__(self, own: Iterable[Dialect], points: Iterable[EntryPoint] = ()) -> None:
        self._own = tuple(own)
        self.dialects = self._own
        self.plugins: list[Plugin] = []
        self._distributions: dict[str, str] = {}
        self._compared: dict[ChunkForm, int] = {}  # of plugins' forms: how many frames were
        self._unused: set[ChunkForm] = set()
        self._report: Callable[[str], None] | None = None
        self._problems: dict[str, str] = {}
        for point in points:
            plugin, dialect = plugins.load(point, self.dialects)
            self.plugins.append(plugin)
            if dialect is None:
                self._problems[f"{plugin.name} {plugin.distribution}"] = plugin.line
            else:
                self.dialects = (*self.dialects, dialect)
                self._distributions[plugin.name] = plugin.distribution
                self._compared.update(dict.fromkeys(dialect.chunk_forms, 0))
        self._index()

    # --- Requests -----------------------------------------------------------------------------------------
    def named(self, name: str) -> Dialect | None:
        """The dialect with this name."""
        return next((dialect for dialect in self.dialects if dialect.name == name), None)

    def session_of(self, method: str | None, params: Json) -> str | None:
        """The session that a request names."""
        for dialect in self._by_method.get(method or "", self._own):
            session = self._asked(dialect, "session_of", harmless, params)
            if session is not None:
                return session
        return None

    def command_of(self, method: str | None, params: Json) -> str | None:
        """The first word of a message, lower case, where it begins with a slash."""
        for dialect in self._by_method.get(method or "", self._own):
            text = self._asked(dialect, "text_of", _as_it_is, params)
            if isinstance(text, str):
                start = text[:64].lstrip()
                return start.split(maxsplit=1)[0].lower() if start.startswith("/") else None
        return None

    # --- Frames of the server -----------------------------------------------------------------------------
    def form(self, text: str) -> ChunkForm | None:
        """The form of a frame that begins as one with a chunk does."""
        if text.startswith(self.heads):
            for form in self._dialect_of_form:
                if text.startswith(form.head):
                    # One that fails at this frame is not used any more, so that the frame is parsed.
                    return form if form not in self._compared or self._reads(form, text) else None
        return None

    def dialect_of(self, form: ChunkForm) -> Dialect:
        """The dialect that a form is of."""
        return self._dialect_of_form[form]

    def repeats_text(self, text: str) -> bool:
        """Whether a frame only repeats the text of a streamed answer, as its beginning shows."""
        return text.startswith(self._repeating_heads)

    def started(self, method: str | None, result: Any) -> tuple[Dialect | None, str | None]:
        """The session that the reply to a start request names, and the dialect where only one starts sessions so."""
        dialects = self._by_start.get(method or "", ())
        for dialect in dialects:
            session = self._asked(dialect, "started", harmless, result)
            if session is not None:
                return dialect if len(dialects) == 1 else None, session
        return None, None

    def notice(self, method: Any, params: Any) -> tuple[Dialect | None, Notice]:
        """What a notification means, and the dialect that sends such ones; unreadable where no dialect can read it."""
        params = params if isinstance(params, dict) else {}
        unread: tuple[Dialect | None, Notice] | None = None
        if isinstance(method, str):
            for dialect in self.dialects:
                notice = self._asked(dialect, "notice", plugins.notice_read, method, params)
                if notice is not None and notice.meaning is not Meaning.UNREADABLE:
                    return dialect, notice
                if notice is not None and unread is None:
                    unread = dialect, notice
        return unread or (None, Notice(Meaning.UNREADABLE, self._own[0].session_of(params)))

    def replies(self, method: str | None, result: Any) -> list[tuple[Dialect, Reply]]:
        """What the reply to a message can mean: of the dialects that know it, the answer if one sees an answer."""
        known = []
        for dialect in self._by_message.get(method or "", ()):
            reply = self._asked(dialect, "reply", plugins.reply_read, result)
            if reply is not None:
                if reply.kind is ReplyKind.ANSWER:
                    return [(dialect, reply)]
                known.append((dialect, reply))
        return known

    # --- Plugins ------------------------------------------------------------------------------------------
    def report_to(self, report: Callable[[str], None]) -> None:
        """Have each problem of a plugin reported as one line: those so far now, each later one when it comes up."""
        self._report = report
        for line in self.problems():
            report(line)

    def problems(self) -> list[str]:
        """One line for each problem of a plugin so far."""
        return [*self._problems.values()]

    def _asked(self, dialect: Dialect, method: str, read: Callable[[Any], _Result], *arguments: Any) -> _Result | None:
        if dialect in self._own:
            result: _Result = getattr(dialect, method)(*arguments)
            return result
        try:
            return read(getattr(dialect, method)(*arguments))
        except KeyboardInterrupt:
            raise
        except BaseException as fault:  # noqa: BLE001 - another package's code
            self._add_problem(dialect, method, f"{_raised(fault)}; what it cannot read counts as unread")
            return None

    def _reads(self, form: ChunkForm, text: str) -> bool:
        dialect = self._dialect_of_form[form]
        problem = ""
        try:
            plugins.form_read(form, text)
            if self._compared[form] < _COMPARED:
                self._compared[form] += 1
                problem = plugins.disagreement(dialect, form, text)
                problem = problem and f"reads a frame otherwise than notice() does: {problem}"
        except KeyboardInterrupt:
            raise
        except BaseException as fault:  # noqa: BLE001 - another package's code
            problem = _raised(fault)
        if problem:
            self._unused.add(form)
            self._index()
            self._add_problem(
                dialect, f"the chunk form {type(form).__name__}", f"{problem}; its frames are parsed instead"
            )
        return not problem

    def _add_problem(self, dialect: Dialect, part: str, problem: str) -> None:
        key = f"{dialect.name}.{part}"
        if key not in self._problems:
            self._problems[key] = line = f"{part} of the dialect {dialect.name!r} of " + (
                f"{self._distributions.get(dialect.name, '?')} {problem}"
            )
            if self._report is not None:
                self._report(line)

    def _index(self) -> None:
        dialects = self.dialects
        self.methods = frozenset[str]().union(*(requests(dialect) for dialect in dialects))
        self.message_methods = frozenset(dialect.message_method for dialect in dialects)
        self.stop_methods = frozenset(dialect.stop_method for dialect in dialects) - {""}
        self.paths = tuple({dialect.path for dialect in dialects} - {""})
        self.commands = frozenset[str]().union(*(dialect.commands for dialect in dialects))
        self._by_method = _grouped((method, dialect) for dialect in dialects for method in requests(dialect))
        self._by_start = _grouped((dialect.start_method, dialect) for dialect in dialects if dialect.start_method)
        self._by_message = _grouped((dialect.message_method, dialect) for dialect in dialects)
        self._dialect_of_form = {
            form: dialect for dialect in dialects for form in dialect.chunk_forms if form not in self._unused
        }
        self.heads = tuple(form.head for form in self._dialect_of_form)
        self._repeating_heads = tuple(dialect.repeating_head for dialect in dialects if dialect.repeating_head)


def _grouped(pairs: Iterable[tuple[str, Dialect]]) -> dict[str, tuple[Dialect, ...]]:
    groups: dict[str, tuple[Dialect, ...]] = {}
    for key, dialect in pairs:
        groups[key] = (*groups.get(key, ()), dialect)
    return groups


def _as_it_is(value: Any) -> Any:
    return value


def _raised(fault: BaseException) -> str:
    # The place and the class only: an exception's text may hold what a user wrote.
    trace, place = fault.__traceback__, ""
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"raised {type(fault).__name__} in {place}"


DIALECTS: Final = Registry((Stateless(), Delegates()), plugins.installed())
