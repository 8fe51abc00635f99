"""The stack on one machine: a collector in front of Jaeger, and Prometheus where it is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

import yaml

from collector.stack.places import HOST, Places, url
from collector.stack.program import Program, Trouble
from collector.stack.programs import COLLECTOR, jaeger, prometheus

__all__ = ["Stack", "Trouble"]


class Stack:
    """Collector, Jaeger and Prometheus with their data in one folder; a context that stops what it started.

    `configuration` is another collector configuration than the one that is shipped, `variables` goes to collector and
    Jaeger beside the addresses.
    """

    def __init__(
        self,
        folder: Path,
        places: Places,
        *,
        with_prometheus: bool = True,
        configuration: Path = COLLECTOR / "collector.yaml",
        variables: Mapping[str, str] | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.places = places
        self.folder = folder
        program = str(jaeger(say))
        environment = {
            **places.variables(),
            "JAEGER_DATA": str(folder / "jaeger"),
            "JAEGER_UI": str(COLLECTOR / "jaeger-ui.json"),
            **(variables or {}),
        }

        def made(name: str, configuration: Path, port: int) -> Program:
            command = [program, "--config", str(configuration)]
            return Program(name, command, f"{url(port)}/status", folder, environment)

        self.jaeger = made("jaeger", COLLECTOR / "jaeger.yaml", places.jaeger_health)
        self.collector = made("collector", configuration, places.collector_health)
        self.prometheus = _prometheus(folder, places) if with_prometheus else None

    @property
    def programs(self) -> list[Program]:
        """In the order in which they are started."""
        return [each for each in (self.jaeger, self.prometheus, self.collector) if each is not None]

    def start(self) -> None:
        """Start what does not run yet and wait until all is healthy; raises Trouble, and stops again, if it is not."""
        idle = [program for program in self.programs if program.pid is None]
        try:
            for program in idle:
                program.start()
            for program in idle:
                program.wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the collector first, so that what it holds gets to Jaeger."""
        for program in reversed(self.programs):
            program.stop()

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _prometheus(folder: Path, places: Places) -> Program:
    command = [
        str(prometheus()),
        f"--config.file={_scraping(folder, places)}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={HOST}:{places.prometheus}",
        "--enable-feature=exemplar-storage",
    ]
    return Program("prometheus", command, f"{url(places.prometheus)}/-/ready", folder, {})


def _scraping(folder: Path, places: Places) -> Path:
    """The shipped configuration with this stack's ports: Prometheus reads no environment."""
    shipped = COLLECTOR / "prometheus" / "prometheus.yaml"
    configuration = yaml.safe_load(shipped.read_text())
    moved = {f"{HOST}:{port}": f"{HOST}:{getattr(places, name)}" for name, port in asdict(Places()).items()}
    for job in configuration["scrape_configs"]:
        for group in job["static_configs"]:
            group["targets"] = [moved[target] for target in group["targets"]]
    configuration["rule_files"] = [str(shipped.parent / name) for name in configuration["rule_files"]]
    written = folder / "prometheus.yaml"
    written.write_text(yaml.safe_dump(configuration))
    return written
