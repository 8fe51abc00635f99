"""Many servers: agents, gateways, Kafka, ingesters, Cassandra, Jaeger query and Prometheus, here as processes."""

from collector.scale.chain import AGENTS, GATEWAYS, INGESTERS, SCALE, Additions, Chain
from collector.scale.java import nodetool

__all__ = ["AGENTS", "GATEWAYS", "INGESTERS", "SCALE", "Additions", "Chain", "nodetool"]
