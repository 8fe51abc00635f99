"""What the pages say of commands, names and files is what the code has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ailoop_otel import names
from ailoop_otel.exit_codes import EXIT_CODES
from tests.docs.pages import DOCS, PAGES, ROOT, blocks

_TABLES = (names.SPANS, names.ATTRIBUTES, names.METRICS, names.EVENTS, names.SETTINGS)
KNOWN = {each.name for table in _TABLES for each in table}
# What a name in a text may be without being telemetry: files and modules.
_OTHER = re.compile(r"ailoop_otel\.(?:pth|protocol|names|start)|ailoop\.(?:env|service|json)")


def _named(text: str) -> Iterator[str]:
    for found in re.findall(r"`(AILOOP_OTEL_\w+|ailoop(?:_otel)?\.[\w.]+)(?:=[^`]*)?`", text):
        if not _OTHER.fullmatch(found):
            yield found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_name_of_a_page_is_in_the_table(path: Path) -> None:
    """Settings, metrics, spans and attributes alike."""
    text = path.read_text(encoding="utf-8")
    assert [name for name in _named(text) if name not in KNOWN] == []


def test_the_table_of_exit_codes_is_that_of_the_code() -> None:
    """Codes and their meanings, in docs/commands.md."""
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    shown = {int(code): meaning for code, meaning in re.findall(r"^\| (\d+) \| (.*) \|$", text, re.MULTILINE)}
    assert shown == EXIT_CODES


def test_the_readme_fits_on_two_screens() -> None:
    """Of sixty lines each, and every page is reached from it or from the site's navigation."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    assert {page for page in pages if f" {page}\n" not in navigation} == set()


def test_links_of_the_readme_lead_to_files() -> None:
    """Those of the pages of docs/ are checked when the site is built."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(targets) > 20
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_most_commands_are_run() -> None:
    """The blocks that no test runs are fewer than the others."""
    found = [block for path in PAGES for block in blocks(path.read_text(encoding="utf-8"))]
    assert sum(bool(block.reason) for block in found) < len(found) / 2


def test_what_github_and_pre_commit_read_is_well_formed() -> None:
    """YAML, with what each of them asks for."""
    for form in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("[bw]*.yml"):
        read = yaml.safe_load(form.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= read.keys()
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for hook in hooks:
        program = hook["entry"].split()[0].removeprefix(".venv/")
        assert f"$(BIN)/{program.removeprefix('bin/')}" in makefile, hook["id"]
