"""Which exchange a frame belongs to."""

from __future__ import annotations

from ailoop_otel.tracking.exchange import Exchange


class Queues:
    """Open exchanges by session, in order of arrival; a session may span sockets."""

    def __init__(self) -> None:
        # Lists, not deques: most hold one, and an empty deque is larger than an exchange.
        self._queues: dict[str, list[Exchange]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def add(self, session_id: str, exchange: Exchange) -> bool:
        """Put an exchange behind the others of its session; returns whether it is the first."""
        queue = self._queues.get(session_id)
        if queue is None:
            self._queues[session_id] = [exchange]
            return True
        queue.append(exchange)
        return False

    def head(self, session_id: str | None) -> Exchange | None:
        """The exchange that a session is answering."""
        queue = self._queues.get(session_id) if session_id is not None else None
        return queue[0] if queue else None

    def of(self, session_id: str | None) -> list[Exchange]:
        """All open exchanges of a session."""
        queue = self._queues.get(session_id) if session_id is not None else None
        return list(queue) if queue else []

    def remove(self, exchange: Exchange) -> Exchange | None:
        """Take an exchange out; returns the one whose turn comes now, if it was at the head."""
        session_id = exchange.session_id
        queue = self._queues.get(session_id) if session_id is not None else None
        if not queue or session_id is None:
            return None
        was_head = queue[0] is exchange
        if was_head:
            del queue[0]
        elif exchange in queue:
            queue.remove(exchange)
        if not queue:
            del self._queues[session_id]
            return None
        return queue[0] if was_head else None
