"""The archive on Azure, where no service writes a queue's messages to Blob Storage in batches: a timer's function does.

Delivery semantics
    A batch is received by peek-lock, written as one blob, and only then completed message by message. Who dies between
    the two leaves messages that come again and are written a second time: `orderflow.archive.read` gives each event
    once. Nothing is lost.
Ordering
    None.
Limits
    `_EVENTS` or `_BYTES` a blob. A completion is a round trip of its own, a receiver is for one thread, and the timer
    runs on one instance: at ten milliseconds each, a run of 200 s archives 20,000 events at most. The alarm on the
    queue's oldest message tells when that is not enough.
Errors
    `Unavailable`; what was written by then stays written.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from orderflow.archive import lines, object_name
from orderflow.ports import Objects
from orderflow_azure.sdk import Clients, unavailable

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver

_EVENTS = 1_000
"""A blob's events: so few that they are completed long before their locks end."""
_BYTES = 16 * 1024 * 1024
_AT_ONCE = 100
"""Asked for in one call: 256 KB each at most, so that they fit into memory."""
_FIRST_S = 5.0
"""How long the first message of a batch is waited for; one is there, but somebody may have died holding it."""
_REST_S = 1.0
"""How long more of a batch is waited for."""
_GATHER_S = 20.0
"""How long a batch is gathered where the broker is slow."""


@dataclass(slots=True)
class Archived:
    """What a run did."""

    events: int = 0
    objects: int = 0


def drain(clients: Clients, queue: str, archive: Objects, deadline: float) -> Archived:
    """Archive what waits in a queue, batch by batch. What comes meanwhile is for the next run, so that it has a batch.

    No batch is begun after the deadline (seconds since the epoch). Raises `Unavailable`.
    """
    done = Archived()
    started = datetime.now(UTC)
    with unavailable(f"Service Bus receive from {queue}"), clients.new_receiver(queue) as receiver:
        # Peeking opens the link first, however long that takes: receiving would take it off the time to wait.
        while time.time() < deadline and receiver.peek_messages(1):
            begun = time.time()
            batch = _gather(receiver, started)
            if not batch:
                break
            archive.put(object_name(begun, str(uuid4())), lines(b"".join(message.body) for message in batch))
            _complete(receiver, batch)
            done.events += len(batch)
            done.objects += 1
            if _came_after(batch, started):
                break
    return done


def _gather(receiver: ServiceBusReceiver, started: datetime) -> list[ServiceBusReceivedMessage]:
    batch: list[ServiceBusReceivedMessage] = []
    size = 0
    end = time.monotonic() + _GATHER_S
    while len(batch) < _EVENTS and size < _BYTES and time.monotonic() < end and not _came_after(batch, started):
        found = receiver.receive_messages(
            min(_AT_ONCE, _EVENTS - len(batch)), max_wait_time=_REST_S if batch else _FIRST_S
        )
        if not found:
            break
        batch += found
        size += sum(len(part) for message in found for part in message.body)
    return batch


def _came_after(batch: list[ServiceBusReceivedMessage], started: datetime) -> bool:
    """Whether the last of a batch came into the queue after a time."""
    return bool(batch) and (batch[-1].enqueued_time_utc or started) >= started


def _complete(receiver: ServiceBusReceiver, batch: list[ServiceBusReceivedMessage]) -> None:
    from azure.servicebus.exceptions import MessageLockLostError

    for message in batch:
        with suppress(MessageLockLostError):  # It comes again, and is archived again.
            receiver.complete_message(message)
