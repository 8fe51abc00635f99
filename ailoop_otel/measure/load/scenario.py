"""Scenarios: which messages are sent to a server, how often and for how long; each is a TOML file.

A new scenario is a new file in `scenarios/`, or anywhere else, where its path is given instead of a name. The fields
of the classes below are all settings, with their limits.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.client.session import dialect_named
from ailoop_otel.measure.load.checked_table import (
    Setting,
    meant,
    number,
    numbers,
    one_of,
    plain,
    read,
    settings_of,
    table,
    tables,
)
from ailoop_otel.measure.load.messages_file import messages_of
from ailoop_otel.measure.load.recorded_sessions import Recorded
from ailoop_otel.measure.results.observations import PHASES
from ailoop_otel.protocol.registry import DIALECTS
from ailoop_otel.recorded.input_file import read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OPEN, CLOSED = "open", "closed"
SESSIONS, RATE = "sessions", "rate"
RECORDED: Final = "recorded"
"""The name of the scenario of recorded traffic."""
CONSTANT, POISSON = "constant", "poisson"
AI_TIMEOUT: Final = "ai_timeout"
_DAY: Final = 86_400.0
_SUFFIX: Final = ".toml"
_FOLDER: Final = Path(__file__).parent.parent / "scenarios"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A message that sessions send; `weight` is how often, relative to the other messages.

    `name` labels its figures. `expects` is `ai_timeout` where the AI is not supposed to answer in time: then any
    failure that the server reports counts as the report of the timeout.
    """

    text: str
    weight: float = number(1.0, 0.001, 1000.0)
    name: str = ""
    expects: str = one_of("", AI_TIMEOUT)


@dataclass(frozen=True, slots=True)
class UserKind:
    """A kind of user: what it sends and how long it thinks; what is left out is the scenario's.

    `weight` is its share: of the sessions in a closed loop, of the messages in an open one, whose sessions send the
    messages of all kinds. `name` labels its figures.
    """

    name: str
    weight: float = number(1.0, 0.001, 1000.0)
    think: float | None = number(None, 0.0, _DAY)
    think_max: float | None = number(None, 0.0, _DAY)
    messages: tuple[Prompt, ...] = tables(Prompt)


