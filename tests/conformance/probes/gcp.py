"""Probes on Google Cloud: a pull subscription of its own on the topic."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import DeadlineExceeded
from google.cloud import pubsub_v1

from conformance.probes import LEASE_S, Received
from orderflow.topology import pubsub_filter
from orderflow_gcp.publisher import PubSubPublisher

if TYPE_CHECKING:
    from conformance.world import World


REGION = "europe-west1"
"""Where events are published in order: any region will do, as long as it is one."""


class PullProbe:
    """`conformance.probes.Probe` on Pub/Sub. The emulator gives no delivery attempt without a dead-letter policy."""

    def __init__(self, subscriber: Any, subscription: str) -> None:
        self._subscriber = subscriber
        self._subscription = subscription

    def receive(self, most: int = 10) -> list[Received]:
        try:
            answer = self._subscriber.pull(subscription=self._subscription, max_messages=most, timeout=1.5, retry=None)
        except DeadlineExceeded:
            return []
        return [
            Received(
                body=each.message.data,
                attributes=dict(each.message.attributes),
                receives=each.delivery_attempt,
                handle=each.ack_id,
            )
            for each in answer.received_messages
        ]

    def acknowledge(self, message: Received) -> None:
        self._subscriber.acknowledge(subscription=self._subscription, ack_ids=[message.handle])

    def give_back(self, message: Received) -> None:
        self._subscriber.modify_ack_deadline(
            subscription=self._subscription, ack_ids=[message.handle], ack_deadline_seconds=0
        )


class PubSubBroker:
    """`conformance.probes.Broker` on Pub/Sub."""

    def __init__(self, project: str, prefix: str, stack: ExitStack) -> None:
        self._project = project
        self._prefix = prefix
        self._topic = f"projects/{project}/topics/{prefix}-events"
        self._stack = stack
        self._subscriber = stack.enter_context(pubsub_v1.SubscriberClient())

    def probe(self, filters: dict[str, list[str]]) -> PullProbe:
        return self._probe(filters, ordered=False)

    def ordered(self, filters: dict[str, list[str]]) -> tuple[PullProbe, PubSubPublisher]:
        return self._probe(filters, ordered=True), PubSubPublisher(self._project, self._prefix, REGION)

    def _probe(self, filters: dict[str, list[str]], *, ordered: bool) -> PullProbe:
        name = f"projects/{self._project}/subscriptions/probe-{uuid.uuid4().hex[:12]}"
        self._subscriber.create_subscription(
            request={
                "name": name,
                "topic": self._topic,
                "ack_deadline_seconds": LEASE_S,
                "filter": pubsub_filter(filters) if filters else "",
                "enable_message_ordering": ordered,
            }
        )
        self._stack.callback(self._subscriber.delete_subscription, subscription=name)
        return PullProbe(self._subscriber, name)


def open_broker(world: World, stack: ExitStack) -> PubSubBroker:
    """The topic of a running Google Cloud."""
    project = world.environ["GOOGLE_CLOUD_PROJECT"]
    prefix = world.environ.get("ORDERFLOW_PREFIX", "orderflow")
    return PubSubBroker(project, prefix, stack)
