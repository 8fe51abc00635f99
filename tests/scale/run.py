"""The run: the chain under load, each of its programs killed in turn, and what came of it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from collector.scale import AGENTS, GATEWAYS, INGESTERS, Chain, nodetool
from tests.reliability.results import about
from tests.scale.audit import in_share, stored, topic
from tests.scale.generator import Generator
from tests.scale.servers import Served, serving_both
from tests.stack.backends import Prometheus

COLLECTORS = (*AGENTS, *GATEWAYS, *INGESTERS)
PERCENTAGE = 2.0
LEAST = 1_000  # messages of a run in which programs are killed
_CALM = 15.0  # seconds without a new span: a consumer's lag is that of its last fetch
_START = 22.0  # seconds until a program is ready
# Between two kills of ingesters the other group must have been up for decision_wait.
KILLS = ("agent-1", "gateway-1", "ingester-a", "cassandra", "query", "prometheus", "kafka")
LATER_KILLS = ("agent-2", "gateway-2", "ingester-b")
ACCEPTED = "otelcol_receiver_accepted_spans_total"
SENT = "otelcol_exporter_sent_spans_total"
LAG = "otelcol_kafka_receiver_offset_lag_ratio"
QUEUE = "otelcol_exporter_queue_size"
IN_MEMORY = "otelcol_processor_tail_sampling_sampling_traces_on_memory"


@dataclass(frozen=True)
class Plan:
    """How much and how long: messages, of which the generator makes `rate` a second at first; the rest in seconds.

    What is left of the messages after the undisturbed part is made while programs are killed.
    """

    messages: int
    rate: float
    wait: float  # decision_wait
    steady: float  # undisturbed, while it is measured
    away: float = 3.0  # between a kill and the start
    apart: float = 4.0  # between a start and the next kill
    kafka_away: float = 60.0

    @property
    def killing(self) -> float:
        """About how long the kills take: each waits for its program to be ready."""
        kills = len((*KILLS, *LATER_KILLS))
        return kills * (self.away + self.apart + _START) + self.kafka_away + self.wait

    @property
    def variables(self) -> dict[str, str]:
        """The chain's configuration."""
        return {
            "CASSANDRA_TIMEOUT": "150s",
            "DECISION_WAIT": f"{self.wait:.0f}s",
            "SAMPLING_PERCENTAGE": str(PERCENTAGE),
            "SAMPLING_RATE": f"{self.rate:.0f}",
        }


