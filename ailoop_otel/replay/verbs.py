"""The verb `replay`."""

# No `from __future__ import annotations`: typer reads the annotations, and it is imported inside a function.

from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from typer import Typer


def register(app: "Typer") -> None:
    """Add the verb to the program; it imports what it needs when it runs."""
    import typer

    @app.command("replay")
    def replay_verb(
        files: Annotated[
            list[str] | None,
            typer.Argument(metavar="[FILE...]", help="Files or directories; AILOOP_OTEL_DIRECTORY otherwise."),
        ] = None,
        endpoint: Annotated[
            str,
            typer.Option(
                metavar="URL",
                help="An OTLP/HTTP receiver; OTEL_EXPORTER_OTLP_ENDPOINT otherwise, or else http://127.0.0.1:4318.",
            ),
        ] = "",
        signals: Annotated[
            str,
            typer.Option(
                help="Some of traces,logs,metrics. Jaeger takes traces only, and what is scraped, "
                "as Prometheus does, has no place for metrics of the past."
            ),
        ] = "traces",
        again: Annotated[bool, typer.Option("--again", help="Send also what was acknowledged before.")] = False,
        state: Annotated[
            str,
            typer.Option(metavar="FILE", help="Where to note what is acknowledged; beside the recording otherwise."),
        ] = "",
        patience: Annotated[
            float, typer.Option(metavar="S", help="Seconds to try one line while the collector does not take it.")
        ] = 60.0,
        insecure: Annotated[bool, typer.Option("--insecure", help="Do not check the collector's certificate.")] = False,
    ) -> None:
        """Send recorded telemetry into a collector; what it has acknowledged before is not sent again.

        OTEL_EXPORTER_OTLP_HEADERS and OTEL_EXPORTER_OTLP_CERTIFICATE hold for it too. Exit code 0: all is there.
        """
        from ailoop_otel.replay.command import replay

        raise typer.Exit(replay(files or [], endpoint, signals, state, patience, again=again, insecure=insecure))
