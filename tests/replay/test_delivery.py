"""One line and a real server that takes it, refuses it, asks for patience or goes away."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from ailoop_otel.replay.delivery import Answer, Delivery, ReplayStopped
from ailoop_otel.replay.export_request import ExportRequest, parse
from ailoop_otel.replay.http import Http, destination
from tests.replay.exports import logs, traces
from tests.replay.receiver import JSON, Receiver, Reply

PATIENCE = 60.0
CLOSED = Reply(None)


def _document(line: bytes) -> ExportRequest:
    found = parse(line.strip())
    assert found is not None
    return found


LINE = _document(traces("one", spans=3))


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.slept.append(seconds)
        self.now += seconds


class Trial:
    """A delivery to an address, the time it slept and the waits it reported."""

    def __init__(self, url: str, *, insecure: bool = False, patience: float = PATIENCE) -> None:
        self.time = Time()
        self.waits: list[str] = []
        receiver = destination(url, insecure=insecure)
        self.http = Http(receiver)
        self.delivery = Delivery(
            self.http, patience, lambda reason, pause: self.waits.append(reason), self.time.clock, self.time.sleep
        )

    def send(self, line: ExportRequest = LINE) -> Answer:
        """Send one line."""
        return self.delivery.send(line)


@pytest.fixture
def trial(receiver: Receiver) -> Iterator[Trial]:
    """A delivery to the receiver."""
    made = Trial(receiver.url)
    yield made
    made.http.close()


def test_a_line_arrives_as_it_was_recorded(receiver: Receiver, trial: Trial) -> None:
    """Byte for byte, packed on its way, each signal where it belongs."""
    assert trial.send() == Answer(accepted=True)
    assert trial.send(_document(logs("a"))).accepted
    first, second = receiver.asked
    assert (first.path, second.path) == ("/v1/traces", "/v1/logs")
    assert first.body == LINE.content
    assert (first.headers["Content-Type"], first.headers["Content-Encoding"]) == ("application/json", "gzip")


def test_one_connection_serves_all_lines(receiver: Receiver, trial: Trial) -> None:
    """It is kept open, also over a line that is refused."""
    receiver.replies = [Reply(), Reply(400, b"x" * 10_000, {}), Reply(503)]
    for _ in range(4):
        trial.send()
    assert len({asked.port for asked in receiver.asked}) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.fault(
    "collector",
    theirs="The collector is busy",
    promise="Asked again after growing pauses",
)
def test_a_busy_collector_is_asked_again(receiver: Receiver, trial: Trial, status: int) -> None:
    """After pauses that grow, up to ten seconds."""
    receiver.replies = [Reply(status)] * 8
    assert trial.send().accepted
    assert trial.time.slept == [0, 0.5, 1, 2, 4, 8, 10, 10]
    assert trial.waits[0] == f"{receiver.url} answers {status}"


def test_a_collector_that_says_when_is_asked_then(receiver: Receiver, trial: Trial) -> None:
    """By Retry-After, in seconds; what makes no sense there is as good as nothing."""
    receiver.replies = [Reply(503, headers={"Retry-After": said}) for said in ("7", "soon", "0")]
    assert trial.send().accepted
    assert trial.time.slept == [7, 0.5, 1]


@pytest.mark.fault(
    "collector",
    theirs="The connection breaks while a line is sent",
    promise="Made again; the line is sent once more with the same ids",
)
def test_a_connection_that_breaks_is_made_again(receiver: Receiver, trial: Trial) -> None:
    """The line may have arrived: it is sent once more, and its spans keep their ids."""
    trial.send()
    receiver.replies = [CLOSED, CLOSED]
    assert trial.send().accepted
    assert len(receiver.asked) == 4
    assert len(trial.time.slept) == 2


def test_patience_ends(receiver: Receiver, trial: Trial) -> None:
    """With why; no line is given up for a collector that is away for less."""
    receiver.always = Reply(503)
    with pytest.raises(ReplayStopped, match=rf"{receiver.url} answers 503$"):
        trial.send()
    assert PATIENCE - 10 <= trial.time.now <= PATIENCE


def test_a_collector_that_asks_for_too_much_is_left_alone(receiver: Receiver, trial: Trial) -> None:
    """At once: the response excludes that a retry succeeds."""
    receiver.replies = [Reply(429, headers={"Retry-After": "3600"})]
    with pytest.raises(ReplayStopped, match="answers 429 and asks to be left alone for 3600 s"):
        trial.send()
    assert trial.time.slept == []


def test_nobody_there_is_reported_in_words() -> None:
    """Not as an exception's innards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    trial = Trial(f"http://127.0.0.1:{port}", patience=3)
    with pytest.raises(ReplayStopped, match=rf"^http://127.0.0.1:{port} does not answer \(Connection refused\)$"):
        trial.send()
    trial.http.close()


