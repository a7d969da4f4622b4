"""`orderflow.ports.Publisher` on an Event Grid topic with the CloudEvents 1.0 input schema.

Delivery semantics
    One call takes a whole batch or refuses it whole, so an error is answered for each of its events. The SDK writes the
    CloudEvents itself, in the JSON batch format; the attributes that filters see are extension attributes of the
    events, which Event Grid's advanced filters read by name
    (learn.microsoft.com/azure/event-grid/event-filtering). The SDK repeats a call that got no answer; publishing an
    event twice is harmless.

Ordering
    None: Event Grid delivers in any order.

Limits
    1 MB an event and a batch (learn.microsoft.com/azure/event-grid/quotas-limits); longer batches are divided. The name
    of an extension attribute is 20 characters at most.

Errors
    `Unavailable`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from orderflow.envelope import Envelope
from orderflow.ports import Unavailable
from orderflow_azure.sdk import Clients, unavailable

_MAX_BYTES = 1_000_000
"""A little below 1 MB (1,048,576 bytes): the array's brackets count too."""


class EventGridPublisher:
    """Publishes to the topic that every event goes to."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        answers: list[Exception | None] = []
        for events in _batches(envelopes):
            answers += [self._send(events)] * len(events)
        return answers

    def _send(self, events: list[dict[str, Any]]) -> Exception | None:
        try:
            with unavailable("Event Grid publish"):
                self._clients.topic.send(events)
        except Unavailable as error:
            return error
        return None


def _batches(envelopes: Sequence[Envelope]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for envelope in envelopes:
        event = envelope.to_dict()
        # As the SDK writes it: ASCII only, with spaces.
        length = len(json.dumps(event)) + 2
        if batch and size + length > _MAX_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += length
    if batch:
        yield batch
