"""The whole chain on one machine, from two agents to Jaeger query and Prometheus, each program as a process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import yaml

from collector.scale import java
from collector.stack import COLLECTOR, HOST, Program, contrib, free, jaeger, prometheus, url
from collector.stack.executables import Printer

SCALE: Final = Path(__file__).parent
AGENTS: Final = ("agent-1", "agent-2")
GATEWAYS: Final = ("gateway-1", "gateway-2")
INGESTERS: Final = ("ingester-a", "ingester-b")
# The variables by which each tier's configuration takes its own ports; those in _PORT are numbers, the rest addresses.
_VARIABLES: Final = {
    "agent": ("AGENT_OTLP_GRPC", "AGENT_OTLP_HTTP", "AGENT_HEALTH", "AGENT_METRICS", "AGENT_TELEMETRY_PORT"),
    "gateway": ("GATEWAY_OTLP_GRPC", "GATEWAY_HEALTH", "GATEWAY_TELEMETRY_PORT"),
    "ingester": ("INGESTER_HEALTH", "INGESTER_TELEMETRY_PORT"),
    "query": ("QUERY_HTTP", "QUERY_GRPC", "QUERY_HEALTH", "QUERY_TELEMETRY_PORT"),
}
_JAVA_START: Final = 240.0  # seconds; Cassandra makes its system tables the first time


@dataclass(frozen=True)
class Additions:
    """What is added to the shipped configuration: settings of Kafka and of Cassandra, and a file for each tier."""

    kafka: Mapping[str, str] = field(default_factory=dict)
    cassandra: Mapping[str, Any] = field(default_factory=dict)
    tiers: Mapping[str, Path] = field(default_factory=dict)


class Chain:
    """Every program of it, with its data in one folder; a context manager that starts and stops them.

    `variables` are added to the environment of every collector. Ports are free ones. Raises MissingProgram, and
    StartError when it is started.
    """

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str] | None = None,
        notify: Printer = print,
        added: Additions | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._variables = dict(variables or {})
        self._added = added or Additions()
        self._ports = self._numbers()
        # Gateways stand behind one name in production; here each agent has its own.
        self._shared = {
            "KAFKA_BROKER": f"{HOST}:{self.port('kafka')}",
            "CASSANDRA_PORT": str(self.port("cassandra")),
            "PROMETHEUS_URL": url(self.port("prometheus")),
            "JAEGER_UI": str(COLLECTOR / "jaeger-ui.json"),
        }
        binary = str(jaeger(notify))
        made = [self._kafka(notify), self._cassandra(notify)]
        made += [self._collector("gateway", name, binary) for name in GATEWAYS]
        made += [self._collector("ingester", name, binary, INGESTER_GROUP=name[-1]) for name in INGESTERS]
        made.append(self._collector("query", "query", binary))
        made.append(self._prometheus())
        agent = str(contrib(notify))
        for name, gateway in zip(AGENTS, GATEWAYS, strict=True):
            towards = f"{HOST}:{self.port(gateway, 'GATEWAY_OTLP_GRPC')}"
            data = str(folder / f"{name}-data")
            made.append(self._collector("agent", name, agent, GATEWAY_OTLP_GRPC=towards, AGENT_DATA=data))
        self.programs: dict[str, Program] = {program.name: program for program in made}

    def port(self, program: str, variable: str = "") -> int:
        """The port of a program, by the variable of its configuration where it has several."""
        return self._ports[program, variable]

    def telemetry(self, program: str) -> str:
        """The address at which a collector tells its own metrics."""
        return f"{url(self.port(program, f'{_tier(program).upper()}_TELEMETRY_PORT'))}/metrics"

    @property
    def query(self) -> str:
        """The address of Jaeger's query API."""
        return url(self.port("query", "QUERY_HTTP"))

    def otlp(self, agent: str) -> str:
        """An agent's address for OTEL_EXPORTER_OTLP_ENDPOINT."""
        return url(self.port(agent, "AGENT_OTLP_HTTP"))

    def start(self, *names: str) -> None:
        """Start programs, or all, each when what it needs is ready; stops all if one raises StartError."""
        try:
            for name in names or tuple(self.programs):
                self.programs[name].start()
                if name != "kafka":  # Cassandra is slower: both start at once
                    self.programs[name].wait(_JAVA_START)
                if name == "cassandra":
                    self.programs["kafka"].wait(_JAVA_START)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all, those first that others take from."""
        for program in reversed(self.programs.values()):
            program.stop()

    def __enter__(self) -> Chain:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _numbers(self) -> dict[tuple[str, str], int]:
        wanted = [("kafka", ""), ("kafka", "controller"), ("cassandra", ""), ("cassandra", "storage")]
        wanted += [("cassandra", "jmx"), ("prometheus", "")]
        for name in (*AGENTS, *GATEWAYS, *INGESTERS, "query"):
            wanted += [(name, variable) for variable in _VARIABLES[_tier(name)]]
        return dict(zip(wanted, free(len(wanted)), strict=True))

    def _kafka(self, notify: Printer) -> Program:
        port = self.port("kafka")
        command = java.kafka(self.folder / "kafka", port, self.port("kafka", "controller"), notify, self._added.kafka)
        return Program("kafka", command, f"tcp://{HOST}:{port}", self.folder, {})

    def _cassandra(self, notify: Printer) -> Program:
        ports = {"native": self.port("cassandra")}
        ports |= {name: self.port("cassandra", name) for name in ("storage", "jmx")}
        command = java.cassandra(self.folder / "cassandra", ports, notify, self._added.cassandra)
        return Program("cassandra", command, f"tcp://{HOST}:{ports['native']}", self.folder, {})

    def _collector(self, tier: str, name: str, binary: str, **more: str) -> Program:
        own = {
            variable: str(port) if variable.endswith("_PORT") else f"{HOST}:{port}"
            for (program, variable), port in self._ports.items()
            if program == name
        }
        health = f"http://{own[f'{tier.upper()}_HEALTH']}/status"
        command = [binary, "--config", str(SCALE / f"{tier}.yaml")]
        if tier in self._added.tiers:
            command += ["--config", str(self._added.tiers[tier])]
        return Program(name, command, health, self.folder, {**self._shared, **own, **more, **self._variables})

    def _prometheus(self) -> Program:
        port = self.port("prometheus")
        command = [
            str(prometheus()),
            f"--config.file={self._scraped()}",
            f"--storage.tsdb.path={self.folder / 'prometheus'}",
            f"--web.listen-address={HOST}:{port}",
        ]
        return Program("prometheus", command, f"{url(port)}/-/ready", self.folder, {})

    def _scraped(self) -> Path:
        """Write the shipped configuration with this chain's ports."""
        shipped = SCALE / "prometheus.yaml"
        configuration = yaml.safe_load(shipped.read_text())
        jobs: dict[str, Sequence[tuple[str, str]]] = {"ailoop": [(name, "AGENT_METRICS") for name in AGENTS]}
        for name in (*AGENTS, *GATEWAYS, *INGESTERS, "query"):
            tier = _tier(name)
            jobs[tier] = [*jobs.get(tier, ()), (name, f"{tier.upper()}_TELEMETRY_PORT")]
        for job in configuration["scrape_configs"]:
            targets = [f"{HOST}:{self.port(*where)}" for where in jobs[job["job_name"]]]
            job["static_configs"] = [{"targets": targets}]
        configuration["rule_files"] = [str((SCALE / name).resolve()) for name in configuration["rule_files"]]
        written = self.folder / "prometheus.yaml"
        written.write_text(yaml.safe_dump(configuration))
        return written


def _tier(program: str) -> str:
    return program.split("-")[0]
