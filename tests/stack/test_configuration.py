"""Every configuration that is shipped is valid, listens on loopback only, and says the same in each of its forms."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.stack import COLLECTOR, Ports
from tests.stack.secured import secured

CONFIGURATIONS = ("collector.yaml", "jaeger.yaml")
VARIABLE = re.compile(r"\$\{env:(\w+)(?::-([^}]*))?\}")


def read(name: str) -> Any:
    return yaml.safe_load((COLLECTOR / name).read_text())


def validated(program: Path, *configurations: Path, **variables: str) -> str:
    """What the program has against a configuration, of one file or several; empty when it is valid."""
    done = subprocess.run(
        [program, "validate", *(f"--config={path}" for path in configurations)],
        env=os.environ | {"JAEGER_UI": str(COLLECTOR / "jaeger-ui.json")} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_program_itself_finds_it_valid(name: str, jaeger_program: Path) -> None:
    """As it is shipped, without any variable."""
    assert validated(jaeger_program, COLLECTOR / name) == ""


def test_a_broken_one_is_not_valid(jaeger_program: Path, tmp_path: Path) -> None:
    """The check can fail."""
    broken = tmp_path / "broken.yaml"
    broken.write_text((COLLECTOR / "collector.yaml").read_text().replace("spanmetrics:", "spanmetrix:"))
    assert "spanmetrix" in validated(jaeger_program, broken)


def test_with_tls_and_basic_auth_it_is_valid_too(jaeger_program: Path, tmp_path: Path) -> None:
    """Uncommented as the comments say."""
    for name in ("users", "certificate", "key"):
        (tmp_path / name).touch()
    configuration = secured(tmp_path)
    variables = {
        "COLLECTOR_HTPASSWD": str(tmp_path / "users"),
        "COLLECTOR_TLS_CERT": str(tmp_path / "certificate"),
        "COLLECTOR_TLS_KEY": str(tmp_path / "key"),
    }
    assert validated(jaeger_program, configuration, **variables) == ""


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_it_listens_on_loopback_unless_told_otherwise(name: str) -> None:
    """Every address that is not another program's is 127.0.0.1."""
    defaults = dict(VARIABLE.findall((COLLECTOR / name).read_text()))
    addresses = {key: value for key, value in defaults.items() if re.search(r":\d+|HOST", key + value)}
    assert len(addresses) >= 6
    assert {re.sub(r"https?://|:\d+$", "", value) for value in addresses.values()} == {"127.0.0.1"}


def test_the_runners_ports_are_the_configurations(tmp_path: Path) -> None:
    """So that what is told by `make jaeger` is where it is; and no variable is set that nobody reads."""
    defaults: dict[str, str] = {}
    for name in CONFIGURATIONS:
        defaults |= dict(VARIABLE.findall((COLLECTOR / name).read_text()))
    told = Ports().variables()
    assert {name: defaults[name] for name in told} == told


def test_compose_sets_only_what_the_configurations_read() -> None:
    """And publishes on loopback only, with images whose version is fixed."""
    services = read("compose.yaml")["services"]
    for service, names in (("collector", ("collector.yaml", "persistent.yaml")), ("jaeger", ("jaeger.yaml",))):
        texts = [(COLLECTOR / name).read_text() for name in names]
        read_there = {variable for text in texts for variable, _ in VARIABLE.findall(text)}
        assert set(services[service]["environment"]) <= read_there
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service["ports"])
    images = [service["image"] for service in services.values() if "build" not in service]
    assert len(images) == len(services) - 1
    assert all(re.search(r":v?\d+\.\d+\.\d+$", image) for image in images)


def test_compose_mounts_what_is_there() -> None:
    """A path that does not exist becomes an empty folder in a container."""
    for service in read("compose.yaml")["services"].values():
        sources = [volume.split(":")[0] for volume in service["volumes"]]
        assert all((COLLECTOR / source).exists() for source in sources if source.startswith("."))


def test_compose_listens_where_its_parts_look_for_each_other() -> None:
    """Within its network each program listens on all addresses, and is called by its service's name and port."""
    services = read("compose.yaml")["services"]
    jaeger, collector = services["jaeger"]["environment"], services["collector"]["environment"]
    assert collector["JAEGER_OTLP_GRPC"] == f"jaeger:{jaeger['JAEGER_OTLP_GRPC'].split(':')[1]}"
    for name, value in (jaeger | collector).items():
        if re.search(r"GRPC|HTTP|HEALTH|METRICS|HOST", name) and value != collector["JAEGER_OTLP_GRPC"]:
            assert value.split(":")[0] == "0.0.0.0"


def test_prometheus_scrapes_the_same_in_compose() -> None:
    """Only the addresses differ."""
    here, there = read("prometheus/prometheus.yaml"), read("prometheus/compose.yaml")
    for configuration in (here, there):
        for job in configuration["scrape_configs"]:
            for group in job["static_configs"]:
                group["targets"] = [target.split(":")[1] for target in group["targets"]]
    assert here == there


@pytest.mark.parametrize("name", ["prometheus.yaml", "compose.yaml"])
def test_prometheus_finds_its_configuration_valid(name: str, prometheus_program: Path) -> None:
    """Rules and alerts included."""
    promtool = prometheus_program.with_name("promtool")
    done = subprocess.run(
        [promtool, "check", "config", COLLECTOR / "prometheus" / name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
