"""What manifests and values name is there; who runs is probed, bounded, kept apart, and no secret is written down."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.kubernetes.__main__ import NAMESPACE, objects
from collector.stack import COLLECTOR, executables
from tests.kubernetes.manifests import (
    HELM,
    KUBERNETES,
    SCALE,
    TIERS,
    deep,
    documents,
    environment,
    manifests,
    named,
    pods,
    read_by,
    values,
)

PAGE = COLLECTOR.parent / "docs" / "kubernetes.md"
# Made by operators, by the names of the objects that they make them for.
OF_OPERATORS = {"ailoop-cluster-ca-cert", "ailoop-gateway", "ailoop-ingester", "ailoop-superuser"}
BY_HAND = {"ailoop-agent-tokens", "ailoop-keystore-password", "ailoop-telemetry", "ailoop-ca"}


def everything() -> list[Any]:
    """The manifests and the Helm values."""
    return [*manifests(), *(values(tier) for tier in HELM)]


def test_every_secret_that_is_named_is_made_by_somebody() -> None:
    """By cert-manager, by an operator, or by hand as the page says."""
    read = everything()
    named_there = {each["secretName"] for each in deep(read, "secret")}
    for key in ("secretKeyRef", "passwordSecretRef", "keystoreSecretRef", "keystorePasswordSecretRef"):
        named_there |= {each["name"] for each in deep(read, key)}
    certified = {thing["spec"]["secretName"] for thing in manifests() if thing["kind"] == "Certificate"}
    assert named_there
    assert named_there <= certified | OF_OPERATORS | BY_HAND
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in BY_HAND if name not in page] == []
    users = {thing["metadata"]["name"] for thing in manifests() if thing["kind"] == "KafkaUser"}
    assert users == {"ailoop-gateway", "ailoop-ingester"}


def test_every_config_map_that_is_named_is_made_by_the_command() -> None:
    """With the files that are mounted; a team's copy of the authority's certificate is made by hand."""
    made = {thing["metadata"]["name"]: thing["data"] for thing in objects() if thing["kind"] == "ConfigMap"}
    read = everything()
    named_there = {each["name"] for each in deep(read, "configMap") if "name" in each}
    named_there |= {each["existingName"] for each in deep(read, "configMap") if "existingName" in each}
    assert {f"ailoop-{tier}" for tier in TIERS} <= named_there <= set(made)
    for tier in TIERS:
        assert set(made[f"ailoop-{tier}"]) == {"relay", "kubernetes.yaml"}


def test_the_namespace_is_the_same_everywhere() -> None:
    """In the command, in base, and in the names by which the tiers call each other."""
    base = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text(encoding="utf-8"))
    assert base["namespace"] == NAMESPACE
    text = "".join(file.read_text(encoding="utf-8") for file in KUBERNETES.rglob("*.yaml"))
    assert set(re.findall(r"ailoop-\w+\.([\w-]+)\.svc", text)) == {NAMESPACE}


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_is_given_what_its_configuration_reads(tier: str) -> None:
    """Nothing that nobody reads; and every address that is loopback's by default is the pod's."""
    given, read = environment(tier), read_by(tier)
    assert set(given) <= set(read)
    for name, default in read.items():
        if default.startswith("127.0.0.1"):
            assert not given.get(name, "127.0.0.1").startswith("127.0.0.1"), name
    listening = {name: given[name] for name in given if re.search(r"_(HEALTH|METRICS|HTTP|GRPC|HOST)$", name)}
    ours = {name: value for name, value in listening.items() if name.startswith(tier.upper())}
    assert ours
    assert {value.split(":")[0] for value in ours.values()} == {"0.0.0.0"}


@pytest.mark.scale
@pytest.mark.parametrize("tier", TIERS)
def test_what_is_added_on_kubernetes_is_valid_for_the_program(tier: str, tmp_path: Path) -> None:
    """The program itself merges the two; only the contrib image has k8sattributes."""
    added = yaml.safe_load((KUBERNETES / "tiers" / f"{tier}.yaml").read_text(encoding="utf-8"))
    for pipeline in added.get("service", {}).get("pipelines", {}).values():
        pipeline["processors"].remove("k8sattributes")
    if tier == "agent":
        del added["processors"]["k8sattributes"]
    (tmp_path / "added.yaml").write_text(yaml.safe_dump(added))
    try:
        program = executables.contrib() if tier == "agent" else executables.jaeger()
    except executables.MissingProgram as missing:
        pytest.skip(str(missing))
    variables = {"JAEGER_UI": str(COLLECTOR / "jaeger-ui.json"), "CASSANDRA_USER": "u", "CASSANDRA_PASSWORD": "p"}
    command = [program, "validate", "--config", SCALE / f"{tier}.yaml", "--config", tmp_path / "added.yaml"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_no_leg_between_tiers_is_without_tls() -> None:
    """Each receiver has a certificate and asks for one or for a token; each exporter checks the other side's."""
    agent, gateway, ingester, query = (
        yaml.safe_load((KUBERNETES / "tiers" / f"{tier}.yaml").read_text(encoding="utf-8")) for tier in TIERS
    )
    for protocol in agent["receivers"]["otlp"]["protocols"].values():
        assert protocol["tls"]["cert_file"]
        assert protocol["auth"]["authenticator"] in agent["service"]["extensions"]
    assert agent["exporters"]["otlp/gateway"]["tls"]["insecure"] is False
    assert agent["exporters"]["otlp/gateway"]["tls"]["cert_file"]
    assert gateway["receivers"]["otlp"]["protocols"]["grpc"]["tls"]["client_ca_file"]
    for kafka in (gateway["exporters"]["kafka"], ingester["receivers"]["kafka"]):
        assert set(kafka["tls"]) == {"ca_file", "cert_file", "key_file"}
    for jaeger in (ingester, query):
        connection = jaeger["extensions"]["jaeger_storage"]["backends"]["traces"]["cassandra"]["connection"]
        assert connection["tls"] == {"insecure": False, "ca_file": "/etc/ailoop/cassandra/ca.crt"}
        assert set(connection["auth"]["basic"]) == {"username", "password"}


