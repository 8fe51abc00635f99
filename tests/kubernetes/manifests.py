"""What collector/kubernetes holds, read, and what the configurations that it carries listen to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from collector.stack import COLLECTOR

Object = dict[str, Any]
KUBERNETES = COLLECTOR / "kubernetes"
SCALE = COLLECTOR / "scale"
TIERS = ("agent", "gateway", "ingester", "query")
HELM = {"agent": "agent", "gateway": "gateway", "query": "jaeger"}
VARIABLE = re.compile(r"\$\{env:(\w+)(?::-([^}]*))?\}")


def manifests() -> list[Object]:
    """The objects of base and team, as they are written."""
    files = sorted(file for name in ("base", "team") for file in (KUBERNETES / name).rglob("*.yaml"))
    read = [each for file in files if file.name != "kustomization.yaml" for each in documents(file)]
    assert len(read) > 20
    return read


def documents(file: Path) -> Iterator[Object]:
    """The objects of a file."""
    yield from (each for each in yaml.safe_load_all(file.read_text(encoding="utf-8")) if each)


def values(tier: str) -> Object:
    """The Helm values of a tier."""
    (read,) = documents(KUBERNETES / "helm" / f"{HELM[tier]}.yaml")
    return read


def named(thing: Object) -> str:
    """An object as a test's id."""
    return f"{thing['kind']} {thing['metadata']['name']}"


def pods(objects: list[Object]) -> dict[str, Object]:
    """The pods' specifications of what runs pods, by name."""
    kinds = ("Deployment", "DaemonSet", "StatefulSet")
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in objects if each["kind"] in kinds}


def deep(value: Any, key: str) -> Iterator[Any]:
    """All values of a key, however deep they lie."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name == key:
                yield each
            yield from deep(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from deep(each, key)


def environment(tier: str) -> dict[str, str]:
    """The variables that a tier is given, with their values; "" where they come from elsewhere."""
    if tier == "ingester":
        (container,) = pods(manifests())["ailoop-ingester"]["containers"]
        given = container["env"]
    else:
        given = values(tier).get("extraEnvs") or values(tier)["jaeger"]["extraEnv"]
    return {each["name"]: str(each.get("value", "")) for each in given}


def read_by(tier: str) -> dict[str, str]:
    """The variables that a tier's configuration reads, with their defaults."""
    files = (SCALE / f"{tier}.yaml", KUBERNETES / "tiers" / f"{tier}.yaml")
    return {name: default for file in files for name, default in VARIABLE.findall(file.read_text(encoding="utf-8"))}
