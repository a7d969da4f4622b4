"""A service that is ordered, on SNS and SQS FIFO, answered by moto."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from aws.conftest import TOPOLOGY, Listen
from orderflow.envelope import Envelope
from orderflow.ports import DeadLetter, Unavailable
from orderflow.processing import Done, Retry
from orderflow_aws import entrypoints, wiring
from orderflow_aws.deadletters import SqsDeadLetters
from orderflow_aws.publisher import SnsPublisher
from orderflow_aws.queues import Queues
from orderflow_aws.sdk import Clients
from orderflow_local.aws.provision import Resources, provision

MakeEnvelope = Callable[..., Envelope]
SERVICES: dict[str, Any] = TOPOLOGY["services"]  # type: ignore[assignment]


@pytest.fixture
def resources(clients: Clients) -> Resources:
    """The usual account, but that payment is ordered."""
    ordered = {**SERVICES, "payment": {**SERVICES["payment"], "ordered": True}}
    return provision(clients, {**TOPOLOGY, "services": ordered}, "orderflow", visibility_s=30)


@pytest.fixture
def publisher(clients: Clients, resources: Resources) -> SnsPublisher:
    return SnsPublisher(clients, resources.topic_arn, resources.ordered_topic_arn)


@pytest.fixture
def calls(clients: Clients, listen: Listen) -> list[tuple[str, int]]:
    """The topic's name and the entries of each PublishBatch call."""
    seen: list[tuple[str, int]] = []

    def note(params: dict[str, Any], **_: object) -> None:
        seen.append((params["TopicArn"].rpartition(":")[2], len(params["PublishBatchRequestEntries"])))

    listen(clients.sns, "provide-client-params.sns.PublishBatch", note)
    return seen


def received(clients: Clients, url: str) -> list[Any]:
    found: list[Any] = clients.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    ).get("Messages", [])
    return found


def ids(messages: list[Any]) -> list[str]:
    return [json.loads(message["Body"])["id"] for message in messages]


def test_only_the_ordered_service_has_a_fifo_queue_and_it_hears_each_event_once(
    publisher: SnsPublisher, clients: Clients, resources: Resources, envelope: MakeEnvelope
) -> None:
    sent = [envelope(number, partitionkey="o-1") for number in (3, 1, 2)]
    assert publisher.publish([*sent, envelope(4, "PaymentCompleted", partitionkey="o-1")]) == [None] * 4
    assert {name for name, url in resources.queue_urls.items() if url.endswith(".fifo")} == {"payment"}
    assert ids(received(clients, resources.queue_urls["payment"])) == ["event-3", "event-1", "event-2"]
    assert sorted(ids(received(clients, resources.queue_urls["analytics"]))) == [f"event-{n}" for n in (1, 2, 3, 4)]


def test_events_of_one_order_share_a_group_and_those_without_a_key_share_none(
    publisher: SnsPublisher, clients: Clients, resources: Resources, envelope: MakeEnvelope
) -> None:
    keys = ["o-1", "o-1", "o-2", None, None]
    publisher.publish([envelope(number, partitionkey=key) for number, key in enumerate(keys)])
    messages = received(clients, resources.queue_urls["payment"])
    groups = dict(zip(ids(messages), (each["Attributes"]["MessageGroupId"] for each in messages), strict=True))
    assert groups["event-0"] == groups["event-1"]
    assert len(set(groups.values())) == 4


def test_no_call_to_the_fifo_topic_has_two_events_of_an_order(
    publisher: SnsPublisher, calls: list[tuple[str, int]], envelope: MakeEnvelope
) -> None:
    keys = ["o-1", "o-2", "o-1", "o-1", "o-3"]
    publisher.publish([envelope(number, partitionkey=key) for number, key in enumerate(keys)])
    fifo = "orderflow-events-ordered.fifo"
    assert calls == [(fifo, 3), (fifo, 1), (fifo, 1), ("orderflow-events", 5)]


