"""`orderflow.ports.DeadLetterBox` on Pub/Sub: a topic ``{prefix}-{service}-dlq`` and its subscription of the same name.

The topic is the dead-letter topic of the service's push subscriptions too, so that the messages that Pub/Sub itself
gave up are in the same place; they carry ``CloudPubSubDeadLetterSource*`` attributes instead of ours.

Resending
    A topic is heard by everybody, a subscription cannot be published to, and posting to a function's address would
    need the push identity. Each service therefore has a topic ``{prefix}-{service}-redrive`` with one push
    subscription to the same function, with the same retry and dead-letter policies. Whoever operates the dead-letter
    queues needs publisher on these topics and subscriber on the dead-letter subscriptions, and nothing else. An idle
    topic costs nothing.

Delivery semantics
    Looking takes a lease on the letters and gives it back at once, so that two who look at the same time see a part
    each. A lease ends with the look: `remove` finds its letter again by message id. A letter may be there twice
    (cloud.google.com/pubsub/docs/dead-letter-topics); a resent one is absorbed once.

Limits
    An attribute value has 1,024 bytes, a message 100 attributes (cloud.google.com/pubsub/quotas). A subscription
    keeps a letter for its retention, 31 days at most, and is itself deleted after 31 days without use unless its
    expiration policy says never.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from orderflow.ports import DeadLetter
from orderflow_gcp.errors import unavailable
from orderflow_gcp.publisher import publish

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherClient, ReceivedMessage, SubscriberClient

_OURS = "orderflow-letter-"
_NATIVE = "CloudPubSubDeadLetterSource"
_VALUE_BYTES = 1_024
_LOOK_SECONDS = 1.0
"""A pull that brings nothing for so long has shown all there is."""
_TIMEOUT_SECONDS = 10.0
_MOST = 10_000
"""Letters that `remove` leases at most while it looks for one."""


class PubSubDeadLetters:
    """The dead-letter queues of all services. The clients are made on first use, after the server has forked."""

    def __init__(self, project: str, prefix: str) -> None:
        self._project = project
        self._prefix = prefix

    def send(self, letter: DeadLetter) -> None:
        about = {
            "reason": letter.reason,
            "detail": letter.detail.encode()[:_VALUE_BYTES].decode(errors="ignore"),
            "attempts": str(letter.attempts),
            "first-at": letter.first_at,
            "last-at": letter.last_at,
            "event-id": letter.event_id,
        }
        attributes = {**letter.attributes, **{_OURS + name: value for name, value in about.items() if value}}
        topic = self._path("topics", letter.service, "dlq")
        publish(self._publisher, topic, [{"data": letter.body, "attributes": attributes}])

    def browse(self, service: str, limit: int = 100) -> list[DeadLetter]:
        subscription = self._path("subscriptions", service, "dlq")
        leased = self._lease(subscription, limit)
        self._give_back(subscription, leased)
        return sorted((_letter(service, received) for received in leased), key=lambda letter: letter.last_at)

    def remove(self, letter: DeadLetter) -> None:
        subscription = self._path("subscriptions", letter.service, "dlq")
        leased = self._lease(subscription, _MOST, until=letter.letter_id)
        found = [received for received in leased if received.message.message_id == letter.letter_id]
        if found:
            with unavailable("pubsub acknowledge"):
                self._subscriber.acknowledge(
                    subscription=subscription,
                    ack_ids=[received.ack_id for received in found],
                    timeout=_TIMEOUT_SECONDS,
                )
        self._give_back(subscription, [received for received in leased if received not in found])

    def resend(self, letter: DeadLetter) -> None:
        topic = self._path("topics", letter.service, "redrive")
        publish(self._publisher, topic, [{"data": letter.body, "attributes": dict(letter.attributes)}])

    @cached_property
    def _publisher(self) -> PublisherClient:
        from google.pubsub_v1 import PublisherClient

        return PublisherClient()

    @cached_property
    def _subscriber(self) -> SubscriberClient:
        from google.pubsub_v1 import SubscriberClient

        return SubscriberClient()

    def _path(self, kind: str, service: str, suffix: str) -> str:
        return f"projects/{self._project}/{kind}/{self._prefix}-{service}-{suffix}"

    def _lease(self, subscription: str, limit: int, until: str = "") -> list[ReceivedMessage]:
        """Up to ``limit`` letters, or those up to the one with the message id ``until``; each once."""
        leased: dict[str, ReceivedMessage] = {}
        while len(leased) < limit and until not in leased:
            batch = self._pull(subscription, limit - len(leased))
            leased |= {received.message.message_id: received for received in batch}
            if not batch:
                break
        return list(leased.values())

    def _pull(self, subscription: str, limit: int) -> list[ReceivedMessage]:
        from google.api_core.exceptions import DeadlineExceeded

        with unavailable("pubsub pull"):
            try:
                answer = self._subscriber.pull(
                    subscription=subscription, max_messages=min(limit, 1_000), retry=None, timeout=_LOOK_SECONDS
                )
            except DeadlineExceeded:
                return []
        return list(answer.received_messages)

    def _give_back(self, subscription: str, leased: list[ReceivedMessage]) -> None:
        if leased:
            with unavailable("pubsub modify ack deadline"):
                self._subscriber.modify_ack_deadline(
                    subscription=subscription,
                    ack_ids=[received.ack_id for received in leased],
                    ack_deadline_seconds=0,
                    timeout=_TIMEOUT_SECONDS,
                )


def _letter(service: str, received: ReceivedMessage) -> DeadLetter:
    message = received.message
    attributes: Mapping[str, str] = dict(message.attributes)
    put_there = message.publish_time.rfc3339()
    return DeadLetter(
        service=service,
        body=message.data,
        attributes={name: value for name, value in attributes.items() if not name.startswith((_OURS, _NATIVE))},
        reason=attributes.get(f"{_OURS}reason", "broker"),
        detail=attributes.get(f"{_OURS}detail", ""),
        attempts=int(attributes.get(f"{_OURS}attempts") or attributes.get(f"{_NATIVE}DeliveryCount") or 1),
        first_at=attributes.get(f"{_OURS}first-at") or attributes.get(f"{_NATIVE}TopicPublishTime") or put_there,
        last_at=attributes.get(f"{_OURS}last-at") or put_there,
        event_id=attributes.get(f"{_OURS}event-id", ""),
        letter_id=message.message_id,
    )
