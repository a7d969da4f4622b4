"""Probes on Azure, locally: a Service Bus queue and an Event Grid subscription to it.

Azure makes those through Resource Manager; the stand-ins have a door of their own for it (``node/main.js``). Receiving
is done by the real SDK."""

from __future__ import annotations

import json
import urllib.request
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from azure.servicebus import ServiceBusClient

from conformance.probes import LEASE_S, Received

if TYPE_CHECKING:
    from conformance.world import World


class PeekLockProbe:
    """`conformance.probes.Probe` on Service Bus."""

    def __init__(self, receiver: Any) -> None:
        self._receiver = receiver

    def receive(self, most: int = 10) -> list[Received]:
        messages = self._receiver.receive_messages(max_message_count=most, max_wait_time=1)
        return [_received(message) for message in messages]

    def acknowledge(self, message: Received) -> None:
        self._receiver.complete_message(message.handle)

    def give_back(self, message: Received) -> None:
        self._receiver.abandon_message(message.handle)


class EventGridBroker:
    """`conformance.probes.Broker` on the stand-ins of Event Grid and Service Bus."""

    def __init__(self, environ: Any, stack: ExitStack) -> None:
        self._door = environ["ORDERFLOW_EVENTGRID_ENDPOINT"]
        self._stack = stack
        self._client = stack.enter_context(ServiceBusClient.from_connection_string(environ["ORDERFLOW_SERVICEBUS"]))

    def probe(self, filters: dict[str, list[str]]) -> PeekLockProbe:
        name = f"probe-{uuid.uuid4().hex[:12]}"
        self._ask("PUT", name, {"filter": filters, "lock_ms": LEASE_S * 1000, "max_deliveries": 100})
        self._stack.callback(self._ask, "DELETE", name)
        return PeekLockProbe(self._stack.enter_context(self._client.get_queue_receiver(name)))

    def _ask(self, method: str, name: str, body: dict[str, Any] | None = None) -> None:
        data = json.dumps(body).encode() if body else None
        url = urljoin(self._door, f"/subscriptions/{name}")
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=10):
            pass


def open_broker(world: World, stack: ExitStack) -> EventGridBroker:
    """The topic of a running local Azure."""
    return EventGridBroker(world.environ, stack)


def _received(message: Any) -> Received:
    """Filterable attributes travel in the event itself: Event Grid delivers no copies of them beside it."""
    body = b"".join(message.body)
    event = json.loads(body)
    attributes = {name: value for name, value in event.items() if isinstance(value, str)}
    return Received(body, attributes, (message.delivery_count or 0) + 1, message)
