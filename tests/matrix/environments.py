"""One environment for each set of requirements, with the newest versions that these allow, kept for a day."""

from __future__ import annotations

import datetime
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.environments import ROOT, Unavailable, run, why

HOME = ROOT / ".matrix"
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
# What pip and uv begin the reason with; what else they say is advice and addresses.
_REASON = re.compile(r"\s*(?:ERROR: |cause: |× |╰─▶ )(?P<said>.*)")


def python(requirements: Sequence[str], interpreter: str) -> Path:
    """The Python of an environment with these requirements, made if there is none of today: the newest is the day's.

    `interpreter` is a command like `python3.12`. Raises Unavailable.
    """
    base = shutil.which(interpreter)
    try:
        version = run(str(base), "-c", "import sys; print(sys.version)") if base else ""
    except subprocess.CalledProcessError:
        version = ""
    if not version:
        raise Unavailable(f"not tried: {interpreter} is not on this machine")
    key = hashlib.sha256(repr((sorted(requirements), version)).encode()).hexdigest()[:12]
    made, mark = HOME / key / "bin" / "python", HOME / key / "made-on"
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    if not mark.exists() or mark.read_text() != today:
        run(str(base), "-m", "venv", "--clear", "--without-pip", str(HOME / key))
        try:
            run(*_installer(made), *requirements)
        except subprocess.CalledProcessError as fault:
            raise Unavailable(f"cannot be installed: {reason(fault)}") from None
        mark.write_text(today)
    return made


def _installer(made: Path) -> tuple[str, ...]:
    """The command that installs: uv where it is here, which takes a tenth of the time."""
    uv = shutil.which("uv")
    if uv is not None:
        return (uv, "pip", "install", "--quiet", "--python", str(made))
    return (*_PIP, "--python", str(made), "install")


def reason(fault: subprocess.CalledProcessError) -> str:
    """What an installation failed of, in one line."""
    matches = map(_REASON.match, (fault.stderr or "").splitlines())
    return next((match["said"] for match in matches if match), why(fault))
