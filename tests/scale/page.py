"""The page docs/scale.md, made from docs/results/scale-test.json; no figure of it is typed in."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill
from typing import Any

from tests.reliability.results import RESULTS
from tests.scale.sizing import (
    BUSY,
    CORES,
    DAYS,
    FAILING,
    GIB,
    KEPT,
    MARGIN,
    PARTITIONS_EACH,
    PEAK,
    REPLICAS,
    RETENTION,
    WAIT,
    Costs,
    size,
)

PATH = RESULTS.parent / "scale.md"
RESULT = RESULTS / "scale-test.json"
_EACH = 50_000  # messages of a server a day
_SERVERS = (1, 10, 100, 1_000, 10_000)
_WIDTH = 118
_HEAD = """# Many servers

*I have N servers with M messages a day: what do I run, what does it cost, what do I lose when X dies?*
Written by `make scale-test` from its last run; do not edit. The configurations are in
[collector/scale](../collector/scale).

    AILoop ──▶ agent ──▶ gateway ──▶ Kafka ──▶ ingester a ──▶ Cassandra ◀── Jaeger query
               (disk)                    └───▶ ingester b ──┘
                 └── Prometheus: the servers' metrics, and spanmetrics, made before sampling

One machine is served better by [collector/](../collector/README.md). This needs Go 1.26, Java 17 and Maven for
`make scale-test`, and nothing but the official images (collector-contrib, Jaeger, Kafka, Cassandra, Prometheus) to run.

## What is lost when it dies

| what dies (`kill -9`) | what is lost | why |
| --- | --- | --- |
| a server | spans of its last second, and messages under way | they were in its memory (`OTEL_BSP_SCHEDULE_DELAY`) |
| an agent | nothing acknowledged | its queue is on disk; the server keeps the rest in its own spool meanwhile |
| a gateway | nothing | it keeps nothing: an agent is told that a batch was taken when Kafka has it |
| Kafka | nothing | agents wait, with 2 GiB of disk each; three brokers and `acks=all` in production |
| an ingester | nothing, if the other group has been up for `decision_wait` | both read all, and decide alike |
| Cassandra | nothing | ingesters wait, Kafka keeps spans for a day |
| Jaeger query | nothing | it has no state |
| Prometheus | how metrics went while it was away | it scrapes counters, which go on |

Spans may come **twice** into Kafka, whenever an acknowledgement is lost; they are one row in Cassandra. A span that
comes after its trace was decided is kept or not as the trace was, if one group has been up since: the decisions are in
memory, and after a restart of both it is decided by itself. So `decision_wait` must be longer than the AI timeout
(300 s) and than the outages that may lie between two spans of a trace.

**Why tail sampling is in the ingester**: Kafka has put all spans of a trace into one partition, so no load balancing by
trace id is needed, and every gateway will do. Its price is that each ingester holds `decision_wait` of traces in
memory, and that a killed one forgets them: hence two groups. One group costs half of the ingesters, and loses up to
`decision_wait` of traces each time one is killed. **Without Kafka**, users of the contrib image put `loadbalancing`
(`routing_key: traceID`) into the agents and tail sampling into the gateways; then a killed gateway loses what it held.
"""


_COSTS = """## What it costs

