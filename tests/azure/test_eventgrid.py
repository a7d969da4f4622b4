"""The publisher on the Event Grid stand-in, through the real azure-eventgrid client, to Service Bus queues."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridPublisherClient
from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiveMode

from orderflow.envelope import Envelope, decode
from orderflow.ports import Unavailable
from orderflow.signatures import SigningPublisher
from orderflow_azure.deadletters import strings
from orderflow_azure.publisher import EventGridPublisher
from orderflow_azure.sdk import Clients
from orderflow_local.azure import AzureCloud
from signing import signatures
from waiting import wait_until

MakeEnvelope = Callable[..., Envelope]

pytestmark = pytest.mark.local_cloud

SERVICES = ("order", "fraud", "analytics")


class Queues:
    """What was delivered, by service."""

    def __init__(self, client: ServiceBusClient) -> None:
        self._receivers = {
            service: client.get_queue_receiver(
                f"orderflow-{service}", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
            )
            for service in SERVICES
        }

    def take(self, service: str) -> list[ServiceBusReceivedMessage]:
        found: list[ServiceBusReceivedMessage] = []
        while self._receivers[service].peek_messages(1, sequence_number=1):
            found += self._receivers[service].receive_messages(50, max_wait_time=10)
        return found


@pytest.fixture
def queues(service_bus: ServiceBusClient) -> Queues:
    return Queues(service_bus)


@pytest.fixture
def publisher(clients: Clients) -> EventGridPublisher:
    return EventGridPublisher(clients)


def body(message: ServiceBusReceivedMessage) -> bytes:
    return b"".join(message.body)


def test_an_event_arrives_with_the_same_content(
    publisher: EventGridPublisher, queues: Queues, envelope: MakeEnvelope
) -> None:
    sent = envelope(
        tier="high",
        causationid="command-1",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        partitionkey="order-1",
        dataschema="https://example.com/schemas/order-placed.v1.json",
        data={"total": {"amount": 9_007_199_254_740_991, "currency": "EUR"}, "none": None, "text": "\u017d \U0001f40e"},
    )
    assert publisher.publish([sent]) == [None]
    [message] = queues.take("order")
    assert decode(body(message)).to_bytes() == sent.to_bytes()


def test_a_signed_event_arrives_as_it_was_signed(
    publisher: EventGridPublisher, queues: Queues, envelope: MakeEnvelope
) -> None:
    sent = envelope(data={"text": "\u017d \U0001f40e", "total": 1.5})
    assert SigningPublisher(publisher, signatures("first")).publish([sent]) == [None]
    [message] = queues.take("order")
    assert signatures("first").fault(decode(body(message))) is None


def test_delivered_messages_have_event_grids_properties(
    publisher: EventGridPublisher, queues: Queues, envelope: MakeEnvelope
) -> None:
    publisher.publish([envelope()])
    [message] = queues.take("order")
    assert strings(message.application_properties) == {
        "aeg-subscription-name": "order",
        "aeg-delivery-count": "0",
        "aeg-event-type": "Notification",
        "aeg-metadata-version": "1.0",
        "aeg-output-event-id": "event-1",
    }


def test_filters_select_by_all_attributes_and_any_of_their_values(
    publisher: EventGridPublisher, queues: Queues, envelope: MakeEnvelope
) -> None:
    events = [
        envelope(1, "OrderPlaced", tier="high"),
        envelope(2, "OrderPlaced", tier="normal"),
        envelope(3, "OrderCancelled", tier="high"),
        envelope(4, "ShipmentCreated"),
        envelope(5, "OrderPlaced"),
    ]
    assert publisher.publish(events) == [None] * 5
    ids = {service: [decode(body(message)).id for message in queues.take(service)] for service in SERVICES}
    assert ids == {
        "order": ["event-1", "event-2", "event-3", "event-5"],
        "fraud": ["event-1"],
        "analytics": [f"event-{number}" for number in range(1, 6)],
    }


def test_more_than_a_megabyte_is_published_in_several_batches(
    publisher: EventGridPublisher, queues: Queues, envelope: MakeEnvelope
) -> None:
    # Outside ASCII, one byte of UTF-8 is up to three of the JSON that the SDK writes.
    events = [envelope(number, data={"text": "\u017d" * 50_000}) for number in range(8)]
    assert publisher.publish(events) == [None] * 8
    assert len(queues.take("analytics")) == 8


def test_a_refused_batch_is_reported_for_each_event(environ: Mapping[str, str], envelope: MakeEnvelope) -> None:
    publisher = EventGridPublisher(Clients({**environ, "ORDERFLOW_EVENTGRID_KEY": "wrong"}))
    answers = publisher.publish([envelope(1), envelope(2)])
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]


def test_one_refused_batch_does_not_stop_the_next(publisher: EventGridPublisher, envelope: MakeEnvelope) -> None:
    oversize = envelope(1, data={"text": "x" * 1_100_000})
    answers = publisher.publish([oversize, envelope(2)])
    assert isinstance(answers[0], Unavailable) and answers[1] is None


def _client(environ: Mapping[str, str], key: str | None = None) -> EventGridPublisherClient:
    credential = AzureKeyCredential(key or environ["ORDERFLOW_EVENTGRID_KEY"])
    return EventGridPublisherClient(environ["ORDERFLOW_EVENTGRID_ENDPOINT"], credential)


def test_a_wrong_key_is_refused(environ: Mapping[str, str]) -> None:
    with pytest.raises(ClientAuthenticationError):
        _client(environ, "wrong").send(CloudEvent(source="/s", type="t", data={}))


def test_cloud_events_of_the_sdk_are_taken(environ: Mapping[str, str], queues: Queues) -> None:
    events: list[CloudEvent[Any]] = [
        CloudEvent(source="/s", type="t", data=b"\x00\xff", extensions={"kind": "orderplaced"}),
        CloudEvent(source="/s", type="t", data={"a": 1}),
    ]
    _client(environ).send(events)
    [message] = queues.take("order")  # Event Grid compares without regard to case
    event = json.loads(body(message))
    assert (event["data_base64"], event["kind"]) == ("AP8=", "orderplaced")
    assert datetime.fromisoformat(event["time"])


@pytest.mark.parametrize(
    "mistake",
    [
        {"id": ""},
        {"source": ""},
        {"specversion": "1.0", "time": "yesterday"},
        {"Capital": "x"},
        {"averyveryverylongname": "x"},
        {"nested": {"a": 1}},
    ],
)
def test_an_event_that_is_none_is_refused(environ: Mapping[str, str], queues: Queues, mistake: dict[str, Any]) -> None:
    good = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "kind": "OrderPlaced", "data": {}}
    assert _post(environ, [good, {**good, "id": "2", **mistake}], "application/cloudevents-batch+json") == 400
    assert queues.take("order") == []


def test_event_grid_schema_is_refused(environ: Mapping[str, str]) -> None:
    assert _post(environ, [{"id": "1", "eventType": "t"}], "application/json") == 415


def _post(environ: Mapping[str, str], events: list[dict[str, Any]], content_type: str) -> int:
    """Send what the SDK would not. Answers the status."""
    headers = {"aeg-sas-key": environ["ORDERFLOW_EVENTGRID_KEY"], "content-type": content_type}
    return httpx.post(environ["ORDERFLOW_EVENTGRID_ENDPOINT"], headers=headers, json=events).status_code


def test_what_cannot_be_delivered_is_tried_again_and_then_kept(
    make_servers: Callable[..., AzureCloud], tmp_path: Path, envelope: MakeEnvelope
) -> None:
    servers = make_servers(without_queue="orderflow-fraud", speedup=1000, max_attempts=3)
    sent = envelope(1, tier="high")
    assert EventGridPublisher(Clients(servers.environment())).publish([sent]) == [None]
    folder = tmp_path / "undelivered" / "fraud"
    wait_until(lambda: folder.exists() and any(folder.iterdir()), "the dead letter")
    [letter] = json.loads(next(folder.iterdir()).read_text())
    assert letter["id"] == sent.id
    assert (letter["deadletterreason"], letter["deliveryattempts"]) == ("MaxDeliveryAttemptsExceeded", 3)
