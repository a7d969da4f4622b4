"""Dead letters in Service Bus queues of our own, ``<prefix>-<service>-dlq``, and those of the broker beside them.

Delivery semantics
    A letter's body is the original body; why it was given up, and the original attributes as one JSON object, are
    application properties. Service Bus itself moves what was delivered too often into ``$deadletterqueue`` of the
    service's queue; `browse` shows both, ours first.
Ordering
    By time of arrival, ours and the broker's each.
Limits
    256 KB a message with its properties, 64 KB of properties (Standard tier;
    learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas). Service Bus deletes no message by its number:
    `remove` receives from the front until it meets the letter and abandons the others, which counts a delivery of each.
    So our queues are to be made with a high maximum delivery count.
Errors
    `Unavailable`; from `remove` also where another receiver holds the letter.
"""

from __future__ import annotations

import contextlib
import json
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from orderflow.envelope import rfc3339
from orderflow.ports import DeadLetter, Unavailable
from orderflow_azure.sdk import Clients, unavailable

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver

_OURS, _BROKERS = "own", "broker"
_WAIT_S = 5.0
"""How long a message that is there is waited for, the opening of the link included."""


class ServiceBusDeadLetters:
    """`orderflow.ports.DeadLetterBox` over the queues of one namespace."""

    def __init__(self, clients: Clients, prefix: str) -> None:
        self._clients = clients
        self._prefix = prefix

    def send(self, letter: DeadLetter) -> None:
        from azure.servicebus import ServiceBusMessage

        why: dict[str | bytes, Any] = {
            "reason": letter.reason,
            "detail": letter.detail,
            "attempts": str(letter.attempts),
            "first_at": letter.first_at,
            "last_at": letter.last_at,
            "event_id": letter.event_id,
            "attributes": json.dumps(dict(letter.attributes)),
        }
        message = ServiceBusMessage(letter.body, application_properties=why)
        self._clients.send(f"{self._queue(letter.service)}-dlq", [message])

    def browse(self, service: str, limit: int = 100) -> list[DeadLetter]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(2) as pool:
            ours, brokers = pool.map(lambda box: self._peek(service, box, limit), (_OURS, _BROKERS))
        return [*ours, *brokers][:limit]

    def remove(self, letter: DeadLetter) -> None:
        box, number = letter.letter_id.split(":")
        with unavailable("Service Bus remove"), self._receiver(letter.service, box) as receiver:
            _remove(receiver, int(number))

    def resend(self, letter: DeadLetter) -> None:
        from azure.servicebus import ServiceBusMessage

        properties: dict[str | bytes, Any] = dict(letter.attributes.items())
        message = ServiceBusMessage(letter.body, application_properties=properties)
        self._clients.send(self._queue(letter.service), [message])

    def _queue(self, service: str) -> str:
        return f"{self._prefix}-{service}"

    def _peek(self, service: str, box: str, limit: int) -> list[DeadLetter]:
        letters: list[DeadLetter] = []
        after = 0
        with unavailable("Service Bus peek"), self._receiver(service, box) as receiver:
            while len(letters) < limit:
                messages = receiver.peek_messages(limit - len(letters), sequence_number=after + 1)
                if not messages:
                    break
                letters += [_letter(service, box, message) for message in messages]
                after = messages[-1].sequence_number or 0
        return letters

    def _receiver(self, service: str, box: str) -> AbstractContextManager[ServiceBusReceiver]:
        if box == _OURS:
            return self._clients.receiver(f"{self._queue(service)}-dlq")
        return self._clients.receiver(self._queue(service), native_dead_letters=True)


def _remove(receiver: ServiceBusReceiver, number: int) -> None:
    """Complete the message of that number, if there is one. Raises `Unavailable` if another receiver holds it."""
    from azure.servicebus.exceptions import MessageLockLostError

    held: list[ServiceBusReceivedMessage] = []
    try:
        while _exists(receiver, number):
            messages = receiver.receive_messages(1, max_wait_time=_WAIT_S)
            if not messages:
                raise Unavailable(f"dead letter {number} is held by another receiver")
            if messages[0].sequence_number == number:
                receiver.complete_message(messages[0])
                return
            held += messages
    finally:
        for message in held:
            with contextlib.suppress(MessageLockLostError):
                receiver.abandon_message(message)


def _exists(receiver: ServiceBusReceiver, number: int) -> bool:
    return any(one.sequence_number == number for one in receiver.peek_messages(1, sequence_number=number))


def _letter(service: str, box: str, message: ServiceBusReceivedMessage) -> DeadLetter:
    properties = strings(message.application_properties)
    common: dict[str, Any] = {
        "service": service,
        "body": b"".join(message.body),
        "letter_id": f"{box}:{message.sequence_number}",
    }
    if box == _OURS:
        return DeadLetter(
            **common,
            attributes=json.loads(properties["attributes"]),
            reason=properties["reason"],
            detail=properties["detail"],
            attempts=int(properties["attempts"]),
            first_at=properties["first_at"],
            last_at=properties["last_at"],
            event_id=properties["event_id"],
        )
    arrived = message.enqueued_time_utc
    sent_at = rfc3339(arrived.timestamp()) if arrived else ""
    return DeadLetter(
        **common,
        attributes={name: text for name, text in properties.items() if not name.startswith("DeadLetter")},
        reason="broker",
        detail=f"{message.dead_letter_reason}: {message.dead_letter_error_description}",
        attempts=0,
        first_at=sent_at,
        last_at=sent_at,
    )


def strings(properties: Any) -> dict[str, str]:
    """Application properties as text: the AMQP client answers names and values as bytes."""
    return {_text(name): _text(value) for name, value in (properties or {}).items()}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
