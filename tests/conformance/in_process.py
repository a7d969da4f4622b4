"""The workflow's own code in this process: over ports in memory, to compare a cloud with; and over a cloud's own
documents, to do what an API does that dies before it publishes."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orderflow import topology
from orderflow.api import Api
from orderflow.app import App, Request
from orderflow.envelope import Envelope
from orderflow.ports import Ports
from orderflow.processing import Done
from orderflow.settings import Settings
from orderflow_local.memory import MemoryBroker, memory_ports


class _Trusting:
    """Takes the bearer token for the customer's id: who calls is this test."""

    def subject(self, authorization: str | None) -> str:
        return str(authorization)


@dataclass
class _Withheld:
    """A publisher that keeps what it is given."""

    envelopes: list[Envelope] = field(default_factory=list)

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        self.envelopes += envelopes
        return [None] * len(envelopes)


def withheld(ports: Ports, customer: str, requests: Sequence[tuple[str, str, Any]]) -> list[Envelope]:
    """Let the API handle requests of a customer over a cloud's documents; answers the events that it would have
    published. ``{order_id}`` in a path is the order that was placed last."""
    publisher = _Withheld()
    app = _app(replace(ports, publisher=publisher))
    order_id = ""
    for method, path, body in requests:
        answer = _ask(app, customer, method, path.format(order_id=order_id), body)
        order_id = answer.get("order_id", order_id)
    return publisher.envelopes


def memory_story(requests: Sequence[tuple[str, str, Any]], customer: str, sku: str, key: str) -> list[Envelope]:
    """Everything that is emitted, in memory, for these requests of a customer who finds five pieces of one SKU."""
    ports = memory_ports(topology.build())
    app = _app(ports)
    deadline = time.time() + 3600
    ports.drop.put("catalogue/one.csv", f"sku,name,unit_price,currency\n{sku},Thing,700,EUR\n".encode())
    ports.drop.put("stock/one.csv", f"sku,quantity\n{sku},5\n".encode())
    for name in ports.drop.names():
        assert isinstance(app.load_file(name, receives=1, deadline=deadline), Done)
    for method, path, body in requests:
        _ask(app, customer, method, path, body, {"idempotency-key": key})
    broker = ports.publisher
    assert isinstance(broker, MemoryBroker)
    while any(broker.queues.values()):
        for service, queue in list(broker.queues.items()):
            while queue:
                [outcome] = app.consume(service, [queue.popleft()], deadline=deadline)
                assert isinstance(outcome, Done)
    return [each for each in broker.published if each.kind != "StockReplenished"]


def _app(ports: Ports) -> App:
    app = App(ports, Settings())
    app.__dict__["_api"] = Api(app._shell, _Trusting())  # type: ignore[arg-type]
    return app


def _ask(
    app: App, customer: str, method: str, path: str, body: Any, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    request = Request(method, path, {}, {"authorization": customer, **(headers or {})}, json.dumps(body).encode())
    response = app.respond(request)
    assert response.status < 300, response.body
    answer: dict[str, Any] = json.loads(response.body or b"{}")
    return answer