def test_the_agents_pipelines_keep_all_that_they_have_elsewhere() -> None:
    """A list that is merged is replaced: what ../scale has is in it, in its order."""
    here = yaml.safe_load((KUBERNETES / "tiers" / "agent.yaml").read_text(encoding="utf-8"))["service"]
    there = yaml.safe_load((SCALE / "agent.yaml").read_text(encoding="utf-8"))["service"]
    assert set(there["extensions"]) <= set(here["extensions"])
    for name, pipeline in here["pipelines"].items():
        kept = [each for each in pipeline["processors"] if each in there["pipelines"][name]["processors"]]
        assert kept == there["pipelines"][name]["processors"]


@pytest.mark.parametrize("name", ["ailoop-ingester", "ailoop"])
def test_what_runs_is_probed_and_bounded(name: str) -> None:
    """Three probes, requests and a limit of memory, no privileges, spread or disrupted one by one."""
    pod = pods(manifests())[name]
    (container,) = pod["containers"]
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container)
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert container["resources"]["limits"]["memory"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize("tier", HELM)
def test_the_values_bound_and_probe_too(tier: str) -> None:
    """Where the chart does not by itself: Jaeger's chart probes, the collector's asks for the probes' path."""
    read = values(tier)
    part = read.get("jaeger", read)
    assert part["resources"]["limits"]["memory"]
    if tier != "query":
        assert (
            read["livenessProbe"]["httpGet"] == read["readinessProbe"]["httpGet"] == {"path": "/status", "port": 13133}
        )
    assert re.fullmatch(r"\d+\.\d+\.\d+", part["image"]["tag"])


def test_each_tier_has_a_disruption_budget_and_a_policy() -> None:
    """The gateways' budget is in their values; agents are one a node, which no budget is for."""
    selected: dict[str, set[str]] = {}
    for thing in manifests():
        labels = thing["spec"].get("podSelector") or thing["spec"].get("selector") if "spec" in thing else None
        if thing["kind"] in ("PodDisruptionBudget", "NetworkPolicy"):
            selected.setdefault(thing["kind"], set()).update(labels["matchLabels"].values())
    assert {"ailoop-ingester", "ailoop-query", "ailoop"} <= selected["PodDisruptionBudget"]
    assert values("gateway")["podDisruptionBudget"]["enabled"] is True
    assert {"ailoop-agent", "ailoop-gateway", "ailoop-ingester", "ailoop-query", "ailoop"} <= selected["NetworkPolicy"]


def test_policies_open_the_ports_that_are_listened_on() -> None:
    """Each to a tier that has it."""
    ports = {
        "ailoop-agent": {4317, 4318, 8888, 8889},
        "ailoop-gateway": {4317, 8888},
        "ailoop-ingester": {8888},
        "ailoop-query": {16686, 8888},
    }
    policies = {thing["metadata"]["name"]: thing["spec"] for thing in manifests() if thing["kind"] == "NetworkPolicy"}
    for name, wanted in ports.items():
        opened = {port["port"] for rule in policies[name]["ingress"] for port in rule["ports"]}
        assert opened == wanted
        # Somebody is named each time: an empty `from` is everybody.
        assert all(rule["from"] for rule in policies[name]["ingress"])
    for tier in ("agent", "gateway"):
        enabled = {port["containerPort"] for port in values(tier)["ports"].values() if port["enabled"]}
        assert ports[f"ailoop-{tier}"] == enabled


def test_no_secret_is_written_down() -> None:
    """A password, a token or a header is a reference."""
    for thing in everything():
        for variable in [each for found in (*deep(thing, "env"), *deep(thing, "extraEnv")) for each in found]:
            if re.search("PASSWORD|TOKEN|HEADERS|SECRET|_KEY", variable["name"]):
                assert "secretKeyRef" in variable["valueFrom"], variable["name"]
    assert not [named(thing) for thing in manifests() if thing["kind"] == "Secret"]


def test_versions_are_those_of_the_other_files() -> None:
    """Jaeger in all of its places, the collector in both."""
    (container,) = pods(manifests())["ailoop-ingester"]["containers"]
    compose = yaml.safe_load((COLLECTOR / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert container["image"] == compose["jaeger"]["image"]
    assert container["image"].endswith(f":{values('query')['jaeger']['image']['tag']}")
    assert values("agent")["image"] == values("gateway")["image"]


def test_a_team_is_told_by_its_namespace() -> None:
    """By the label that the agent reads and lets in by."""
    label = "ailoop-telemetry/team"
    (namespace,) = [thing for thing in documents(KUBERNETES / "team" / "namespace.yaml")]
    assert namespace["metadata"]["labels"][label] == "support"
    agent = yaml.safe_load((KUBERNETES / "tiers" / "agent.yaml").read_text(encoding="utf-8"))
    (read,) = agent["processors"]["k8sattributes"]["extract"]["labels"]
    assert read == {"tag_name": "team", "key": label, "from": "namespace"}
    policy = next(thing for thing in manifests() if named(thing) == "NetworkPolicy ailoop-agent")
    (expression,) = next(deep(policy["spec"]["ingress"], "matchExpressions"))
    assert expression == {"key": label, "operator": "Exists"}
