"""Scenarios: which messages are sent to a server, how often and for how long; each is a TOML file.

A new scenario is a new file in `scenarios/`, or anywhere else, where its path is given instead of a name. The fields
of the classes below are all settings, with their limits.
"""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.client.session import dialect_named
from ailoop_otel.protocol.registry import DIALECTS
from ailoop_otel.recorded.input_file import read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OPEN, CLOSED = "open", "closed"
CONSTANT, POISSON = "constant", "poisson"
AI_TIMEOUT: Final = "ai_timeout"
_DAY: Final = 86_400.0
_SUFFIX: Final = ".toml"


def _number(default: float, low: float, high: float, means: str = "") -> Any:
    return field(default=default, metadata={"low": low, "high": high, "means": means})


def _one_of(*choices: str, means: str = "") -> Any:
    return field(default=choices[0], metadata={"choices": choices, "means": means})


def _flag(default: bool, means: str) -> Any:
    return field(default=default, metadata={"means": means})


@dataclass(frozen=True, slots=True)
class Prompt:
    """A message that sessions send; `weight` is how often, relative to the other messages.

    `name` labels its figures. `expects` is `ai_timeout` where the AI is not supposed to answer in time: then any
    failure that the server reports counts as the report of the timeout.
    """

    text: str
    weight: float = _number(1.0, 0.001, 1000.0)
    name: str = ""
    expects: str = _one_of("", AI_TIMEOUT)


@dataclass(frozen=True, slots=True)
class Ramp:
    """A growing number of sessions: from `start` in steps of `step` up to `most`, each level for `seconds` seconds.

    `rate` is messages per second of each session, open loop. With `search` it ends at the first level that is not
    stable, and the level before is held; without it, every level is run.
    """

    start: int = _number(5, 1, 100_000, "sessions of the first level")
    step: int = _number(5, 1, 100_000, "sessions more at each level")
    most: int = _number(200, 1, 100_000, "sessions at most")
    seconds: float = _number(15.0, 0.1, _DAY, "how long a level lasts")
    rate: float = _number(0.2, 0.001, 1000.0, "messages/s of each session")
    search: bool = _flag(True, "end at the first level that is not stable")


@dataclass(frozen=True, slots=True)
class StabilityCriteria:
    """When a level is stable: limits of errors per 1,000 messages and p95 of the first chunk (s), held for `hold` s."""

    errors: float = _number(10.0, 0.0, 1000.0, "errors per 1,000 messages at most")
    first_chunk_p95: float = _number(2.0, 0.001, 3600.0, "seconds to the first chunk (p95) at most")
    hold: float = _number(60.0, 0.1, _DAY, "seconds for which the level found is held")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. Times are seconds.

    `loop`: `open` sends at planned times, independent of the server; `closed` sends each session's next message
    `think` seconds after its answer. `rate` is messages per second over all sessions. `duration` and `most_messages`
    bound the measurement, whichever is reached first. A session is replaced after `turns` messages (0: never).
    `opening` is how many sessions are opened per second, `patience` when a client gives a message up.
    """

    name: str
    title: str = ""
    text: str = ""
    loop: str = _one_of(OPEN, CLOSED, means="sent at planned times, or after the answer")
    sessions: int = _number(10, 1, 100_000, "sessions at once")
    rate: float = _number(5.0, 0.001, 100_000.0, "messages/s over all sessions, open loop")
    arrivals: str = _one_of(CONSTANT, POISSON, means="gaps between planned times")
    think: float = _number(0.0, 0.0, _DAY, "seconds from an answer to the next message, closed loop")
    warmup: float = _number(5.0, 0.0, _DAY, "seconds of load before anything counts")
    duration: float = _number(60.0, 0.1, 7 * _DAY, "seconds that are measured, at most")
    most_messages: int = _number(100_000, 1, 10_000_000, "messages that are measured, at most")
    turns: int = _number(0, 0, 1_000_000, "messages until a session is replaced; 0 is never")
    opening: float = _number(20.0, 0.01, 10_000.0, "sessions opened a second")
    patience: float = _number(120.0, 0.1, _DAY, "seconds until a client gives a message up")
    processes: int = _number(1, 1, 64, "load processes")
    compression: bool = _flag(True, "the WebSocket compresses, if the server does")
    dialect: str = field(
        default=DIALECTS.dialects[0].name, metadata={"means": "whose requests the server takes: see docs/dialects.md"}
    )
    seed: int = _number(1, 0, 2**31, "of what is random: the same seed, the same load")
    stop: bool = _flag(True, "sessions are stopped at the end, not just left")
    ramp: Ramp | None = None
    stable: StabilityCriteria = StabilityCriteria()
    messages: tuple[Prompt, ...] = ()

    def settings(self) -> dict[str, Any]:
        """All settings as JSON, without the message texts, which may be long or private."""
        values = dataclasses.asdict(self)
        values["messages"] = [each.name or f"message {number}" for number, each in enumerate(self.messages, 1)]
        return {name: value for name, value in values.items() if name not in ("title", "text")}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting for `--set`: its key, its meaning with unit or choices, and its default."""

    key: str
    means: str
    default: str


