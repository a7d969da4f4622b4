"""Where traces and metrics of Google Cloud go when ``cloud`` is asked for: to Google's OTLP endpoint
(docs.cloud.google.com/stackdriver/docs/reference/telemetry/overview), from where they are in Cloud Trace and Cloud
Monitoring, with the function's own identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession
    from opentelemetry.sdk.trace.export import SpanExporter

    from orderflow.metrics import Meter

ENDPOINT = "https://telemetry.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def resource(environ: Mapping[str, str]) -> dict[str, str]:
    """What every span and metric says of where it is from; the endpoint asks for the project."""
    return {"cloud.provider": "gcp", "gcp.project_id": environ["GOOGLE_CLOUD_PROJECT"]}


def span_exporter(environ: Mapping[str, str]) -> SpanExporter:
    """OTLP to Google, or to ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` where that is given."""
    from orderflow.spans import otlp_exporter

    endpoint = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{ENDPOINT}/v1/traces")
    return otlp_exporter(endpoint=endpoint, session=_session())


def meter(environ: Mapping[str, str]) -> Meter:
    """OTLP to Google, or to ``OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`` where that is given."""
    from orderflow.meters import OtelMeter, otlp_exporter

    endpoint = environ.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{ENDPOINT}/v1/metrics")
    return OtelMeter(otlp_exporter(endpoint=endpoint, session=_session()), resource(environ))


def _session() -> AuthorizedSession:
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    credentials, _ = google.auth.default(scopes=[_SCOPE])
    return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
