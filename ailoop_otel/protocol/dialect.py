"""What a server's frames can mean. A dialect defines it for one kind of server: this file is all that a new one needs.

`docs/dialects.md` shows a dialect in a package of its own; `protocol.plugins` finds and checks such packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, ClassVar, Final, NamedTuple

from ailoop_otel.protocol.foreign import identifier
from ailoop_otel.protocol.jsonrpc import Json

# No frame ends like this: `str.endswith` of an empty tuple is False.
NO_TAIL: Final[tuple[str, ...]] = ()


class Meaning(Enum):
    """What a notification means for the exchange or session that it belongs to."""

    UPDATE = auto()  # all of the answer's text so far
    PIECE = auto()  # a further piece of the answer's text
    TEXT = auto()  # the answer's text once, whether or not it was streamed
    FINAL = auto()  # the answer is complete; its text, if any, repeats what was streamed
    COMMAND = auto()  # the server itself answers the message: no AI is asked
    FAILED = auto()  # the AI failed
    TIMED_OUT = auto()  # the server itself gave up waiting for the AI
    SESSION_ENDED = auto()
    SESSION_FAILED = auto()
    OTHER = auto()  # a frame that is known and has nothing to do with an answer
    UNREADABLE = auto()  # it may carry the answer, in a form that is not known


class Notice(NamedTuple):
    """What a notification means, the session it names, and the text of the answer that it carries.

    `repeats`: of an update: the server sends the last one of a stream again if the stream ended well.
    """

    meaning: Meaning
    session_id: str | None = None
    text: str = ""
    repeats: bool = False


class ReplyKind(Enum):
    """What kind of reply a message got."""

    ANSWER = auto()  # it brings the answer, or the news that the AI failed
    RECEIVED = auto()  # the message was taken; the answer, if there is one, comes otherwise


class Reply(NamedTuple):
    """What the reply to a message means: its kind, the whole answer, whether the AI failed.

    `shows_end`: a stream that ended well would have been repeated (`Notice.repeats`).
    """

    kind: ReplyKind
    text: str = ""
    failed: bool = False
    shows_end: bool = True


class ChunkForm:
    """The fixed parts of a frame with a chunk of an answer, by which it is read without parsing its JSON.

    It only makes a chunk cheap: the frames of a dialect without one are parsed, and its `notice` must come to the same.
    A plugin's form that does not is not used (`plugins.disagreement`). Its parts are character for character as the
    server writes them, blanks included: `head` begins each such frame and no other; `empty` begins one without text,
    and `final` ends the one that completes the answer (both "" where there is none); a frame that ends with `repeated`
    is sent again when its stream ended well.
    """

    cumulative: ClassVar[bool]  # whether each frame holds all text so far
    head: ClassVar[str]
    empty: ClassVar[str] = ""
    final: ClassVar[str] = ""
    repeated: ClassVar[str] = ""

    def session(self, text: str) -> str | None:
        """The session that the frame names."""
        raise NotImplementedError

    def text_size(self, text: str) -> int:
        """How many characters the answer's text takes in the frame, as JSON."""
        raise NotImplementedError

    def tail(self, text: str) -> str | tuple[str, ...]:
        """What ends each further frame of the same answer: its session at least. `NO_TAIL` if nothing does.

        Only cumulative forms need one: a longer frame that ends so is a further chunk.
        """
        return NO_TAIL


class Dialect:
    """How one kind of server speaks JSON-RPC over a WebSocket. Subclass it and state what differs from AILoop.

    The traits state what is typical of the dialect. A frame that only this dialect sends makes its traits likely; what
    frames prove counts more (`protocol.traits`). All methods are pure and get frames that were parsed already; they may
    be called with any content, also that of other servers and clients.
    """

    name: ClassVar[str]  # a label of metrics: lower case, short
    path: ClassVar[str] = "/ws"  # of its WebSocket, below whatever the application is mounted at
    message_method: ClassVar[str] = "sendUserMessage"
    start_method: ClassVar[str] = "startSession"  # "" where no request starts a session
    stop_method: ClassVar[str] = "stopSession"  # "" where none stops one
    # Further requests that the server answers. All methods become labels of metrics; any other is recorded as _OTHER.
    methods: ClassVar[frozenset[str]] = frozenset()
    notifications: ClassVar[frozenset[str]] = frozenset()  # methods of those that it sends
    commands: ClassVar[frozenset[str]] = frozenset()  # messages that the server itself answers: "/help", lower case
    session_key: ClassVar[str] = "sessionId"  # where requests, notifications and the reply to a start name the session
    text_key: ClassVar[str] = "message"  # where a message has its text
    chunk_forms: ClassVar[tuple[ChunkForm, ...]] = ()
    # How a frame begins that repeats the text of a streamed answer and need not be parsed; "" where none does.
    repeating_head: ClassVar[str] = ""

    # --- Traits -------------------------------------------------------------------------------------------
    queues: ClassVar[bool] = False  # a message waits until the session's earlier ones are answered
    answers_notifications: ClassVar[bool] = False  # a message without id is answered, though not replied to
    socket_owns_session: ClassVar[bool] = False  # a message goes to the socket's session, whichever it names
    stop_cuts: ClassVar[bool] = False  # stopping a session cuts the answers that it is giving
    repeats: ClassVar[bool] = False  # the last update of a stream that ended well is sent again
    reply_answers: ClassVar[bool] = True  # the reply brings the answer; else it only acknowledges the message

    # --- Requests -----------------------------------------------------------------------------------------
    def session_of(self, params: Json) -> str | None:
        """The session that a request names."""
        return identifier(params.get(self.session_key))

    def text_of(self, params: Json) -> Any:
        """The text of a message."""
        return params.get(self.text_key)

    # --- Frames of the server -----------------------------------------------------------------------------
    def started(self, result: Any) -> str | None:
        """The session that the reply to `start_method` names."""
        return identifier(result.get(self.session_key)) if isinstance(result, dict) else None

    def notice(self, method: str, params: Json) -> Notice | None:
        """What a notification means; None where it is not one of this dialect."""
        return Notice(Meaning.OTHER, self.session_of(params)) if method in self.notifications else None

    def reply(self, result: Any) -> Reply | None:
        """What the result of a reply to `message_method` means; None where it is not of this dialect."""
        return None

    # --- For the measuring client -------------------------------------------------------------------------
    # Whether a message may have `_meta` with a trace context beside its own parameters; without, a load report cannot
    # be joined with the server's telemetry.
    takes_meta: ClassVar[bool] = True

    def start_params(self, user: str) -> Json:
        """The parameters of `start_method`."""
        return {"userId": user}

    def message_params(self, session: str, text: str) -> Json:
        """The parameters of `message_method`."""
        return {self.session_key: session, self.text_key: text}

    def stop_params(self, session: str) -> Json:
        """The parameters of `stop_method`."""
        return {self.session_key: session}


def text_notice(meaning: Meaning, session: str | None, params: Mapping[str, Any], key: str, **more: Any) -> Notice:
    """A notice whose text stands in `params` under `key`; without a text there it is unreadable."""
    text = params.get(key)
    return Notice(meaning, session, text, **more) if isinstance(text, str) else Notice(Meaning.UNREADABLE, session)