def known() -> list[Setting]:
    """All settings, in the order of the fields."""
    return [
        *_settings(Scenario, ""),
        *(setting for table, kind in _TABLES.items() for setting in _settings(kind, f"{table}.")),
    ]


def _settings(kind: Any, inside: str) -> Iterator[Setting]:
    for each in dataclasses.fields(kind):
        means = each.metadata.get("means", "")
        choices = f" ({' or '.join(each.metadata['choices'])})" if "choices" in each.metadata else ""
        default = str(each.default).lower() if isinstance(each.default, bool) else f"{each.default}"
        if means:
            yield Setting(inside + each.name, means + choices, default.removesuffix(".0"))


def names() -> list[str]:
    """The scenarios that come with the package."""
    folder = resources.files("ailoop_otel.measure") / "scenarios"
    return sorted(each.name[: -len(_SUFFIX)] for each in folder.iterdir() if each.name.endswith(_SUFFIX))


def load(name: str, overrides: Iterable[str] = (), messages: Iterable[str] = ()) -> Scenario:
    """Read a scenario by its name or path; `overrides` are `key=value`, `messages` replace its messages.

    Raises Refusal for a file, a setting or a value that is not valid; the text names what to change.
    """
    where, text = _text(name)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refusal(f"{where} is not TOML: {error}") from None
    for override in overrides:
        _override(document, override)
    texts = list(messages)
    if texts:
        expects = _expected(document)
        document["messages"] = [{"text": each, "expects": expects} for each in texts]
    if "name" in document:
        raise Refusal(f"{where}: `name` is no setting; a scenario is called as its file is")
    scenario: Scenario = _read(Scenario, {**document, "name": Path(name).stem}, where, "")
    _check(scenario, where)
    return scenario


def _expected(document: dict[str, Any]) -> Any:
    """The `expects` that all messages of a document share, which messages that replace them get too; empty if none."""
    messages = document.get("messages")
    kinds = {str(each.get("expects", "")) if isinstance(each, dict) else "" for each in messages or [{}]}
    return kinds.pop() if len(kinds) == 1 else ""


