"""The doctor's findings on a terminal."""

from __future__ import annotations

from ailoop_otel.doctor.findings import NOTE, OK, PROBLEM, Finding, Report
from tests.view.conftest import console_of, written_on

FINDINGS = (
    Finding(OK, "AILoop", "the current generation (stateless) in /srv/ailoop.", group="AILoop"),
    Finding(PROBLEM, "StatelessAILoop._execute_tool_calls", "not there: without tools.", "Upgrade.", "AILoop"),
    Finding(NOTE, "fastapi", "0.165.0: for earlier ones.", "pip install " + "x" * 60 + ".", "Versions"),
)


def test_findings_stand_in_groups_with_their_remedies() -> None:
    """Readable without colour, no line beyond the terminal."""
    console = console_of(60)
    Report("1.0", "3.12", "/srv", "", FINDINGS).show(console)
    assert written_on(console).splitlines() == [
        "ailoop-otel 1.0 on Python 3.12, /srv",
        "",
        "AILoop",
        "  ✓ AILoop  the current generation (stateless) in",
        "    /srv/ailoop.",
        "  ✗ StatelessAILoop._execute_tool_calls  not there: without",
        "    tools.",
        "    → Upgrade.",
        "",
        "Versions",
        "  ● fastapi  0.165.0: for earlier ones.",
        "    → pip install",
        "    " + "x" * 56,
        "    xxxx.",
        "",
        "✗ 1 trouble, 1 note.",
    ]


def test_a_poor_terminal_gets_plain_signs() -> None:
    """And nothing that it cannot write."""
    console = console_of(60, encoding="ascii")
    Report("1.0", "3.12", "/srv", "", FINDINGS[:1]).show(console)
    assert written_on(console).splitlines()[-3:] == ["    /srv/ailoop.", "", "+ No trouble."]
