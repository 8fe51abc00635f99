"""The stand-in's server; importing `main` here is what makes `-m interactive_server.main` execute it twice."""

from .main import app
from .stateless_session_manager import StatelessSessionManager

__all__ = ["StatelessSessionManager", "app"]
