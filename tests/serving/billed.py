"""Messages whose model calls tell tokens and cost early, late, in part or not at all, and what these come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from ailoop_otel import names
from tests.ailoop.behaviours import Billed
from tests.ailoop.client import connected
from tests.ailoop.process import STATELESS, Server
from tests.ailoop.provider import Provider
from tests.ailoop.served import Served

INPUT, OUTPUT, CACHED = 2.5, 10.0, 1.25  # USD for a million tokens
PRICES: Final = f'["*"]\ninput = {INPUT}\noutput = {OUTPUT}\ncached = {CACHED}\n'


def bill(prompt: int, completion: int, cost: float | None = None, **parts: int) -> dict[str, Any]:
    """Token counts as OpenRouter writes them."""
    prompts = {name: parts[name] for name in ("cached_tokens", "cache_write_tokens") if name in parts}
    completions = {name: parts[name] for name in ("reasoning_tokens",) if name in parts}
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        **({"prompt_tokens_details": prompts} if prompts else {}),
        **({"completion_tokens_details": completions} if completions else {}),
        **({} if cost is None else {"cost": cost}),
    }


_EARLY: Final = Billed(
    bill=bill(9_200, 41, 0.0125, cached_tokens=9_000, cache_write_tokens=100, reasoning_tokens=21),
    early=True, roles=6, trailing=3, empty=2, chunks=7, gap=0.02,
)  # fmt: skip
_LATE: Final = Billed(
    bill=bill(311, 17, 0.000731), roles=2, trailing=5, chunks=4, reasoning=3, keepalive=0.01, gap=0.03
)
_WITHOUT_COST: Final = Billed(bill=bill(1_000, 200, cached_tokens=400, reasoning_tokens=0), chunks=5, empty=1)
_NONE: Final = Billed(chunks=3, trailing=4)
_ASKS: Final = Billed(bill=bill(2_048, 30, 0.002), tool="list_directory", arguments={"path": "."}, trailing=2)
# Each message by its model calls.
Messages: TypeAlias = Sequence[Sequence[Billed]]
UNBILLED: Final[Messages] = ((_NONE,),)
_BILLED: Final[Messages] = ((_EARLY,), (_LATE,), (_WITHOUT_COST,))
_WITH_TOOL: Final[Messages] = ((_ASKS, _LATE),)


def messages_to(dialect: str) -> Messages:
    """The messages with a bill; the earlier generation calls no tool."""
    return (*_BILLED, *(_WITH_TOOL if dialect == STATELESS else ()))


def priced(folder: Path) -> dict[str, str]:
    """The variables of a server that computes what the provider does not say."""
    path = folder / "prices.toml"
    path.write_text(PRICES, encoding="utf-8")
    return {names.SETTING_PRICES.name: str(path)}


async def converse(server: Server, provider: Provider, messages: Messages) -> list[list[Served]]:
    """Say the messages in one session, and stop it; returns the model calls of each message."""
    calls = []
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        for message in messages:
            before = len(provider.served)
            provider.queue(*message)
            exchange = await client.ask("please", timeout=60)
            assert exchange.text
            calls.append(provider.served[before:])
            assert len(calls[-1]) == len(message)
        await client.stop_session()
    return calls


def figures(calls: Iterable[Served]) -> dict[str, Any]:
    """What these calls used, by the attributes that sum it up; what no bill says is absent."""
    found: dict[str, Any] = {}
    for usage in (call.usage for call in calls if call.usage):
        prompt, completion = usage.get("prompt_tokens_details", {}), usage.get("completion_tokens_details", {})
        cached = prompt.get("cached_tokens")
        tokens = usage["prompt_tokens"] - (cached or 0), cached or 0, usage["completion_tokens"]
        computed = sum(n * price for n, price in zip(tokens, (INPUT, CACHED, OUTPUT), strict=True)) / 1e6
        for name, value in (
            (names.USAGE_INPUT, usage["prompt_tokens"]),
            (names.USAGE_OUTPUT, usage["completion_tokens"]),
            (names.USAGE_CACHE_READ, cached),
            (names.USAGE_CACHE_WRITE, prompt.get("cache_write_tokens")),
            (names.USAGE_REASONING, completion.get("reasoning_tokens")),
            (names.COST, usage.get("cost", computed)),
        ):
            if value is not None:
                found[name] = found.get(name, 0) + value
        if found.get(names.COST_SOURCE) != names.COMPUTED:
            found[names.COST_SOURCE] = names.PROVIDER if "cost" in usage else names.COMPUTED
    return found


def told(attributes: dict[str, Any]) -> dict[str, Any]:
    """The same figures as a span tells them; a model call's by the names of the conventions."""
    own = {name.replace("gen_ai.", "ailoop."): value for name, value in attributes.items() if name in names.USED}
    own.pop(names.COST_CURRENCY, None)
    return own


def of_all(calls: Sequence[Sequence[Served]]) -> list[Served]:
    """The model calls of all messages."""
    return [call for message in calls for call in message]
