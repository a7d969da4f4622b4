"""The Service Bus stand-in, through the real azure-servicebus client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)
from azure.servicebus import aio as servicebus_aio
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
)

from waiting import wait_until

pytestmark = pytest.mark.local_cloud

QUEUE = "orderflow-order"
MAX_DELIVERIES = 3


@pytest.fixture
def sender(service_bus: ServiceBusClient) -> ServiceBusSender:
    return service_bus.get_queue_sender(QUEUE)


@pytest.fixture
def receiver(service_bus: ServiceBusClient) -> Iterator[ServiceBusReceiver]:
    with service_bus.get_queue_receiver(QUEUE) as receiver:
        yield receiver


@pytest.fixture
def dead(service_bus: ServiceBusClient) -> Iterator[ServiceBusReceiver]:
    with service_bus.get_queue_receiver(QUEUE, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        yield receiver


def receive(receiver: ServiceBusReceiver, seconds: float = 10) -> ServiceBusReceivedMessage:
    [message] = receiver.receive_messages(1, max_wait_time=seconds)
    return message


def nothing(receiver: ServiceBusReceiver) -> bool:
    return not receiver.peek_messages(1, sequence_number=1)


def test_a_message_arrives_as_it_was_sent(sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
    body = bytes(range(256))
    sent = ServiceBusMessage(
        body,
        application_properties={"kind": "OrderPlaced", "count": 3, "ratio": 1.5, "none": 0, "yes": True},
        content_type="application/json",
        correlation_id="c-1",
        message_id="m-1",
        subject="s\u00fcbject",
    )
    before = datetime.now(UTC) - timedelta(seconds=5)
    sender.send_messages(sent)
    message = receive(receiver)
    assert b"".join(message.body) == body
    assert message.application_properties == {
        b"kind": b"OrderPlaced",
        b"count": 3,
        b"ratio": 1.5,
        b"none": 0,
        b"yes": True,
    }
    assert (message.content_type, message.correlation_id, message.message_id, message.subject) == (
        "application/json",
        "c-1",
        "m-1",
        "s\u00fcbject",
    )
    assert message.delivery_count == 0
    assert message.enqueued_time_utc is not None and message.enqueued_time_utc > before
    assert message.locked_until_utc is not None and message.locked_until_utc > message.enqueued_time_utc
    receiver.complete_message(message)
    assert nothing(receiver)


def test_an_abandoned_message_comes_again_and_is_counted(
    sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    sender.send_messages(ServiceBusMessage("a"))
    first = receive(receiver)
    receiver.abandon_message(first)
    second = receive(receiver)
    assert (second.delivery_count, second.sequence_number) == (1, first.sequence_number)
    receiver.complete_message(second)


def test_too_many_deliveries_end_in_the_dead_letter_queue(
    sender: ServiceBusSender, receiver: ServiceBusReceiver, dead: ServiceBusReceiver
) -> None:
    sender.send_messages(ServiceBusMessage("poison", application_properties={"kind": "OrderPlaced"}))
    for count in range(MAX_DELIVERIES):
        message = receive(receiver)
        assert message.delivery_count == count
        receiver.abandon_message(message)
    assert nothing(receiver)
    letter = receive(dead)
    assert str(letter) == "poison"
    assert letter.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert letter.application_properties is not None and letter.application_properties[b"kind"] == b"OrderPlaced"
    dead.complete_message(letter)


def test_a_message_can_be_dead_lettered_with_a_reason(
    sender: ServiceBusSender, receiver: ServiceBusReceiver, dead: ServiceBusReceiver
) -> None:
    sender.send_messages(ServiceBusMessage("bad"))
    receiver.dead_letter_message(receive(receiver), reason="malformed", error_description="no id")
    letter = receive(dead)
    assert (letter.dead_letter_reason, letter.dead_letter_error_description) == ("malformed", "no id")
    dead.complete_message(letter)


def test_an_expired_lock_gives_the_message_to_another(
    service_bus: ServiceBusClient, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    sender.send_messages(ServiceBusMessage("slow"))
    held = receive(receiver)
    with service_bus.get_queue_receiver(QUEUE) as other:
        again = receive(other)
        assert (again.delivery_count, again.sequence_number) == (1, held.sequence_number)
        with pytest.raises(MessageLockLostError):
            receiver.renew_message_lock(held)
        with pytest.raises(MessageLockLostError):
            receiver.complete_message(held)
        other.complete_message(again)


def test_a_renewed_lock_holds(
    service_bus: ServiceBusClient, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    sender.send_messages(ServiceBusMessage("long"))
    held = receive(receiver)
    assert held.locked_until_utc is not None
    until = held.locked_until_utc
    with service_bus.get_queue_receiver(QUEUE) as other:
        wait_until(lambda: receiver.renew_message_lock(held) > until + timedelta(seconds=1), "the lock to be renewed")
        assert other.receive_messages(1, max_wait_time=3) == []
    receiver.complete_message(held)
    assert held.delivery_count == 0


def test_lists_and_batches_are_messages_of_their_own(sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
    sender.send_messages([ServiceBusMessage(f"list {number}") for number in range(3)])
    batch = sender.create_message_batch()
    for number in range(3):
        batch.add_message(ServiceBusMessage(f"batch {number}", application_properties={"number": number}))
    sender.send_messages(batch)
    found: list[ServiceBusReceivedMessage] = []
    while len(found) < 6:
        found += receiver.receive_messages(10, max_wait_time=5)
    assert [str(message) for message in found] == [
        *(f"list {number}" for number in range(3)),
        *(f"batch {number}" for number in range(3)),
    ]
    for message in found:
        receiver.complete_message(message)
    assert nothing(receiver)


def test_a_scheduled_message_shows_itself_at_its_time(sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
    at = datetime.now(UTC) + timedelta(seconds=1)
    sender.schedule_messages(ServiceBusMessage("by request"), at)
    sender.send_messages(ServiceBusMessage("by property", scheduled_enqueue_time_utc=at))
    arrived = [receive(receiver) for _ in range(2)]
    assert datetime.now(UTC) >= at
    assert {str(message) for message in arrived} == {"by request", "by property"}
    for message in arrived:
        assert message.enqueued_time_utc is not None
        assert message.enqueued_time_utc >= at - timedelta(milliseconds=10)
        receiver.complete_message(message)


def test_a_cancelled_message_never_comes(sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
    at = datetime.now(UTC) + timedelta(minutes=1)
    numbers = sender.schedule_messages([ServiceBusMessage("never"), ServiceBusMessage("never too")], at)
    assert not nothing(receiver)  # scheduled messages can be peeked at
    sender.cancel_scheduled_messages(numbers)
    assert nothing(receiver)
    with pytest.raises(MessageNotFoundError):
        sender.cancel_scheduled_messages(numbers)


def test_peeking_takes_nothing(sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
    assert receiver.peek_messages(5) == []
    sender.send_messages([ServiceBusMessage("1"), ServiceBusMessage("2")])
    held = receive(receiver)
    seen = receiver.peek_messages(5, sequence_number=1)
    assert [str(message) for message in seen] == ["1", "2"]
    second = seen[1].sequence_number
    assert second is not None
    [again] = receiver.peek_messages(1, sequence_number=second)
    assert again.sequence_number == second
    receiver.complete_message(held)
    receiver.complete_message(receive(receiver))


def test_receive_and_delete_locks_nothing(service_bus: ServiceBusClient, sender: ServiceBusSender) -> None:
    sender.send_messages(ServiceBusMessage("once"))
    with service_bus.get_queue_receiver(QUEUE, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as taker:
        assert str(receive(taker)) == "once"
        assert taker.peek_messages(5, sequence_number=1) == []


def test_what_a_receiver_leaves_unread_is_there_for_the_next(
    service_bus: ServiceBusClient, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    sender.send_messages([ServiceBusMessage(str(number)) for number in range(5)])
    with service_bus.get_queue_receiver(QUEUE, prefetch_count=5) as first:
        first.complete_message(receive(first))
    left = [receive(receiver) for _ in range(4)]
    assert [str(message) for message in left] == ["1", "2", "3", "4"]
    assert [message.delivery_count for message in left] == [0, 0, 0, 0]
    for message in left:
        receiver.complete_message(message)


def test_one_receiver_settles_more_messages_than_a_session_has_room_for(
    sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    for _ in range(22):
        sender.send_messages([ServiceBusMessage(str(number)) for number in range(100)])
    for count in range(2200):
        message = receive(receiver)
        assert str(message) == str(count % 100)
        receiver.complete_message(message)
    assert nothing(receiver)


def test_two_receivers_share_a_queue(service_bus: ServiceBusClient, sender: ServiceBusSender) -> None:
    with service_bus.get_queue_receiver(QUEUE) as first, service_bus.get_queue_receiver(QUEUE) as second:
        sender.send_messages([ServiceBusMessage(str(number)) for number in range(2)])
        held = [receive(first), receive(second)]
        assert {str(message) for message in held} == {"0", "1"}
        first.complete_message(held[0])
        second.complete_message(held[1])


def test_a_message_of_200_kilobytes_passes_and_a_larger_one_is_refused(
    sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    with pytest.raises(MessageSizeExceededError):
        sender.send_messages(ServiceBusMessage(b"x" * 300_000))
    sender.send_messages(ServiceBusMessage(b"x" * 200_000))
    message = receive(receiver)
    assert b"".join(message.body) == b"x" * 200_000
    receiver.complete_message(message)


def test_an_unknown_queue_is_not_found(service_bus: ServiceBusClient) -> None:
    with pytest.raises(MessagingEntityNotFoundError):
        service_bus.get_queue_sender("nowhere").send_messages(ServiceBusMessage("x"))
    with pytest.raises(MessagingEntityNotFoundError):
        service_bus.get_queue_receiver("nowhere").receive_messages(1, max_wait_time=1)


def test_the_asynchronous_client_works_as_well(environ: Mapping[str, str], service_bus: ServiceBusClient) -> None:
    async def once() -> str:
        connection = environ["ORDERFLOW_SERVICEBUS"]
        async with servicebus_aio.ServiceBusClient.from_connection_string(connection) as client:
            async with client.get_queue_sender(QUEUE) as sender:
                await sender.send_messages(ServiceBusMessage("async"))
            async with client.get_queue_receiver(QUEUE) as receiver:
                [message] = await receiver.receive_messages(1, max_wait_time=10)
                await receiver.complete_message(message)
                return str(message)

    assert asyncio.run(once()) == "async"


def test_one_receiver_may_complete_more_messages_than_a_session_has_room_for(
    sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    """A session of the AMQP library underneath holds 2,048 deliveries that are not settled on both sides."""
    sent = 2_500
    for first in range(0, sent, 500):
        sender.send_messages([ServiceBusMessage(str(number)) for number in range(first, first + 500)])

    received: list[str] = []
    while len(received) < sent:
        for message in receiver.receive_messages(200, max_wait_time=10):
            receiver.complete_message(message)
            received.append(str(message))

    assert sorted(received, key=int) == [str(number) for number in range(sent)]
    assert nothing(receiver)
