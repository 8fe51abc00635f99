"""Plain HTTP requests: what is recorded of them, whatever a client sends and whichever conventions are chosen."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import propagate
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability as Conventions
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.routing import Route

from ailoop_otel import names
from ailoop_otel.wire.http import bounded_scope, traced_http
from tests.recorder import Recording

CANARY = "canary"
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-00".encode()
SCOPE = {
    "type": "http", "method": "GET", "path": "/canary", "query_string": b"key=canary", "scheme": "http",
    "http_version": "1.1", "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 5000), "root_path": "",
    "headers": [(b"host", b"canary:8000"), (b"user-agent", b"canary")],
}  # fmt: skip


class Failure(Exception):
    """What the application raises."""


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def nothing(*message: Any) -> None:
    """A `receive` or `send` that does nothing."""


@pytest.fixture(params=["", "http", "http/dup"])
def conventions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which of OpenTelemetry's conventions are chosen: the old ones, the new ones, both."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", request.param)
    # It reads the variable once in a process.
    monkeypatch.setattr(Conventions, "_initialized", False)
    monkeypatch.setattr(Conventions, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", {})
    return str(request.param)


async def serve(recording: Recording, scope: dict[str, Any], app: Any = answer) -> Any:
    """One request to the traced application; its span."""
    await traced_http(app, recording.tracers, recording.meters, recording.telemetry)(scope, nothing, nothing)
    return recording.spans()[-1]


def labels(recording: Recording) -> list[dict[str, Any]]:
    """The labels of all HTTP metrics."""
    data = recording.reader.get_metrics_data()
    return [
        dict(point.attributes)
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name.startswith("http.")
        for point in metric.data.data_points
    ]


# --- What a client chose ---------------------------------------------------------------------------------------
@pytest.mark.usefixtures("conventions")
async def test_what_a_client_chose_is_not_recorded() -> None:
    """Neither on the span nor on a metric: path, query, host and user agent hold tokens more often than not."""
    recording = Recording()
    span = await serve(recording, dict(SCOPE))
    assert span.name == "GET"
    assert CANARY not in span.to_json()
    assert labels(recording)
    assert CANARY not in str(labels(recording))


words = st.text(max_size=8).map(lambda text: CANARY + text) | st.just(CANARY * 200)
octets = st.binary(max_size=8).map(lambda value: CANARY.encode() + value) | st.just(rb"\canary\xff\N")
header_names = st.sampled_from(
    [b"host", b"user-agent", b"traceparent", b"tracestate", b"baggage", b"content-length", b"x-forwarded-for", b"\xff"]
)
sizes = st.sampled_from([b"1", b"-1", b"1e3", b"9" * 401, b"\xff", "٣".encode(), b" 7", b"1_0"])
scopes = st.fixed_dictionaries(
    {
        "type": st.just("http"),
        "method": words | st.sampled_from(["GET", "get", ""]),
        "path": words | st.just(""),
        "query_string": octets,
        "scheme": words | st.just("https"),
        "http_version": words | st.just("2"),
        "server": st.none() | st.tuples(words, st.none() | st.integers()) | st.just(("::1%canary", 80)),
        "client": st.none() | st.tuples(words.map(lambda text: text + " "), st.integers()),
        "headers": st.lists(st.tuples(header_names, octets | sizes), max_size=6),
        "root_path": words | st.just(""),
    }
)


@pytest.mark.usefixtures("conventions")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(scope=scopes, trust=st.booleans())
async def test_hostile_requests(caplog: pytest.LogCaptureFixture, scope: dict[str, Any], trust: bool) -> None:
    """Each reaches the application as it came, nothing of it is recorded or logged, and labels have known values."""
    recording = Recording(trust_client=trust)
    seen: list[Any] = []

    async def application(*given: Any) -> None:
        seen.append(given[0])
        await answer(*given)

    span = await serve(recording, scope, application)
    assert seen[0] is scope
    assert CANARY not in span.to_json()
    assert CANARY not in caplog.text
    known = {"GET", "_OTHER", "http", "https", "2", "_OTHER:", 200}
    assert {value for each in labels(recording) for value in each.values()} <= known
    assert all(point.value < 10**15 for name in SIZES for point in recording.points(name))


SIZES = ("http.server.request.size", "http.server.request.body.size")


@pytest.mark.parametrize(
    ("method", "name", "recorded"),
    [("PROPFIND", "HTTP", "_OTHER"), ("QUERY", "QUERY", "QUERY"), ("post", "POST", "POST")],
)
async def test_methods(
    monkeypatch: pytest.MonkeyPatch, conventions: str, method: str, name: str, recorded: str
) -> None:
    """A method that HTTP does not know is `_OTHER`, though the instrumentation be set to let all through."""
    monkeypatch.setenv("OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS", "true")
    span = await serve(Recording(), SCOPE | {"method": method})
    assert span.name == name
    assert span.attributes["http.request.method" if conventions == "http" else "http.method"] == recorded


# --- Routes ----------------------------------------------------------------------------------------------------
def routed() -> FastAPI:
    """An application with routes of each kind."""
    app, router = FastAPI(), APIRouter()
    router.add_api_route("/items/{item}", nothing)
    app.include_router(router, prefix="/shop")
    app.add_api_route("/number/{number:int}", nothing)
    app.add_api_route("/number/{number:int}", nothing, methods=["POST"])
    app.mount("/files/{owner}", Starlette(routes=[Route("/x", nothing)]))
    return app


@pytest.mark.parametrize(
    ("path", "method", "route"),
    [
        ("/shop/items/canary", "GET", "/shop/items/{item}"),
        ("/number/1", "GET", "/number/{number}"),
        ("/number/1", "POST", "/number/{number}"),
        ("/number/1", "PUT", "/number/{number}"),
        ("/number/" + "1" * 5000, "GET", None),
        ("/openapi.json", "GET", "/openapi.json"),
        ("/files/canary/x", "GET", "/files/{owner}/{path}"),
        ("/canary", "GET", None),
    ],
)
async def test_routes(conventions: str, path: str, method: str, route: str | None) -> None:
    """A span has the name of its route, and the labels its template; a path without a route is in neither."""
    recording = Recording()
    span = await serve(recording, SCOPE | {"path": path, "method": method, "app": routed()})
    assert span.name == (f"{method} {route}" if route else method)
    assert span.attributes.get(names.HTTP_ROUTE) == route
    assert CANARY not in span.to_json()
    label = names.HTTP_ROUTE if conventions == "http" else "http.target"
    assert {each[label] for each in labels(recording) if label in each} == ({route} if route else set())


def test_a_request_without_an_application_has_no_route() -> None:
    """As where other code calls the middleware."""
    assert bounded_scope(dict(SCOPE), trust=False)["path"] == ""


# --- The client's trace ----------------------------------------------------------------------------------------
CLIENT = [(b"traceparent", TRACEPARENT), (b"tracestate", b"canary=1,canary=1"), (b"baggage", b"canary=1")]


@pytest.mark.usefixtures("conventions")
async def test_the_trace_of_a_client_is_linked(caplog: pytest.LogCaptureFixture) -> None:
    """It is no parent, its flag hides no request, and nothing of its state and baggage is taken over."""
    recording = Recording()
    baggage: list[Any] = []

    async def application(*given: Any) -> None:
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        baggage.append(carrier)
        await answer(*given)

    span = await serve(recording, SCOPE | {"headers": CLIENT}, application)
    assert span.parent is None
    assert span.kind is SpanKind.SERVER
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [TRACE]
    assert span.attributes[names.CLIENT_TRACE_ID] == TRACE
    assert CANARY not in span.to_json() + caplog.text + str(baggage)


async def test_the_trace_of_a_trusted_client_is_the_parent(caplog: pytest.LogCaptureFixture) -> None:
    """Without its state and baggage, as it is on a WebSocket."""
    caplog.set_level(logging.DEBUG)
    recording = Recording(trust_client=True)
    sampled = [(b"traceparent", TRACEPARENT[:-1] + b"1"), *CLIENT[1:]]
    span = await serve(recording, SCOPE | {"headers": sampled})
    assert f"{span.parent.trace_id:032x}" == TRACE
    assert span.links == ()
    assert CANARY not in span.to_json() + caplog.text


# --- What the operator chose -----------------------------------------------------------------------------------
async def test_headers_that_the_operator_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are on the span, whatever bytes they hold: the instrumentation would answer with a 500."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST", "x-.*")
    headers = [(b"x-team", b"blue"), (b"x-odd", rb"\xff\N" + b"\xff"), (b"x-\xff", b"1"), (b"host", b"canary")]
    span = await serve(Recording(), SCOPE | {"headers": headers})
    assert span.attributes["http.request.header.x_team"] == ("blue",)
    assert CANARY not in span.to_json()


async def test_excluded_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are compared with what the client asked for, whatever bytes its host has."""
    monkeypatch.setenv("OTEL_PYTHON_ASGI_EXCLUDED_URLS", "canary/health")
    recording = Recording()
    traced = traced_http(answer, recording.tracers, recording.meters, recording.telemetry)
    for host in (b"canary", rb"\xff\N" + b"\xff"):
        await traced(SCOPE | {"path": "/health", "headers": [(b"host", host)]}, nothing, nothing)
    assert [span.name for span in recording.spans()] == ["GET"]


# --- The application -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("answered", [False, True])
async def test_an_exception_passes_and_its_text_is_not_recorded(
    caplog: pytest.LogCaptureFixture, answered: Any
) -> None:
    """The same object, though the instrumentation does not see it; a span that is still open has its class."""
    recording = Recording()
    fault = Failure(CANARY)

    async def fail(*given: Any) -> None:
        if answered:
            await answer(*given)
        raise fault

    with pytest.raises(Failure) as raised:
        await traced_http(fail, recording.tracers, recording.meters, recording.telemetry)(dict(SCOPE), nothing, nothing)
    assert raised.value is fault
    (span,) = recording.spans()
    assert span.attributes.get(names.ERROR_TYPE) == (None if answered else "Failure")
    assert CANARY not in span.to_json() + caplog.text


@pytest.mark.fault(
    "settings",
    theirs="OTEL_PROPAGATORS=none",
    promise="Requests are answered",
)
async def test_without_a_propagator_requests_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_PROPAGATORS=none makes `extract` return nothing, which the instrumentation does not expect."""
    recording = Recording()
    monkeypatch.setattr(propagate, "extract", lambda *args, **kwargs: None)
    assert traced_http(answer, recording.tracers, recording.meters, recording.telemetry) is answer
