"""Modules of the standard library as they were when this package was imported, for what runs on its own threads.

Tests of the server replace functions of these modules, such as `open`, `time.time` or `os.listdir`, and count their
calls: those of a thread of ours must not be among them, and must not wait for a clock that stands still.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import json
    import os
    import time
else:
    import json as _json
    import os as _os
    import time as _time
    from types import SimpleNamespace

    json = SimpleNamespace(**vars(_json))
    os = SimpleNamespace(**{**vars(_os), "path": SimpleNamespace(**vars(_os.path))})
    time = SimpleNamespace(**vars(_time))

__all__ = ["json", "os", "time"]
