"""docs/dialects.md shows the plugin that is installed here, the server that runs here, and lines that are logged."""

from __future__ import annotations

import json
import re
from typing import Any

from ailoop_otel.protocol.dialect import Dialect, Meaning
from ailoop_otel.protocol.jsonrpc import is_reply
from ailoop_otel.protocol.plugins import _FLAGS, Plugin
from tests.plugin.environment import PACKAGE, ROOT
from tests.protocol.invented import dialect, parley, registry

PAGE = (ROOT / "docs" / "dialects.md").read_text(encoding="utf-8")
MODULE = (PACKAGE / "ailoop_otel_parley.py").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_package_is_what_the_page_shows() -> None:
    """Its pyproject.toml as a whole."""
    (shown,) = blocks("toml")
    assert shown == (PACKAGE / "pyproject.toml").read_text(encoding="utf-8")


def test_the_page_shows_all_of_the_module_and_nothing_else() -> None:
    """Each block that is the plugin's is taken from it; together they are the whole file."""
    left = MODULE
    shown = [block for block in blocks("python") if block in MODULE]
    for block in shown:
        left = left.replace(block, "", 1)
    assert left.strip() == ""
    others = [block for block in blocks("python") if block not in MODULE]
    assert [block.split("\n", 1)[0] for block in others] == [
        "from ailoop_otel.protocol.plugins import disagreement", "def test_parley_answers(ailoop):",
    ]  # fmt: skip


def test_the_conversation_of_the_page_is_read_by_the_plugin() -> None:
    """Each frame of the server means what the page says."""
    frames = [json.loads(frame) for frame in re.findall(r"^    ← (.*)$", PAGE, re.MULTILINE)]
    made = registry(parley().Parley)
    meanings = [made.notice(each["method"], each["params"])[1].meaning for each in frames if not is_reply(each)]
    assert meanings == [Meaning.OTHER, Meaning.PIECE, Meaning.PIECE, Meaning.FINAL]
    assert made.started("chat.open", frames[0]["result"]) == (made.named("parley"), "c-1")
    assert len(made.replies("chat.ask", {"accepted": True})) == 1
    requests = [json.loads(frame) for frame in re.findall(r"^    → (.*)$", PAGE, re.MULTILINE)]
    own: Any = made.named("parley")
    assert requests[0]["params"] == own.start_params("ann")
    assert requests[1]["params"] == own.message_params("c-1", "Hello!")
    assert requests[2]["params"] == own.stop_params("c-1")


def test_all_meanings_and_traits_are_on_the_page() -> None:
    """Traits with what holds unless it is stated."""
    for meaning in Meaning:
        assert f"`{meaning.name}`" in PAGE
    for trait in set(_FLAGS) - {"takes_meta"}:
        assert re.search(rf"^\| `{trait}` \| `{getattr(Dialect, trait)}` \|", PAGE, re.MULTILINE), trait


def test_the_lines_of_the_page_are_those_that_are_logged() -> None:
    """Word for word."""
    line = Plugin("parley", "ailoop-otel-parley", "ImportError: No module named 'httpx'").line
    assert f"    ailoop-otel: {line}\n" in PAGE

    def notice(self: Dialect, method: str, params: Any) -> Any:
        return params["text"]

    made = registry(dialect(name="parley", notice=notice))
    made.notice("chat.delta", {})
    (line,) = made.problems()
    line = re.sub(r"notice:\d+", "notice:52", line).replace("ailoop-theirs", "ailoop-otel-parley")
    assert f"    ailoop-otel: {line}\n" in PAGE
