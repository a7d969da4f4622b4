"""`orderflow_cli.ops.queues.QueueDoor` on Azure: Service Bus's administration client counts, a peek shows the oldest.

Service Bus counts a locked message as active (learn.microsoft.com/azure/service-bus-messaging/message-counters), so
what is in flight is among what waits; counting needs the role Azure Service Bus Data Owner. The local stand-in has no
administration; it has a door of its own for its counts (``node/main.js``)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import httpx

from orderflow.ports import Unavailable
from orderflow_azure.sdk import Clients, unavailable
from orderflow_cli.ops.queues import QueueFigures

if TYPE_CHECKING:
    from azure.servicebus.management import ServiceBusAdministrationClient


class ServiceBusQueues:
    """The queues of one namespace. Dead letters are counted in our queues and in the broker's own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._clients = Clients(environ)
        self._prefix = environ.get("ORDERFLOW_PREFIX", "orderflow")
        self.untold: Mapping[str, str] = {"in_flight": "Service Bus counts what is locked among what waits"}

    def figures(self, service: str) -> QueueFigures:
        """The figures of one service's queue."""
        name = f"{self._prefix}-{service}"
        with unavailable(f"Service Bus figures of {name}"):
            own = self._admin.get_queue_runtime_properties(name)
            letters = self._admin.get_queue_runtime_properties(f"{name}-dlq")
        waiting = (own.active_message_count or 0) + (own.scheduled_message_count or 0)
        dead = (own.dead_letter_message_count or 0) + (letters.active_message_count or 0)
        return QueueFigures(service, waiting, None, _oldest(self._clients, name), dead)

    @cached_property
    def _admin(self) -> ServiceBusAdministrationClient:
        from azure.identity import DefaultAzureCredential
        from azure.servicebus.management import ServiceBusAdministrationClient

        namespace = self._environ["ORDERFLOW_SERVICEBUS__fullyQualifiedNamespace"]
        return ServiceBusAdministrationClient(namespace, DefaultAzureCredential())


class StandInQueues:
    """The queues of the local stand-in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._clients = Clients(environ)
        self._door = urljoin(environ["ORDERFLOW_EVENTGRID_ENDPOINT"], "/queues")
        self._prefix = environ.get("ORDERFLOW_PREFIX", "orderflow")
        self.untold: Mapping[str, str] = {}

    def figures(self, service: str) -> QueueFigures:
        """The figures of one service's queue."""
        name = f"{self._prefix}-{service}"
        try:
            depths = httpx.get(self._door, timeout=5).json()
        except httpx.HTTPError as error:
            raise Unavailable(f"the Service Bus stand-in: {error}") from error
        own = depths[name]
        dead = sum(sum(depths.get(box, {}).values()) for box in (f"{name}-dlq", f"{name}/$deadletterqueue"))
        oldest = _oldest(self._clients, name) if sum(own.values()) else 0.0
        return QueueFigures(service, own["waiting"], own["in_flight"], oldest, dead)


def door(environ: Mapping[str, str], *, local: bool) -> ServiceBusQueues | StandInQueues:
    """The queues that an environment names."""
    return StandInQueues(environ) if local else ServiceBusQueues(environ)


def _oldest(clients: Clients, queue: str) -> float:
    """How long ago the first message of a queue was enqueued, 0 where there is none. A look takes nothing."""
    with unavailable(f"Service Bus peek of {queue}"), clients.new_receiver(queue) as receiver:
        messages = receiver.peek_messages(1)
    enqueued = messages[0].enqueued_time_utc if messages else None
    return max(0.0, time.time() - enqueued.timestamp()) if enqueued else 0.0