@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_a_refused_line_is_no_reason_to_stop(receiver: Receiver, trial: Trial, status: int) -> None:
    """It is reported with the collector's message, shortened and safe to print."""
    receiver.replies = [Reply(status, json.dumps({"code": 3, "message": "no \x1b[2J" + "x" * 1000}).encode())]
    answer = trial.send()
    assert (answer.accepted, answer.unsupported, answer.divisible) == (False, False, status in (400, 413))
    assert answer.message.startswith(f"{status} no �[2Jxxx")
    assert len(answer.message) < 250
    assert trial.time.slept == []


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        (401, "OTEL_EXPORTER_OTLP_HEADERS"),
        (403, "OTEL_EXPORTER_OTLP_HEADERS"),
        (404, "Correct the path"),
        (415, "no OTLP in this form"),
        (307, "Name the address that it sends to"),
        (405, "Correct the path"),
    ],
)
def test_what_no_other_line_would_change_is_unsupported(
    receiver: Receiver, trial: Trial, status: int, mend: str
) -> None:
    """With the remedy; a redirection is not followed, as the line would get lost on the way."""
    receiver.replies = [Reply(status, b"", {"Location": "/elsewhere"})]
    answer = trial.send()
    assert (answer.accepted, answer.unsupported) == (False, True)
    assert mend in answer.mend
    assert str(status) in answer.message
    assert len(receiver.asked) == 1


def test_a_web_page_is_no_receiver(receiver: Receiver, trial: Trial) -> None:
    """Jaeger's query port answers 200 to everything: nothing may be taken as sent."""
    receiver.replies = [Reply(200, b"<html>", {"Content-Type": "text/html; charset=utf-8"})]
    answer = trial.send()
    assert (answer.accepted, answer.unsupported) == (False, True)


@pytest.mark.parametrize("count", [2, "2"])
def test_a_partial_success_counts_what_was_rejected(receiver: Receiver, trial: Trial, count: object) -> None:
    """The line is acknowledged all the same, as OTLP has it."""
    partial = {"partialSuccess": {"rejectedSpans": count, "errorMessage": "too\nold"}}
    receiver.replies = [Reply(200, json.dumps(partial).encode())]
    assert trial.send() == Answer(accepted=True, rejected=2, message="too�old")


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"\xff", b"[" * 60_000, b"x" * 10**6, b'{"partialSuccess":5}',
     b'{"partialSuccess":{"rejectedSpans":"many","errorMessage":5}}', b'{"partialSuccess":{"rejectedSpans":-5}}'],
)  # fmt: skip
def test_an_answer_that_says_nothing_is_still_an_answer(receiver: Receiver, trial: Trial, body: bytes) -> None:
    """The status is what counts."""
    receiver.replies = [Reply(200, body, JSON)]
    assert trial.send() == Answer(accepted=True)
    assert trial.send() == Answer(accepted=True)


def test_headers_and_user_reach_the_collector(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the environment; a user in the address goes before; and not by a proxy, to this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc,x-tenant=a,content-type=text/plain")
    for url, expected in ((receiver.url, "Bearer abc"), (receiver.url.replace("//", "//u:p@"), "Basic dTpw")):
        trial = Trial(url)
        trial.send()
        trial.http.close()
        headers = {name.lower(): value for name, value in receiver.asked[-1].headers.items()}
        assert (headers["authorization"], headers["x-tenant"]) == (expected, "a")
        assert headers["content-type"] == "application/json"


def test_a_password_for_other_programs_is_not_sent(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The entry of ~/.netrc for a collector's host would replace the header that is set."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("ailoop_otel.replay.http.is_loopback", lambda address: False)
    trial = Trial(receiver.url)
    trial.send()
    trial.http.close()
    headers = {name.lower(): value for name, value in receiver.asked[0].headers.items()}
    assert headers["authorization"] == "Bearer abc"


@pytest.mark.fault(
    "collector",
    theirs="The collector's certificate is unknown",
    promise="Nothing is sent to it",
)
def test_a_collector_with_tls_must_be_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the authority that the environment names, or not at all."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    receiver = Receiver(context)
    stranger = Trial(receiver.url)
    with pytest.raises(ReplayStopped, match="cannot be trusted: set OTEL_EXPORTER_OTLP_CERTIFICATE"):
        stranger.send()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    careless = Trial(receiver.url, insecure=True)
    assert careless.send().accepted
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tmp_path / "ca.pem"))
    careful = Trial(receiver.url)
    assert careful.send().accepted
    for trial in (stranger, careless, careful):
        trial.http.close()
    receiver.close()
