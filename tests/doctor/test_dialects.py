"""The dialects of other packages are listed, and a broken one is trouble."""

from __future__ import annotations

import pytest

from ailoop_otel.doctor import dialects, examination
from ailoop_otel.doctor.findings import OK, TROUBLE, Finding
from tests.doctor.conftest import about
from tests.protocol.invented import dialect, parley, registry


def test_each_plugin_is_listed_with_its_package() -> None:
    """What is used with its methods, what is not with the reason and what to do."""
    made = registry(parley().Parley, dialect(queues=1))
    used = about(dialects.examine(made), "parley")
    assert used.level == OK
    assert used.sentence == (
        "of ailoop-theirs; messages come by chat.ask; methods: chat.ask, chat.close, chat.history, chat.open."
    )
    unused = about(dialects.examine(made), "theirs")
    assert unused.level == TROUBLE
    assert unused.sentence == "of ailoop-theirs, not used: its `queues` has to be True or False."
    assert "docs/dialects.md" in unused.mend


def test_without_plugins_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few have one; with one the whole examination has its finding."""
    assert list(dialects.examine(registry())) == []
    monkeypatch.setattr(examination, "DIALECTS", registry(dialect()))
    findings: tuple[Finding, ...] = examination.examine("", "", 0.1).findings
    assert about(findings, "theirs").level == OK
