"""A small OpenTelemetry collector: takes the spans of the local clouds' functions by OTLP over HTTP and shows them
again. It keeps the traces that were written to last, in memory, and forgets them when it ends.

    POST /<cloud>/v1/traces      an ExportTraceServiceRequest in protobuf (opentelemetry.io/docs/specs/otlp/#otlphttp)
    GET  /<cloud>/traces/<id>    its spans as JSON, see `Span`; an empty list where there are none
"""

from __future__ import annotations

import argparse
import gzip
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from orderflow_local.processes import Server

_MOST_TRACES = 20_000


@dataclass(frozen=True, slots=True)
class Span:
    """One span as it was sent. Ids are hexadecimal, ``parent_id`` is empty for a root; times are nanoseconds since the
    epoch; ``kind`` is ``server``, ``producer``, ...; ``links`` are the span ids of links."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    kind: str
    began_ns: int
    ended_ns: int
    error: bool
    message: str
    attributes: dict[str, Any]
    links: list[str]


class Collector(Server):
    """The collector as a process of its own."""

    def __init__(self, workdir: Path) -> None:
        super().__init__("collector", workdir)

    def settings(self, cloud: str) -> dict[str, str]:
        """The environment variables by which a cloud's functions send their spans here."""
        return {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": f"{self.url}/{cloud}"}


def ask_spans(endpoint: str, trace_id: str) -> list[Span]:
    """The spans of a trace that the collector behind an OTLP endpoint has. Raises `OSError` where none answers."""
    with urlopen(f"{endpoint}/traces/{trace_id}", timeout=5) as answer:
        return [Span(**span) for span in json.load(answer)]


class _Traces:
    """Spans by cloud and trace."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._traces: OrderedDict[tuple[str, str], list[Span]] = OrderedDict()

    def add(self, cloud: str, spans: Iterator[Span]) -> None:
        with self._lock:
            for span in spans:
                key = (cloud, span.trace_id)
                self._traces.setdefault(key, []).append(span)
                self._traces.move_to_end(key)
            while len(self._traces) > _MOST_TRACES:
                self._traces.popitem(last=False)

    def of(self, cloud: str, trace_id: str) -> list[Span]:
        with self._lock:
            return list(self._traces.get((cloud, trace_id), ()))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    traces: _Traces

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        cloud, _, path = self.path.strip("/").partition("/")
        if path != "v1/traces":
            self._answer(404, b"", "text/plain")
            return
        try:
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            request = ExportTraceServiceRequest.FromString(body)
        except Exception:
            self._answer(400, b"no ExportTraceServiceRequest", "text/plain")
            return
        self.traces.add(cloud, _spans(request))
        self._answer(200, b"", "application/x-protobuf")

    def do_GET(self) -> None:
        cloud, _, path = self.path.strip("/").partition("/")
        what, _, trace_id = path.partition("/")
        if what != "traces":
            self._answer(404, b"", "text/plain")
            return
        found = [asdict(span) for span in self.traces.of(cloud, trace_id)]
        self._answer(200, json.dumps(found).encode(), "application/json")

    def log_message(self, *_: Any) -> None:
        return

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope in resource_spans.scope_spans:
            for span in scope.spans:
                yield Span(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    service=str(resource.get("service.name", "")),
                    name=span.name,
                    kind=WireSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    began_ns=span.start_time_unix_nano,
                    ended_ns=span.end_time_unix_nano,
                    error=span.status.code == Status.STATUS_CODE_ERROR,
                    message=span.status.message,
                    attributes=_attributes(span.attributes),
                    links=[link.span_id.hex() for link in span.links],
                )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind in ("string_value", "bool_value", "int_value", "double_value") else None


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description="A small OpenTelemetry collector")
    parser.add_argument("--port", required=True, type=int)
    port = parser.parse_args().port
    _Handler.traces = _Traces()
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
