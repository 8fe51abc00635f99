"""The stand-in's server; importing `main` here is what makes `-m interactive_server.main` execute it twice."""

from .delegate_bridge import DelegateBridge
from .main import app
from .session_manager import InteractiveSessionManager

__all__ = ["DelegateBridge", "InteractiveSessionManager", "app"]
