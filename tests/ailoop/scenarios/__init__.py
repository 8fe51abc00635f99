"""The conversations that are recorded from the real servers and held with the stand-in.

A scenario is a coroutine that drives one connected client; what is to be answered stands in the messages
themselves (`directives.py`). Its name is the name of its transcript.
"""

from . import answers, current, earlier, requests, sessions
from .registry import SCENARIOS, Scenario

__all__ = ["SCENARIOS", "Scenario", "answers", "current", "earlier", "requests", "sessions"]
