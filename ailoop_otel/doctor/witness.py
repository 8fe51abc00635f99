"""A session of `requests` that tells what each answer was, or why there was none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from ailoop_otel.doctor import hops
from ailoop_otel.doctor.hops import Hop


class _Session(requests.Session):
    def __init__(self, tell: Callable[[Hop], None]) -> None:
        super().__init__()
        self._tell = tell

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send, and tell what went wrong."""
        try:
            response = super().send(request, **options)
        except (OSError, ValueError) as fault:  # what requests raises is one of the two
            self._tell(hops.of_fault(fault))
            raise
        broken = hops.of_answer(response.status_code, response.headers.get("Content-Type", ""))
        if broken is not None:
            self._tell(broken)
        return response


def witness(tell: Callable[[Hop], None]) -> requests.Session:
    """A session for an exporter."""
    return _Session(tell)
