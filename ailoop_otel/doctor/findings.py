"""A finding: one sentence on one thing that was checked. A report: all findings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

# The levels of findings, as they stand in the JSON document.
OK: Final = "ok"
NOTE: Final = "note"
PROBLEM: Final = "trouble"

# The groups in which findings are shown.
SERVER: Final = "AILoop"
SWITCH: Final = "Switching on"
VERSIONS: Final = "Versions"
PLUGINS: Final = "Other instrumentation"
DIALECTS: Final = "Dialects of other packages"
ENDPOINT: Final = "Where telemetry goes"


@dataclass(frozen=True)
class Finding:
    """The result of one check; `mend` names the remedy and is never empty for a problem."""

    group: str
    level: str
    subject: str
    sentence: str
    mend: str = ""


@dataclass(frozen=True)
class Report:
    """All findings and the environment they are about; `generation` is empty if no AILoop was found."""

    version: str
    python: str
    checkout: str
    generation: str
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> int:
        """The number of findings that are problems."""
        return sum(finding.level == PROBLEM for finding in self.findings)

    def document(self) -> dict[str, object]:
        """The report as a JSON document, for scripts."""
        return {
            "kind": "doctor",
            "version": self.version,
            "python": self.python,
            "checkout": self.checkout,
            "generation": self.generation or None,
            "troubles": self.problems,
            "findings": [asdict(finding) for finding in self.findings],
        }
