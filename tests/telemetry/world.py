"""The workflow in this process with telemetry on: spans and metrics are kept, and what is printed as well."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from orderflow import topology
from orderflow.api import Api
from orderflow.app import App, Request
from orderflow.http import Response
from orderflow.metrics import Measure, Metrics
from orderflow.observer import Observer
from orderflow.processing import Outcome, Retry
from orderflow.providers import from_environment
from orderflow.settings import Settings
from orderflow.spans import Spans
from orderflow_local.memory import MemoryBroker, memory_ports

DEADLINE_S = 3_600.0
CUSTOMER: Mapping[str, Any] = {
    "name": "Zoë Ångström",
    "address": {"street": "Straße 1", "city": "Łódź", "postcode": "10115", "country": "DE"},
    "email": "zoe@example.com",
    "sms": "+4930123456",
    "push": "device-1",
}


class Kept(SpanExporter):
    """Keeps what is exported."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        return


@dataclass
class Figures:
    """A meter that keeps every figure."""

    measures: list[Measure] = field(default_factory=list)

    def add(self, measure: Measure) -> None:
        self.measures.append(measure)

    def flush(self, _seconds: float) -> None:
        return

    def total(self, name: str, *dimensions: str) -> float:
        """The sum of a metric's figures, of all dimensions or of these."""
        return sum(
            each.value for each in self.measures if each.metric.name == name and dimensions in ((), each.dimensions)
        )


class Leaping:
    """The real clock, but for how far a test has put it forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += seconds


class _Trusting:
    """Takes the bearer token for the customer's id."""

    def subject(self, authorization: str | None) -> str:
        return str(authorization)


class Observed:
    """A whole workflow in memory, observed."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.exporter, self.figures = Kept(), Figures()
        self.ports, self.clock = memory_ports(topology.build()), Leaping()
        self.ports.clock = self.clock
        self.ports.dependencies = dict(from_environment({}, self.ports.store, self.ports.clock, self.ports.secrets))
        observer = Observer(Spans(self.exporter, {"cloud.provider": "none"}), Metrics(self.figures))
        self.app = App(self.ports, settings or Settings(), observer)
        self.app.__dict__["_api"] = Api(self.app._shell, _Trusting())  # type: ignore[arg-type]
        self.ports.drop.put("catalogue/one.csv", b"sku,name,unit_price,currency\nCUP,Cup,700,EUR\n")
        self.ports.drop.put("stock/one.csv", b"sku,quantity\nCUP,500\n")
        for name in self.ports.drop.names():
            self.app.load_file(name, receives=1, deadline=self.clock.now() + DEADLINE_S)

    @property
    def broker(self) -> MemoryBroker:
        assert isinstance(self.ports.publisher, MemoryBroker)
        return self.ports.publisher

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        """A request of the customer zoe."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"authorization": "zoe", "content-type": "application/json", **names}
        return self.app.respond(
            Request(method, path, headers=given, body=b"" if body is None else json.dumps(body).encode())
        )

    def customer(self, **more: Any) -> None:
        """Save the customer's data."""
        assert self.ask("PUT", "/customers/me", {**CUSTOMER, **more}).status == 200

    def place(self, token: str = "tok_visa", **headers: str) -> str:
        """Place an order; answers its id."""
        body = {"lines": [{"sku": "CUP", "quantity": 2}], "payment_token": token}
        answer = self.ask("POST", "/orders", body, **headers)
        assert answer.status == 202, answer.body
        return str(json.loads(answer.body)["order_id"])

    def consume(self, service: str, number: int = 10) -> list[Outcome]:
        """Let a service consume what is queued for it."""
        queue = self.broker.queues[service]
        batch = [queue.popleft() for _ in range(min(number, len(queue)))]
        return self.app.consume(service, batch, deadline=self.clock.now() + DEADLINE_S)

    def settle(self) -> None:
        """Deliver all that is queued, each message twice, until nothing is."""
        while services := [service for service, queue in self.broker.queues.items() if queue]:
            for service in services:
                queue = self.broker.queues[service]
                first = queue[0]
                queue.appendleft(replace(first, receives=first.receives + 1))
                self.consume(service, 1)
                self.consume(service)

    def settle_with_retries(self, most: int = 2_000) -> None:
        """Deliver all that is queued, what is given back when its time has come, until nothing is."""
        for _ in range(most):
            service = next((service for service, queue in self.broker.queues.items() if queue), None)
            if service is None:
                return
            delivery = self.broker.queues[service].popleft()
            [outcome] = self.app.consume(service, [delivery], deadline=self.clock.now() + DEADLINE_S)
            if isinstance(outcome, Retry):
                self.clock.ahead += outcome.after
                self.broker.queues[service].append(replace(delivery, receives=delivery.receives + 1))
        raise AssertionError("the workflow does not come to rest")

    def spans(self, **attributes: Any) -> list[ReadableSpan]:
        """The spans that have such attributes; ``_`` in a name stands for a dot."""
        wanted = {name.replace("_", "."): value for name, value in attributes.items()}
        return [span for span in self.exporter.spans if wanted.items() <= dict(span.attributes or {}).items()]
