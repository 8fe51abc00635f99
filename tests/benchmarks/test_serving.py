"""A server under load, and whose a sample of the profiler is."""

from __future__ import annotations

import linecache
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from ailoop_otel.names import FAST_PATHS
from tests.ailoop.process import STATELESS, serving, standin
from tests.benchmarks.instructions import countable
from tests.benchmarks.serving.counted import Counter
from tests.benchmarks.serving.load import load, provider
from tests.benchmarks.serving.profile import EXPORT, OURS, SDK, SERVER, Sampled
from tests.benchmarks.serving.sink import sink
from tests.benchmarks.serving.variants import FILES, LESS, OTLP, VARIANTS, compared_with


def test_a_load_tells_what_it_cost() -> None:
    """CPU of the server's process, whole answers, and a first text for each that was alone."""
    with provider() as about, serving(standin(STATELESS), about["plain_environment"]) as server:
        window = load(server, 1, 2, 1)
    assert (window.exchanges, len(window.first_texts), window.whole) == (3, 1, True)
    assert window.cpu > 0
    assert window.rate > 0


def test_a_sample_is_its_innermost_owners(tmp_path: Path) -> None:
    """The standard library works for its caller, and so does requests; what we pass on is the server's."""
    ours = tmp_path / "site-packages" / "ailoop_otel" / "model.py"
    ours.parent.mkdir(parents=True)
    ours.write_text("count += 1\nresponse = wrapped(*args)\n")
    linecache.checkcache(str(ours))
    main = "main (/srv/app/main.py:1)"
    counting, passing = f"post ({ours}:1)", f"post ({ours}:2)"
    json = "dumps (/usr/lib/python3.11/json/__init__.py:1)"
    requests = "post (/x/site-packages/requests/api.py:1)"
    sdk = "export (/x/site-packages/opentelemetry/sdk/trace.py:1)"
    stacks = {
        f"{main};{counting}": OURS,
        f"{main};{counting};{json}": OURS,
        f"{main};{passing}": OURS,
        f"{main};{passing};{requests};{json}": SERVER,
        f"{main};{counting};{sdk};{json}": SDK,
        f"{sdk};{requests};{json}": SDK,
        f"BatchProcessor.worker (/x/site-packages/opentelemetry/sdk/x.py:1);{counting};{json}": EXPORT,
        f"PeriodicExportingMetricReader._ticker (/x/site-packages/opentelemetry/sdk/x.py:1);{main}": SERVER,
        f"{main};{passing};{main}": SERVER,
        f"{counting};uvicorn (/x/site-packages/uvicorn/main.py:1);{json}": SERVER,
        json: SERVER,
    }
    for stack, owner in stacks.items():
        sampled = Sampled()
        sampled.add(f"{stack} 3\n")
        assert sampled.owners == {owner: 3}, stack
        assert bool(sampled.functions) == (owner != SERVER)


def test_a_sample_is_told_by_its_innermost_function() -> None:
    """Whatever works for it."""
    sampled = Sampled()
    post = "post (/x/site-packages/ailoop_otel/server/model.py:7)"
    sampled.add(f"main (/srv/app/main.py:1);{post};dumps (/usr/lib/python3.11/json/__init__.py:1) 2\n{post} 1\n")
    assert sampled.functions == {"post (model.py)": 3}


def test_a_sink_takes_everything_and_says_how_much() -> None:
    """By the path; of a body in chunks too."""

    def send(path: str, body: object) -> None:
        request = urllib.request.Request(backend.url + path, data=body, method="POST")  # type: ignore[arg-type]
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.read() == b"{}"

    with sink() as backend:
        send("/files/v1/traces", b"12345")
        send("/files/v1/metrics", b"1")
        send("/otlp/v1/traces", iter([b"123", b"45", b"67"]))
        assert [backend.taken(part) for part in ("/files/v1/traces", "/otlp/", "traces", "other")] == [5, 7, 12, 0]


def test_there_is_a_variant_without_each_fast_path() -> None:
    """Each has all the others, and is compared with what exports as it does."""
    for path in FAST_PATHS:
        variables = VARIANTS[LESS + path].variables
        assert set(variables["AILOOP_OTEL_FAST_PATHS"].split(",")) == set(FAST_PATHS) - {path}
        whole = VARIANTS[compared_with(LESS + path)].variables
        assert {name: value for name, value in variables.items() if name in whole} == dict(whole)
        assert compared_with(LESS + path) == (OTLP if path == "protobuf" else FILES)


@pytest.mark.skipif(not countable(), reason="needs valgrind")
def test_what_a_process_does_is_counted(tmp_path: Path) -> None:
    """Between two looks: more work is more instructions, none is hardly any."""
    output = tmp_path / "out"
    code = "for line in iter(input, ''): print(sum(range(int(line))), flush=True)"
    command = [*Counter.command(output), sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        counter, counts = Counter(process.pid, output), []
        for work in (10, 100_000, 200_000, 0):
            if work:
                process.stdin.write(f"{work}\n".encode())
                process.stdin.flush()
                process.stdout.readline()
            if work == 10:
                counter.switch_on()
                counter.restart()
            else:
                counts.append(counter.read()[0])
        process.stdin.write(b"\n")
    few, many, none = counts
    assert many - few == pytest.approx(few, rel=0.1)
    assert none < few / 10
