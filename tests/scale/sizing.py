"""What a number of messages needs of each tier: measured costs of one message, times the messages."""

from __future__ import annotations

import math
import random
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

DAY = 86_400  # seconds
GIB = 2**30
PEAK = 4.0  # the busiest minute's rate over the day's mean
WAIT = 330.0  # seconds, ingester.yaml's decision_wait
MARGIN = 1.25  # num_traces over what is expected
CORES = 4  # of one program
BUSY = 0.5  # of its cores at the peak: the rest is for what an outage has left to catch up
KEPT = 0.05  # the part of all messages that ingester.yaml keeps, besides what must be kept
FAILING = 0.02  # the part of all messages that must be kept: a guess, set your own
DAYS = 7  # trace_ttl
REPLICAS = 3
RETENTION = 1.0  # days that Kafka keeps spans
INGESTER_MEMORY = 8 * GIB
_EMPTY = 80 * 2**20  # resident memory of an ingester that holds nothing
PARTITIONS_EACH = 4  # of an ingester: what one of them has more than another stays small


@dataclass(frozen=True)
class Costs:
    """What was measured, of one message where nothing else is said; bytes and CPU seconds."""

    spans: float
    bytes: float
    wire: float
    agent: float
    gateway: float
    kafka: float
    ingester: float  # to read and to hold
    writing: float  # of a kept message, of one ingester
    kafka_disk: float
    cassandra: float  # of a kept message, written by both groups
    cassandra_disk: float  # of a kept message
    trace_memory: float  # of an undecided trace
    series: float  # of a server

    @classmethod
    def of(cls, result: dict[str, Any]) -> Costs:
        """The costs that a run measured."""
        steady = result["steady"]
        messages = steady["messages"]
        programs = {row["program"]: row for row in result["programs"]}
        cpu = {name: row["cpu"] / messages for name, row in programs.items()}
        kept = result["kept"]["whole"] + result["drawn"]["whole"] + sum(row["traces"] for row in result["servers"])
        spans = result["spans"] / result["messages"]
        writing = result["writing"]
        by_both = writing["ingester-a"] + writing["ingester-b"]
        traces = sum(row.get("traces", 0) for row in programs.values())
        memory = sum(row["memory"] - _EMPTY for row in programs.values() if "traces" in row)
        return cls(
            spans=spans,
            bytes=steady["bytes"] / messages,
            wire=steady["bytes"] / messages * steady["gzip"],
            agent=cpu["agent-1"] + cpu["agent-2"],
            gateway=cpu["gateway-1"] + cpu["gateway-2"],
            kafka=cpu["kafka"],
            ingester=(cpu["ingester-a"] + cpu["ingester-b"]) / 2,
            kafka_disk=result["disk"]["kafka"] / result["messages"],
            writing=by_both / writing["spans"] * spans,
            cassandra=writing["cassandra"] / (writing["spans"] / 2) * spans,
            cassandra_disk=result["disk"]["cassandra"] / kept,
            trace_memory=memory / max(1.0, traces),
            series=result["series"]["both_servers"] / 2,
        )


@dataclass(frozen=True)
class Size:
    """What so many messages a day need; rates at the peak."""

    rate: float
    gateways: int
    brokers: int
    kafka_disk: float
    ingesters: int  # of one group; there are two
    memory: float  # of one ingester
    traces: int  # its num_traces
    partitions: int
    nodes: int
    cassandra_disk: float
    cores: float
    most: str  # the tier that takes most of the cores
    series: float


def size(servers: int, messages: float, costs: Costs) -> Size:
    """What `servers` with `messages` a day in all need.

    rate = messages / day × PEAK; programs of a tier = rate × CPU of a message / (CORES × BUSY); an
    ingester's memory = its rate × WAIT × MARGIN × memory of a trace; disks = messages a day × bytes × days × replicas.
    """
    rate = messages / DAY * PEAK
    kept = KEPT + FAILING
    undecided = rate * WAIT * MARGIN
    by_memory = undecided * costs.trace_memory / INGESTER_MEMORY
    of_one = rate / (CORES * BUSY)
    ingester = costs.ingester + kept * costs.writing
    ingesters = max(1, math.ceil(max(by_memory, of_one * ingester)))
    gateways = max(2, math.ceil(of_one * costs.gateway))
    brokers = max(3, math.ceil(of_one * costs.kafka * REPLICAS))
    nodes = max(3, math.ceil(of_one * kept * costs.cassandra * REPLICAS))
    cpu = {
        "agents": costs.agent,
        "gateways": costs.gateway,
        "Kafka": costs.kafka * REPLICAS,
        "ingesters": 2 * ingester,
        "Cassandra": kept * costs.cassandra * REPLICAS,
    }
    return Size(
        rate=rate,
        gateways=gateways,
        brokers=brokers,
        kafka_disk=messages * costs.kafka_disk * RETENTION * REPLICAS,
        ingesters=ingesters,
        memory=undecided / ingesters * costs.trace_memory,
        traces=math.ceil(undecided / ingesters),
        partitions=max(12, ingesters * PARTITIONS_EACH),
        nodes=nodes,
        cassandra_disk=messages * kept * costs.cassandra_disk * DAYS * REPLICAS,
        cores=rate * sum(cpu.values()) / BUSY,
        most=max(cpu, key=lambda tier: cpu[tier]),
        series=servers * costs.series,
    )


def undecided_at_most(rate: float, wait: float, seconds: int, seed: int = 1) -> int:
    """The most traces that are undecided at once, where they begin at random (a Poisson process) at a mean rate."""
    drawn = random.Random(seed)
    waiting: deque[float] = deque()
    now, most = 0.0, 0
    while now < seconds:
        now += drawn.expovariate(rate)
        waiting.append(now + wait)
        while waiting[0] <= now:
            waiting.popleft()
        most = max(most, len(waiting))
    return most


def skew(partitions: int, ingesters: int, traces: int, seed: int = 1) -> float:
    """The work of the busiest ingester over the mean: traces fall on partitions at random, these are dealt out."""
    drawn = random.Random(seed)
    work = Counter(drawn.randrange(partitions) % ingesters for _ in range(traces))
    return max(work.values()) / (traces / ingesters)
