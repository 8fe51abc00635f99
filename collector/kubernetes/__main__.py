"""`python -m collector.kubernetes | kubectl apply -f -`: the files of collector/ as objects of Kubernetes.

Each configuration stands once, in collector/; nothing of it is copied into the manifests or the Helm values, which name
these objects.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

COLLECTOR: Final = Path(__file__).parent.parent
NAMESPACE: Final = "ailoop-telemetry"
TIERS: Final = ("agent", "gateway", "ingester", "query")
RULES: Final = (
    "prometheus/targets.yaml",
    "prometheus/recording.yaml",
    "prometheus/slo.yaml",
    "prometheus/alerts.yaml",
    "scale/recording.yaml",
)
DASHBOARDS: Final = ("ailoop.json", "fleet.json")


def objects() -> Iterator[dict[str, Any]]:
    """All objects: a ConfigMap for each tier, Jaeger's UI, Prometheus' rules, Grafana's dashboards."""
    for tier in TIERS:
        # `relay` is the key that the collector's Helm chart reads; `kubernetes` is merged over it.
        files = {
            "relay": COLLECTOR / "scale" / f"{tier}.yaml",
            "kubernetes.yaml": COLLECTOR / "kubernetes" / "tiers" / f"{tier}.yaml",
        }
        yield _config_map(f"ailoop-{tier}", files)
    yield _config_map("ailoop-jaeger-ui", {"jaeger-ui.json": COLLECTOR / "jaeger-ui.json"})
    for file in RULES:
        name = file.removesuffix(".yaml").replace("/", "-")
        spec = yaml.safe_load((COLLECTOR / file).read_text(encoding="utf-8"))
        # For the Prometheus Operator, whose rules are Prometheus' own: https://prometheus-operator.dev
        yield _object("monitoring.coreos.com/v1", "PrometheusRule", f"ailoop-{name}") | {"spec": spec}
    for file in DASHBOARDS:
        # The label by which the Grafana chart's sidecar finds dashboards.
        labels = {"grafana_dashboard": "1"}
        name = f"ailoop-dashboard-{file.removesuffix('.json')}"
        yield _config_map(name, {file: COLLECTOR / "grafana" / file}, labels)


def _config_map(name: str, files: dict[str, Path], labels: dict[str, str] | None = None) -> dict[str, Any]:
    data = {key: path.read_text(encoding="utf-8") for key, path in files.items()}
    return _object("v1", "ConfigMap", name, labels) | {"data": data}


def _object(version: str, kind: str, name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "labels": {"app.kubernetes.io/part-of": "ailoop", **(labels or {})},
    }
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


if __name__ == "__main__":
    yaml.safe_dump_all(objects(), sys.stdout, sort_keys=False, allow_unicode=True)
