"""What orderflow relies on in Pub/Sub, on Google's emulator and on the stand-in alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound, OutOfRange
from google.pubsub_v1 import ReceivedMessage

from gcp.conftest import Brokers, Desk
from waiting import wait_until

pytestmark = pytest.mark.local_cloud


def pull(desk: Desk, subscription: str, most: int = 10) -> list[ReceivedMessage]:
    """Messages, as soon as there is one."""
    answer = desk.subscriber.pull(subscription=subscription, max_messages=most, timeout=60, retry=None)
    return list(answer.received_messages)


def nack(desk: Desk, subscription: str, received: list[ReceivedMessage], seconds: int = 0) -> None:
    desk.subscriber.modify_ack_deadline(
        subscription=subscription, ack_ids=[each.ack_id for each in received], ack_deadline_seconds=seconds
    )


def acknowledge(desk: Desk, subscription: str, received: list[ReceivedMessage]) -> None:
    desk.subscriber.acknowledge(subscription=subscription, ack_ids=[each.ack_id for each in received])


def is_empty(desk: Desk, subscription: str) -> bool:
    answer = desk.subscriber.pull(
        request={"subscription": subscription, "max_messages": 10, "return_immediately": True}
    )
    return not answer.received_messages


def test_each_subscription_has_each_message_with_its_attributes(desk: Desk) -> None:
    topic = desk.topic("events")
    both = [desk.subscribe(name, topic) for name in ("one", "two")]
    desk.publish(topic, b"\x00\xff", kind="Ä", empty="")
    for subscription in both:
        [received] = pull(desk, subscription)
        assert received.message.data == b"\x00\xff"
        assert dict(received.message.attributes) == {"kind": "Ä", "empty": ""}
        assert received.message.message_id
        assert received.message.publish_time.timestamp() > 1_600_000_000


def test_messages_published_together_are_pulled_together(desk: Desk) -> None:
    topic = desk.topic("events")
    subscription = desk.subscribe("one", topic)
    desk.publish(topic, *(b"%d" % number for number in range(20)))
    found: set[bytes] = set()
    while len(found) < 20:
        received = pull(desk, subscription, most=8)
        assert 1 <= len(received) <= 8
        acknowledge(desk, subscription, received)
        found |= {each.message.data for each in received}
    assert found == {b"%d" % number for number in range(20)}


def test_an_acknowledged_message_is_gone(desk: Desk) -> None:
    topic = desk.topic("events")
    subscription = desk.subscribe("one", topic, ack_deadline_seconds=10)
    desk.publish(topic, b"1")
    received = pull(desk, subscription)
    acknowledge(desk, subscription, received)
    nack(desk, subscription, received)
    assert is_empty(desk, subscription)


def test_a_leased_message_is_hidden_and_comes_back_when_given_back(desk: Desk) -> None:
    topic = desk.topic("events")
    subscription = desk.subscribe("one", topic, ack_deadline_seconds=60)
    desk.publish(topic, b"1")
    first = pull(desk, subscription)
    assert is_empty(desk, subscription)
    nack(desk, subscription, first)
    [second] = pull(desk, subscription)
    assert second.message.message_id == first[0].message.message_id
    assert second.ack_id != first[0].ack_id


def test_a_lease_that_ends_brings_the_message_back(desk: Desk) -> None:
    topic = desk.topic("events")
    subscription = desk.subscribe("one", topic, ack_deadline_seconds=60)
    desk.publish(topic, b"1")
    nack(desk, subscription, pull(desk, subscription), seconds=1)
    [received] = pull(desk, subscription)
    assert received.message.data == b"1"


def test_a_lease_can_be_made_longer(desk: Desk) -> None:
    topic = desk.topic("events")
    subscription = desk.subscribe("one", topic, ack_deadline_seconds=10)
    desk.publish(topic, b"1")
    received = pull(desk, subscription)
    nack(desk, subscription, received, seconds=1)
    nack(desk, subscription, received, seconds=600)
    desk.publish(topic, b"2")
    [other] = pull(desk, subscription)
    nack(desk, subscription, [other], seconds=2)
    # The second message comes back after its two seconds; the first one's single second is long over by then.
    assert [each.message.data for each in pull(desk, subscription)] == [b"2"]


def test_deliveries_are_counted_and_the_last_one_ends_in_the_dead_letter_topic(desk: Desk) -> None:
    topic, letters = desk.topic("events"), desk.topic("letters")
    policy = {"dead_letter_topic": letters, "max_delivery_attempts": 5}
    subscription = desk.subscribe("one", topic, dead_letter_policy=policy, ack_deadline_seconds=60)
    dead = desk.subscribe("dead", letters)
    desk.publish(topic, b"1", kind="OrderPlaced")
    attempts: list[int] = []
    for _ in range(5):
        received = pull(desk, subscription)
        attempts.append(received[0].delivery_attempt)
        nack(desk, subscription, received)
    assert attempts == [1, 2, 3, 4, 5]
    # Google's emulator looks for what is to be dead-lettered when its subscription is pulled.
    assert is_empty(desk, subscription)
    [letter] = pull(desk, dead)
    assert letter.message.data == b"1"
    attributes = dict(letter.message.attributes)
    assert attributes.pop("kind") == "OrderPlaced"
    assert attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"
    assert attributes["CloudPubSubDeadLetterSourceSubscription"] == subscription.rpartition("/")[2]
    assert sorted(attributes) == [
        f"CloudPubSubDeadLetterSource{name}"
        for name in ("DeliveryCount", "Subscription", "SubscriptionProject", "TopicPublishTime")
    ]


def test_without_a_dead_letter_policy_nothing_is_counted(desk: Desk) -> None:
    topic = desk.topic("events")
    subscription = desk.subscribe("one", topic)
    desk.publish(topic, b"1")
    for _ in range(7):
        received = pull(desk, subscription)
        assert received[0].delivery_attempt == 0
        nack(desk, subscription, received)


def test_what_is_not_there_or_there_already_is_said(desk: Desk) -> None:
    topic = desk.topic("events")
    subscription = desk.subscribe("one", topic)
    with pytest.raises(AlreadyExists):
        desk.topic("events")
    with pytest.raises(AlreadyExists):
        desk.subscribe("one", topic)
    with pytest.raises(NotFound):
        desk.publish(f"{topic}-none", b"1")
    with pytest.raises(NotFound):
        pull(desk, f"{subscription}-none")
    with pytest.raises(InvalidArgument):
        desk.publish(topic, b"")


@pytest.mark.parametrize("policy", [{"max_delivery_attempts": 4}, {"max_delivery_attempts": 101}])
def test_attempts_are_five_to_a_hundred(desk: Desk, policy: Mapping[str, Any]) -> None:
    topic = desk.topic("events")
    with pytest.raises(OutOfRange):
        desk.subscribe("one", topic, dead_letter_policy={"dead_letter_topic": desk.topic("letters"), **policy})


def test_the_stand_in_filters_and_backs_off(brokers: Brokers, desk: Desk) -> None:
    """Google's emulator does neither as Pub/Sub does."""
    if brokers.kind == "official":
        pytest.skip("Google's emulator enforces no filters")
    topic = desk.topic("events")
    subscription = desk.subscribe(
        "one",
        topic,
        filter='attributes.kind = "A" OR attributes.kind = "B"',
        retry_policy={"minimum_backoff": {"nanos": 300_000_000}, "maximum_backoff": {"seconds": 1}},
    )
    desk.publish(topic, b"1", kind="C")
    desk.publish(topic, b"2", kind="B")
    received = pull(desk, subscription)
    assert [each.message.data for each in received] == [b"2"]
    nack(desk, subscription, received)
    assert is_empty(desk, subscription)
    wait_until(lambda: not is_empty(desk, subscription), "the message to be over its delay", 60)
    with pytest.raises(InvalidArgument):
        desk.subscribe("two", topic, filter='attributes.kind is "A"')


