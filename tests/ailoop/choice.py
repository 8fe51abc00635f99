"""How the provider chooses a behaviour: the queue, else the message's directives, else the default."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from .behaviours import Behaviour, Say
from .directives import find_directives
from .verbs import behaviour_of


class Choice:
    """The queue and the default, safe to change while requests are served."""

    def __init__(self, default: Behaviour | None = None) -> None:
        self.default = default or Say()
        self._queue: deque[Behaviour] = deque()
        self._lock = threading.Lock()

    def queue(self, *behaviours: Behaviour | str) -> None:
        """Answer the coming requests with these, one each, whatever their messages say."""
        ready = [behaviour_of(each) if isinstance(each, str) else each for each in behaviours]
        with self._lock:
            self._queue.extend(ready)

    def clear(self) -> None:
        """Forget what is queued."""
        with self._lock:
            self._queue.clear()

    def behaviour(self, messages: list[dict[str, Any]]) -> Behaviour:
        """Return the behaviour for a request with these messages."""
        with self._lock:
            if self._queue:
                return self._queue.popleft()
        return _asked_for(messages) or self.default


def _asked_for(messages: list[dict[str, Any]]) -> Behaviour | None:
    """Read the last user message's directives, and which of them this request is about."""
    if not messages:
        return None
    last_user = max((at for at, each in enumerate(messages) if each.get("role") == "user"), default=None)
    if last_user is None:
        return None
    # Only the earlier generation sends no system prompt: those are the turns *before* the one to answer.
    history_only = messages[0].get("role") != "system"
    directives = [each for each in find_directives(_text(messages[last_user])) if each.for_next == history_only]
    if history_only:
        return behaviour_of(directives[0]) if directives else None
    rounds = sum(each.get("role") == "assistant" for each in messages[last_user + 1 :])
    return behaviour_of(directives[rounds]) if rounds < len(directives) else None


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
