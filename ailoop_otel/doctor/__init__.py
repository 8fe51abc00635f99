"""Looks at a server's environment from outside and says what would keep its telemetry from being seen."""

from ailoop_otel.doctor.examination import Refusal, examine

__all__ = ["Refusal", "examine"]
