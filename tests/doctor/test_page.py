"""The doctor's findings on a terminal."""

from __future__ import annotations

from ailoop_otel.doctor import page
from ailoop_otel.doctor.findings import NOTE, OK, PROBLEM, Finding
from tests.view.conftest import console_of, written_on

FINDINGS = (
    Finding("AILoop", OK, "AILoop", "the current generation (stateless) in /srv/ailoop."),
    Finding("AILoop", PROBLEM, "StatelessAILoop._execute_tool_calls", "not there: without tools.", "Upgrade."),
    Finding("Versions", NOTE, "fastapi", "0.165.0: for earlier ones.", "pip install " + "x" * 60 + "."),
)


def test_findings_stand_in_groups_with_their_remedies() -> None:
    """Readable without colour, no line beyond the terminal."""
    console = console_of(60)
    page.show("ailoop-otel", FINDINGS, console)
    assert written_on(console).splitlines() == [
        "ailoop-otel",
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
    page.show("ailoop-otel", FINDINGS[:1], console)
    assert written_on(console).splitlines()[-3:] == ["    /srv/ailoop.", "", "+ No trouble."]
