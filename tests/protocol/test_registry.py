"""The dialects in use: which plugins are loaded, and that none of them can do harm."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ailoop_otel.protocol.dialect import ChunkForm, Dialect, Meaning, Notice, Reply, ReplyKind
from ailoop_otel.protocol.registry import DIALECTS, Registry
from ailoop_otel.protocol.stateless import Stateless
from tests.protocol.invented import Point, dialect, parley, registry
from tests.scripted import chunk, update

PIECE = '{"method":"their.piece","text":"'


class Form(ChunkForm):
    """A piece: the text up to the end, no session."""

    cumulative = False
    head = PIECE

    def session(self, text: str) -> str | None:
        """None is named."""
        return None

    def text_size(self, text: str) -> int:
        """All but what stands around it."""
        return len(text) - len(PIECE) - 2


def form(**parts: Any) -> ChunkForm:
    """The same with other parts."""
    return type("Form", (Form,), parts)()


def raising(*arguments: Any) -> Any:
    """A method that fails whatever comes."""
    raise LookupError("my secret")


def reported(registry: Registry) -> list[str]:
    """Where its problems go."""
    lines: list[str] = []
    registry.report_to(lines.append)
    return lines


# --- Loading ----------------------------------------------------------------------------------------------
def test_a_class_and_an_object_are_dialects() -> None:
    """They come behind AILoop's own."""
    for loaded in (dialect(), dialect()()):
        made = registry(loaded)
        assert [each.name for each in made.dialects] == ["stateless", "delegates", "theirs"]
        assert [(plugin.name, plugin.distribution, plugin.problem) for plugin in made.plugins] == [
            ("theirs", "ailoop-theirs", "")
        ]
        assert made.problems() == []


def test_a_plugins_name_is_its_dialects() -> None:
    """What its entry point is called does not matter, unless it cannot be loaded."""
    points: Any = [Point(dialect(), "other"), Point(KeyError("x"), "third")]
    made = Registry((Stateless(),), points)
    assert [plugin.name for plugin in made.plugins] == ["theirs", "third"]
    assert made.named("theirs") is made.dialects[-1]
    assert made.named("third") is None


