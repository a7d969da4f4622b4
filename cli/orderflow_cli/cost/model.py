"""The monthly bill of a cloud, from the counted calls, the topology and the price table. docs/cost.md explains it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orderflow import topology
from orderflow.services.analytics import SHARDS
from orderflow_cli.cost.counting import Call, Counted, Execution
from orderflow_cli.cost.prices import Price, Prices

CLOUDS = ("aws", "azure", "gcp")
PARTS = ("api", "functions", "broker", "store", "archive", "logs", "alarms")

MONTH_S = 730 * 3600
CHUNK = 64 * 1024
"""Bytes of what brokers count as one request or operation."""

MESSAGE_MS = 0.18
"""Processor time of a message with its log line: `make bench`, 'orderflow, Lambda entrypoint, with its log line'."""
CALL_MS = 10.0
"""A round trip to the store or the broker, on average. An assumption: nothing here has been measured in a cloud."""

LAMBDA_MB_A_VCPU = 1769
"""docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
RUN_VCPU = {128: 0.083, 256: 0.167, 512: 0.333, 1024: 0.583, 2048: 1.0}
"""cloud.google.com/functions/docs/configuring/memory"""
FLEX_CORES = {512: 0.25, 2048: 1.0, 4096: 2.0}
"""learn.microsoft.com/azure/azure-functions/flex-consumption-plan#instance-sizes"""

ITEM_OVERHEAD = 70
"""What a DynamoDB item has beside its document: the attributes' names, a key of 36 characters, a version of 16."""
PUBSUB_OVERHEAD = 36
"""Pub/Sub counts 20 bytes of a timestamp, and the message's id, of 16 digits."""
PUBSUB_LEAST = 1000
POLLS_A_MONTH = 5 * 3 * 60 * 730
"""Of an SQS queue that is empty: Lambda has five pollers on it, which wait for 20 s
(docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html)."""

ANALYTICS_BYTES = 340
ANALYTICS_BYTES_AN_EVENT = 79
"""Of a document of analytics: `tests/costs` holds both."""
ANALYTICS_WINDOW_S = 60

ALARMS = {"aws": (21, 6), "azure": (10, 4), "gcp": (15, 5)}
"""What a plan of dev makes (docs/deploy): for itself, and for each service that hears events."""
LOG_ALERTS = 5
GCP_EVALUATIONS = 2 * 60 * 24 * 30


def alarms(cloud: str, services: Mapping[str, Any]) -> int:
    """How many alarms a plan of dev makes for the services of a topology."""
    own, each = ALARMS[cloud]
    hearing = [name for name, service in services.items() if service["trigger"] == "queue"]
    return own + each * len(hearing)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is to be estimated. ``batch`` and ``memory_mb`` stand in for what the topology says, ``analytics_window_s``
    for the time that a document of analytics is about."""

    orders: float
    message_ms: float = MESSAGE_MS
    call_ms: float = CALL_MS
    batch: int | None = None
    memory_mb: int | None = None
    analytics_window_s: int = ANALYTICS_WINDOW_S
    free_tier: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill; ``usd`` is None where no price is known, ``region`` where its source says it holds."""

    part: str
    what: str
    quantity: float
    unit: str
    usd: float | None
    free: float = 0.0
    region: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    """A cloud's bill for a month."""

    cloud: str
    lines: tuple[Line, ...]

    @property
    def total(self) -> float:
        """US dollars a month, of what has a price."""
        return sum(line.usd or 0 for line in self.lines)

    def part(self, part: str) -> float | None:
        """US dollars of a part; None where nothing of it has a price."""
        priced = [line.usd for line in self.lines if line.part == part and line.usd is not None]
        return sum(priced) if priced else None

    def unknown(self) -> list[str]:
        """What no price is known for."""
        return [line.what for line in self.lines if line.usd is None]

    def dominant(self) -> str:
        """The greatest part."""
        return max(PARTS, key=lambda part: self.part(part) or 0)


