"""A stand-in of ours for Pub/Sub, for machines without Google's emulator: the same gRPC API, as far as orderflow uses
it.

Topics, subscriptions, publish, pull (waiting), acknowledge, ack deadlines with their changes and expiry, negative
acknowledgement, delivery attempts, dead-letter policies, retry policies, filters (which Google's emulator does not
enforce), and ordering keys: as with Google's emulator, a pull may answer several messages of a key, in order, and the
key goes on when all of them are acknowledged, or begins again with the first that is not. Not there: streaming pull,
exactly-once delivery, snapshots, schemas, and push: `push_relay` is the push half for either broker. Everything is kept
in memory.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]
from google.pubsub_v1 import types

from orderflow_local.gcp.grpc_standin import Message, Method, Refused, serve, unary
from orderflow_local.gcp.pubsub_filter import BadFilter, Filter, parse

_PULL_SECONDS = 20.0
"""How long a pull waits for the first message before it answers with none."""

_Received = types.ReceivedMessage.pb()
_PubsubMessage = types.PubsubMessage.pb()


@dataclass(slots=True)
class _Copy:
    """A message as one subscription has it."""

    message: Message
    place: int
    """Later messages of an ordering key have a higher one."""
    key: str
    """The ordering key; empty where the subscription keeps no order."""
    attempts: int = 0


@dataclass(slots=True)
class _Subscription:
    declared: Message
    passes: Filter
    ready: deque[_Copy] = field(default_factory=deque)
    leased: dict[str, tuple[_Copy, float]] = field(default_factory=dict)
    """By ack id, with the loop's time at which the lease ends."""
    delayed: list[tuple[float, int, _Copy]] = field(default_factory=list)
    """A heap of what backs off, by the time it is ready again."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, copy: _Copy) -> None:
        """Make a message ready, among those of its key where it was published."""
        behind = [n for n, other in enumerate(self.ready) if other.key == copy.key and other.place > copy.place]
        self.ready.insert(behind[0] if copy.key and behind else len(self.ready), copy)
        self.changed.set()

    def take(self, most: int) -> list[_Copy]:
        """Messages that may be leased now: none of a key of which one is leased or backs off."""
        held = {copy.key for copy, _ in self.leased.values()} | {copy.key for _, _, copy in self.delayed}
        taken = list(itertools.islice((copy for copy in self.ready if not copy.key or copy.key not in held), most))
        for copy in taken:
            self.ready.remove(copy)
        return taken


class PubSubStandIn:
    """Topics and subscriptions by full name, and the methods of the services Publisher and Subscriber on them."""

    def __init__(self) -> None:
        self._topics: dict[str, Message] = {}
        self._subscriptions: dict[str, _Subscription] = {}
        self._numbers = itertools.count(1)

    def methods(self) -> dict[str, dict[str, Method]]:
        """Every method, by service and name."""
        t = types
        return {
            "google.pubsub.v1.Publisher": {
                "CreateTopic": unary(t.Topic, t.Topic, self._create_topic),
                "GetTopic": unary(t.GetTopicRequest, t.Topic, self._get_topic),
                "DeleteTopic": unary(t.DeleteTopicRequest, _EmptyAnswer, self._delete_topic),
                "Publish": unary(t.PublishRequest, t.PublishResponse, self._publish),
            },
            "google.pubsub.v1.Subscriber": {
                "CreateSubscription": unary(t.Subscription, t.Subscription, self._create_subscription),
                "GetSubscription": unary(t.GetSubscriptionRequest, t.Subscription, self._get_subscription),
                "DeleteSubscription": unary(t.DeleteSubscriptionRequest, _EmptyAnswer, self._delete_subscription),
                "Pull": unary(t.PullRequest, t.PullResponse, self._pull),
                "Acknowledge": unary(t.AcknowledgeRequest, _EmptyAnswer, self._acknowledge),
                "ModifyAckDeadline": unary(t.ModifyAckDeadlineRequest, _EmptyAnswer, self._modify_ack_deadline),
            },
        }

    async def _create_topic(self, topic: Message) -> Message:
        if topic.name in self._topics:
            raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"topic {topic.name} exists")
        self._topics[topic.name] = topic
        return topic

    async def _get_topic(self, request: Message) -> Message:
        return self._topic(request.topic)

    async def _delete_topic(self, request: Message) -> Message:
        self._topic(request.topic)
        del self._topics[request.topic]
        return Empty()

    async def _publish(self, request: Message) -> Message:
        self._topic(request.topic)
        for message in request.messages:
            if not message.data and not message.attributes:
                raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "a message needs data or attributes")
            if any(len(name.encode()) > 256 or len(text.encode()) > 1024 for name, text in message.attributes.items()):
                raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "an attribute is too long")
        return types.PublishResponse.pb()(message_ids=[self._route(request.topic, m) for m in request.messages])

    async def _create_subscription(self, subscription: Message) -> Message:
        if subscription.name in self._subscriptions:
            raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"subscription {subscription.name} exists")
        self._topic(subscription.topic)
        attempts = subscription.dead_letter_policy.max_delivery_attempts
        if subscription.HasField("dead_letter_policy") and not 5 <= attempts <= 100:
            raise Refused(grpc.StatusCode.OUT_OF_RANGE, "max_delivery_attempts is 5 to 100")
        subscription.ack_deadline_seconds = subscription.ack_deadline_seconds or 10
        try:
            made = _Subscription(subscription, parse(subscription.filter))
        except BadFilter as error:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"filter: {error}") from None
        self._subscriptions[subscription.name] = made
        return subscription

    async def _get_subscription(self, request: Message) -> Message:
        return self._subscription(request.subscription).declared

    async def _delete_subscription(self, request: Message) -> Message:
        self._subscription(request.subscription)
        del self._subscriptions[request.subscription]
        return Empty()

    async def _pull(self, request: Message) -> Message:
        subscription = self._subscription(request.subscription)
        give_up = _now() + (0 if request.return_immediately else _PULL_SECONDS)
        while True:
            self._settle(subscription)
            leased = self._lease(subscription, request.max_messages)
            if leased or _now() >= give_up:
                return types.PullResponse.pb()(received_messages=leased)
            subscription.changed.clear()
            due = min([give_up, *(end for _, end in subscription.leased.values())])
            due = min(due, subscription.delayed[0][0]) if subscription.delayed else due
            try:
                await asyncio.wait_for(subscription.changed.wait(), max(due - _now(), 0.001))
            except TimeoutError:
                continue

    async def _acknowledge(self, request: Message) -> Message:
        subscription = self._subscription(request.subscription)
        self._settle(subscription)
        for ack_id in request.ack_ids:
            subscription.leased.pop(ack_id, None)
        subscription.changed.set()
        return Empty()

    async def _modify_ack_deadline(self, request: Message) -> Message:
        subscription = self._subscription(request.subscription)
        if not 0 <= request.ack_deadline_seconds <= 600:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "an ack deadline is 0 to 600 seconds")
        self._settle(subscription)
        for ack_id in request.ack_ids:
            if ack_id in subscription.leased:
                copy, _ = subscription.leased[ack_id]
                subscription.leased[ack_id] = (copy, _now() + request.ack_deadline_seconds)
        self._settle(subscription)
        return Empty()

    def _route(self, topic: str, message: Message) -> str:
        """Give a message an id and each subscription that hears it a copy."""
        message.message_id = str(next(self._numbers))
        message.publish_time.GetCurrentTime()
        for subscription in self._subscriptions.values():
            if subscription.declared.topic == topic and subscription.passes(message.attributes):
                key = message.ordering_key if subscription.declared.enable_message_ordering else ""
                subscription.put(_Copy(message, next(self._numbers), key))
        return str(message.message_id)

    def _lease(self, subscription: _Subscription, most: int) -> list[Message]:
        declared = subscription.declared
        received: list[Message] = []
        for copy in subscription.take(most):
            copy.attempts += 1
            ack_id = f"{copy.message.message_id}-{next(self._numbers)}"
            subscription.leased[ack_id] = (copy, _now() + declared.ack_deadline_seconds)
            counted = copy.attempts if declared.HasField("dead_letter_policy") else 0
            received.append(_Received(ack_id=ack_id, message=copy.message, delivery_attempt=counted))
        return received

    def _settle(self, subscription: _Subscription) -> None:
        """Do what the time has brought: leases that ended, by expiry or by a deadline of 0, and delays that are
        over."""
        now = _now()
        for ack_id in [ack_id for ack_id, (_, end) in subscription.leased.items() if end <= now]:
            copy, _ = subscription.leased.pop(ack_id)
            self._failed(subscription, copy, now)
        while subscription.delayed and subscription.delayed[0][0] <= now:
            subscription.put(heapq.heappop(subscription.delayed)[2])

    def _failed(self, subscription: _Subscription, copy: _Copy, now: float) -> None:
        declared = subscription.declared
        policy = declared.dead_letter_policy
        if declared.HasField("dead_letter_policy") and copy.attempts >= policy.max_delivery_attempts:
            self._dead_letter(declared, copy)
        elif declared.HasField("retry_policy"):
            retry = declared.retry_policy
            delay = min(_seconds(retry.maximum_backoff), _seconds(retry.minimum_backoff) * 2.0 ** (copy.attempts - 1))
            heapq.heappush(subscription.delayed, (now + delay, next(self._numbers), copy))
            subscription.changed.set()
        else:
            subscription.put(copy)

    def _dead_letter(self, declared: Message, copy: _Copy) -> None:
        """Publish what was given up, with the attributes that Pub/Sub adds
        (cloud.google.com/pubsub/docs/handling-failures)."""
        letter = _PubsubMessage()
        letter.CopyFrom(copy.message)
        source = {
            "DeliveryCount": str(copy.attempts),
            "Subscription": declared.name.rpartition("/")[2],
            "SubscriptionProject": declared.name.split("/")[1],
            "TopicPublishTime": copy.message.publish_time.ToJsonString(),
        }
        for name, text in source.items():
            letter.attributes[f"CloudPubSubDeadLetterSource{name}"] = text
        if declared.dead_letter_policy.dead_letter_topic in self._topics:
            self._route(declared.dead_letter_policy.dead_letter_topic, letter)

    def _topic(self, name: str) -> Message:
        if name not in self._topics:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"no topic {name}")
        return self._topics[name]

    def _subscription(self, name: str) -> _Subscription:
        if name not in self._subscriptions:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"no subscription {name}")
        return self._subscriptions[name]


class _EmptyAnswer:
    """`google.protobuf.Empty` in the form of a proto-plus class."""

    @staticmethod
    def pb() -> Any:
        return Empty


def _now() -> float:
    return time.monotonic()


def _seconds(duration: Message) -> float:
    return float(duration.seconds) + float(duration.nanos) / 1e9


def main() -> None:
    """Serve until stopped."""
    serve("a stand-in for Pub/Sub", lambda: PubSubStandIn().methods())


if __name__ == "__main__":
    main()
