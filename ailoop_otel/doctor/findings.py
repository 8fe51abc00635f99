"""What the examination says: one sentence for each thing it looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

OK: Final = "ok"
NOTE: Final = "note"
TROUBLE: Final = "trouble"

# The groups in which findings are shown.
SERVER: Final = "AILoop"
SWITCH: Final = "Switching on"
VERSIONS: Final = "Versions"
DIALECTS: Final = "Dialects of other packages"
DOUBLES: Final = "Other instrumentation"
ENDPOINT: Final = "Where telemetry goes"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `mend` says what to do, always where it is trouble."""

    group: str
    level: str
    subject: str
    sentence: str
    mend: str = ""


@dataclass(frozen=True)
class Report:
    """All findings, and what they are about; `generation` is empty where there is no AILoop."""

    version: str
    python: str
    checkout: str
    generation: str
    findings: tuple[Finding, ...]

    @property
    def troubles(self) -> int:
        """How many of them are trouble."""
        return sum(finding.level == TROUBLE for finding in self.findings)

    def document(self) -> dict[str, object]:
        """The same for scripts."""
        return {
            "kind": "doctor",
            "version": self.version,
            "python": self.python,
            "checkout": self.checkout,
            "generation": self.generation or None,
            "troubles": self.troubles,
            "findings": [asdict(finding) for finding in self.findings],
        }
