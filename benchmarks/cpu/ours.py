"""orderflow with all guarantees on: documents in a dict, and a publisher that does nothing but write the bytes. With
``BENCH_LOG=1`` it writes its line for each record, as it does when deployed; with ``BENCH_TELEMETRY=1`` it makes spans
and metrics as well, which go no further than to be encoded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

os.environ |= {"ORDERFLOW_SERVICE": "reserving"}

from orderflow.app import App
from orderflow.clock import SystemClock
from orderflow.envelope import Envelope
from orderflow.ports import Conflict, Document, Ports, Stored
from orderflow.services import SERVICES
from orderflow.settings import Settings

published: list[bytes] = []
SERVICES["reserving"] = "benchmarks.cpu.reserving"


class DictStore:
    """As much of a store as this service asks for."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], Stored] = {}
        self.writes = 0

    def get(self, collection: str, key: str) -> Stored | None:
        return self.documents.get((collection, key))

    def insert(self, collection: str, key: str, document: Document) -> Stored:
        if (collection, key) in self.documents:
            raise Conflict(key)
        return self._write(collection, key, document)

    def replace(self, collection: str, key: str, document: Document, previous: Stored) -> Stored:
        if self.documents[collection, key].version != previous.version:
            raise Conflict(key)
        return self._write(collection, key, document)

    def _write(self, collection: str, key: str, document: Document) -> Stored:
        self.writes += 1
        stored = self.documents[collection, key] = Stored(document, str(self.writes))
        return stored


class NullPublisher:
    """Writes the bytes, and sends them nowhere."""

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        published.extend([envelope.to_bytes() for envelope in envelopes])
        return [None] * len(envelopes)


class NullDeadLetters:
    """Takes what was refused."""

    def send(self, letter: Any) -> None:
        return


def observer() -> Any:
    """Spans that are encoded and thrown away, and metrics as lines."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    from orderflow.metrics import EmfMeter, Metrics
    from orderflow.observer import Observer
    from orderflow.spans import Spans

    class Encoded(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            encode_spans(spans).SerializeToString()
            return SpanExportResult.SUCCESS

    return Observer(Spans(Encoded(), {}), Metrics(EmfMeter("benchmark")))


settings = Settings(log_level="INFO" if os.environ.get("BENCH_LOG") == "1" else "ERROR")
ports = Ports(DictStore(), NullPublisher(), NullDeadLetters(), None, None, SystemClock(), {}, None)  # type: ignore[arg-type]
app = App(ports, settings, observer() if os.environ.get("BENCH_TELEMETRY") == "1" else None)
