"""What Event Grid tells of a new blob, in a message of a Service Bus queue.

Delivery semantics
    A message is given back as those of services are: as a copy that shows itself later. The broker counts a copy's
    deliveries from the start, so the copy carries how often its message came before. What came as often as the
    topology lets a broker deliver, and what tells of no blob, becomes a dead letter of ours.
Limits
    The subject has a blob's name as it is, without percent escapes; characters beyond the basic plane of Unicode do
    not survive in it (github.com/Azure-Samples/azure-event-grid-viewer/issues/9), such a blob is never found.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

from orderflow.envelope import rfc3339
from orderflow.ports import DeadLetter

if TYPE_CHECKING:
    import azure.functions as func

DELIVERIES = "orderflow-deliveries"
"""The property in which a copy carries how often its message came before."""

_SUBJECT = re.compile(r"/?blobServices/default/containers/[^/]+/blobs/(.+)", re.DOTALL)


class Unreadable(ValueError):
    """The message does not tell of a blob."""


def blob_name(body: bytes) -> str:
    """The name, within its container, of the blob that a CloudEvent of the type ``Microsoft.Storage.BlobCreated`` is
    about (learn.microsoft.com/azure/event-grid/event-schema-blob-storage). Raises `Unreadable`."""
    try:
        found = _SUBJECT.fullmatch(json.loads(body)["subject"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise Unreadable(f"no event of Event Grid: {type(error).__name__}: {error}") from None
    if found is None:
        raise Unreadable("the event's subject names no blob")
    return found[1]


def deliveries(message: func.ServiceBusMessage) -> int:
    """How often this message has come, this time included."""
    before = (message.application_properties or {}).get(DELIVERIES, 0)
    return (before if isinstance(before, int) else 0) + (message.delivery_count or 1)


def letter(message: func.ServiceBusMessage, service: str, reason: str, detail: str) -> DeadLetter:
    """The message as a dead letter. Handed to its queue again it has all its deliveries before it."""
    now = rfc3339(time.time())
    properties = message.application_properties or {}
    return DeadLetter(
        service=service,
        body=message.get_body(),
        attributes={name: value for name, value in properties.items() if isinstance(value, str)},
        reason=reason,
        detail=detail[:1000],
        attempts=deliveries(message),
        first_at=now,
        last_at=now,
    )
