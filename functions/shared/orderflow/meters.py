"""Metrics by OpenTelemetry: what `orderflow.metrics` declares, as instruments, read and sent at the end of an
invocation when ``OTEL_METRIC_EXPORT_INTERVAL`` (milliseconds, 60,000 unless set) has passed since the last time.

What a process has counted since then is lost when it ends without another invocation. No thread sends in between: a
platform that freezes idle processes would stop it half-way."""

from __future__ import annotations

import math
import os
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from opentelemetry.metrics import Counter, Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from orderflow.metrics import METRICS, Measure


def otlp_exporter(**options: Any) -> MetricExporter:
    """OTLP over HTTP, as the variables ``OTEL_EXPORTER_OTLP_*`` have it."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(**options)


class OtelMeter:
    """`orderflow.metrics.Meter`. Each process is an instance of its own to the backend, which adds them up."""

    def __init__(self, exporter: MetricExporter, resource: Mapping[str, str]) -> None:
        self._interval_s = float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "60000")) / 1000
        self._due_at = 0.0
        self._reader = PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)
        named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "orderflow"}
        identity = {"service.namespace": "orderflow", "service.instance.id": str(uuid.uuid4()), **named}
        provider = MeterProvider([self._reader], Resource.create({**resource, **identity}), shutdown_on_exit=False)
        meter = provider.get_meter("orderflow")
        self._instruments: dict[str, Counter | Histogram] = {
            metric.name: (meter.create_counter if metric.kind == "counter" else meter.create_histogram)(
                metric.name, metric.unit, metric.description
            )
            for metric in METRICS
        }
        self._sender: threading.Thread | None = None

    def add(self, measure: Measure) -> None:
        attributes = dict(zip(measure.metric.dimensions, measure.dimensions, strict=True))
        instrument = self._instruments[measure.metric.name]
        if isinstance(instrument, Counter):
            instrument.add(measure.value, attributes)
        else:
            instrument.record(measure.value, attributes)

    def flush(self, seconds: float) -> None:
        if time.monotonic() < self._due_at or (self._sender and self._sender.is_alive()):
            return
        self._due_at = time.monotonic() + self._interval_s
        self._sender = threading.Thread(target=self._reader.collect, name="metrics", daemon=True)
        self._sender.start()
        self._sender.join(seconds)
