"""A session with a server for tests, synchronous and asynchronous; each answer is timed and recorded."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.client import exchanges
from ailoop_otel.measure.client.exchanges import Place
from ailoop_otel.measure.client.message import Message
from ailoop_otel.measure.client.session import ClientSession, connect, dialect_named
from ailoop_otel.measure.client.websocket import Refused
from ailoop_otel.measure.results.observations import OK, ObservationLog

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one message. Times are seconds since it was sent; NaN, with which no comparison is true, for none.

    `first_chunk` is the first text of the AI's answer, never an acknowledgement; `completion` is the end of the
    answer, `longest_gap` the longest time between two chunks. `outcome` is `ok` or the kind of failure.
    """

    outcome: str
    first_chunk: float
    completion: float
    longest_gap: float
    chunks: int
    trace_id: str

    @property
    def ok(self) -> bool:
        """Whether the complete answer arrived."""
        return self.outcome == OK


class AsyncChat:
    """One open session; `ChatSession` starts and stops it."""

    def __init__(self, log: ObservationLog, session: ClientSession, patience: float) -> None:
        self._log = log
        self._session = session
        self._patience = patience
        self._place = Place(log.origin, session=log.next_session(), process=log.process)

    async def ask(self, text: str) -> Answer:
        """Send a message and wait for its answer."""
        message = await self._session.ask(text, patience=self._patience)
        place = replace(self._place, exchange=self._log.next_exchange())
        self._log.rows += exchanges.message_observations(message, place)
        return _answer(message)

    async def start(self) -> None:
        """Start the session; raises Refused, and closes the connection, when the server gives none."""
        try:
            await self._session.start(self._patience)
        except BaseException:
            await self._session.close()
            raise
        finally:
            self._log.rows.append(exchanges.session_start_observation(self._session, self._place))

    async def stop(self) -> None:
        """Stop the session and close its connection."""
        await self._session.stop()
        self._log.rows += exchanges.session_end_observations(self._session, self._place)


class Chat:
    """`AsyncChat` for a test that is not asynchronous."""

    def __init__(self, chat: AsyncChat, loop: _Loop) -> None:
        self._chat = chat
        self._loop = loop

    def ask(self, text: str) -> Answer:
        """Send a message and wait for its answer."""
        return self._loop.run(self._chat.ask(text))


class ChatSession:
    """The context manager of a session: `with` gives a `Chat`, `async with` an `AsyncChat`.

    Entering raises Refused where no session can be had, and Refusal for a URL that is no WebSocket address.
    """

    def __init__(self, log: ObservationLog, url: str, patience: float, dialect: str = "") -> None:
        self._log = log
        self._url = url
        self._dialect = dialect_named(dialect) if dialect else None
        self._patience = patience
        self._chat: AsyncChat | None = None
        self._loop: _Loop | None = None

    async def __aenter__(self) -> AsyncChat:
        __tracebackhide__ = True  # pytest then shows the test's own line and the message
        try:
            session = await connect(self._url, patience=self._patience, dialect=self._dialect)
            self._chat = AsyncChat(self._log, session, self._patience)
            await self._chat.start()
        except Refused as refused:
            raise Refused(f"no session could be had at {self._url}, is the server running? {refused}") from None
        except Refusal as refusal:
            raise Refusal(str(refusal)) from None
        return self._chat

    async def __aexit__(self, *exception: object) -> None:
        if self._chat is not None:
            await self._chat.stop()

    def __enter__(self) -> Chat:
        __tracebackhide__ = True
        self._loop = _Loop()
        try:
            return Chat(self._loop.run(self.__aenter__()), self._loop)
        except BaseException as error:
            self._loop.close()
            if isinstance(error, Refused | Refusal):
                # A new exception: the traceback of the original leads through the other thread.
                raise type(error)(str(error)) from None
            raise

    def __exit__(self, *exception: object) -> None:
        if self._loop is not None:
            try:
                self._loop.run(self.__aexit__(*exception))
            finally:
                self._loop.close()


class _Loop:
    """An event loop in its own thread, so that the connection is served while the test does something else."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ailoop-otel-chat", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C while the test waited
            raise

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _answer(message: Message) -> Answer:
    def since(moment: float) -> float:
        return moment - message.planned if moment else math.nan

    return Answer(
        outcome=message.outcome,
        first_chunk=since(message.first_chunk),
        completion=since(message.completed),
        longest_gap=max(message.gaps, default=math.nan),
        chunks=message.chunks,
        trace_id=message.trace_id,
    )