def publish_ordered(desk: Desk, topic: str, key: str, *bodies: bytes) -> None:
    messages = [{"data": body, "ordering_key": key} for body in bodies]
    desk.publisher.publish(request={"topic": topic, "messages": messages})


def test_messages_of_a_key_begin_again_with_the_first_that_was_given_back(desk: Desk) -> None:
    topic = desk.topic("events")
    subscription = desk.subscribe("one", topic, enable_message_ordering=True, ack_deadline_seconds=60)
    publish_ordered(desk, topic, "o-1", b"A", b"B", b"C")
    first = pull(desk, subscription)
    assert [each.message.data for each in first] == [b"A", b"B", b"C"]
    acknowledge(desk, subscription, first[:1])
    nack(desk, subscription, first[1:2])
    assert is_empty(desk, subscription)  # C is held by whoever has it
    publish_ordered(desk, topic, "o-2", b"other")
    other = pull(desk, subscription)
    assert [each.message.data for each in other] == [b"other"]
    nack(desk, subscription, first[2:])
    assert [each.message.data for each in pull(desk, subscription)] == [b"B", b"C"]


def test_messages_of_a_key_that_are_given_back_together_come_again_in_their_order(desk: Desk) -> None:
    """In order, too: Google's emulator begins again with the one that was given back first."""
    topic = desk.topic("events")
    subscription = desk.subscribe("one", topic, enable_message_ordering=True, ack_deadline_seconds=60)
    publish_ordered(desk, topic, "o-1", b"A", b"B", b"C")
    for _ in range(3):
        received = pull(desk, subscription)
        assert [each.message.data for each in received] == [b"A", b"B", b"C"]
        nack(desk, subscription, received)
