"""Scenarios are read whole, and each mistake in one has its own sentence."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.load import scenario
from ailoop_otel.measure.load.checked_table import read
from ailoop_otel.measure.load.scenario import Scenario

SHIPPED = {
    "ai_service_timeout", "concurrent_sessions", "long_running_session", "memory_usage", "mixed", "soak", "spike",
    "throughput", "user_kinds",
}  # fmt: skip
MESSAGES = '[[messages]]\ntext = "hello"\n'


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_scenarios_of_the_package_are_there() -> None:
    """Each has a title, a text about its use, and messages that any AI can answer."""
    assert set(scenario.names()) == SHIPPED
    for name in SHIPPED:
        one = scenario.load(name)
        assert one.name == name
        assert one.title
        assert len(one.text) > 80
        assert all("[[" not in each.text for kind in one.user_kinds() for each in kind.messages)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_scenario_survives_the_way_to_a_load_process(name: str) -> None:
    """What a load process reads is what was sent."""
    one = scenario.load(name)
    assert read(Scenario, json.loads(json.dumps(asdict(one))), "the job") == one


def test_a_users_own_file_is_a_scenario(tmp_path: Path) -> None:
    """A path is read like a name, and what it leaves out has the default."""
    one = scenario.load(written(tmp_path, f"rate = 2\n[ramp]\nstart = 3\n{MESSAGES}"))
    assert (one.name, one.rate, one.sessions) == ("mine", 2.0, 10)
    assert isinstance(one.rate, float)
    assert one.ramp is not None
    assert (one.ramp.start, one.ramp.step) == (3, 5)


def test_settings_and_messages_can_be_given_instead() -> None:
    """--set goes into tables too, and takes numbers, flags and bare words; --message replaces all texts."""
    overrides = ["ramp.step=7", "stable.hold = 3", "arrivals=poisson", "compression=false", "duration=1.5"]
    one = scenario.load("concurrent_sessions", overrides, ["one", "two"])
    assert one.ramp is not None
    assert (one.ramp.step, one.stable.hold, one.arrivals, one.compression) == (7, 3.0, "poisson", False)
    assert [each.text for each in one.messages] == ["one", "two"]


def test_stages_last_as_long_as_they_take(tmp_path: Path) -> None:
    """The stages are the measurement, unless a duration cuts them short; names are numbers where they have none."""
    stages = f"[[stages]]\nseconds = 5\nrate = 9\n[[stages]]\nname = 'peak'\nseconds = 2.5\nsessions = 40\n{MESSAGES}"
    one = scenario.load(written(tmp_path, stages))
    assert (one.duration, one.most_sessions, one.stage_names()) == (7.5, 40, ["stage 1", "peak"])
    assert scenario.load(written(tmp_path, stages), ["duration=3"]).duration == 3


USERS = """
think = 1
[[users]]
name = "reader"
weight = 3
think = 5
think_max = 9
[[users.messages]]
text = "a secret"
[[users]]
name = "writer"
"""


def test_a_kind_of_user_leaves_to_the_scenario_what_it_does_not_say(tmp_path: Path) -> None:
    """Messages and think time are its own, or the scenario's; --message replaces those of all kinds."""
    path = written(tmp_path, USERS + MESSAGES)
    one = scenario.load(path)
    reader, writer = one.user_kinds()
    assert (reader.think, reader.think_max, reader.messages[0].text) == (5.0, 9.0, "a secret")
    assert (writer.think, writer.think_max, writer.messages[0].text) == (1.0, None, "hello")
    assert "a secret" not in json.dumps(one.settings())
    assert read(Scenario, json.loads(json.dumps(asdict(one))), "the job") == one
    assert {each.messages[0].text for each in scenario.load(path, (), ["hi"]).user_kinds()} == {"hi"}


