"""A server under load, and whose a sample of the profiler is."""

from __future__ import annotations

import linecache
from pathlib import Path

from tests.ailoop.process import STATELESS, serving, standin
from tests.benchmarks.serving.load import load, provider
from tests.benchmarks.serving.profile import EXPORT, OURS, SDK, SERVER, Sampled


def test_a_load_tells_what_it_cost() -> None:
    """CPU of the server's process, whole answers, and a first text for each that was alone."""
    with provider() as about, serving(standin(STATELESS), about["plain_environment"]) as server:
        window = load(server, 1, 2, 1)
    assert (window.exchanges, len(window.first_texts), window.whole) == (3, 1, True)
    assert 0 < window.cpu < 5
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
