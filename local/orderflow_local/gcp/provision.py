"""What Terraform makes on Google Cloud, made on the local brokers: topics and subscriptions from the topology."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import grpc
from google.api_core.exceptions import NotFound
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from orderflow.topology import pubsub_filter
from orderflow_local.gcp.push_relay import Route

_LETTER_DEADLINE_S = 60
_READY_SECONDS = 60


def provision(
    broker: str, topology: Mapping[str, Any], *, project: str, prefix: str, email: str, urls: Mapping[str, str]
) -> list[Route]:
    """Make all topics and subscriptions; answer the push routes to the functions' ``urls``, posted in the name of
    ``email``.

    The subscriptions have their filters and dead-letter policies, but neither push configuration nor retry policy:
    both are the relay's."""
    with grpc.insecure_channel(broker) as channel:
        return _Provisioning(channel, project, prefix, email, urls).run(topology)


def await_firestore(address: str, *, project: str) -> None:
    """Return when Firestore answers a first read: Google's emulator listens some time before it does."""
    with grpc.insecure_channel(address) as channel, suppress(NotFound):
        client = FirestoreClient(transport=FirestoreGrpcTransport(channel=channel))
        name = f"projects/{project}/databases/(default)/documents/nothing/nothing"
        client.get_document({"name": name}, timeout=_READY_SECONDS)


class _Provisioning:
    def __init__(self, channel: grpc.Channel, project: str, prefix: str, email: str, urls: Mapping[str, str]) -> None:
        self._publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        self._subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        self._project = project
        self._prefix = prefix
        self._email = email
        self._urls = urls

    def run(self, topology: Mapping[str, Any]) -> list[Route]:
        events = self._topic("events")
        routes: list[Route] = []
        for service, declared in topology["services"].items():
            if declared["trigger"] == "sink":
                self._subscriber.create_subscription(
                    name=self._subscription(service), topic=events, ack_deadline_seconds=declared["every_s"]
                )
            if declared["trigger"] not in ("queue", "object"):
                continue
            source = events if declared["trigger"] == "queue" else self._topic(service)
            redrive = self._topic(f"{service}-redrive")
            letters = self._topic(f"{service}-dlq")
            self._subscriber.create_subscription(
                name=self._subscription(f"{service}-dlq"), topic=letters, ack_deadline_seconds=_LETTER_DEADLINE_S
            )
            routes.append(self._subscribe(service, service, source, letters, declared))
            unordered = {**declared, "filter": {}, "ordered": False}
            routes.append(self._subscribe(service, f"{service}-redrive", redrive, letters, unordered))
        return routes

    def _topic(self, name: str) -> str:
        path = f"projects/{self._project}/topics/{self._prefix}-{name}"
        self._publisher.create_topic(name=path)
        return path

    def _subscription(self, name: str) -> str:
        return f"projects/{self._project}/subscriptions/{self._prefix}-{name}"

    def _subscribe(self, service: str, name: str, topic: str, letters: str, declared: Mapping[str, Any]) -> Route:
        limits = declared["limits"]
        filters = declared.get("filter") or {}
        text = pubsub_filter(filters) if filters else ""
        path = self._subscription(name)
        ordered = declared.get("ordered", False)
        self._subscriber.create_subscription(
            request={
                "name": path,
                "topic": topic,
                "ack_deadline_seconds": limits["lock_s"],
                "filter": text,
                "enable_message_ordering": ordered,
                "dead_letter_policy": {
                    "dead_letter_topic": letters,
                    "max_delivery_attempts": limits["broker_max_deliveries"],
                },
            }
        )
        return Route(
            service=service,
            subscription=path,
            filter=text,
            url=self._urls[service],
            audience=self._urls[service],
            email=self._email,
            concurrency=limits["max_concurrency"],
            timeout_s=limits["timeout_s"],
            ack_deadline_s=limits["lock_s"],
            backoff_min_s=limits["backoff_base_s"],
            backoff_max_s=limits["backoff_cap_s"],
            max_deliveries=limits["broker_max_deliveries"],
            ordered=ordered,
        )
