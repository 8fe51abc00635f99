"""What an HTTP library says while telemetry is exported does not reach the server's log."""

from __future__ import annotations

import logging

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation

from ailoop_otel.export.complaints import Complaints


def test_only_chatter_of_exports_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    """The server's own requests are logged as before, warnings too, and after `remove` everything."""
    complaints = Complaints()
    logger = logging.getLogger("urllib3.connectionpool")
    complaints.install()
    with caplog.at_level(logging.DEBUG, logger="urllib3.connectionpool"):
        logger.debug("the server's request")
        with suppress_instrumentation():
            logger.debug("an export")
            logger.warning("a warning")
        complaints.remove()
        with suppress_instrumentation():
            logger.debug("afterwards")
    assert caplog.messages == ["the server's request", "a warning", "afterwards"]