def test_messages_come_from_a_file(tmp_path: Path) -> None:
    """JSON Lines and CSV say the same; a scenario names its file from where it stands itself."""
    (tmp_path / "some.jsonl").write_text('{"text": "a, b", "name": "x", "weight": 3}\n\n{"text": "c"}\n')
    (tmp_path / "some.CSV").write_text('\ufefftext,name,weight\n"a, b",x,3\nc,,\n', encoding="utf-8")
    own = scenario.load(written(tmp_path, 'messages_file = "some.jsonl"')).messages
    assert [(each.text, each.name, each.weight) for each in own] == [("a, b", "x", 3.0), ("c", "", 1.0)]
    other = scenario.load("mixed", [f"messages_file={tmp_path / 'some.CSV'}"]).messages
    assert other == own
    assert [each.text for each in scenario.load("mixed", [f"messages_file={tmp_path / 'none'}"], ["hi"]).messages] == [
        "hi"
    ]
    assert scenario.load("ai_service_timeout", [f"messages_file={tmp_path / 'some.CSV'}"]).messages[1].expects


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", b"", "holds no messages"),
        ("a.jsonl", b'{"text": "x"}\nhello\n', "line 2: no JSON object"),
        ("a.jsonl", b"[" * 100_000, "line 1: no JSON object"),
        ("a.jsonl", b'{"texts": "x"}', "line 1: `texts` is no setting; did you mean `text`"),
        ("a.jsonl", b'{"text": 5}', "line 1: `text` is text in quotes"),
        ("a.jsonl", b'{"text": " "}', "line 1: a message without text"),
        ("a.jsonl", b"\xff", "not UTF-8"),
        ("a.csv", b"text,weight\nx,many\n", "line 2: `weight` is a number from 0.001 to 1000, not 'many'"),
        ("a.csv", b"text\nx,y\n", "`more cells than columns` is no setting"),
        ("a.csv", b'text\n"x" y\n', "are not CSV"),
        ("none.csv", None, "cannot be read"),
    ],
)
def test_a_mistake_in_a_messages_file_is_named_with_its_line(
    tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    """One sentence says where and what."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Refusal, match=expected) as refused:
        scenario.load("mixed", [f"messages_file={tmp_path / name}"])
    assert name in str(refused.value)


def test_other_messages_are_meant_to_come_to_the_same() -> None:
    """What is sent in place of the messages that the AI should not answer is not meant to be answered either."""
    assert [each.expects for each in scenario.load("ai_service_timeout", (), ["hang", "up"]).messages] == [
        "ai_timeout"
    ] * 2
    assert [each.expects for each in scenario.load("mixed", (), ["hello"]).messages] == [""]


def test_message_texts_stay_out_of_the_report() -> None:
    """The settings that a report shows name messages, and do not quote them."""
    settings = scenario.load("mixed", (), ["a secret"]).settings()
    assert "a secret" not in json.dumps(settings)
    assert settings["messages"] == ["message 1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rate = ", "is not TOML"),
        (f"sesions = 3\n{MESSAGES}", "`sesions` is no setting; did you mean `sessions`"),
        (f"[ramp]\nstpe = 3\n{MESSAGES}", "`ramp.stpe` is no setting; did you mean `step`"),
        (f"ramp = 3\n{MESSAGES}", r"`ramp` is a table of settings, `\[ramp\]`"),
        (f'sessions = "3"\n{MESSAGES}', "`sessions` is a whole number from 1 to 100000, not '3'"),
        (f"sessions = 2.5\n{MESSAGES}", "whole number"),
        (f"sessions = true\n{MESSAGES}", "whole number"),
        (f"rate = 0\n{MESSAGES}", "`rate` is a number from 0.001 to 100000, not 0"),
        (f"duration = nan\n{MESSAGES}", "`duration` is a number from"),
        (f'loop = "opne"\n{MESSAGES}', "`loop` is one of open, closed, not 'opne'"),
        (f"compression = 1\n{MESSAGES}", "`compression` is true or false"),
        (f"title = 1\n{MESSAGES}", "`title` is text in quotes"),
        (f'name = "x"\n{MESSAGES}', "`name` is no setting"),
        (f"[ramp]\nstart = 9\nmost = 8\n{MESSAGES}", "`ramp.most` is 8, which is below `ramp.start`, 9"),
        (f"think = 3\nthink_max = 2\n{MESSAGES}", "`think_max` is 2, which is below `think`, 3"),
        (f'loop = "closed"\n[ramp]\nof = "rate"\n{MESSAGES}', '`ramp.of = "rate"` is for loop = "open"'),
        (f"[ramp]\n[[stages]]\n{MESSAGES}", r"\[ramp\] and \[\[stages\]\] are two courses"),
        (f'loop = "closed"\n[[stages]]\nrate = 3\n{MESSAGES}', "a closed loop has `stages.sessions`"),
        (f'[[stages]]\nname = "ramp"\n{MESSAGES}', "the name of another phase"),
        (f"[[stages]]\nseconds = 0\n{MESSAGES}", "its stages take no time"),
        (f"[[stages]]\nrate = -1\n{MESSAGES}", "`stages.rate` is a number from 0 to 100000, not -1"),
        (f"[stages]\nrate = 1\n{MESSAGES}", r"stages are written \[\[stages\]\]"),
        (f"[ramp]\n[abort_on]\nrate = 3\n{MESSAGES}", r"\[abort_on\] is not for a \[ramp\]"),
        (f"[[users]]\nweight = 2\n{MESSAGES}", "`users.name` is missing"),
        (f'[[users]]\nname = "a"\nthink_max = -1\n{MESSAGES}', "`users.think_max` is a number from 0"),
        (f'[[users]]\nname = "a"\n[[users]]\nname = "a"\n{MESSAGES}', "have the same name"),
        ('[[users]]\nname = "a"', "it sends nothing"),
        ("", "it sends nothing"),
        ("messages = [3]", "messages are written"),
        ('[[messages]]\ntext = " "', "a message without text"),
        ("[[messages]]\nweight = 1.0", "`messages.text` is missing"),
        ('[[messages]]\ntext = "x"\nexpects = "rain"', "`messages.expects` is one of ai_timeout"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, text: str, expected: str) -> None:
    """One sentence names the place and a correct value."""
    with pytest.raises(Refusal, match=expected) as refused:
        scenario.load(written(tmp_path, text))
    assert "mine.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("sessions", "is written key=value"),
        ("=3", "is written key=value"),
        (
            "sesions=3",
            r"did you mean `sessions`\?; there are loop, sessions, rate, .*seed, stop, ramp.of, .*stable.hold",
        ),
        ("foo=1", "`foo` is no setting; there are loop, sessions, "),
        ("ramp.foo=1", "`ramp.foo` is no setting; there are of, start, step, most, levels, seconds, rate, search$"),
        ("ramp.levels=7", r"`ramp.levels` is a list of numbers, \[1, 2, 4\], not 7"),
        ("ramp.levels=[1, 'x']", "`ramp.levels` is a number from 0.001 to 100000, not 'x'"),
        ("ramp.levels=[1.5]", "`ramp.levels` of sessions are whole numbers"),
        ("messages=3", "--message"),
        ("rate.x=3", "`rate` holds no settings"),
    ],
)
def test_a_wrong_override_is_refused(override: str, expected: str) -> None:
    """--set has the same clear errors."""
    with pytest.raises(Refusal, match=expected):
        scenario.load("mixed", [override])


def test_every_setting_is_known_with_its_meaning() -> None:
    """What --set takes is what a run records as its settings, except the messages."""
    ramp = {f"ramp.{name}" for name in ("of", "start", "step", "most", "levels", "seconds", "rate", "search")}
    stable = {f"stable.{name}" for name in ("errors", "first_chunk_p95", "completion_p95", "hold")}
    plain = scenario.load("mixed").settings().keys() - {
        "name",
        "messages",
        "users",
        "stages",
        "ramp",
        "recorded",
        "stable",
        "abort_on",
    }
    settings = {each.key: each for each in scenario.known()}
    abort_on = {f"abort_on.{name}" for name in ("errors", "first_chunk_p95", "rate", "seconds")}
    assert settings.keys() == plain | ramp | stable | abort_on
    assert settings["abort_on.rate"].default == "none"
    assert (settings["warmup"].means, settings["warmup"].default) == ("seconds of load before anything counts", "5")
    assert settings["arrivals"].means.endswith("(constant or poisson)")
    assert settings["stop"].default == "true"


def test_an_unknown_scenario_is_refused(tmp_path: Path) -> None:
    """The scenarios that there are stand in the error, the likely one first."""
    with pytest.raises(Refusal, match="did you mean `soak`.*memory_usage, mixed, soak"):
        scenario.load("soka")
    with pytest.raises(Refusal, match="cannot be read"):
        scenario.load(str(tmp_path / "none.toml"))
