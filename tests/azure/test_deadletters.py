"""The dead-letter box on the Service Bus stand-in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from orderflow.ports import DeadLetter, Unavailable
from orderflow_azure import deadletters
from orderflow_azure.deadletters import ServiceBusDeadLetters, strings
from orderflow_azure.sdk import Clients

pytestmark = pytest.mark.local_cloud

LETTER = DeadLetter(
    service="order",
    body=b'{"not": \xff "json"',
    attributes={"kind": "OrderPlaced", "aeg-subscription-name": "order"},
    reason="malformed",
    detail="body: no JSON \u2013 \U0001f40e",
    attempts=5,
    first_at="2026-11-21T12:00:00.000Z",
    last_at="2026-11-21T12:00:01.000Z",
    event_id="event-1",
)


@pytest.fixture
def box(clients: Clients, service_bus: ServiceBusClient) -> ServiceBusDeadLetters:
    return ServiceBusDeadLetters(clients, "orderflow")


def give_up(service_bus: ServiceBusClient, body: str) -> None:
    """Let the broker dead-letter a message of the service by itself."""
    with service_bus.get_queue_sender("orderflow-order") as sender:
        sender.send_messages(ServiceBusMessage(body, application_properties={"kind": "OrderPlaced"}))
    with service_bus.get_queue_receiver("orderflow-order") as receiver:
        for _ in range(3):
            [message] = receiver.receive_messages(1, max_wait_time=10)
            receiver.abandon_message(message)


def test_a_letter_is_shown_as_it_was_sent(box: ServiceBusDeadLetters) -> None:
    box.send(LETTER)
    [shown] = box.browse("order")
    assert shown.letter_id
    assert replace(shown, letter_id="") == LETTER
    assert box.browse("order") == [shown]


def test_the_brokers_own_dead_letters_are_shown_behind_ours(
    box: ServiceBusDeadLetters, service_bus: ServiceBusClient
) -> None:
    give_up(service_bus, "given up")
    box.send(LETTER)
    ours, brokers = box.browse("order")
    assert ours.reason == "malformed"
    assert (brokers.reason, brokers.body, brokers.attributes) == ("broker", b"given up", {"kind": "OrderPlaced"})
    assert "MaxDeliveryCountExceeded" in brokers.detail
    assert box.browse("order", limit=1) == [ours]


def test_removing_takes_the_named_letter_only(box: ServiceBusDeadLetters, service_bus: ServiceBusClient) -> None:
    for number in range(3):
        box.send(replace(LETTER, event_id=f"event-{number}"))
    give_up(service_bus, "given up")
    letters = box.browse("order")
    box.remove(letters[1])
    box.remove(letters[3])
    assert [letter.event_id for letter in box.browse("order")] == ["event-0", "event-2"]
    box.remove(letters[1])  # gone already
    assert len(box.browse("order")) == 2


def test_a_letter_that_another_holds_cannot_be_removed(
    box: ServiceBusDeadLetters, service_bus: ServiceBusClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadletters, "_WAIT_S", 2.0)
    box.send(LETTER)
    [letter] = box.browse("order")
    with service_bus.get_queue_receiver("orderflow-order-dlq") as other:
        [held] = other.receive_messages(1, max_wait_time=10)
        with pytest.raises(Unavailable):
            box.remove(letter)
        other.abandon_message(held)


def test_resending_gives_the_service_its_message_again(
    box: ServiceBusDeadLetters, service_bus: ServiceBusClient
) -> None:
    box.send(LETTER)
    [letter] = box.browse("order")
    box.resend(letter)
    with service_bus.get_queue_receiver("orderflow-order") as receiver:
        [message] = receiver.receive_messages(1, max_wait_time=10)
        assert b"".join(message.body) == LETTER.body
        assert strings(message.application_properties) == LETTER.attributes
        receiver.complete_message(message)
    assert box.browse("order") == [letter]


def test_an_unknown_service_is_unavailable(box: ServiceBusDeadLetters) -> None:
    with pytest.raises(Unavailable):
        box.send(replace(LETTER, service="nobody"))
    with pytest.raises(Unavailable):
        box.browse("nobody")
