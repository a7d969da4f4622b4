"""The publisher on Pub/Sub."""

from __future__ import annotations

from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials

from gcp.conftest import PROJECT, Brokers, Desk
from orderflow.envelope import Envelope, decode
from orderflow.ports import Unavailable
from orderflow.signatures import SigningPublisher
from orderflow_gcp import publisher as module
from orderflow_gcp.publisher import PubSubPublisher
from orderflow_local.processes import free_port
from signing import signatures

pytestmark = pytest.mark.local_cloud


def envelope(number: int = 1, **more: Any) -> Envelope:
    return Envelope(
        id=f"event-{number}",
        source="/orderflow/order",
        type="com.example.orderflow.OrderPlaced.v1",
        subject="order-1",
        time="2027-01-15T08:00:00.000Z",
        correlationid="order-1",
        kind="OrderPlaced",
        category="order",
        data={"name": "Zoë", "number": number},
        **more,
    )


@pytest.fixture
def publisher(emulated: Brokers, prefix: str) -> PubSubPublisher:
    return PubSubPublisher(PROJECT, prefix)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages each call took."""
    counted: list[int] = []
    publish = module.publish

    def counting(client: Any, topic: str, messages: list[Any]) -> None:
        counted.append(len(messages))
        publish(client, topic, messages)

    monkeypatch.setattr(module, "publish", counting)
    return counted


def pulled(desk: Desk, subscription: str, count: int) -> list[Any]:
    found: dict[str, Any] = {}
    while len(found) < count:
        answer = desk.subscriber.pull(subscription=subscription, max_messages=100, timeout=60, retry=None)
        found |= {received.message.message_id: received.message for received in answer.received_messages}
    return list(found.values())


def test_a_batch_is_one_call_and_arrives_as_it_is(publisher: PubSubPublisher, desk: Desk, calls: list[int]) -> None:
    subscription = desk.subscribe("one", desk.topic("events"))
    sent = [envelope(number, tier="high") for number in range(20)]
    assert publisher.publish(sent) == [None] * 20
    assert calls == [20]
    messages = pulled(desk, subscription, 20)
    assert {message.data for message in messages} == {each.to_bytes() for each in sent}
    assert decode(messages[0].data).data["name"] == "Zoë"
    assert dict(messages[0].attributes) == {"kind": "OrderPlaced", "category": "order", "tier": "high"}


def test_a_signed_event_arrives_as_it_was_signed(publisher: PubSubPublisher, desk: Desk) -> None:
    subscription = desk.subscribe("one", desk.topic("events"))
    assert SigningPublisher(publisher, signatures("first")).publish([envelope()]) == [None]
    [message] = pulled(desk, subscription, 1)
    assert signatures("first").fault(decode(message.data)) is None


def test_more_than_a_call_takes_are_divided(
    publisher: PubSubPublisher, desk: Desk, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = desk.subscribe("one", desk.topic("events"))
    monkeypatch.setattr(module, "_MAX_MESSAGES", 3)
    assert publisher.publish([envelope(number) for number in range(7)]) == [None] * 7
    assert calls == [3, 3, 1]
    monkeypatch.setattr(module, "_MAX_BYTES", 2 * len(envelope().to_bytes()) + 10)
    assert publisher.publish([envelope(number) for number in range(3)]) == [None] * 3
    assert calls[3:] == [2, 1]
    assert len(pulled(desk, subscription, 10)) == 10


def test_nothing_is_no_call(publisher: PubSubPublisher, calls: list[int]) -> None:
    assert publisher.publish([]) == []
    assert calls == []


def test_one_bad_message_does_not_keep_the_others(publisher: PubSubPublisher, desk: Desk, brokers: Brokers) -> None:
    if brokers.kind == "official":
        pytest.skip("Google's emulator takes any attribute")
    subscription = desk.subscribe("one", desk.topic("events"))
    answers = publisher.publish([envelope(1), envelope(2, tier="x" * 2000), envelope(3)])
    assert [type(answer) for answer in answers] == [type(None), Unavailable, type(None)]
    assert {decode(message.data).id for message in pulled(desk, subscription, 2)} == {"event-1", "event-3"}


def test_a_missing_topic_is_unavailable(publisher: PubSubPublisher) -> None:
    [answer] = publisher.publish([envelope()])
    assert isinstance(answer, Unavailable)


def test_nobody_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{free_port()}")
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.5)
    answers = PubSubPublisher(PROJECT, "nobody").publish([envelope(1), envelope(2)])
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]


def ordered_publisher(prefix: str) -> PubSubPublisher:
    return PubSubPublisher(PROJECT, prefix, "local")


def test_a_partition_key_is_the_ordering_key_only_where_a_service_asks_for_order(
    publisher: PubSubPublisher, desk: Desk, prefix: str
) -> None:
    subscription = desk.subscribe("one", desk.topic("events"))
    publisher.publish([envelope(1, partitionkey="order-1")])
    assert [message.ordering_key for message in pulled(desk, subscription, 1)] == [""]
    ordered_publisher(prefix).publish([envelope(2, partitionkey="order-1")])
    assert [each.ordering_key for each in pulled(desk, subscription, 1)] == ["order-1"]


def test_with_ordering_keys_each_key_is_a_call_and_what_has_none_shares_one(
    emulated: Brokers, desk: Desk, prefix: str, calls: list[int]
) -> None:
    subscription = desk.subscribe("one", desk.topic("events"), enable_message_ordering=True)
    keys = ["o-1", None, "o-2", "o-1", None, "o-1"]
    sent = [envelope(number, partitionkey=key) for number, key in enumerate(keys)]
    assert ordered_publisher(prefix).publish(sent) == [None] * 6
    assert sorted(calls) == [1, 2, 3]
    messages = pulled(desk, subscription, 6)
    assert [decode(each.data).id for each in messages if each.ordering_key == "o-1"] == [
        "event-0", "event-3", "event-5",
    ]  # fmt: skip


def test_what_follows_an_event_that_was_not_taken_is_not_published_but_other_orders_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[bytes] = []

    def refusing(client: Any, topic: str, messages: list[Any]) -> None:
        if any(message["data"] == first.to_bytes() for message in messages):
            raise Unavailable("no answer")
        taken.extend(message["data"] for message in messages)

    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setattr(module, "publish", refusing)
    monkeypatch.setattr(module, "_MAX_MESSAGES", 1)
    first, second = envelope(1, partitionkey="o-1"), envelope(2, partitionkey="o-1")
    other = envelope(3, partitionkey="o-2")
    answers = ordered_publisher("nobody").publish([first, second, other])
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable, type(None)]
    assert taken == [other.to_bytes()]


def test_ordered_events_go_to_the_endpoint_of_one_region() -> None:
    publisher = PubSubPublisher(PROJECT, "nobody", "europe-west1")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
        patch.setattr("google.auth.default", lambda **_: (AnonymousCredentials(), PROJECT))  # type: ignore[no-untyped-call]
        assert publisher._client.api_endpoint == "europe-west1-pubsub.googleapis.com"