@dataclass(frozen=True, slots=True)
class Ramp:
    """A growing load: from `start` in steps of `step` up to `most`, or `levels`, each level for `seconds` seconds.

    Levels `of` sessions have `rate` messages per second of each session, or the closed loop of the scenario. Levels of
    a rate, in messages/s over all sessions, begin with the scenario's sessions, and more are opened as answers take
    longer. With `search` it ends at the first level that is not stable, and the level before is held; without it, every
    level is run.
    """

    of: str = one_of(SESSIONS, RATE, means="what the levels are: sessions, or messages/s")
    start: int = number(5, 1, 100_000, "the first level")
    step: int = number(5, 1, 100_000, "how much more each level is")
    most: int = number(200, 1, 100_000, "the last level")
    levels: tuple[float, ...] = numbers(0.001, 100_000.0, "the levels, instead of start, step and most")
    seconds: float = number(15.0, 0.1, _DAY, "how long a level lasts")
    rate: float = number(0.2, 0.001, 1000.0, "messages/s of each session, for levels of sessions")
    search: bool = plain(True, "end at the first level that is not stable")

    def loads(self) -> list[float]:
        """The levels in order; without a list of them, the last is `most`."""
        return sorted(self.levels) or [*range(self.start, self.most, self.step), self.most]

    def text(self, load: float) -> str:
        """A level in words: `20 sessions`, `2.5 messages/s`."""
        return f"{load:g} messages/s" if self.of == RATE else f"{load:g} sessions"

    def messages_per_second(self, load: float) -> float:
        """The rate of a level over all sessions, in an open loop."""
        return load if self.of == RATE else self.rate * load


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the measurement, in which the load changes evenly to what it is at the stage's end.

    It begins with the load that the stage before ended with, the first with the scenario's. What is left out stays as
    it is; a stage of 0 seconds is a jump. `rate` is for the open loop. `name` is the phase of its messages.
    """

    seconds: float = number(30.0, 0.0, _DAY)
    rate: float | None = number(None, 0.0, 100_000.0)
    sessions: int | None = number(None, 1, 100_000)
    name: str = ""


@dataclass(frozen=True, slots=True)
class StabilityCriteria:
    """When a level is stable: limits of errors per 1,000 messages and of p95 (s), held for `hold` seconds."""

    errors: float = number(10.0, 0.0, 1000.0, "errors per 1,000 messages at most")
    first_chunk_p95: float = number(2.0, 0.001, 3600.0, "seconds to the first chunk (p95) at most")
    completion_p95: float | None = number(None, 0.001, _DAY, "seconds to the complete answer (p95) at most")
    hold: float = number(60.0, 0.1, _DAY, "seconds for which the level found is held")


@dataclass(frozen=True, slots=True)
class AbortCriteria:
    """Limits that end the measurement early: the figures of the last `seconds` seconds are beyond one of them.

    The run then fails. A ramp has its own criteria, `StabilityCriteria`.
    """

    errors: float | None = number(None, 0.0, 1000.0, "errors per 1,000 messages at most")
    first_chunk_p95: float | None = number(None, 0.001, 3600.0, "seconds to the first chunk (p95) at most")
    rate: float | None = number(None, 0.001, 100_000.0, "messages/s that end, at least")
    seconds: float = number(10.0, 1.0, _DAY, "how long a limit must be missed")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. Times are seconds.

    `loop`: `open` sends at planned times, independent of the server; `closed` sends each session's next message
    `think` seconds after its answer; with `think_max` each of these pauses is drawn evenly from between the two. `rate`
    is messages per second over all sessions, and `stages` change it and the sessions with time. `duration` and
    `most_messages` bound the measurement, whichever is reached first; the stages' sum is the default of `duration`. A
    session is replaced after `turns` messages (0: never). `opening` is how many sessions are opened per second,
    `patience` when a client gives a message up.
    """

    name: str
    title: str = ""
    text: str = ""
    loop: str = one_of(OPEN, CLOSED, means="sent at planned times, or after the answer")
    sessions: int = number(10, 1, 100_000, "sessions at once")
    rate: float = number(5.0, 0.001, 100_000.0, "messages/s over all sessions, open loop")
    arrivals: str = one_of(CONSTANT, POISSON, means="gaps between planned times")
    think: float = number(0.0, 0.0, _DAY, "seconds from an answer to the next message, closed loop")
    think_max: float | None = number(None, 0.0, _DAY, "seconds at most, each drawn evenly from `think` on")
    warmup: float = number(5.0, 0.0, _DAY, "seconds of load before anything counts")
    duration: float = number(60.0, 0.1, 7 * _DAY, "seconds that are measured, at most")
    most_messages: int = number(100_000, 1, 10_000_000, "messages that are measured, at most")
    turns: int = number(0, 0, 1_000_000, "messages until a session is replaced; 0 is never")
    opening: float = number(20.0, 0.01, 10_000.0, "sessions opened a second")
    patience: float = number(120.0, 0.1, _DAY, "seconds until a client gives a message up")
    processes: int = number(1, 1, 64, "load processes")
    compression: bool = plain(True, "the WebSocket compresses, if the server does")
    dialect: str = plain(DIALECTS.dialects[0].name, "whose requests the server takes: see docs/dialects.md")
    messages_file: str = plain("", "JSON Lines or CSV with text, name and weight, instead of the messages")
    seed: int = number(1, 0, 2**31, "of what is random: the same seed, the same load")
    stop: bool = plain(True, "sessions are stopped at the end, not just left")
    ramp: Ramp | None = table(Ramp, None)
    stable: StabilityCriteria = table(StabilityCriteria, StabilityCriteria())
    abort_on: AbortCriteria = table(AbortCriteria, AbortCriteria())
    recorded: Recorded | None = table(Recorded, None)
    stages: tuple[Stage, ...] = tables(Stage)
    users: tuple[UserKind, ...] = tables(UserKind)
    messages: tuple[Prompt, ...] = tables(Prompt)

    def user_kinds(self) -> list[UserKind]:
        """The kinds of users with all that they leave to the scenario; one without a name where there are none."""
        made = []
        for each in self.users or (UserKind(""),):
            own = each.think is not None or each.think_max is not None
            think, most = (each.think or 0.0, each.think_max) if own else (self.think, self.think_max)
            made.append(replace(each, think=think, think_max=most, messages=each.messages or self.messages))
        return made

    @property
    def most_sessions(self) -> int:
        """The most sessions that are wanted at once."""
        if self.ramp is not None and self.ramp.of == SESSIONS:
            return int(self.ramp.loads()[-1])
        return max(self.sessions, *(each.sessions or 0 for each in self.stages), 0)

    def stage_names(self) -> list[str]:
        """The names of the stages, which are the phases of their messages."""
        return [each.name or f"stage {number}" for number, each in enumerate(self.stages, 1)]

    def settings(self) -> dict[str, Any]:
        """All settings as JSON, without the message texts, which may be long or private."""
        values = dataclasses.asdict(self)
        values["messages"] = _names(self.messages)
        if self.recorded is not None:
            values["recorded"] |= {"sessions": len(self.recorded.sessions), "messages": self.recorded.messages}
        for each, user in zip(values["users"], self.users, strict=True):
            each["messages"] = _names(user.messages)
        return {name: value for name, value in values.items() if name not in ("title", "text")}


