"""Events and who listens to them."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)


class DelegateManager:
    """The listeners of one session."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._notification_delegates: dict[str, set[Callable[..., Any]]] = {}

    def register_notification(self, event_type: str, delegate: Callable[..., Any]) -> None:
        """Listen to an event."""
        with self._lock:
            self._notification_delegates.setdefault(event_type, set()).add(delegate)

    def unregister_notification(self, event_type: str, delegate: Callable[..., Any]) -> None:
        """Listen no more."""
        with self._lock:
            self._notification_delegates.get(event_type, set()).discard(delegate)

    async def invoke_notification(self, sender: Any, event_type: str, event_data: Any = None, **kwargs: Any) -> None:
        """Tell the listeners, one after the other; what they raise is logged."""
        with self._lock:
            delegates = list(self._notification_delegates.get(event_type, ()))
        for delegate in delegates:
            try:
                told = delegate(sender=sender, event_type=event_type, event_data=event_data, **kwargs)
                if asyncio.iscoroutine(told):
                    await told
            except Exception:  # noqa: PERF203 - each listener is on its own
                logger.exception("Error invoking notification delegate for %s", event_type)