def _text(name: str) -> tuple[str, str]:
    """The name or path of a scenario's file, and its text."""
    if name in names():
        return f"{name}{_SUFFIX}", (
            resources.files("ailoop_otel.measure") / "scenarios" / f"{name}{_SUFFIX}"
        ).read_text(encoding="utf-8")
    path = Path(name)
    if path.suffix != _SUFFIX and not path.exists():
        raise Refusal(
            f"{name} is no scenario{_meant(name, names())}; "
            f"there are {', '.join(names())}, and any TOML file by its path"
        )
    try:
        return name, read_text(path)
    except OSError as error:
        raise Refusal(f"the scenario {name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refusal(f"the scenario {name} is not UTF-8 text") from error


def _override(document: dict[str, Any], override: str) -> None:
    """Set `ramp.step=5` in the document; a value that is not TOML is a string."""
    key, equals, value = override.partition("=")
    words = key.strip().split(".")
    if not equals or not all(words):
        raise Refusal(f"--set {override}: a setting is written key=value, `--set sessions=5` say")
    if words[0] == "messages":
        raise Refusal("--set messages: give the texts by --message, once for each")
    table = document
    for word in words[:-1]:
        table = table.setdefault(word, {})
        if not isinstance(table, dict):
            raise Refusal(f"--set {override}: `{word}` holds no settings")
    try:
        table[words[-1]] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        table[words[-1]] = value.strip()


def _read(kind: Any, table: Mapping[str, Any], where: str, inside: str) -> Any:
    fields = {each.name: each for each in dataclasses.fields(kind)}
    for key in table:
        if key not in fields:
            raise Refusal(f"{where}: `{inside}{key}` is no setting{_meant(key, fields)}; there are {_listed(kind)}")
    missing = [name for name, each in fields.items() if each.default is MISSING and name not in table]
    if missing:
        raise Refusal(f"{where}: `{inside}{missing[0]}` is missing")
    return kind(**{key: _value(fields[key], value, where, inside + key) for key, value in table.items()})


def _listed(kind: Any) -> str:
    """The keys that a table may have, with those of the tables in it."""
    keys = [setting.key for setting in (known() if kind is Scenario else _settings(kind, ""))]
    return ", ".join(keys or [each.name for each in dataclasses.fields(kind)])


def _value(known: Any, value: Any, where: str, key: str) -> Any:
    if key in _TABLES:
        if not isinstance(value, dict):
            raise Refusal(f"{where}: `{key}` is a table of settings, `[{key}]`")
        return _read(_TABLES[key], value, where, f"{key}.")
    if key == "messages":
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise Refusal(f'{where}: messages are written [[messages]] with text = "..." below, once for each')
        return tuple(_read(Prompt, each, where, "messages.") for each in value)
    if isinstance(known.default, bool):
        if not isinstance(value, bool):
            raise Refusal(f"{where}: `{key}` is true or false, not {value!r}")
        return value
    if "low" in known.metadata:
        return _checked_number(known, value, where, key)
    if not isinstance(value, str):
        raise Refusal(f"{where}: `{key}` is text in quotes, not {value!r}")
    choices = known.metadata.get("choices")
    if choices is not None and value not in choices:
        raise Refusal(f"{where}: `{key}` is one of {', '.join(filter(None, choices))}, not {value!r}")
    return value


def _checked_number(known: Any, value: Any, where: str, key: str) -> Any:
    low, high = known.metadata["low"], known.metadata["high"]
    whole = isinstance(known.default, int)
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        raise Refusal(
            f"{where}: `{key}` is a {'whole ' if whole else ''}number from {low:g} to {high:g}, not {value!r}"
        )
    return value if whole else float(value)


def _check(scenario: Scenario, where: str) -> None:
    if not scenario.messages:
        raise Refusal(f"{where}: it sends nothing; add [[messages]] with a text, or give --message")
    for each in scenario.messages:
        if not each.text.strip():
            raise Refusal(f"{where}: a message without text; the server would not ask its AI")
    dialect_named(scenario.dialect)
    ramp = scenario.ramp
    if ramp is not None and ramp.most < ramp.start:
        raise Refusal(f"{where}: `ramp.most` is {ramp.most}, which is below `ramp.start`, {ramp.start}")


def _meant(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean `{close[0]}`?" if close else ""


_TABLES: Final[dict[str, Any]] = {"ramp": Ramp, "stable": StabilityCriteria}