def test_what_follows_an_event_that_was_not_taken_goes_nowhere_but_other_orders_do(
    clients: Clients, listen: Listen, envelope: MakeEnvelope
) -> None:
    sent = [envelope(number, partitionkey=key) for number, key in enumerate(["o-1", "o-2", "o-1", "o-2"])]
    refused = {"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}], "Successful": []}
    taken: dict[str, Any] = {"Failed": [], "Successful": []}
    expected = {"TopicArn": ANY, "PublishBatchRequestEntries": ANY}
    published: list[list[str]] = []

    def note(params: dict[str, Any], **_: object) -> None:
        published.append([entry["Id"] for entry in params["PublishBatchRequestEntries"]])

    listen(clients.sns, "provide-client-params.sns.PublishBatch", note)
    with Stubber(clients.sns) as sns:
        for answer in (refused, taken, taken):
            sns.add_response("publish_batch", answer, expected)
        answers = SnsPublisher(clients, "arn:topic", "arn:topic.fifo").publish(sent)
    assert [type(answer) for answer in answers] == [Unavailable, type(None), Unavailable, type(None)]
    assert published == [["0", "1"], ["3"], ["1", "3"]]


def test_publishing_again_soon_brings_an_ordered_service_nothing_twice_but_other_content_it_does(
    publisher: SnsPublisher, clients: Clients, resources: Resources, envelope: MakeEnvelope
) -> None:
    first = envelope(1, partitionkey="o-1")
    publisher.publish([first])
    publisher.publish([first])
    publisher.publish([first.replace(data={"note": "other"})])
    assert ids(received(clients, resources.queue_urls["payment"])) == ["event-1", "event-1"]


def test_dead_letters_of_an_ordered_service_can_be_sent_again_and_again(clients: Clients, resources: Resources) -> None:
    environment = resources.environment("orderflow")
    box = SqsDeadLetters(clients, Queues.from_environment(environment))
    letter = DeadLetter("payment", b"{}", {"kind": "OrderPlaced"}, "refused", "", 1, "now", "now", "event-1")
    for _ in range(2):
        box.send(letter)
        box.resend(letter)
    assert [shown.reason for shown in box.browse("payment")] == ["refused", "refused"]
    assert len(received(clients, resources.queue_urls["payment"])) == 2
    assert received(clients, environment["ORDERFLOW_QUEUES_URL"] + "orderflow-payment-dlq.fifo")


def test_after_the_first_of_a_group_that_is_given_back_the_batch_reports_the_rest_of_the_group(
    publisher: SnsPublisher,
    clients: Clients,
    resources: Resources,
    envelope: MakeEnvelope,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The real application, whose handlers are replaced: A is given back for a minute."""
    publisher.publish([envelope(number, partitionkey=key) for number, key in enumerate(["o-1", "o-2", "o-1", "o-2"])])
    for name, value in {**clients._environ, **resources.environment("orderflow")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ORDERFLOW_SERVICE", "payment")
    monkeypatch.setattr(wiring, "clients", lambda: clients)
    wiring.app.cache_clear()
    processed: list[str] = []

    def deliver(_service: object, delivery: Any) -> Any:
        processed.append(json.loads(delivery.body)["id"])
        return Retry(60, "busy") if processed[-1] == "event-0" else Done()
        yield

    monkeypatch.setattr(wiring.app()._shell, "deliver", deliver)
    url = resources.queue_urls["payment"]
    answer = entrypoints.consume({"Records": [record(each) for each in received(clients, url)]}, FakeContext())
    wiring.app.cache_clear()

    assert processed == ["event-0", "event-1", "event-3"]
    assert len(answer["batchItemFailures"]) == 2
    hidden = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])
    assert hidden["Attributes"] == {"ApproximateNumberOfMessagesNotVisible": "4"}


class FakeContext:
    """Lambda's context object with a quarter of a minute left."""

    def get_remaining_time_in_millis(self) -> int:
        return 15_000


def record(message: dict[str, Any]) -> dict[str, Any]:
    """A message as an event source mapping hands it over
    (docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#sample-fifo-queues-message-event)."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
    }
