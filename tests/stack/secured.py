"""The collector's configuration with TLS and basic auth, uncommented as its comments say."""

from __future__ import annotations

import re
from pathlib import Path

from collector.stack import COLLECTOR


def secured(folder: Path) -> Path:
    """Write it into a folder and return where."""
    text = (COLLECTOR / "collector.yaml").read_text()
    text, count = re.subn(r"^( *)#~", r"\1", text, flags=re.MULTILINE)
    assert count == 7
    text = text.replace("extensions: [healthcheckv2]", "extensions: [healthcheckv2, basicauth/server]")
    written = folder / "secured.yaml"
    written.write_text(text)
    return written
