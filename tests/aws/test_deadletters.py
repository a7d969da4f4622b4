"""The dead-letter port on SQS, answered by moto."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.stub import Stubber

from orderflow.ports import DeadLetter, Unavailable
from orderflow_aws import entrypoints
from orderflow_aws.deadletters import SqsDeadLetters
from orderflow_aws.queues import Queues
from orderflow_aws.sdk import Clients
from orderflow_local.aws.provision import Resources


@pytest.fixture
def box(clients: Clients, resources: Resources) -> SqsDeadLetters:
    return SqsDeadLetters(clients, Queues.from_environment(resources.environment("orderflow")))


def letter(**more: Any) -> DeadLetter:
    return DeadLetter(
        **{
            "service": "payment",
            "body": '{"id":"event-1","name":"Zoë"}'.encode(),
            "attributes": {"kind": "OrderPlaced", "category": "order", "tier": "high", "channel": "sms"},
            "reason": "attempts-exhausted",
            "detail": "gateway gave no answer",
            "attempts": 5,
            "first_at": "2026-11-21T12:00:00.000Z",
            "last_at": "2026-11-21T12:05:00.000Z",
            "event_id": "event-1",
            **more,
        }
    )


def test_a_letter_is_shown_as_it_was_sent(box: SqsDeadLetters) -> None:
    box.send(letter())
    [shown] = box.browse("payment")
    assert replace(shown, letter_id="") == letter()
    assert shown.letter_id


@pytest.mark.parametrize(
    "body",
    [b"\xff\x00\xfe", b"", b"text \x00 zero", "\uffff".encode(), b" "],
    ids=["binary", "empty", "nul", "xml", "space"],
)
def test_any_body_survives(box: SqsDeadLetters, body: bytes) -> None:
    box.send(letter(body=body, attributes={}, event_id="", detail="odd \x00\uffff detail"))
    [shown] = box.browse("payment")
    assert (shown.body, shown.attributes, shown.event_id) == (body, {}, "")
    assert shown.detail == "odd \ufffd\ufffd detail"


def test_a_body_is_never_empty_on_the_wire(box: SqsDeadLetters, clients: Clients, resources: Resources) -> None:
    """SQS refuses an empty body; moto does not."""
    box.send(letter(body=b""))
    [message] = clients.sqs.receive_message(QueueUrl=resources.queue_urls["payment"] + "-dlq")["Messages"]
    assert message["Body"]


def test_a_message_has_at_most_ten_attributes(box: SqsDeadLetters, clients: Clients, resources: Resources) -> None:
    """More would be refused by SQS."""
    box.send(letter(body=b"\xff", attributes={f"a{number}": "x" for number in range(10)}))
    [message] = clients.sqs.receive_message(
        QueueUrl=resources.queue_urls["payment"] + "-dlq", MessageAttributeNames=["All"]
    )["Messages"]
    assert len(message["MessageAttributes"]) <= 10


def test_browse_takes_nothing_and_shows_each_letter_once(box: SqsDeadLetters) -> None:
    for number in range(12):
        box.send(letter(event_id=f"event-{number}"))
    first = {shown.event_id for shown in box.browse("payment")}
    second = [shown.event_id for shown in box.browse("payment")]
    assert sorted(first) == sorted(second)
    assert len(second) == 12
    assert len(box.browse("payment", limit=5)) == 5
    assert box.browse("analytics") == []


def test_remove_deletes_one_letter(box: SqsDeadLetters) -> None:
    for number in range(3):
        box.send(letter(event_id=f"event-{number}"))
    box.remove(next(shown for shown in box.browse("payment") if shown.event_id == "event-1"))
    assert sorted(shown.event_id for shown in box.browse("payment")) == ["event-0", "event-2"]


@pytest.mark.parametrize("body", [b'{"id":"event-1"}', b"\xff\x00"], ids=["text", "binary"])
def test_resend_hands_the_original_to_its_service_only(
    box: SqsDeadLetters, clients: Clients, resources: Resources, body: bytes
) -> None:
    box.resend(letter(body=body))
    [message] = clients.sqs.receive_message(QueueUrl=resources.queue_urls["payment"], MessageAttributeNames=["All"])[
        "Messages"
    ]
    record = {
        "messageId": message["MessageId"],
        "body": message["Body"],
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {
            name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
            for name, value in message["MessageAttributes"].items()
        },
    }
    delivery = entrypoints.delivery(record)
    assert (delivery.body, delivery.attributes) == (body, letter().attributes)
    assert "Messages" not in clients.sqs.receive_message(QueueUrl=resources.queue_urls["analytics"])


@pytest.mark.parametrize("body", [b"poison", b"\xff"], ids=["text", "binary"])
def test_what_sqs_itself_gave_up_is_shown_with_reason_broker(
    box: SqsDeadLetters, clients: Clients, resources: Resources, body: bytes
) -> None:
    url = resources.queue_urls["analytics"]
    box.resend(letter(service="analytics", body=body))
    for _ in range(3):  # maxReceiveCount is 2: the third call moves it
        clients.sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)
    box.send(letter(service="analytics"))
    shown = {found.reason: found for found in box.browse("analytics")}
    assert set(shown) == {"broker", "attempts-exhausted"}
    broker = shown["broker"]
    assert (broker.body, broker.attributes) == (body, letter().attributes)
    assert broker.first_at.endswith("Z")
    box.remove(broker)
    assert [found.reason for found in box.browse("analytics")] == ["attempts-exhausted"]


def test_a_queue_that_cannot_be_reached_is_unavailable(box: SqsDeadLetters, clients: Clients) -> None:
    with Stubber(clients.sqs) as stub:
        stub.add_client_error("send_message", "ServiceUnavailable", http_status_code=503)
        with pytest.raises(Unavailable, match="ServiceUnavailable"):
            box.send(letter())


def test_a_letter_holds_its_attributes_as_json(box: SqsDeadLetters, clients: Clients, resources: Resources) -> None:
    """Whoever looks with another tool can read it."""
    box.send(letter())
    [message] = clients.sqs.receive_message(
        QueueUrl=resources.queue_urls["payment"] + "-dlq", MessageAttributeNames=["All"]
    )["Messages"]
    assert message["Body"].encode() == letter().body
    assert json.loads(message["MessageAttributes"]["attributes"]["StringValue"]) == letter().attributes
    assert message["MessageAttributes"]["reason"]["StringValue"] == "attempts-exhausted"
