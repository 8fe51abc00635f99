"""Every object is one that Kubernetes, or the operator whose it is, accepts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from collector.kubernetes.__main__ import objects
from tests.kubernetes.manifests import HELM, KUBERNETES, Object, documents, manifests, named

VERSION = "1.33"
# Of the OpenTelemetry Operator, Strimzi, K8ssandra, cert-manager and the Prometheus Operator.
OPERATORS = ("opentelemetry.io", "kafka.strimzi.io", "k8ssandra.io", "cert-manager.io", "monitoring.coreos.com")
CHARTS = {"agent": "opentelemetry-collector", "gateway": "opentelemetry-collector", "query": "jaeger"}


def is_operators(thing: Object) -> bool:
    return thing["apiVersion"].split("/")[0] in OPERATORS


def check(thing: Object) -> None:
    """Raises for a field that is wrong, missing or unknown."""
    kubernetes_validate.validate(thing, VERSION, strict=True)


OWN = [thing for thing in manifests() if not is_operators(thing)]
THEIRS = [thing for thing in manifests() if is_operators(thing)]


@pytest.mark.parametrize("thing", OWN, ids=named)
def test_kubernetes_accepts_it(thing: Object) -> None:
    """By the schema of its own version."""
    check(thing)


def test_the_check_can_fail() -> None:
    """On a field that nobody knows, however deep."""
    (thing, *_) = [json.loads(json.dumps(each)) for each in OWN if each["kind"] == "Deployment"]
    thing["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        check(thing)


@cache
def custom() -> dict[tuple[str, str], Any]:
    """The schemas of the operators' kinds by API version and kind, out of the folder that KUBERNETES_CRDS names."""
    folder = os.environ.get("KUBERNETES_CRDS")
    if not folder:
        pytest.skip(
            "KUBERNETES_CRDS names no folder with the operators' CustomResourceDefinitions: no registry has them"
        )
    found = {}
    for file in Path(folder).glob("*.yaml"):
        for thing in documents(file):
            for version in thing["spec"]["versions"] if thing["kind"] == "CustomResourceDefinition" else ():
                schema = version["schema"]["openAPIV3Schema"]
                names = (f"{thing['spec']['group']}/{version['name']}", thing["spec"]["names"]["kind"])
                found[names] = _strict(schema["properties"]["spec"])
    return found


def _strict(schema: Any) -> Any:
    """The same where unknown fields are errors, as with `kubectl apply --validate=strict`."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _strict(value) for key, value in schema.items()}
    is_open = "additionalProperties" in made or made.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(made.get("properties"), dict) and made.get("type") == "object" and not is_open:
        made["additionalProperties"] = False
    if "(?i)" in str(made.get("pattern", "")):
        # Go takes the flag anywhere, Python at the beginning.
        made["pattern"] = "(?i)" + made["pattern"].replace("(?i)", "")
    if made.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    return made


@pytest.mark.parametrize("thing", THEIRS, ids=named)
def test_its_operator_accepts_it(thing: Object) -> None:
    """By the schema that the operator installs."""
    schema = custom().get((thing["apiVersion"], thing["kind"]))
    if schema is None:
        pytest.skip(f"KUBERNETES_CRDS has no {thing['kind']} of {thing['apiVersion']}")
    jsonschema.validate(thing["spec"], schema)


def test_the_command_makes_objects_that_kubernetes_accepts() -> None:
    """Each small enough to be stored, with a name of its own."""
    made = list(objects())
    assert len({named(thing) for thing in made}) == len(made)
    for thing in made:
        # etcd takes 1.5 MiB, a ConfigMap holds 1 MiB.
        assert len(json.dumps(thing)) < 1024 * 1024
        if not is_operators(thing):
            check(thing)


def test_the_prometheus_operator_accepts_the_rules_that_the_command_makes() -> None:
    """As they stand in Prometheus' own files."""
    for thing in objects():
        if is_operators(thing):
            jsonschema.validate(thing["spec"], custom()[thing["apiVersion"], thing["kind"]])


@pytest.mark.parametrize("folder", ["base", "team"])
def test_kustomize_builds_it(folder: str) -> None:
    """With a namespace on each object, and nothing lost."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    command = [kubectl, "kustomize", str(KUBERNETES / folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    built = [thing for thing in yaml.safe_load_all(done.stdout) if thing]
    for thing in built:
        assert thing["kind"] == "Namespace" or thing["metadata"]["namespace"]
        if not is_operators(thing):
            check(thing)
    kinds = [thing["kind"] for thing in built]
    assert kinds.count("Deployment") == {"base": 2, "team": 1}[folder]
    labels = [thing["metadata"].get("labels", {}) for thing in built if thing["kind"] == "Deployment"]
    groups = {each.get("ailoop-telemetry/group") for each in labels}
    assert groups == {"base": {"a", "b"}, "team": {None}}[folder]


@pytest.mark.parametrize("tier", HELM)
def test_the_official_chart_makes_of_our_values_what_kubernetes_accepts(tier: str) -> None:
    """The chart itself, filled in by Helm."""
    charts, helm = os.environ.get("HELM_CHARTS"), os.environ.get("HELM_BINARY") or shutil.which("helm")
    if not charts or helm is None:
        pytest.skip(
            "HELM_CHARTS names no folder with the charts, which no package registry has, or Helm is not installed"
        )
    values = KUBERNETES / "helm" / f"{HELM[tier]}.yaml"
    command = [helm, "template", f"ailoop-{tier}", str(Path(charts) / CHARTS[tier]), "--namespace=ailoop-telemetry"]
    command += ["--values", str(values), f"--kube-version={VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    built = [thing for thing in yaml.safe_load_all(done.stdout) if thing]
    for thing in built:
        if not is_operators(thing):
            check(thing)
    (workload,) = [thing for thing in built if thing["kind"] in ("Deployment", "DaemonSet")]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    # What the NetworkPolicies and PodDisruptionBudgets select by.
    assert labels["app.kubernetes.io/instance"] == f"ailoop-{tier}"
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert container["args"][-1] == "--config=/etc/ailoop/config/kubernetes.yaml"
    assert len(container["args"]) == 2
    ports = {port["containerPort"] for port in container["ports"]}
    assert {"agent": {4317, 4318, 8888, 8889}, "gateway": {4317, 8888}, "query": {16686}}[tier] <= ports
