"""Which scenario the options of `measure` choose: a file's, a load curve over given levels, or recorded traffic."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.commands.options import MeasureOptions
from ailoop_otel.measure.load import scenario
from ailoop_otel.measure.load.scenario import OPEN, RATE, SESSIONS, Scenario
from ailoop_otel.measure.telemetry.reading import read
from ailoop_otel.measure.telemetry.traffic import traffic_of
from ailoop_otel.measure.verdict import targets
from ailoop_otel.measure.verdict.targets import VALUE, Targets
from ailoop_otel.replay.shifted import pace_of
from ailoop_otel.since import parse_since

_LOAD_CURVE: Final = "mixed"
"""The scenario of a load curve where none is named."""
# Settings of a level, and the targets that set them.
_CRITERIA: Final = {
    "stable.first_chunk_p95": ("first_chunk", "p95"),
    "stable.completion_p95": ("completion", "p95"),
    "stable.errors": ("error_rate", VALUE),
}


def chosen_scenario(options: MeasureOptions) -> Scenario:
    """The scenario that is to be run; raises Refusal where there is none, and for options that disagree."""
    if options.from_telemetry:
        return _recorded(options)
    for option, value in (("--since", options.since), ("--pace", options.pace)):
        if value:
            raise Refusal(f"{option} is for recorded traffic: give --from-telemetry DIR, or leave it out")
    if options.messages and options.messages_file:
        raise Refusal("--message and --messages both say what is sent: leave one of them out")
    name = options.scenario or (_LOAD_CURVE if options.rates or options.sessions else "")
    if not name:
        raise Refusal(f"name a scenario: {', '.join(scenario.names())}, or a TOML file; --list says what they do")
    wanted = targets.load(options.targets, Path(name).stem) if options.targets else None
    curve = load_curve(options.rates, options.sessions, options.seconds, wanted)
    overrides = [*curve, *_overrides(options)]
    if options.messages_file:
        # In TOML's quotes, whatever characters the path has.
        overrides.append(f"messages_file={json.dumps(options.messages_file, ensure_ascii=False)}")
    return scenario.load(name, overrides, options.messages or ())


def load_curve(rates: str, sessions: str, seconds: float | None, targets: Targets | None) -> Iterator[str]:
    """The settings, `key=value`, of a load curve over rates (messages/s) or sessions; none without either.

    It is a ramp over the given levels, each of which lasts `seconds`; what `targets` say of p95 and errors decides
    whether a level is stable. Raises Refusal for levels that are no numbers, and for options that disagree.
    """
    if rates and sessions:
        raise Refusal("--rates and --sessions are two load curves; leave one of them out")
    if not rates and not sessions:
        if seconds is not None:
            raise Refusal("--seconds is for a level of --rates or --sessions; a run lasts --set duration=SECONDS")
        return
    if rates:
        yield f'loop="{OPEN}"'
    yield f'ramp.of="{RATE if rates else SESSIONS}"'
    yield f"ramp.levels={_levels(rates or sessions, '--rates' if rates else '--sessions')}"
    if seconds is not None:
        yield f"ramp.seconds={seconds}"
    yield "duration=86400"
    for key, (metric, figure) in _CRITERIA.items():
        limit = targets.limit(metric, figure) if targets is not None else None
        if limit is not None:
            yield f"{key}={limit}"


def _levels(text: str, option: str) -> list[float]:
    try:
        levels = [float(each) for each in text.split(",")]
    except ValueError:
        levels = [math.nan]
    if not all(map(math.isfinite, levels)):
        raise Refusal(f"{option} {text!r} are no levels: write {option} 1,2,4,8")
    return levels


def _overrides(options: MeasureOptions) -> Iterator[str]:
    yield from options.settings or ()
    if options.processes is not None:
        yield f"processes={options.processes}"
    if options.dialect:
        yield f"dialect={options.dialect}"


def _recorded(options: MeasureOptions) -> Scenario:
    others = {
        "a scenario": options.scenario, "--rates": options.rates, "--sessions": options.sessions,
        "--seconds": options.seconds, "--message": options.messages, "--messages": options.messages_file,
    }  # fmt: skip
    for option, value in others.items():
        if value:
            raise Refusal(f"--from-telemetry replays what was recorded: leave {option} out")
    since, pace = parse_since(options.since, time.time_ns()), pace_of("now", options.pace)
    traffic = traffic_of(read(Path(options.from_telemetry), since=since, texts=True), pace)
    return scenario.of_recorded(traffic.recorded, traffic.sessions, traffic.seconds, _overrides(options))