Measured in the undisturbed part of the run; what storing takes, while Kafka is away and nothing is read. The messages
are a dozen recorded ones again and again, without texts: those of many servers compress less, on the wire, in Kafka and
in Cassandra.
"""


def page(result: dict[str, Any]) -> str:
    """The whole page, markdown."""
    costs = Costs.of(result)
    return "\n".join([_HEAD, *_last(result), *_costs(result, costs), *_sizes(costs)])


def _last(result: dict[str, Any]) -> list[str]:
    steady, kept, drawn, late = (result[name] for name in ("steady", "kept", "drawn", "late"))
    topic, dropped, held = result["topic"], result["dropped"], result["stored"]
    rate = steady["messages"] / steady["seconds"]
    rows = [
        ("messages made", result["messages"], ""),
        ("spans made = acknowledged by the agents", result["spans"], _equal(result["spans"], result["acknowledged"])),
        ("requests sent again, as a program was away", result["repeated_requests"], ""),
        ("different spans in the topic", topic["different"], _equal(result["spans"], topic["different"])),
        ("spans that are in the topic twice", topic["spans"] - topic["different"], "stored once"),
        ("traces that had to be kept", kept["made"], ", ".join(f"{n:,} {k}" for k, n in result["kinds"].items())),
        ("of these whole in Jaeger", kept["whole"], _equal(kept["made"], kept["whole"])),
        (f"traces of the share ({result['share']:g} %)", drawn["made"], "computed from their ids"),
        ("of these whole in Jaeger", drawn["whole"], _equal(drawn["made"], drawn["whole"])),
        ("traces in pieces", kept["pieces"] + drawn["pieces"], _equal(0, kept["pieces"] + drawn["pieces"])),
        ("of these with a span after the decision", late["made"], f"{late['whole']:,} whole"),
        ("other traces asked for", dropped["asked"], f"{dropped['absent']:,} absent, of {dropped['of']:,}"),
        ("spans in Jaeger", held["spans"], f"{held['twice']:,} twice"),
    ]
    tiers = [(row["program"], f"{row['accepted']:,.0f}", f"{row['sent']:,.0f}") for row in result["tiers"]]
    kills = [f"{row['program']} ({row['away']:g} s)" for row in result["kills"]]
    servers = "; ".join(f"{r['server']}: {r['failed']:,} failed, {r['traces']:,} traces" for r in result["servers"])
    faults = (
        "Nothing was other than it must be."
        if not result["faults"]
        else f"Not right: {'; '.join(result['faults'][:5])}."
    )
    sent = steady.get("into_kafka")
    into_kafka = f" and {sent / steady['seconds']:,.0f} written to Kafka" if sent else ""
    told = (
        f"{result['date']}, version {result['version']}, {result['cores']} cores for all programs, "
        f"{result['seconds']:,} s, `decision_wait` {result['decision_wait']:g} s; while undisturbed "
        f"{rate:,.0f} messages ({steady['spans'] / steady['seconds']:,.0f} spans) a second were made, "
        f"{steady['acknowledged'] / steady['seconds']:,.0f} spans a second acknowledged by the agents{into_kafka}, "
        f"at a system load of {steady['load']:g}. {faults}"
    )
    return [
        f"## The last run\n\n{fill(told, _WIDTH)}\n",
        *_notes(result, "run"),
        fill(f"Killed by `-9` in turn under load, and away for so long: {', '.join(kills)}.", _WIDTH) + "\n",
        *_table(("what", "count", ""), ((what, f"{count:,}", note) for what, count, note in rows)),
        fill(
            f"Both servers were killed once, too; their messages that failed, and the traces in Jaeger: {servers}.",
            _WIDTH,
        )
        + "\n",
        "What each program says of itself, summed over its restarts. What it counted between the last look and its",
        "kill is missing, and what came twice is in; an ingester sends what is kept.\n",
        *_table(("program", "spans accepted", "spans sent"), tiers),
    ]


def _costs(result: dict[str, Any], costs: Costs) -> list[str]:
    per_core = {
        "agent": costs.agent,
        "gateway": costs.gateway,
        "Kafka broker": costs.kafka,
        "ingester, reading and holding": costs.ingester,
        "ingester, writing what is kept": costs.writing,
        "Cassandra, of kept spans written by both groups": costs.cassandra,
    }
    memory = {row["program"]: row["memory"] / 2**20 for row in result["programs"]}
    rows = [
        ("spans of a message", f"{costs.spans:.2f}"),
        ("bytes of a message, OTLP", f"{costs.bytes:,.0f}"),
        ("the same on the wire with gzip", f"{costs.wire:,.0f}"),
        *(
            (f"{name}: spans/s of a core", f"{costs.spans / cpu:,.0f}" if cpu else "too few to tell")
            for name, cpu in per_core.items()
        ),
        ("Kafka: disk of a million messages, one replica", f"{costs.kafka_disk * 1e6 / GIB:,.2f} GiB"),
        ("Cassandra: disk of a million kept messages, one replica", f"{costs.cassandra_disk * 1e6 / GIB:,.2f} GiB"),
        ("ingester: memory of an undecided trace", f"{costs.trace_memory / 1024:,.1f} KiB"),
        ("Prometheus: series of a server, spanmetrics included", f"{costs.series:,.0f}"),
        ("resident memory", ", ".join(f"{name} {mib:,.0f} MiB" for name, mib in memory.items())),
    ]
    return [_COSTS, *_notes(result, "costs"), *_table(("what", "measured"), rows)]


def _sizes(costs: Costs) -> list[str]:
    rows = []
    for servers in _SERVERS:
        found = size(servers, servers * _EACH, costs)
        rows.append(
            (
                f"{servers:,}",
                f"{servers * _EACH:,}",
                f"{found.rate:,.0f}",
                f"{servers:,}",
                f"{found.gateways:,}",
                f"{found.brokers:,} · {_gib(found.kafka_disk)}",
                f"{found.partitions:,}",
                f"2 × {found.ingesters:,} · {_gib(found.memory)}",
                f"{found.traces:,}",
                f"{found.nodes:,} · {_gib(found.cassandra_disk)}",
                f"{found.series:,.0f}",
                f"{found.cores:,.1f}",
                found.most,
            )
        )
    heads = (
        "servers", "messages a day", "messages/s at the peak", "agents", "gateways", "Kafka brokers · disk in all",
        "partitions", "ingesters · memory each", "`num_traces`", "Cassandra nodes · disk in all", "Prometheus series",
        "cores in all", "most of them",
    )  # fmt: skip
    return [
        "## What to run\n",
        "Every cell is **computed**, from the measured costs above and these assumptions, which you set for yourself",
        "in [sizing.py](../tests/scale/sizing.py):\n",
        f"- `rate = messages a day / 86,400 × {PEAK:g}`: the peak over the mean;",
        f"- programs of a tier `= rate × CPU of a message / ({CORES:g} cores × {BUSY:.0%})`, at least 2 gateways,",
        "  3 brokers, 3 nodes; what an outage has left is caught up by the other half;",
        f"- `num_traces = rate × {WAIT:g} s × {MARGIN:g} / ingesters of a group`, and an ingester's memory is",
        "  that of so many traces;",
        f"- Kafka's disk `= messages × {RETENTION:g} day × {REPLICAS} replicas`;",
        f"- Cassandra's `= messages × ({KEPT:.0%} of all + {FAILING:.0%} that fail) × {DAYS} days ×",
        f"  {REPLICAS} replicas`.\n",
        "A simulation ([test_sizing.py](../tests/scale/test_sizing.py)) shows that the margin holds, and that",
        f"{PARTITIONS_EACH} partitions for an ingester spread the work.\n",
        *_table(heads, rows),
    ]


def _notes(result: dict[str, Any], of: str) -> list[str]:
    """What a person has to say of a part of the result."""
    return [fill(note, _WIDTH) + "\n" for note in result.get("notes", {}).get(of, ())]


def _gib(size: float) -> str:
    return f"{size / GIB:,.1f} GiB" if size < 1000 * GIB else f"{size / GIB / 1024:,.1f} TiB"


def _equal(wanted: int, found: int) -> str:
    return "all" if wanted == found and wanted else "none" if wanted == found else f"{found - wanted:+,}"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    heads = tuple(heads)
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]
