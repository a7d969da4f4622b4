"""The publisher port on SNS, answered by moto, subscribed by SQS queues with raw delivery."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from aws.conftest import Listen
from orderflow.envelope import Envelope, decode
from orderflow.ports import Unavailable
from orderflow.signatures import SigningPublisher
from orderflow_aws.publisher import MAX_BYTES, SnsPublisher
from orderflow_aws.sdk import Clients
from orderflow_local.aws.provision import Resources
from signing import signatures

MakeEnvelope = Callable[..., Envelope]


@pytest.fixture
def publisher(clients: Clients, resources: Resources) -> SnsPublisher:
    return SnsPublisher(clients, resources.topic_arn)


@pytest.fixture
def calls(clients: Clients, listen: Listen) -> list[list[str]]:
    """The ids of the entries of each PublishBatch call."""
    seen: list[list[str]] = []

    def note(params: dict[str, Any], **_: object) -> None:
        seen.append([entry["Id"] for entry in params["PublishBatchRequestEntries"]])

    listen(clients.sns, "provide-client-params.sns.PublishBatch", note)
    return seen


def received(clients: Clients, resources: Resources, service: str) -> list[dict[str, Any]]:
    messages: list[Any] = []
    while batch := clients.sqs.receive_message(
        QueueUrl=resources.queue_urls[service], MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        messages += batch
    return messages


def test_the_body_is_the_canonical_event_and_filters_see_its_attributes(
    publisher: SnsPublisher, clients: Clients, resources: Resources, envelope: MakeEnvelope
) -> None:
    event = envelope(tier="high", kind="OrderPlaced")
    assert publisher.publish([event]) == [None]
    [message] = received(clients, resources, "payment")
    assert message["Body"].encode() == event.to_bytes()
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes == event.attributes() == {"kind": "OrderPlaced", "category": "order", "tier": "high"}


def test_a_signed_event_arrives_as_it_was_signed_and_with_no_more_attributes(
    publisher: SnsPublisher, clients: Clients, resources: Resources, envelope: MakeEnvelope
) -> None:
    assert SigningPublisher(publisher, signatures("first")).publish([envelope(kind="OrderPlaced", tier="high")]) == [
        None
    ]
    [message] = received(clients, resources, "payment")
    assert signatures("first").fault(decode(message["Body"].encode())) is None
    assert set(message["MessageAttributes"]) == {"kind", "category", "tier"}


def test_a_subscription_hears_what_its_filter_lets_through(
    publisher: SnsPublisher, clients: Clients, resources: Resources, envelope: MakeEnvelope
) -> None:
    publisher.publish([envelope(1, "OrderPlaced"), envelope(2, "PaymentCompleted"), envelope(3, "OrderCancelled")])

    def ids(service: str) -> set[str]:
        return {json.loads(message["Body"])["id"] for message in received(clients, resources, service)}

    assert ids("payment") == {"event-1", "event-3"}
    assert ids("analytics") == {"event-1", "event-2", "event-3"}


def test_twenty_three_events_are_three_calls(
    publisher: SnsPublisher, calls: list[list[str]], envelope: MakeEnvelope
) -> None:
    assert publisher.publish([envelope(number) for number in range(23)]) == [None] * 23
    assert [len(call) for call in calls] == [10, 10, 3]


def test_no_call_is_larger_than_sns_takes(
    publisher: SnsPublisher, calls: list[list[str]], envelope: MakeEnvelope
) -> None:
    large = MAX_BYTES // 2
    events = [envelope(number, data={"text": "ž" * (large // 2 - 300)}) for number in range(3)]
    assert publisher.publish(events) == [None] * 3
    assert calls == [["0", "1"], ["2"]]
    calls.clear()
    slightly_larger = [envelope(number, data={"text": "ž" * (large // 2)}) for number in range(2)]
    assert publisher.publish(slightly_larger) == [None] * 2
    assert calls == [["0"], ["1"]]


def test_nothing_to_publish_is_no_call(publisher: SnsPublisher, calls: list[list[str]]) -> None:
    assert publisher.publish([]) == []
    assert calls == []


def test_each_event_fails_by_itself(publisher: SnsPublisher, clients: Clients, envelope: MakeEnvelope) -> None:
    answer = {
        "Successful": [{"Id": "0", "MessageId": "m-0"}, {"Id": "2", "MessageId": "m-2"}],
        "Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}],
    }
    with Stubber(clients.sns) as stub:
        stub.add_response("publish_batch", answer, {"TopicArn": ANY, "PublishBatchRequestEntries": ANY})
        outcomes = publisher.publish([envelope(number) for number in range(3)])
    assert [outcomes[0], outcomes[2]] == [None, None]
    assert isinstance(outcomes[1], Unavailable)
    assert "InternalError" in str(outcomes[1])


def test_a_call_that_fails_fails_its_events_only(
    publisher: SnsPublisher, clients: Clients, envelope: MakeEnvelope
) -> None:
    accepted = {"Successful": [{"Id": "10", "MessageId": "m"}], "Failed": []}
    with Stubber(clients.sns) as stub:
        stub.add_client_error("publish_batch", "Throttled", http_status_code=429)
        stub.add_response("publish_batch", accepted)
        outcomes = publisher.publish([envelope(number) for number in range(11)])
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes[:10])
    assert outcomes[10] is None


def test_characters_that_xml_does_not_have_arrive(
    publisher: SnsPublisher, clients: Clients, resources: Resources, envelope: MakeEnvelope
) -> None:
    event = envelope(data={"name": "a\uffffb\ufffe\x00"})
    publisher.publish([event])
    [message] = received(clients, resources, "payment")
    assert "\uffff" not in message["Body"]
    assert decode(message["Body"].encode()) == event
