"""Every configuration of the chain for many servers is valid, and listens on loopback only."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from collector.scale import SCALE
from collector.scale.java import kafka
from collector.stack import COLLECTOR, contrib, free
from tests.stack.conftest import required
from tests.stack.test_configuration import VARIABLE, validated

BY_JAEGER = ("gateway.yaml", "ingester.yaml", "query.yaml")


@pytest.fixture(scope="session")
def contrib_program() -> Path:
    """The collector of contrib components."""
    return required(contrib)


@pytest.mark.parametrize("name", BY_JAEGER)
def test_jaeger_finds_its_configuration_valid(name: str, jaeger_program: Path) -> None:
    """As it is shipped, without any variable."""
    assert validated(jaeger_program, SCALE / name) == ""


@pytest.mark.scale
def test_the_collector_of_contrib_components_finds_the_agents_valid(contrib_program: Path) -> None:
    """Its disk queue is not in the Jaeger binary."""
    assert validated(contrib_program, SCALE / "agent.yaml") == ""


@pytest.mark.scale
def test_the_one_machine_sets_queue_on_disk_is_valid(contrib_program: Path) -> None:
    """As compose.yaml has it: the collector's configuration, and the queue's after it."""
    assert validated(contrib_program, COLLECTOR / "collector.yaml", COLLECTOR / "persistent.yaml") == ""


def test_prometheus_finds_its_configuration_valid(prometheus_program: Path) -> None:
    """Rules included."""
    command = [prometheus_program.with_name("promtool"), "check", "config", SCALE / "prometheus.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.scale
def test_kafka_finds_its_configuration_valid(tmp_path: Path) -> None:
    """It formats its data folder by it. Cassandra has no command that checks; `make scale-test` starts it."""

    def formatted() -> Path:
        port, controller = free(2)
        kafka(tmp_path, port, controller)
        return tmp_path / "data"

    assert (required(formatted) / "meta.properties").exists()


@pytest.mark.parametrize("name", ["agent.yaml", *BY_JAEGER])
def test_it_listens_on_loopback_unless_told_otherwise(name: str) -> None:
    """Every address, its own and other programs', is 127.0.0.1."""
    defaults = dict(VARIABLE.findall((SCALE / name).read_text()))
    addresses = [value for key, value in defaults.items() if ":" in value or key.endswith("HOST")]
    assert len(addresses) >= 3
    assert {re.sub(r"https?://|:\d+$", "", value) for value in addresses} == {"127.0.0.1"}


@pytest.mark.parametrize("name", ["agent.yaml", "gateway.yaml"])
def test_nothing_is_acknowledged_that_is_held_in_memory_only(name: str) -> None:
    """A batch processor acknowledges what it holds; a queue without storage does."""
    text = (SCALE / name).read_text()
    assert not re.search(r"^  batch", text, re.MULTILINE)
    assert "storage: file_storage" in text or re.search(r"sending_queue:\n +enabled: false", text)
