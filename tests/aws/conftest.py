"""AWS in this process: moto answers the real SDK, with topic, queues, tables and buckets as in `topology.json`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from botocore.hooks import BaseEventHooks
from moto import mock_aws

from orderflow.envelope import Envelope
from orderflow_aws.sdk import Clients
from orderflow_local.aws.provision import Resources, provision

MakeEnvelope = Callable[..., Envelope]
Handler = Callable[..., None]
Listen = Callable[[Any, str, Handler], None]

TOPOLOGY = {
    "services": {
        "payment": {
            "trigger": "queue",
            "filter": {"kind": ["OrderPlaced", "OrderCancelled"]},
            "limits": {"timeout_s": 30, "batch_size": 10, "broker_max_deliveries": 100},
        },
        "analytics": {
            "trigger": "queue",
            "filter": {},
            "limits": {"timeout_s": 30, "batch_size": 10, "broker_max_deliveries": 2},
        },
        "api": {"trigger": "http", "limits": {"timeout_s": 30}},
        "sweeper": {"trigger": "schedule", "every_s": 60, "limits": {"timeout_s": 60}},
        "files": {
            "trigger": "object",
            "bucket": "drop",
            "limits": {"timeout_s": 60, "batch_size": 1, "broker_max_deliveries": 100},
        },
    },
    "collections": {
        "orders": {"indexes": ["customer", "due"], "ttl": False},
        "payments": {"indexes": [], "ttl": False},
        "attempts": {"indexes": [], "ttl": True},
    },
    "buckets": ["archive", "drop"],
}
"""A topology of the declared shape, smaller than the real one."""


@pytest.fixture
def environ() -> Mapping[str, str]:
    """Dummy credentials: moto refuses to run where real ones could be used."""
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
    }


@cache
def _made(*environ: tuple[str, str]) -> Clients:
    """The clients of a process: to make them takes several times what a test of them does."""
    return Clients(dict(environ))


@pytest.fixture
def clients(environ: Mapping[str, str]) -> Iterator[Clients]:
    """Clients of an empty account. Other tests have the same ones: who wants to hear of their calls uses `listen`."""
    with mock_aws():
        yield _made(*environ.items())


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Has a handler called at an event of botocore's (its own hooks) while the test runs."""
    heard: list[tuple[BaseEventHooks, str, Handler]] = []

    def register(client: Any, event: str, handler: Handler) -> None:
        client.meta.events.register(event, handler)
        heard.append((client.meta.events, event, handler))

    yield register
    for events, event, handler in heard:
        events.unregister(event, handler)


@pytest.fixture
def resources(clients: Clients) -> Resources:
    """The account with everything that `TOPOLOGY` declares."""
    return provision(clients, TOPOLOGY, "orderflow", visibility_s=30)


@pytest.fixture
def envelope() -> MakeEnvelope:
    """Makes events as the shell does; the body has characters outside ASCII, keywords are further attributes."""

    def make(number: int = 1, kind: str = "OrderPlaced", **more: Any) -> Envelope:
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
