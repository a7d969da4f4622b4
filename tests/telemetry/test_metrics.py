"""What is counted: each order once, whatever is delivered twice; and how it leaves."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from orderflow.meters import OtelMeter
from orderflow.metrics import DELIVERIES, DURATION, METRICS, EmfMeter, Measure, Metrics
from orderflow.observer import Observer
from telemetry.world import Observed


def test_an_order_is_counted_once_though_everything_is_delivered_twice(observed: Observed) -> None:
    observed.place(idempotency_key="k-1")
    observed.place(idempotency_key="k-1")
    observed.place("tok_refused")
    observed.settle()

    total = observed.figures.total
    assert total("orderflow.orders.placed") == 2
    assert total("orderflow.orders.confirmed") == total("orderflow.orders.shipped") == 1
    assert total("orderflow.orders.cancelled", "payment-failed") == total("orderflow.orders.cancelled") == 1
    assert total("orderflow.revenue", "EUR") == 1_400
    [took] = [each.value for each in observed.figures.measures if each.metric.name == "orderflow.order.time_to_ship"]
    assert 0 < took < 60
    assert total("orderflow.deliveries", "payment", "duplicate") >= 2


def test_amplification_can_be_told(observed: Observed) -> None:
    observed.place()
    before = len(observed.broker.published) - 1
    observed.settle()

    total = observed.figures.total
    assert total("orderflow.publishes") == len(observed.broker.published) - before
    delivered = total("orderflow.deliveries") / total("orderflow.orders.placed")
    assert 40 < delivered < 90, "each message twice"


def test_a_free_text_reason_does_not_become_a_time_series(observed: Observed) -> None:
    order_id = observed.place()
    stored = observed.ports.store.get("orders", order_id)
    assert stored is not None
    from orderflow.driver import run
    from orderflow.steps import Put

    state = {**stored.document["state"], "status": "cancelled", "reason": "my neighbour Zoë: rang"}
    observer = Observer(Metrics(observed.figures))
    put = Put("orders", order_id, {**stored.document, "rev": 99, "state": state}, stored)

    def steps() -> Any:
        yield put

    run(observer.task("order", steps()), observed.ports)
    assert observed.figures.total("orderflow.orders.cancelled", "other") == 1


def test_the_embedded_metric_format_is_what_cloudwatch_reads() -> None:
    """As its specification has it: every name of the directive is a member of the line, dimensions are text."""
    lines: list[str] = []
    meter = EmfMeter("orderflow-dev", lines.append)
    for _ in range(3):
        meter.add(Measure(DELIVERIES, 1, ("payment", "handled")))
    for number in range(150):
        meter.add(Measure(DURATION, number / 10, ("payment",)))
    meter.flush(1)

    assert not any("\n" in line for line in lines)
    deliveries, first, second = map(json.loads, lines)
    assert deliveries["orderflow.deliveries"] == 3
    assert deliveries["service"] == "payment"
    for line in (deliveries, first, second):
        assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 60
        [directive] = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "orderflow-dev"
        [dimensions] = directive["Dimensions"]
        assert all(isinstance(line[name], str) and line[name] for name in dimensions)
        for metric in directive["Metrics"]:
            assert metric["Name"] in line
            assert metric["Unit"] in ("Count", "Seconds")
    assert len(first["orderflow.delivery.duration"]) == 100, "no more values than a metric may have in a line"
    assert len(second["orderflow.delivery.duration"]) == 50
    lines.clear()
    meter.flush(1)
    assert lines == [], "what was said is not said again"


class _Collected(MetricExporter):
    def __init__(self) -> None:
        super().__init__()
        self.batches: list[MetricsData] = []

    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **_: Any) -> MetricExportResult:
        self.batches.append(metrics_data)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **_: Any) -> None:
        return


def test_opentelemetry_gets_the_same_metrics_no_oftener_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "3600000")
    exporter = _Collected()
    meter = OtelMeter(exporter, {"cloud.provider": "gcp"})
    meter.add(Measure(DELIVERIES, 2, ("payment", "handled")))
    meter.add(Measure(DURATION, 0.5, ("payment",)))
    meter.flush(5)
    meter.add(Measure(DELIVERIES, 2, ("payment", "handled")))
    meter.flush(5)

    [batch] = exporter.batches
    found = {
        metric.name: metric.data.data_points[0]
        for resource in batch.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert set(found) == {"orderflow.deliveries", "orderflow.delivery.duration"}
    assert dict(found["orderflow.deliveries"].attributes or {}) == {"service": "payment", "outcome": "handled"}
    assert found["orderflow.deliveries"].value == 2  # type: ignore[union-attr]


def test_a_metric_has_few_dimensions_and_a_name_of_ours() -> None:
    names: Sequence[str] = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    assert all(name.startswith("orderflow.") for name in names)
    assert all(len(metric.dimensions) <= 2 for metric in METRICS)
