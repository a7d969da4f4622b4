"""What is counted, declared once, and what an observed handler adds to it. A `Meter` takes the figures away:
CloudWatch's embedded metric format (`EmfMeter`, a log line) on AWS, OpenTelemetry (`orderflow.meters`) elsewhere.

Orders are counted where they are decided: by the compare-and-set that moves the order's own document, which happens
once. An answer that was lost after such a write is not counted; nothing is counted twice. How much work an accepted
order makes (amplification) is ``orderflow.deliveries`` or ``orderflow.publishes`` divided by
``orderflow.orders.placed``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import orjson

from orderflow.envelope import Envelope
from orderflow.http import Request
from orderflow.observer import Handling
from orderflow.ports import Delivery
from orderflow.processing import Retry
from orderflow.steps import Ask, Publish, Put


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``unit`` is as UCUM spells it (``1``, ``s``); a ``histogram`` keeps the distribution of its values,
    a ``counter`` their sum. ``dimensions`` are few-valued: each combination is a time series that is paid for."""

    name: str
    kind: Literal["counter", "histogram"]
    unit: str
    description: str
    dimensions: tuple[str, ...] = ()


DELIVERIES = Metric(
    "orderflow.deliveries",
    "counter",
    "1",
    "Messages processed, by outcome: handled, duplicate, ignored, retry, dead-lettered, out of time",
    ("service", "outcome"),
)
DURATION = Metric("orderflow.delivery.duration", "histogram", "s", "Time to process a message", ("service",))
PUBLISHES = Metric("orderflow.publishes", "counter", "1", "Events that the broker took", ("service",))
CALLS = Metric(
    "orderflow.call.duration", "histogram", "s", "Time of a call to an external system", ("dependency", "answered")
)
PLACED = Metric("orderflow.orders.placed", "counter", "1", "Orders accepted")
CONFIRMED = Metric("orderflow.orders.confirmed", "counter", "1", "Orders confirmed")
CANCELLED = Metric("orderflow.orders.cancelled", "counter", "1", "Orders cancelled, by reason", ("reason",))
SHIPPED = Metric("orderflow.orders.shipped", "counter", "1", "Orders shipped")
REVENUE = Metric(
    "orderflow.revenue", "counter", "1", "Totals of confirmed orders, in minor units of the currency", ("currency",)
)
TIME_TO_SHIP = Metric("orderflow.order.time_to_ship", "histogram", "s", "From placed to shipped")

METRICS = (DELIVERIES, DURATION, PUBLISHES, CALLS, PLACED, CONFIRMED, CANCELLED, SHIPPED, REVENUE, TIME_TO_SHIP)

_ORDERS = "orders"
_REASONS = {"customer", "operator", "deadline", "payment-failed", "fraud-suspected", "out-of-stock", "shipment-refused"}
"""What the reason of a cancellation begins with; what follows the colon is for people."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure to be added to a metric, with the values of its dimensions in their order."""

    metric: Metric
    value: float
    dimensions: tuple[str, ...] = ()


class Meter(Protocol):
    """Takes figures away."""

    def add(self, measure: Measure) -> None:
        """Add one."""

    def flush(self, seconds: float) -> None:
        """Send what is due; take no longer than that."""


class Metrics:
    """`orderflow.observer.Sink`: counts what was seen."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def delivered(self, service: str, _delivery: Delivery, _envelope: Envelope | None, handling: Handling) -> None:
        result = handling.result
        outcome = "retry" if isinstance(result, Retry) else getattr(result, "note", "out of time")
        self._meter.add(Measure(DELIVERIES, 1, (service, outcome)))
        self._meter.add(Measure(DURATION, _seconds(handling.began, handling.ended), (service,)))
        self._count(service, handling)

    def answered(self, _request: Request, handling: Handling) -> None:
        self._count("api", handling)

    def performed(self, service: str, handling: Handling) -> None:
        self._count(service, handling)

    def flush(self, seconds: float) -> None:
        self._meter.flush(seconds)

    def _count(self, service: str, handling: Handling) -> None:
        for call in handling.calls:
            if isinstance(call.step, Publish) and call.error is None:
                self._meter.add(Measure(PUBLISHES, 1, (service,)))
            elif isinstance(call.step, Ask):
                answered = "no" if call.error else "yes"
                took = _seconds(call.began, call.ended)
                self._meter.add(Measure(CALLS, took, (call.step.dependency, answered)))
        for put in handling.commits():
            for measure in _of_an_order(put, handling.ended / 1e9):
                self._meter.add(measure)


def _of_an_order(put: Put, now: float) -> Iterator[Measure]:
    """What a write of an order's document means for the business: its status has changed."""
    if put.collection != _ORDERS:
        return
    state: Mapping[str, Any] = put.document["state"]
    if put.previous is not None and put.previous.document["state"]["status"] == state["status"]:
        return
    match state["status"]:
        case "pending":
            yield Measure(PLACED, 1)
        case "confirmed":
            yield Measure(CONFIRMED, 1)
            yield Measure(REVENUE, state["total"], (state["currency"],))
        case "cancelled":
            code = str(state.get("reason") or "").partition(":")[0]
            yield Measure(CANCELLED, 1, (code if code in _REASONS else "other",))
        case "shipped":
            yield Measure(SHIPPED, 1)
            yield Measure(TIME_TO_SHIP, max(0.0, now - state["placed_at"]))


def _seconds(began: int, ended: int) -> float:
    return (ended - began) / 1e9


_UNITS = {"1": "Count", "s": "Seconds"}
_MOST_VALUES = 100
"""Values of one metric in one line."""


@dataclass(slots=True)
class EmfMeter:
    """A log line for each set of dimensions at every flush, from which CloudWatch makes metrics by itself
    (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html):
    nothing is called, and nothing waited for."""

    namespace: str
    write: Callable[[str], object] = print
    _sums: dict[tuple[Metric, tuple[str, ...]], list[float]] = field(default_factory=dict)

    def add(self, measure: Measure) -> None:
        values = self._sums.setdefault((measure.metric, measure.dimensions), [])
        if measure.metric.kind == "counter" and values:
            values[0] += measure.value
        else:
            values.append(measure.value)

    def flush(self, _seconds: float) -> None:
        sums, self._sums = self._sums, {}
        for (metric, dimensions), values in sums.items():
            for first in range(0, len(values), _MOST_VALUES):
                self.write(self._line(metric, dimensions, values[first : first + _MOST_VALUES]))

    def _line(self, metric: Metric, dimensions: tuple[str, ...], values: list[float]) -> str:
        directive = {
            "Namespace": self.namespace,
            "Dimensions": [list(metric.dimensions)],
            "Metrics": [{"Name": metric.name, "Unit": _UNITS[metric.unit]}],
        }
        return orjson.dumps(
            {
                "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]},
                **dict(zip(metric.dimensions, dimensions, strict=True)),
                metric.name: values if metric.kind == "histogram" else values[0],
            }
        ).decode()
