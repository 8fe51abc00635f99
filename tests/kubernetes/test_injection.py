"""What the OpenTelemetry Operator puts into a server's environment starts ailoop-otel in it."""

from __future__ import annotations

from pathlib import Path

import opentelemetry.instrumentation.auto_instrumentation as auto

from ailoop_otel.settings import Settings
from tests.kubernetes.manifests import KUBERNETES, documents
from tests.switching.servers import CONVERSATION, recorded
from tests.switching.ways import Way

(INSTRUMENTATION,) = documents(KUBERNETES / "team" / "instrumentation.yaml")
SET = {each["name"]: each["value"] for each in INSTRUMENTATION["spec"]["python"]["env"]}


async def test_a_server_that_the_operator_started_records_the_same(tmp_path: Path) -> None:
    """PYTHONPATH begins with the folder of `sitecustomize`, as the operator makes it; no start-up variable of ours."""
    # Into files, as there is no agent here; the rest is the manifest's.
    variables = {name: value for name, value in SET.items() if name != "AILOOP_OTEL_DIRECTORY"}
    variables["PYTHONPATH"] = str(Path(auto.__file__).parent)
    found = await recorded(Way("operator", variables=variables), tmp_path)
    assert found.conversation == CONVERSATION


def test_settings_that_are_given_are_known() -> None:
    """Under their names of today."""
    known = {f"AILOOP_OTEL_{name.upper()}" for name in Settings.__dataclass_fields__}
    given = [name for name in SET if name.startswith("AILOOP_OTEL_")]
    assert given == ["AILOOP_OTEL_DIRECTORY"]
    assert set(given) <= known


def test_the_volume_is_where_the_spool_is() -> None:
    """What the agent does not take outlives the container."""
    (server, *_) = documents(KUBERNETES / "team" / "server.yaml")
    (container,) = server["spec"]["template"]["spec"]["containers"]
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [SET["AILOOP_OTEL_DIRECTORY"]]
    annotations = server["spec"]["template"]["metadata"]["annotations"]
    assert annotations["instrumentation.opentelemetry.io/inject-python"] == INSTRUMENTATION["metadata"]["name"]


def test_it_is_as_patient_as_any_other_server() -> None:
    """collector/ailoop.env says how long a collector may be away, and how much may wait."""
    lines = (KUBERNETES.parent / "ailoop.env").read_text(encoding="utf-8").splitlines()
    shipped = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    for name in ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_METRIC_EXPORT_INTERVAL"):
        assert SET[name] == shipped[name]