def _names(messages: Iterable[Prompt]) -> list[str]:
    return [each.name or f"message {number}" for number, each in enumerate(messages, 1)]


def known() -> list[Setting]:
    """All settings, in the order of the fields."""
    return settings_of(Scenario)


def names() -> list[str]:
    """The scenarios that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob(f"*{_SUFFIX}"))


def load(name: str, overrides: Iterable[str] = (), messages: Iterable[str] = ()) -> Scenario:
    """Read a scenario by its name or path; `overrides` are `key=value`, `messages` replace its messages.

    Raises Refusal for a file, a setting or a value that is not valid; the text names what to change.
    """
    where, toml = _text(name)
    try:
        document = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise Refusal(f"{where} is not TOML: {error}") from None
    if isinstance(document.get("messages_file"), str):
        document["messages_file"] = str(Path(where).parent / document["messages_file"])
    for override in overrides:
        _override(document, override)
    _replace_messages(document, list(messages))
    if "recorded" in document:
        raise Refusal(f"{where}: `recorded` is no setting; recorded traffic is replayed by --from-telemetry DIR")
    if "name" in document:
        raise Refusal(f"{where}: `name` is no setting; a scenario is called as its file is")
    scenario: Scenario = read(Scenario, {**document, "name": Path(name).stem}, where)
    for fault in _faults(scenario):
        raise Refusal(f"{where}: {fault}")
    dialect_named(scenario.dialect)
    if scenario.stages and "duration" not in document:
        return replace(scenario, duration=sum(each.seconds for each in scenario.stages))
    return scenario


def of_recorded(recorded: Mapping[str, Any], sessions: int, seconds: float, overrides: Iterable[str]) -> Scenario:
    """The scenario of recorded traffic, as tables of `Recorded`, with at most so many sessions at once.

    Raises Refusal for overrides that are not valid, or not for recorded traffic.
    """
    document: dict[str, Any] = {"warmup": 0.0, "duration": seconds, "sessions": sessions}
    for override in overrides:
        _override(document, override)
    if unfit := sorted(document.keys() & {"loop", "rate", "arrivals", "turns", "ramp", "stages", "users"}):
        raise Refusal(f"--set {unfit[0]}: recorded traffic has its own times and sessions")
    made: Scenario = read(Scenario, {**document, "name": RECORDED, "recorded": recorded}, "--set")
    if made.warmup:
        raise Refusal("--set warmup: recorded traffic has no warm-up; leave it out")
    dialect_named(made.dialect)
    return made


def _replace_messages(document: dict[str, Any], texts: list[str]) -> None:
    """Put the messages of the command line, else those of the messages file, in place of all others."""
    if texts:
        given = [{"text": each} for each in texts]
    elif isinstance(document.get("messages_file"), str) and document["messages_file"]:
        given = messages_of(Path(document["messages_file"]), Prompt)
    else:
        return
    expects = _expected(document)
    document["messages"] = [{"expects": expects, **each} for each in given]
    for user in document.get("users", ()):
        if isinstance(user, dict):
            user.pop("messages", None)


def _expected(document: dict[str, Any]) -> Any:
    """The `expects` that all messages of a document share, which messages that replace them get too; empty if none."""
    messages = document.get("messages")
    kinds = {str(each.get("expects", "")) if isinstance(each, dict) else "" for each in messages or [{}]}
    return kinds.pop() if len(kinds) == 1 else ""


def _text(name: str) -> tuple[str, str]:
    """The name or path of a scenario's file, and its text."""
    if name in names():
        return f"{name}{_SUFFIX}", read_text(_FOLDER / f"{name}{_SUFFIX}")
    path = Path(name)
    if path.suffix != _SUFFIX and not path.exists():
        raise Refusal(
            f"{name} is no scenario{meant(name, names())}; "
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
    path = key.strip().split(".")
    if not equals or not all(path):
        raise Refusal(f"--set {override}: a setting is written key=value, `--set sessions=5` say")
    if path[0] == "messages":
        raise Refusal("--set messages: give the texts by --message, once for each")
    inside = document
    for word in path[:-1]:
        inside = inside.setdefault(word, {})
        if not isinstance(inside, dict):
            raise Refusal(f"--set {override}: `{word}` holds no settings")
    try:
        inside[path[-1]] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        inside[path[-1]] = value.strip()


def _faults(scenario: Scenario) -> Iterator[str]:
    """What its settings, each of which is valid, make wrong together."""
    yield from _user_faults(scenario.user_kinds())
    if scenario.ramp is not None:
        yield from _ramp_faults(scenario, scenario.ramp)
    if scenario.stages and not any(each.seconds for each in scenario.stages):
        yield "its stages take no time; give one of them `seconds`"
    for stage in scenario.stages:
        if stage.rate is not None and scenario.loop != OPEN:
            yield '`stages.rate` is for loop = "open"; a closed loop has `stages.sessions`'
        if stage.name in PHASES:
            yield f"`stages.name` is {stage.name}, which is the name of another phase"


def _user_faults(kinds: Sequence[UserKind]) -> Iterator[str]:
    if not all(each.messages for each in kinds):
        yield "it sends nothing; add [[messages]] with a text, or give --message"
    if len({each.name for each in kinds}) < len(kinds):
        yield "two of its [[users]] have the same name"
    for kind in kinds:
        if not all(each.text.strip() for each in kind.messages):
            yield "a message without text; the server would not ask its AI"
        if kind.think_max is not None and kind.think_max < (kind.think or 0.0):
            yield f"`think_max` is {kind.think_max:g}, which is below `think`, {kind.think:g}"


def _ramp_faults(scenario: Scenario, ramp: Ramp) -> Iterator[str]:
    if ramp.most < ramp.start and not ramp.levels:
        yield f"`ramp.most` is {ramp.most}, which is below `ramp.start`, {ramp.start}"
    if ramp.of == SESSIONS and not all(each.is_integer() for each in ramp.levels):
        yield "`ramp.levels` of sessions are whole numbers"
    if ramp.of == RATE and scenario.loop != OPEN:
        yield '`ramp.of = "rate"` is for loop = "open"; a closed loop has levels of sessions'
    if replace(scenario.abort_on, seconds=AbortCriteria().seconds) != AbortCriteria():
        yield "[abort_on] is not for a [ramp], which ends at its own limits, [stable]"
    if scenario.stages:
        yield "[ramp] and [[stages]] are two courses of the load; leave one of them out"
