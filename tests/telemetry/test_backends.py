"""Each cloud's own backend, as its entrance sees what comes: address, identity, content. No real one is asked."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import google.auth
import google.auth.credentials
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from orderflow import telemetry
from telemetry.world import Observed

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass
class Entrance:
    """Something that takes whatever is sent to it."""

    url: str = ""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def bodies(self, path: str) -> list[bytes]:
        """What came for a path."""
        return [body for at, _, body in self.requests if at.startswith(path)]

    def headers(self, path: str) -> dict[str, str]:
        """The headers of the first request for a path."""
        return next(headers for at, headers, _ in self.requests if at.startswith(path))


@pytest.fixture
def entrance() -> Iterator[Entrance]:
    found = Entrance()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            answer = b'{"itemsReceived": 1, "itemsAccepted": 1, "errors": []}' if "track" in self.path else b""
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def on() -> dict[str, str]:
    """The variables that ask for the cloud's own backends."""
    return {telemetry.TRACES: "cloud", telemetry.METRICS: "cloud"}


def place(world: Observed, environ: dict[str, str], cloud: str) -> None:
    """Place an order with a cloud's telemetry on."""
    world.app._observer = telemetry.from_environment(environ, cloud)
    assert world.app._observer is not None
    world.place(traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")


def test_x_ray_gets_spans_by_otlp_signed_by_the_function_s_role(
    observed: Observed,
    entrance: Entrance,
    on: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {"ACCESS_KEY_ID": "AKID", "SECRET_ACCESS_KEY": "hush", "SESSION_TOKEN": "session"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    endpoint = f"{entrance.url}/v1/traces"
    place(observed, {**on, "AWS_REGION": "eu-west-1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": endpoint}, "aws")

    [body] = entrance.bodies("/v1/traces")
    spans = _spans(body)
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    headers = entrance.headers("/v1/traces")
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert "/eu-west-1/xray/aws4_request" in headers["authorization"]
    assert headers["x-amz-security-token"] == "session"
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = {name for line in lines if "_aws" in line for name in line if name.startswith("orderflow.")}
    assert {"orderflow.orders.placed", "orderflow.publishes"} <= names, "metrics are lines of the log"


def test_x_ray_s_address_is_that_of_the_region() -> None:
    from orderflow_aws.telemetry import span_exporter

    exporter: Any = span_exporter({"AWS_REGION": "eu-west-1"})
    assert exporter._endpoint == "https://xray.eu-west-1.amazonaws.com/v1/traces"


def test_google_gets_both_by_otlp_with_the_function_s_identity_and_the_project(
    observed: Observed, entrance: Entrance, on: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Identity(google.auth.credentials.Credentials):
        def refresh(self, request: Any) -> None:
            self.token = "a-token"

    monkeypatch.setattr(google.auth, "default", lambda scopes: (Identity(), "p-1"))  # type: ignore[no-untyped-call]
    environ = {
        "GOOGLE_CLOUD_PROJECT": "p-1",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{entrance.url}/v1/traces",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{entrance.url}/v1/metrics",
    }
    place(observed, {**on, **environ}, "gcp")

    traces = ExportTraceServiceRequest.FromString(entrance.bodies("/v1/traces")[0])
    metrics = ExportMetricsServiceRequest.FromString(entrance.bodies("/v1/metrics")[0])
    for path, resource in (
        ("/v1/traces", traces.resource_spans[0].resource),
        ("/v1/metrics", metrics.resource_metrics[0].resource),
    ):
        assert entrance.headers(path)["authorization"] == "Bearer a-token"
        said = {pair.key: pair.value.string_value for pair in resource.attributes}
        assert said["gcp.project_id"] == "p-1"
    names = {metric.name for metric in metrics.resource_metrics[0].scope_metrics[0].metrics}
    assert "orderflow.orders.placed" in names


def test_application_insights_gets_both_as_its_own_exporter_sends_them(
    observed: Observed, entrance: Entrance, on: dict[str, str]
) -> None:
    key = "11111111-2222-3333-4444-555555555555"
    connection = f"InstrumentationKey={key};IngestionEndpoint={entrance.url}/"
    place(observed, {**on, "APPLICATIONINSIGHTS_CONNECTION_STRING": connection}, "azure")

    sent = [item for body in entrance.bodies("/v2") for item in _items(body)]
    [request] = [item for item in sent if item["data"]["baseType"] == "RequestData"]
    assert request["data"]["baseData"]["name"] == "POST /orders"
    assert request["tags"]["ai.operation.id"] == TRACE
    assert request["tags"]["ai.cloud.role"].endswith("api")
    metrics = {
        metric["name"]
        for item in sent
        if item["data"]["baseType"] == "MetricData"
        for metric in item["data"]["baseData"]["metrics"]
    }
    assert "orderflow.orders.placed" in metrics


def _spans(body: bytes) -> list[Any]:
    request = ExportTraceServiceRequest.FromString(body)
    return [span for each in request.resource_spans for scope in each.scope_spans for span in scope.spans]


def _items(body: bytes) -> list[Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return [json.loads(line) for line in body.splitlines()]
    return found if isinstance(found, list) else [found]