class Run:
    """One run of a plan; `notify` prints what happens."""

    def __init__(self, plan: Plan, folder: Path, notify: Callable[[str], None] = print) -> None:
        self.plan = plan
        self._folder = folder
        self._notify = notify
        self._rate = plan.rate
        self._writing: dict[str, float] = {}
        self._counters: dict[str, dict[str, float]] = {name: {} for name in COLLECTORS}
        self._kills: list[dict[str, Any]] = []

    def __call__(self) -> dict[str, Any]:
        """Run it; returns the result, whose `faults` are empty if all is as it must be."""
        with Chain(self._folder, self.plan.variables) as self.chain:
            addresses = [self.chain.otlp(name) for name in AGENTS]
            self.generator = Generator(addresses, self.plan.wait + 30)
            with serving_both(addresses, self._folder) as served:
                self._notify("all is up")
                self._load(5)
                steady = self._steady()
                self._rate = (self.plan.messages - len(self.generator.made.traces)) / self.plan.killing
                if self.plan.messages >= LEAST:
                    self._kill_all(served)
                self._rest()
            counted = self._end(served)
            return {**about("scale"), **self._plan(), **steady, **counted}

    def _plan(self) -> dict[str, Any]:
        plan = self.plan
        return {"rate": plan.rate, "decision_wait": plan.wait, "share": PERCENTAGE, "cores": os.cpu_count()}

    def _load(self, seconds: float) -> int:
        if len(self.generator.made.traces) >= self.plan.messages:
            return self.generator.run(0, seconds)
        return self.generator.run(self._rate, seconds)

    def _steady(self) -> dict[str, Any]:
        """What each program takes while nothing is disturbed."""
        begun = time.monotonic()
        made = self.generator.made
        spans, acknowledged, size = made.spans, made.acknowledged, made.bytes
        sent = sum(self._value(name, SENT) for name in GATEWAYS)
        before = {name: program.usage for name, program in self.chain.programs.items()}
        messages = self._load(self.plan.steady)
        seconds = time.monotonic() - begun
        rows = []
        for name, program in self.chain.programs.items():
            cpu, memory = program.usage
            row = {"program": name, "cpu": round(cpu - before[name][0], 2), "memory": memory}
            if name in INGESTERS:
                row["traces"] = self._value(name, IN_MEMORY)
            rows.append(row)
        self._notify(f"steady: {messages / seconds:.0f} messages/s, load {os.getloadavg()[0]:.1f}")
        return {
            "steady": {
                "seconds": round(seconds, 1),
                "messages": messages,
                "spans": made.spans - spans,
                "acknowledged": made.acknowledged - acknowledged,
                "into_kafka": sum(self._value(name, SENT) for name in GATEWAYS) - sent,
                "bytes": made.bytes - size,
                "gzip": self.generator.compressed(),
                "load": round(os.getloadavg()[0], 1),
            },
            "programs": rows,
        }

    def _kill_all(self, served: Served) -> None:
        for name in KILLS:
            self._kill(name, self.plan.away)
        self._kill("kafka", self.plan.kafka_away)
        served.kill()
        # What is late is decided as its trace was by a group that has been up since: in the other's cache it is not.
        self.generator.makes_late = False
        self._caught_up("ingester-a")
        for name in LATER_KILLS:
            self._kill(name, self.plan.away)

    def _kill(self, name: str, away: float) -> None:
        program = self.chain.programs[name]
        self._read(name)
        program.stop(signal.SIGKILL)
        self._notify(f"{name} killed, {len(self.generator.made.traces)} messages made")
        begun = time.monotonic()
        before = self._stored() if name == "kafka" else {}
        self._load(away)
        if before:
            # Nothing is read meanwhile: what was read before is decided and written.
            self._writing = {what: round(value - before[what], 2) for what, value in self._stored().items()}
        program.start()
        ready = threading.Thread(target=program.wait, args=(300,))
        ready.start()
        while ready.is_alive():
            self._load(1)
        self._kills.append({"program": name, "away": round(time.monotonic() - begun, 1)})
        self._load(self.plan.apart)

    def _caught_up(self, ingester: str) -> None:
        """Wait until an ingester has read all, and then as long as it takes to decide all of that."""
        while self._value(ingester, ACCEPTED) == 0 or self._value(ingester, LAG) > 10 * self.plan.rate:
            self._load(2)
        self._notify(f"{ingester} has caught up")
        self._load(self.plan.wait + 15)

    def _rest(self) -> None:
        left = self.plan.messages - len(self.generator.made.traces)
        while left > 0:
            self.generator.run(self._rate, max(1.0, left / self._rate))
            left = self.plan.messages - len(self.generator.made.traces)

    def _end(self, served: Served) -> dict[str, Any]:
        generator, made = self.generator, self.generator.made
        generator.flush()
        generator.end()
        self._drained()
        for name in COLLECTORS:
            self._read(name)
        disk = self._disk()
        self._notify("asking Jaeger")
        must = {trace: what for trace, what in made.traces.items() if what[0] != "ok"}
        share = {t: w for t, w in made.traces.items() if w[0] == "ok" and in_share(t, PERCENTAGE)}
        others = {t: w for t, w in made.traces.items() if w[0] == "ok" and t not in share}
        a_few = dict(list(others.items())[:: max(1, len(others) // 500)])
        kept, drawn, dropped = (stored(self.chain.query, each) for each in (must, share, a_few))
        self._notify("counting the topic")
        in_topic, different = topic(self.chain, self._folder)
        late = {trace: made.traces[trace] for trace in made.late}
        late_kept = stored(self.chain.query, late)
        faults = [
            *(f"{made.spans - made.acknowledged} spans were not acknowledged",) * (made.spans != made.acknowledged),
            *(f"the topic holds {different} of {made.spans} spans",) * (different != made.spans),
            *(f"{kept.absent} traces that had to be kept are absent",) * (kept.absent > 0),
            *(f"{drawn.absent} traces of the share are absent",) * (drawn.absent > 0),
            *(f"in pieces: {each}" for each in [*kept.broken, *drawn.broken, *dropped.broken]),
            *(f"{dropped.whole} traces that nothing kept are there",) * (dropped.whole > 0),
            *served.faults(self.chain.query),
        ]
        return {
            "messages": len(made.traces),
            "kinds": dict(made.kinds),
            "spans": made.spans,
            "acknowledged": made.acknowledged,
            "repeated_requests": made.repeated,
            "topic": {"spans": in_topic, "different": different},
            "kept": {"made": len(must), "whole": kept.whole, "absent": kept.absent, "pieces": len(kept.broken)},
            "drawn": {"made": len(share), "whole": drawn.whole, "absent": drawn.absent, "pieces": len(drawn.broken)},
            "dropped": {"asked": len(a_few), "absent": dropped.absent, "of": len(others)},
            "late": {"made": len(late), "whole": late_kept.whole},
            "stored": {"spans": kept.spans + drawn.spans, "twice": kept.twice + drawn.twice},
            "writing": self._writing,
            "servers": served.counts,
            "disk": disk,
            "series": self._series(),
            "tiers": [{"program": name, **counters} for name, counters in self._counters.items()],
            "kills": self._kills,
            "faults": faults,
        }

    def _stored(self) -> dict[str, float]:
        """CPU seconds so far of what stores traces, and the spans that both groups have written."""
        spent = {name: self.chain.programs[name].usage[0] for name in (*INGESTERS, "cassandra")}
        return {"seconds": time.monotonic(), "spans": sum(self._value(name, SENT) for name in INGESTERS), **spent}

    def _drained(self) -> None:
        """Wait until agents have sent all, ingesters have read all, and all of that is decided and written."""
        deadline = time.monotonic() + 900
        read, since = -1.0, time.monotonic()
        while time.monotonic() < deadline:
            waiting = sum(self._value(name, QUEUE) for name in AGENTS) + sum(self._value(n, LAG) for n in INGESTERS)
            now = sum(self._value(name, ACCEPTED) for name in INGESTERS)
            if now != read or waiting:
                read, since = now, time.monotonic()
            elif time.monotonic() - since > _CALM:
                break
            time.sleep(2)
        time.sleep(self.plan.wait + 10)
        while time.monotonic() < deadline and sum(self._value(name, QUEUE) for name in INGESTERS):
            time.sleep(1)

    def _read(self, name: str) -> None:
        """Add a program's counters to those that it had when it was killed before."""
        if name in COLLECTORS:
            for metric, short in ((ACCEPTED, "accepted"), (SENT, "sent")):
                counters = self._counters[name]
                counters[short] = counters.get(short, 0) + self._value(name, metric)

    def _value(self, name: str, metric: str) -> float:
        """The sum of a collector's own metric; 0 while it does not answer."""
        try:
            text = requests.get(self.chain.telemetry(name), timeout=5).text
        except requests.RequestException:
            return 0.0
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"{metric}{{"))

    def _disk(self) -> dict[str, int]:
        try:
            nodetool(self.chain.port("cassandra", "jmx"), "flush")
        except subprocess.CalledProcessError as error:
            self._notify(f"Cassandra's tables are not all on disk: {error.stderr or error.stdout}")
        return {
            "kafka": _size(self._folder / "kafka" / "data", "ailoop-spans-*/*.log"),
            "cassandra": _size(self._folder / "cassandra" / "data" / "data", "jaeger*/**/*"),
        }

    def _series(self) -> dict[str, float]:
        metrics = Prometheus(self.chain.port("prometheus"))
        servers = metrics.value('count({job=~"ailoop-scale-server-.*"})') or 0
        return {"both_servers": servers, "all": metrics.value('count({__name__=~".+"})') or 0}


def _size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())
