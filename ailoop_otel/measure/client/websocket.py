"""A WebSocket client for load generators: each frame gets the time at which its last bytes arrived.

It uses the protocol implementation of `websockets` (https://websockets.readthedocs.io/en/stable/howto/sansio.html)
without the tasks and queues of that library.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import WebSocketURI, parse_uri

from ailoop_otel.measure import Refusal

# Bytes: AILoop's frames hold all text so far. (uvicorn accepts 16 MiB.)
_LARGEST: Final = 64 * 1024 * 1024
_CLOSING: Final = 5.0


class Refused(OSError):
    """The server cannot be reached, or declines a WebSocket or a session; the text names the reason.

    `cause` is the error number of the system, 0 where it was not the system that refused.
    """

    def __init__(self, reason: str, cause: int = 0) -> None:
        super().__init__(reason)
        self.cause = cause


def address(url: str) -> WebSocketURI:
    """Parse a WebSocket address; raises Refusal for any other text."""
    try:
        return parse_uri(url)
    except InvalidURI:
        raise Refusal(f"{url!r} is no address of a WebSocket; it looks like ws://127.0.0.1:8000/ws") from None


class WebSocketClient(asyncio.Protocol):
    """One connection. `on_text` receives each text frame and its time (`time.perf_counter()`), `on_close` one call."""

    def __init__(
        self, uri: WebSocketURI, on_text: Callable[[str, float], None], on_close: Callable[[], None], *, deflate: bool
    ) -> None:
        extensions = [ClientPerMessageDeflateFactory()] if deflate else None
        self._protocol = ClientProtocol(uri, extensions=extensions, max_size=_LARGEST)
        self._on_text = on_text
        self._on_close = on_close
        self._parts: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        """The handshake: a Refused when the server declines it."""
        self._closed: asyncio.Future[None] = loop.create_future()

    @property
    def is_open(self) -> bool:
        """Whether a frame can be sent."""
        return self._transport is not None and not self._transport.is_closing() and not self._closed.done()

    def send(self, text: str) -> None:
        """Send a text frame; does nothing on a closed connection."""
        if self.is_open:
            self._protocol.send_text(text.encode())
            self._flush()

    async def close(self) -> None:
        """Close with the closing handshake; waits at most `_CLOSING` seconds for the server."""
        if self.is_open and self.opened.done():
            self._protocol.send_close(1000)
            self._flush()
            await asyncio.wait([self._closed], timeout=_CLOSING)
        if self._transport is not None:
            self._transport.abort()

    def drop(self) -> None:
        """Abort the connection."""
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol ----------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP is connected: send the handshake request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Bytes arrived: all frames that end in them get the current time."""
        now = time.perf_counter()
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._frame(event, now)
            elif isinstance(event, Response):
                self._handshake()
        self._flush()

    def eof_received(self) -> None:
        """The server closed its side."""
        self._protocol.receive_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        if not self.opened.done():
            self.opened.set_exception(Refused(_reason(self._protocol.handshake_exc or exc)))
        if not self._closed.done():
            self._closed.set_result(None)
            self._on_close()

    def _handshake(self) -> None:
        refusal = self._protocol.handshake_exc
        if self.opened.done():
            return
        if refusal is None:
            self.opened.set_result(None)
        else:
            self.opened.set_exception(Refused(_reason(refusal)))

    def _frame(self, frame: Frame, now: float) -> None:
        if frame.opcode is Opcode.TEXT and frame.fin:
            self._on_text(bytes(frame.data).decode(errors="replace"), now)
        elif frame.opcode is Opcode.TEXT:
            self._parts = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT and self._parts:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                whole, self._parts = b"".join(self._parts), []
                self._on_text(whole.decode(errors="replace"), now)

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
            else:
                transport.close()


async def connect(
    uri: WebSocketURI, on_text: Callable[[str, float], None], on_close: Callable[[], None], *, deflate: bool = True
) -> WebSocketClient:
    """Connect; raises Refused when that fails."""
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context() if uri.secure else None
    made: WebSocketClient | None = None
    try:
        _, made = await loop.create_connection(
            lambda: WebSocketClient(uri, on_text, on_close, deflate=deflate), uri.host, uri.port, ssl=context
        )
        await made.opened
    except BaseException as error:
        if made is not None:
            made.drop()
        if isinstance(error, OSError) and not isinstance(error, Refused):
            raise Refused(_reason(error), error.errno or 0) from error
        raise
    return made


def _reason(error: BaseException | None) -> str:
    return (str(error) or type(error).__name__) if error is not None else "the server closed the connection"
