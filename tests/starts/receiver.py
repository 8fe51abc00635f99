"""A receiver of OTLP whose spans are read as those of a folder are."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType

from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.replay.receiver import Receiver, Reply
from tests.serving.folder import Folder, Span


class Received:
    """A context manager that takes telemetry while it is entered."""

    def __enter__(self) -> Received:
        self._receiver = Receiver()
        self._receiver.always = Reply(200, b"", {})
        self.url = self._receiver.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._receiver.close()

    def spans(self) -> list[Span]:
        """The spans so far."""
        with tempfile.TemporaryDirectory() as folder:
            lines = [
                MessageToJson(ExportTraceServiceRequest.FromString(asked.body), indent=None)
                for asked in self._receiver.asked
                if asked.path == "/v1/traces"
            ]
            (Path(folder) / "traces-1-1-1.jsonl").write_text("".join(f"{line}\n" for line in lines))
            return Folder(Path(folder)).spans()