@dataclass(frozen=True, slots=True)
class Run:
    """One kind of execution, as often as a month has it: ``messages`` of them in one execution of a function.
    ``published`` and ``received`` are requests, as brokers count them."""

    service: str
    a_month: float
    messages: float = 0
    store_calls: float = 1
    publishes: float = 0
    published: float = 0
    received: float = 0


class Estimate:
    """One cloud's month."""

    def __init__(self, cloud: str, counted: Counted, inputs: Inputs, prices: Prices) -> None:
        self._cloud = cloud
        self._order = counted
        self._inputs = inputs
        self._prices = prices.by_cloud[cloud]
        self._services: dict[str, Any] = topology.build()["services"]
        self._deliveries: dict[str, int] = {
            name: sum(each.service == name for each in counted.executions) for name in self._services
        }

    def bill(self) -> Bill:
        """Everything that a month has."""
        lines: dict[str, Callable[[], Iterator[Line]]] = {"aws": self._aws, "azure": self._azure, "gcp": self._gcp}
        return Bill(self._cloud, tuple(lines[self._cloud]()))

    # What happens

    def runs(self) -> list[Run]:
        """The executions of a month."""
        runs = []
        for each in self._order.executions:
            batch = self.batch(each.service)
            sizes = [sum(call.events) for call in each.calls if call.operation == "publish"]
            runs.append(
                Run(
                    each.service,
                    a_month=self._inputs.orders / batch,
                    messages=batch,
                    store_calls=each.number("get", "insert", "replace") * batch,
                    publishes=len(sizes),
                    published=sum(chunks(size * batch) for size in sizes),
                    received=chunks(each.received * batch),
                )
            )
        timed = ("schedule", "sink") if self._cloud == "azure" else ("schedule",)
        for name, service in self._services.items():
            if service["trigger"] in timed:
                runs.append(Run(name, a_month=MONTH_S / service["every_s"]))
        return runs

    def batch(self, service: str) -> float:
        """Messages of a service in one execution: those that come while its window is open, and at least one."""
        limits: dict[str, float] = self._services[service]["limits"]
        if self._services[service]["trigger"] != "queue" or self._cloud == "gcp":
            return 1
        if self._inputs.batch is not None:
            return self._inputs.batch
        rate: float = self._inputs.orders * self._deliveries[service] / MONTH_S
        return min(limits["batch_size"], 1 + rate * limits["batch_window_s"])

    def duration_ms(self, run: Run) -> float:
        """How long an execution takes: its processor time on its share of a core, and its round trips."""
        return (
            run.messages * self._inputs.message_ms / self._cores(run)
            + (run.store_calls + run.publishes) * self._inputs.call_ms
        )

    def memory_mb(self, service: str) -> int:
        """Memory of a function, as Terraform sets it."""
        asked: int = self._inputs.memory_mb or self._services[service]["limits"]["memory_mb"]
        return min(size for size in FLEX_CORES if size >= asked) if self._cloud == "azure" else asked

    def _cores(self, run: Run) -> float:
        memory = self.memory_mb(run.service)
        match self._cloud:
            case "aws":
                return memory / LAMBDA_MB_A_VCPU
            case "azure":
                return FLEX_CORES[memory]
        return RUN_VCPU[memory]

    def _a_month(self, of: Callable[[Execution], float]) -> float:
        return self._inputs.orders * sum(of(each) for each in self._order.executions)

    def _calls(self, of: Callable[[Call], float]) -> float:
        return self._a_month(lambda each: sum(of(call) for call in each.calls))

    def _size(self, call: Call) -> float:
        """Bytes of a document. Those of analytics grow for as long as their window is open, with what comes."""
        if call.collection != "analytics" or not call.size:
            return call.size
        rate: float = self._inputs.orders * self._deliveries["analytics"] / MONTH_S
        return ANALYTICS_BYTES + ANALYTICS_BYTES_AN_EVENT * rate * self._inputs.analytics_window_s / SHARDS / 2

    @property
    def _events(self) -> float:
        return self._calls(lambda call: len(call.events))

    # What it costs

    def _line(self, part: str, what: str, name: str | None, quantity: float) -> Line:
        price: Price | None = self._prices.get(name) if name else None
        if price is None:
            return Line(part, what, quantity, "", None)
        free = min(quantity, price.free)
        charged = quantity - free if self._inputs.free_tier else quantity
        return Line(part, what, quantity, price.unit, price.of(charged), price.of(free), price.region)

    def _aws(self) -> Iterator[Line]:
        runs = self.runs()
        yield self._line("api", "HTTP API requests", "http-api", self._a_month(lambda each: each.service == "api"))
        yield self._line("functions", "Lambda requests", "lambda-request", sum(run.a_month for run in runs))
        yield self._line(
            "functions",
            "Lambda time",
            "lambda-arm-gb-s",
            sum(
                run.a_month * math.ceil(self.duration_ms(run)) / 1000 * self.memory_mb(run.service) / 1024
                for run in runs
            ),
        )
        publishes = sum(run.a_month * run.published for run in runs)
        yield self._line("broker", "SNS publishes", "sns-publish", publishes)
        fetches = sum(
            run.a_month * (run.received + 1) for run in runs if self._services[run.service]["trigger"] == "queue"
        )
        yield self._line("broker", "SQS receives and deletes", "sqs", fetches)
        queues = sum(service["trigger"] in ("queue", "object") for service in self._services.values())
        yield self._line("broker", "SQS receives of empty queues", "sqs", queues * POLLS_A_MONTH)
        yield self._line("store", "DynamoDB write units", "dynamodb-write", self._calls(self._write_units))
        yield self._line("store", "DynamoDB read units", "dynamodb-read", self._calls(self._read_units))
        stored = self._inputs.orders * self._order.stored / 1e9
        yield self._line("store", "DynamoDB storage of the month's orders", "dynamodb-storage", stored)
        yield self._line("store", "DynamoDB point-in-time recovery", "dynamodb-backup", stored)
        yield self._line("archive", "SNS to Firehose", "sns-to-firehose", self._events)
        yield self._line("archive", "Firehose ingestion and S3", None, self._events)
        yield self._line("logs", "CloudWatch Logs", "logs", self._a_month(lambda each: each.logged) / 1e9)
        yield self._line("alarms", "CloudWatch alarms", "alarm", alarms("aws", self._services))
        yield self._line("alarms", "CloudWatch dashboard", "dashboard", 1)
        yield self._line("alarms", "metrics of log filters, the alarms' key", None, 1)

    def _write_units(self, call: Call) -> float:
        """A write is a unit for each kilobyte, also where its condition fails; an index entry is a unit each time that
        it is put or removed."""
        if call.operation not in ("insert", "replace"):
            return 0
        entries = 0 if call.lost else call.added + call.removed
        return math.ceil((self._size(call) + ITEM_OVERHEAD) / 1024) + entries

    def _read_units(self, call: Call) -> float:
        """A strongly consistent read is a unit for each 4 KB, and one where there is nothing."""
        return max(1, math.ceil(self._size(call) / 4096)) if call.operation == "get" else 0

    def _azure(self) -> Iterator[Line]:
        runs = self.runs()
        yield self._line("functions", "Flex executions, the API's too", None, sum(run.a_month for run in runs))
        seconds = sum(
            run.a_month * self._flex_ms(self.duration_ms(run)) / 1000 * self.memory_mb(run.service) / 1024
            for run in runs
        )
        yield self._line("functions", "Flex time, the API's too", "flex-gb-s", seconds)
        published = self._calls(lambda call: sum(chunks(size) for size in call.events))
        delivered = self._a_month(lambda each: chunks(each.received) if each.service != "api" else 0)
        matched = self._a_month(lambda each: each.service != "api" and bool(self._services[each.service]["filter"]))
        # Each event goes to the archive's queue as well.
        yield self._line("broker", "Event Grid operations", "event-grid", 2 * published + delivered + matched)
        yield self._line("broker", "Service Bus, base", "service-bus-base", 1)
        yield from self._service_bus(3 * (delivered + published))
        yield self._line("store", "Tables transactions", "tables-operation", self._calls(_transactions))
        stored = self._inputs.orders * self._order.stored / 1e9
        yield self._line("store", "Tables storage of the month's orders", "tables-storage", stored)
        yield self._line("archive", "blobs", None, published)
        yield self._line("logs", "Log Analytics", "logs", self._a_month(lambda each: each.logged) / 1e9)
        yield self._line("alarms", "metric alerts", "metric-alert", alarms("azure", self._services))
        yield self._line("alarms", "log alerts", "log-alert-5-min", LOG_ALERTS)

    def _service_bus(self, operations: float) -> Iterator[Line]:
        """Operations by tier: the first 13 million are in the base."""
        tiers = ((13e6, 100e6, "service-bus-13M"), (100e6, 2500e6, "service-bus-100M"))
        for begin, end, name in (*tiers, (2500e6, math.inf, "service-bus-2500M")):
            if operations > begin:
                yield self._line("broker", "Service Bus operations", name, min(operations, end) - begin)

    @staticmethod
    def _flex_ms(duration: float) -> float:
        """A second at least, then whole tenths
        (learn.microsoft.com/azure/azure-functions/flex-consumption-plan#billing)."""
        return max(1000.0, math.ceil(duration / 100) * 100)

    def _gcp(self) -> Iterator[Line]:
        runs = self.runs()
        yield self._line(
            "functions", "Cloud Run requests, the API's too", "run-request", sum(run.a_month for run in runs)
        )
        busy = [(run, run.a_month * math.ceil(self.duration_ms(run) / 100) / 10) for run in runs]
        cpu = sum(seconds * self._cores(run) for run, seconds in busy)
        memory = sum(seconds * self.memory_mb(run.service) / 1024 for run, seconds in busy)
        yield self._line("functions", "Cloud Run processors", "run-vcpu-s", cpu)
        yield self._line("functions", "Cloud Run memory", "run-gib-s", memory)
        published = self._calls(lambda call: _pubsub(call.events) if call.operation == "publish" else 0)
        delivered = self._a_month(lambda each: _pubsub((each.received,)) if each.service != "api" else 0)
        yield self._line("broker", "Pub/Sub publishes and pushes", "pubsub", published + delivered)
        yield self._line("store", "Firestore writes", "firestore-write", self._calls(_writes))
        yield self._line(
            "store", "Firestore reads", "firestore-read", self._calls(lambda call: call.operation == "get")
        )
        yield self._line("store", "Firestore storage and recovery", None, self._inputs.orders * self._order.stored)
        yield self._line("archive", "Cloud Storage subscription and bucket", None, self._events)
        yield self._line("logs", "Cloud Logging", "logs", self._a_month(lambda each: each.logged))
        conditions = alarms("gcp", self._services)
        yield self._line("alarms", "alert conditions", "alert-condition", conditions)
        yield self._line("alarms", "series that they ask for", "alert-series", conditions * GCP_EVALUATIONS)
        yield self._line("alarms", "Cloud Scheduler", None, 1)


def chunks(size: float) -> int:
    """Requests or operations that a message or a batch of them counts as."""
    return math.ceil(size / CHUNK)


def _transactions(call: Call) -> float:
    """Requests to Tables: an index entry is two entities."""
    if call.operation == "publish":
        return 0
    return 1 + 2 * call.added + (0 if call.lost else 2 * call.removed)


def _writes(call: Call) -> float:
    return call.operation in ("insert", "replace")


def _pubsub(events: tuple[int, ...]) -> float:
    """Bytes of a request."""
    return max(PUBSUB_LEAST, sum(size + PUBSUB_OVERHEAD for size in events))


def estimate(cloud: str, counted: Counted, inputs: Inputs, prices: Prices) -> Bill:
    """A cloud's bill for a month of orders that all went as the counted one."""
    return Estimate(cloud, counted, inputs, prices).bill()
