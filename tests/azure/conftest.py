"""Azure on this machine: Azurite and our stand-ins, once for all tests that only need servers."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusReceiveMode, ServiceBusSubQueue

from orderflow.envelope import Envelope
from orderflow_azure.sdk import Clients
from orderflow_azure.store import TablesStore
from orderflow_local.azure import AzureCloud
from orderflow_local.azure import cloud as local
from orderflow_local.cloud import Setup

MakeEnvelope = Callable[..., Envelope]

LIMITS = {"timeout_s": 30, "batch_size": 10, "broker_max_deliveries": 3}

TOPOLOGY: dict[str, Any] = {
    "services": {
        "order": {"trigger": "queue", "filter": {"kind": ["OrderPlaced", "OrderCancelled"]}, "limits": LIMITS},
        "fraud": {"trigger": "queue", "filter": {"kind": ["OrderPlaced"], "tier": ["high"]}, "limits": LIMITS},
        "analytics": {"trigger": "queue", "filter": {}, "limits": LIMITS},
        "api": {"trigger": "http", "limits": LIMITS},
        "sweeper": {"trigger": "schedule", "every_s": 60, "limits": LIMITS},
        "files": {"trigger": "object", "bucket": "drop", "limits": LIMITS},
        "archive": {"trigger": "sink", "bucket": "archive", "every_s": 300, "limits": LIMITS},
    },
    "collections": {
        "orders": {"indexes": ["customer", "due"], "ttl": False},
        "payments": {"indexes": [], "ttl": False},
        "attempts": {"indexes": [], "ttl": True},
    },
    "buckets": ["archive", "drop"],
}
"""A topology of the declared shape, smaller than the real one."""


@pytest.fixture(scope="session")
def topology() -> Mapping[str, Any]:
    """`TOPOLOGY`."""
    return TOPOLOGY


class Servers(AzureCloud):
    """The local cloud without function hosts."""

    def _start_hosts(self, topology: local.Topology) -> None:
        return


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Azurite and the stand-ins, with everything that `TOPOLOGY` declares."""
    patch = pytest.MonkeyPatch()
    patch.setattr(local, "LOCK_S", 5)
    cloud = Servers(Setup(tmp_path_factory.mktemp("azure")), TOPOLOGY)
    cloud.start(lambda line: None)
    yield cloud
    cloud.stop()
    patch.undo()


@pytest.fixture
def make_servers(tmp_path: Path) -> Iterator[Callable[..., AzureCloud]]:
    """Starts servers of a test's own, with a queue left out or Event Grid's patience changed."""
    started: list[AzureCloud] = []

    def make(without_queue: str, **topic: Any) -> AzureCloud:
        class Changed(Servers):
            def _stand_ins(self, topology: local.Topology, ports: tuple[int, int], key: str) -> dict[str, Any]:
                config = super()._stand_ins(topology, ports, key)
                config["queues"] = [queue for queue in config["queues"] if queue["name"] != without_queue]
                config["topic"] |= topic
                return config

        cloud = Changed(Setup(tmp_path), TOPOLOGY)
        started.append(cloud)
        cloud.start(lambda line: None)
        return cloud

    yield make
    for cloud in started:
        cloud.stop()


@pytest.fixture(scope="session")
def environ(servers: Servers) -> Mapping[str, str]:
    return {**os.environ, **servers.environment()}


@pytest.fixture(scope="session")
def clients(environ: Mapping[str, str]) -> Clients:
    return Clients(environ)


@pytest.fixture
def service_bus(environ: Mapping[str, str]) -> Iterator[ServiceBusClient]:
    """A client of the namespace, whose queues are empty."""
    with ServiceBusClient.from_connection_string(environ["ORDERFLOW_SERVICEBUS"], retry_total=1) as client:
        depths = httpx.get(environ["ORDERFLOW_EVENTGRID_ENDPOINT"].replace("/api/events", "/queues")).json()
        for name, depth in depths.items():
            if any(depth.values()):
                _drain(client, name)
        yield client


def _drain(client: ServiceBusClient, name: str) -> None:
    queue, _, dead = name.partition("/")
    sub_queue = ServiceBusSubQueue.DEAD_LETTER if dead else None
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    with client.get_queue_receiver(queue, sub_queue=sub_queue, receive_mode=mode) as receiver:
        while receiver.peek_messages(1, sequence_number=1):
            receiver.receive_messages(50, max_wait_time=10)


@pytest.fixture
def store(clients: Clients) -> TablesStore:
    """A store with empty tables of its own."""
    prefix = f"t{secrets.token_hex(4)}"
    for collection in TOPOLOGY["collections"]:
        clients.tables.create_table(prefix + collection)
    return TablesStore(clients, prefix)


@pytest.fixture
def envelope() -> MakeEnvelope:
    """Makes events as the shell does; the body has characters outside ASCII, keywords are further attributes."""

    def make(number: int | str = 1, kind: str = "OrderPlaced", **more: Any) -> Envelope:
        return Envelope(
            **{
                "id": f"event-{number}",
                "source": "/orderflow/order",
                "type": f"com.example.orderflow.{kind}.v1",
                "subject": f"order-{number}",
                "time": "2026-11-21T12:00:00.000Z",
                "correlationid": f"order-{number}",
                "kind": kind,
                "category": "order",
                "data": {"note": "\u017dlu\u0165ou\u010dk\u00fd k\u016f\u0148 \U0001f40e"},
                **more,
            }
        )

    return make
