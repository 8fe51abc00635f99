"""Kafka and Cassandra: their jars from Maven Central, kept outside the checkout, and the commands that start them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from collector.stack import HOST, MissingProgram, cache
from collector.stack.executables import Printer

_HERE: Final = Path(__file__).parent
_CLUSTER: Final = "4L6g3nShT-eMCtK--X86sw"
_QUIET: Final = subprocess.DEVNULL


def kafka(
    folder: Path, port: int, controller: int, notify: Printer = print, more: Mapping[str, str] | None = None
) -> list[str]:
    """The command that starts a Kafka broker whose data is in `folder`; formats the data folder the first time.

    `more` are settings instead of those of server.properties; with a keystore among them its listener speaks TLS.

    Raises MissingProgram where Java or Maven is missing.
    """
    java, jars = _java(), _jars("kafka", notify)
    folder.mkdir(parents=True, exist_ok=True)
    more = more or {}
    protocol = "SSL" if "ssl.keystore.location" in more else "PLAINTEXT"
    moved = {
        "listeners": f"{protocol}://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"{protocol}://{HOST}:{port}",
        "listener.security.protocol.map": f"{protocol}:{protocol},CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": protocol,
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "log.dirs": str(folder / "data"),
        **more,
    }
    settings = folder / "server.properties"
    shipped = (_HERE / "kafka" / "server.properties").read_text()
    settings.write_text(shipped + "".join(f"{name}={value}\n" for name, value in moved.items()))
    if not (folder / "data").exists():
        tool = [java, "-cp", jars, "kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", str(settings)]
        subprocess.run(tool, check=True, stdout=_QUIET, stderr=_QUIET)
    return [java, "-Xms512m", "-Xmx512m", "-cp", jars, "kafka.Kafka", str(settings)]


def cassandra(
    folder: Path, ports: Mapping[str, int], notify: Printer = print, more: Mapping[str, Any] | None = None
) -> list[str]:
    """The command that starts a Cassandra node whose data is in `folder`; ports by native, storage and jmx.

    `more` are settings instead of those of cassandra.yaml.

    Raises MissingProgram where Java or Maven is missing.
    """
    java, jars = _java(), _jars("cassandra", notify)
    folder.mkdir(parents=True, exist_ok=True)
    settings = yaml.safe_load((_HERE / "cassandra" / "cassandra.yaml").read_text())
    settings |= more or {}
    settings |= {"native_transport_port": ports["native"], "storage_port": ports["storage"]}
    settings["seed_provider"][0]["parameters"][0]["seeds"] = f"{HOST}:{ports['storage']}"
    written = folder / "cassandra.yaml"
    written.write_text(yaml.safe_dump(settings))
    return [
        java,
        f"@{_HERE / 'cassandra' / 'jvm17.options'}",
        f"-Dlogback.configurationFile={_HERE / 'cassandra' / 'logback.xml'}",
        f"-Dcassandra.config={written.as_uri()}",
        f"-Dcassandra.storagedir={folder / 'data'}",
        f"-Dcassandra.jmx.local.port={ports['jmx']}",
        "-Xms1g",
        "-Xmx1g",
        "-cp",
        jars,
        "org.apache.cassandra.service.CassandraDaemon",
    ]


def nodetool(port: int, *arguments: str) -> str:
    """What Cassandra's own tool answers to a command; raises CalledProcessError."""
    # It writes its history at home.
    command = [_java(), f"@{_HERE / 'cassandra' / 'jvm17.options'}", f"-Duser.home={tempfile.gettempdir()}"]
    command += [f"-Dlogback.configurationFile={_HERE / 'cassandra' / 'logback.xml'}"]
    command += ["-cp", _jars("cassandra", print), "org.apache.cassandra.tools.NodeTool", "-p", str(port), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def _jars(name: str, notify: Printer) -> str:
    """The class path of a program: what its pom.xml names, copied once."""
    pom = _HERE / name / "pom.xml"
    kept = cache() / f"{name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    if not kept.exists():
        maven = shutil.which("mvn")
        if maven is None:
            raise MissingProgram(f"{name}'s jars come by Maven, which is not installed: apt-get install maven")
        notify(f"Copying {name}'s jars from Maven Central: a minute the first time.")
        partial = kept.with_name(f"{kept.name}.{os.getpid()}")
        command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(partial, ignore_errors=True)
            raise MissingProgram(f"{name}'s jars could not be copied: {done.stdout[-2000:]}")
        partial.rename(kept)
    return f"{kept}/*"


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if found is None:
        raise MissingProgram("Java 17 is not installed: apt-get install openjdk-17-jre-headless, or set JAVA_HOME")
    return found