TOO_MANY = frozenset(f"method{number}" for number in range(257))
FLAWS: dict[str, tuple[Any, str]] = {
    "import": (ImportError("no\n such module"), "ImportError: no such module"),
    "exit": (SystemExit(1), "SystemExit: 1"),
    "no class": (7, "int is no subclass of ailoop_otel.protocol.dialect.Dialect"),
    "another class": (dict, "dict is no subclass of ailoop_otel.protocol.dialect.Dialect"),
    "constructor": (dialect(__init__=raising), "LookupError: my secret"),
    "no name": (dialect(name=None), "its `name` has to be a lower-case identifier of at most 32 characters"),
    "name": (dialect(name="Two words"), "its `name` has to be a lower-case identifier of at most 32 characters"),
    "long name": (dialect(name="x" * 33), "its `name` has to be a lower-case identifier of at most 32 characters"),
    "name in use": (dialect(name="stateless"), "the name 'stateless' is taken"),
    "reserved name": (dialect(name="mixed"), "the name 'mixed' is taken"),
    "set": (dialect(methods={"a"}), "its `methods` has to be a frozenset of texts"),
    "no texts": (dialect(commands=frozenset([1])), "its `commands` has to be a frozenset of texts"),
    "notifications": (dialect(notifications="a b"), "its `notifications` has to be a frozenset of texts"),
    "key": (dialect(session_key=None), "its `session_key` has to be a text"),
    "method": (dialect(stop_method=None), "its `stop_method` has to be a text"),
    "trait": (dialect(queues="no"), "its `queues` has to be True or False"),
    "no message": (dialect(message_method=""), "its `message_method` has to name the request that brings a message"),
    "many methods": (dialect(methods=TOO_MANY), "it has more than 256 methods, and each is a label of metrics"),
    "label": (
        dialect(methods=frozenset(["two words"])),
        "its method 'two words' cannot be a label: letters, digits and _ . : / - only, 64 at most",
    ),
    "list": (dialect(chunk_forms=[Form()]), "its `chunk_forms` has to be a tuple of ChunkForm objects"),
    "form's class": (dialect(chunk_forms=(Form,)), "its `chunk_forms` has to be a tuple of ChunkForm objects"),
    "no head": (
        dialect(chunk_forms=(form(head=""),)),
        "each of its `chunk_forms` has to have a `head`, and only texts for parts",
    ),
    "part": (
        dialect(chunk_forms=(form(final=None),)),
        "each of its `chunk_forms` has to have a `head`, and only texts for parts",
    ),
    "kind": (
        dialect(chunk_forms=(form(cumulative=None),)),
        "each of its `chunk_forms` has to be `cumulative`, or not: True or False",
    ),
    "greedy head": (
        dialect(chunk_forms=(form(head='{"jsonrpc"'),)),
        "the `head` of one of its chunk forms begins frames of the dialect 'stateless' too",
    ),
    "same head": (
        dialect(chunk_forms=(Form(), form())),
        "the `head` of one of its chunk forms begins frames of the dialect 'theirs' too",
    ),
    "repeating head": (dialect(repeating_head="{"), "its `repeating_head` begins frames with chunks too"),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_what_cannot_be_used_is_one_line(flaw: str) -> None:
    """With the plugin, its package and the reason; all others are as without it."""
    loaded, reason = FLAWS[flaw]
    made = registry(loaded, dialect(name="fine"))
    assert [each.name for each in made.dialects] == ["stateless", "delegates", "fine"]
    assert made.methods == registry(dialect(name="fine")).methods
    lines = reported(made)
    assert lines == made.problems() == [f"the dialect 'theirs' of ailoop-theirs is not used: {reason}"]
    assert [plugin.problem for plugin in made.plugins] == [reason, ""]


def test_an_installation_that_cannot_be_read_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """AILoop's own dialects need no metadata."""
    from ailoop_otel.protocol import plugins

    monkeypatch.setattr(plugins, "entry_points", lambda **group: raising())
    assert plugins.installed() == []


def test_a_plugin_of_the_same_entry_point_twice_is_both_listed() -> None:
    """Two packages, one name."""
    made = registry(ImportError("a"), dialect(), dialect())
    assert [plugin.problem for plugin in made.plugins] == [
        "ImportError: a",
        "",
        "the name 'theirs' is taken",
    ]


# --- Requests ---------------------------------------------------------------------------------------------
def test_only_declared_methods_are_labels() -> None:
    """Those that it names for messages and sessions, and the further ones."""
    made = registry(dialect(start_method="", stop_method="their.end", methods=frozenset(["their.list"])))
    assert made.methods - DIALECTS.methods == {"their.message", "their.end", "their.list"}
    assert made.message_methods == {"sendUserMessage", "their.message"}
    assert made.stop_methods == {"stopSession", "their.end"}


def test_keys_say_where_session_and_text_are() -> None:
    """For its own methods only."""
    made = registry(dialect(session_key="room", text_key="words", methods=frozenset(["their.list"])))
    params = {"room": "r1", "words": "/Help me", "sessionId": "s1", "message": "/clear"}
    assert made.session_of("their.message", params) == made.session_of("their.list", params) == "r1"
    assert made.session_of("echo", params) == made.session_of(None, params) == "s1"
    assert made.command_of("their.message", params) == "/help"
    assert made.command_of("sendUserMessage", params) == "/clear"


def test_of_dialects_that_share_a_method_the_first_that_finds_something_counts() -> None:
    """A server whose methods are AILoop's and whose parameters are not."""
    made = registry(dialect(message_method="sendUserMessage", session_key="room", text_key="words"))
    assert made.session_of("sendUserMessage", {"room": "r1"}) == "r1"
    assert made.session_of("sendUserMessage", {"room": "r1", "sessionId": "s1"}) == "s1"
    assert made.command_of("sendUserMessage", {"words": "/x"}) == "/x"


@pytest.mark.parametrize(
    ("value", "session"), [(17, "17"), ("a b", None), ({"a": 1}, None), (True, None), (None, None)]
)
def test_a_session_is_a_harmless_text_or_nothing(value: Any, session: str | None) -> None:
    """A number counts as its text; it becomes an attribute and a key, so nothing else is taken."""
    made = registry(
        dialect(
            session_of=lambda self, params: params["id"], started=lambda self, result: result["id"],
            start_method="their.start", notice=lambda self, method, params: Notice(Meaning.PIECE, params["id"], "x"),
        )
    )  # fmt: skip
    assert made.session_of("their.message", {"id": value}) == session
    assert made.started("their.start", {"id": value})[1] == session
    assert made.notice("their.piece", {"id": value})[1].session_id == session
    assert made.problems() == []


# --- Frames -----------------------------------------------------------------------------------------------
def test_a_form_is_found_by_how_a_frame_begins() -> None:
    """Each with the dialect that it is of."""
    made = registry(dialect(chunk_forms=(Form(),), notice=_piece))
    for frame, name in ((update("x"), "stateless"), (chunk("x"), "delegates"), (f'{PIECE}x"}}', "theirs")):
        found = made.form(frame)
        assert found is not None
        assert made.dialect_of(found).name == name
    assert made.form('{"jsonrpc":"2.0"}') is None


def _piece(self: Dialect, method: str, params: Any) -> Notice | None:
    return Notice(Meaning.PIECE, None, "x") if method == "their.piece" else None


def test_a_start_is_evidence_where_only_one_dialect_starts_so() -> None:
    """AILoop's two generations start alike."""
    made = registry(dialect(start_method="their.start", session_key="room"))
    assert made.started("their.start", {"room": "r1"}) == (made.named("theirs"), "r1")
    assert made.started("startSession", {"sessionId": "s1"}) == (None, "s1")
    assert made.started("their.start", {"sessionId": "s1"}) == made.started("echo", {}) == (None, None)


def test_a_notification_that_one_cannot_read_another_may() -> None:
    """Under a name that both know; where none can, it is unreadable."""

    def notice(self: Dialect, method: str, params: Any) -> Notice | None:
        return Notice(Meaning.UPDATE, None, params["so_far"]) if "so_far" in params else None

    made = registry(dialect(notice=notice))
    assert made.notice("StreamingUpdate", {"so_far": "x"}) == (made.named("theirs"), Notice(Meaning.UPDATE, None, "x"))
    known, unread = made.notice("StreamingUpdate", {"sessionId": "s"})
    assert (known, unread.meaning, unread.session_id) == (made.named("stateless"), Meaning.UNREADABLE, "s")
    assert made.notice("their.news", {}) == made.notice(7, {}) == (None, Notice(Meaning.UNREADABLE))


def test_a_reply_is_read_by_the_dialects_of_its_request() -> None:
    """One that takes any reply for its own takes none of AILoop's."""
    greedy = dialect(reply=lambda self, result: Reply(ReplyKind.RECEIVED))
    made = registry(greedy)
    assert [each.name for each, _ in made.replies("sendUserMessage", {"messageId": "m"})] == ["stateless", "delegates"]
    assert made.replies("their.message", None) == [(made.named("theirs"), Reply(ReplyKind.RECEIVED))]
    assert made.replies("echo", {"messageId": "m"}) == made.replies(None, {}) == []


# --- Plugins that fail ------------------------------------------------------------------------------------
CALLS: dict[str, Any] = {
    "session_of": lambda made: made.session_of("their.message", {}),
    "text_of": lambda made: made.command_of("their.message", {}),
    "started": lambda made: made.started("their.start", {})[1],
    "notice": lambda made: made.notice("their.news", {})[0],
    "reply": lambda made: made.replies("their.message", {}) or None,
}


@pytest.mark.parametrize("method", CALLS)
def test_a_method_that_raises_is_no_answer_and_one_line(method: str) -> None:
    """At each frame, without the exception's text; the other methods go on, and a good frame is read."""
    made = registry(dialect(start_method="their.start", **{method: raising}))
    lines = reported(made)
    for _ in range(3):
        assert CALLS[method](made) is None
    (line,) = lines
    assert line.startswith(f"{method} of the dialect 'theirs' of ailoop-theirs raised LookupError in raising:")
    assert line.endswith("; what it cannot read counts as unread")
    assert "secret" not in line
    assert made.notice("StreamingUpdate", {"content": "x"})[0] is made.named("stateless")


def test_one_that_raises_what_ends_a_task_is_no_answer_either() -> None:
    """A cancellation that it lets out is not the server's."""

    def cancelled(*arguments: Any) -> Any:
        raise asyncio.CancelledError

    made = registry(dialect(notice=cancelled))
    lines = reported(made)
    assert made.notice("their.news", {}) == (None, Notice(Meaning.UNREADABLE))
    assert "raised CancelledError" in lines[0]


@pytest.mark.parametrize(
    ("method", "returned"),
    [
        ("notice", "x"), ("notice", (Meaning.PIECE, None, "x", False)), ("notice", Notice("piece", None, "x")),
        ("notice", Notice(Meaning.PIECE, None, 7)), ("reply", True), ("reply", Reply("answer")),
        ("reply", Reply(ReplyKind.ANSWER, None)),
    ],
)  # fmt: skip
def test_a_result_of_another_kind_is_no_answer_and_one_line(method: str, returned: Any) -> None:
    """It would fail later, where nobody could say whose fault it is."""
    made = registry(dialect(**{method: lambda *arguments: returned}))
    lines = reported(made)
    assert CALLS[method](made) is None
    assert len(lines) == 1
    assert "raised TypeError" in lines[0]


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (form(session=raising), "raised LookupError in raising:"),
        (form(text_size=raising), "raised LookupError in raising:"),
        (form(session=lambda self, text: 7), "raised TypeError in form_read:"),
        (form(text_size=lambda self, text: None), "raised TypeError in form_read:"),
        (form(cumulative=True, tail=lambda self, text: 7), "raised TypeError in form_read:"),
        (form(session=lambda self, text: "s"), "reads a frame otherwise than notice() does: the session;"),
        (form(text_size=lambda self, text: 7), "reads a frame otherwise than notice() does: the size of the text;"),
        (form(final='"}'), "reads a frame otherwise than notice() does: by the form it is FINAL, by notice() PIECE;"),
        (
            form(cumulative=True),
            "reads a frame otherwise than notice() does: by the form it is UPDATE, by notice() PIECE;",
        ),
    ],
)
def test_a_form_that_fails_is_left_out_and_its_frames_are_parsed(broken: ChunkForm, why: str) -> None:
    """The frame at which it failed too; the dialect itself goes on."""
    made = registry(dialect(chunk_forms=(broken,), notice=_piece))
    lines = reported(made)
    assert made.form(f'{PIECE}x"}}') is made.form(f'{PIECE}x"}}') is None
    assert made.notice("their.piece", {"text": "x"})[0] is made.named("theirs")
    (line,) = lines
    assert line.startswith(f"the chunk form Form of the dialect 'theirs' of ailoop-theirs {why}")
    assert line.endswith("; its frames are parsed instead")
    assert made.heads == registry().heads


def test_a_form_that_fails_late_is_left_out_too() -> None:
    """Not only the first frames are tried; they alone are also parsed."""
    asked = []

    def notice(self: Dialect, method: str, params: Any) -> Notice | None:
        asked.append(method)
        return _piece(self, method, params)

    late = form(session=lambda self, text: None if text.endswith('x"}') else raising())
    made = registry(dialect(chunk_forms=(late,), notice=notice))
    for _ in range(40):
        assert made.form(f'{PIECE}x"}}') is late
    assert 0 < len(asked) < 40
    assert made.form(f'{PIECE}y"}}') is None
    assert len(made.problems()) == 1


def test_the_plugin_of_the_documentation_has_no_flaw() -> None:
    """Loaded as an entry point names it."""
    made = registry(parley().Parley)
    assert made.problems() == []
    assert made.methods - DIALECTS.methods == {"chat.open", "chat.ask", "chat.close", "chat.history"}
