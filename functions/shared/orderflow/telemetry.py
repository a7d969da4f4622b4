"""Whether traces and metrics are made, and where they go: OpenTelemetry's own environment variables decide
(opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables), but what is not set is off.

``OTEL_TRACES_EXPORTER``     ``none`` (the default), ``otlp``, or ``cloud``: the cloud's own backend
``OTEL_METRICS_EXPORTER``    likewise; ``cloud`` on AWS is CloudWatch's embedded metric format
``OTEL_SDK_DISABLED``        ``true`` turns both off

What an exporter reads further is its own affair: ``OTEL_EXPORTER_OTLP_ENDPOINT``, ``OTEL_TRACES_SAMPLER``, ..."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from orderflow import log

if TYPE_CHECKING:
    from orderflow.observer import Observer, Sink

TRACES = "OTEL_TRACES_EXPORTER"
METRICS = "OTEL_METRICS_EXPORTER"
_EXPORTERS = ("none", "otlp", "cloud")


class BadExporter(ValueError):
    """An environment variable names an exporter that there is not."""


def from_environment(environ: Mapping[str, str], cloud: str) -> Observer | None:
    """The observer that an environment asks for, None where telemetry is off: then nothing is imported for it.

    ``cloud`` is aws, azure or gcp: the module ``orderflow_<cloud>.telemetry`` has its own exporters. Where the package
    lacks what it takes (`orderflow package --telemetry` adds it), that is said and the functions work without. Raises
    `BadExporter`."""
    traces, metrics = _chosen(environ, TRACES), _chosen(environ, METRICS)
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or (traces, metrics) == ("none", "none"):
        return None
    sinks: list[Sink] = []
    for exporter, make in ((traces, _spans), (metrics, _metrics)):
        try:
            if exporter != "none":
                sinks.append(make(exporter, import_module(f"orderflow_{cloud}.telemetry"), environ))
        except ModuleNotFoundError as error:
            log.write("WARNING", "telemetry is not in this package", reason=str(error))
    if not sinks:
        return None
    from orderflow.observer import Observer

    return Observer(*sinks)


def _spans(exporter: str, own: Any, environ: Mapping[str, str]) -> Sink:
    from orderflow.spans import Spans, otlp_exporter

    return Spans(own.span_exporter(environ) if exporter == "cloud" else otlp_exporter(), own.resource(environ))


def _metrics(exporter: str, own: Any, environ: Mapping[str, str]) -> Sink:
    from orderflow.metrics import Metrics

    if exporter == "cloud":
        return Metrics(own.meter(environ))
    from orderflow.meters import OtelMeter, otlp_exporter

    return Metrics(OtelMeter(otlp_exporter(), own.resource(environ)))


def _chosen(environ: Mapping[str, str], variable: str) -> str:
    value = environ.get(variable) or "none"
    if value not in _EXPORTERS:
        raise BadExporter(f"{variable} must be {', '.join(_EXPORTERS[:-1])} or {_EXPORTERS[-1]}, not {value!r}")
    return value
