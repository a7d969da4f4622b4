"""What ``function_app.py`` hands on to: triggers of Azure Functions in, the application's words inside. No rule of ours
is here.

Delivery semantics
    The Service Bus trigger completes a whole batch when its function returns and abandons it whole when it raises; an
    abandoned message comes again at once, and Python functions cannot settle one message of a batch. So what is to be
    given back is put into its own queue again, as a new message with the same body and properties that shows itself
    after the delay, and then everything is completed. Where that fails the function raises, and all of the batch comes
    again: what was done is known by its event id. The broker's delivery count starts again with each new message;
    `orderflow_azure.notifications` says how those that no service counts come to an end.
Ordering
    None.
Limits
    A batch is not renewed while it is processed: the time limit of a service must stay below the lock duration of its
    queue, 5 minutes at most.
Errors
    `Unavailable` where a message could not be given back, or the archive not be written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import azure.functions as func

from orderflow import log
from orderflow.ports import Delivery
from orderflow.processing import Retry
from orderflow.services import find
from orderflow_azure import notifications, wiring
from orderflow_azure.sdk import Clients

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage

MARGIN_S = 2.0
"""Kept of a function's time for what follows the application: giving messages back."""

ARCHIVE_MARGIN_S = 40.0
"""Kept of the archive's time for a last batch that was begun in time."""


def api(request: func.HttpRequest) -> func.HttpResponse:
    """HTTP API."""
    from orderflow.http import Request

    response = wiring.app().respond(
        Request(
            method=request.method,
            path=unquote(urlsplit(request.url).path),
            query=dict(request.params),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.get_body(),
        )
    )
    return func.HttpResponse(response.body, status_code=response.status, headers=response.headers)


def consume(service: str, queue: str, messages: list[func.ServiceBusMessage]) -> None:
    """A batch of messages for a service. Raises `Unavailable`."""
    deadline = time.time() + find(service).limits.timeout_s - MARGIN_S
    outcomes = wiring.app().consume(service, [delivery(message) for message in messages], deadline=deadline)
    again = [
        _copy(message, outcome.after)
        for message, outcome in zip(messages, outcomes, strict=True)
        if isinstance(outcome, Retry)
    ]
    if again:
        _clients().send(queue, again)


def load_files(queue: str, messages: list[func.ServiceBusMessage]) -> None:
    """Messages in which Event Grid tells of blobs that arrived in the drop container. Raises `Unavailable`."""
    limits = _limits("files")
    deadline = time.time() + limits["timeout_s"] - MARGIN_S
    again = []
    for message in messages:
        times = notifications.deliveries(message)
        try:
            name = notifications.blob_name(message.get_body())
        except notifications.Unreadable as error:
            _bury(message, "files", "malformed", str(error))
            continue
        outcome = wiring.app().load_file(name, receives=times, deadline=deadline)
        if isinstance(outcome, Retry) and times < limits["broker_max_deliveries"]:
            again.append(_copy(message, outcome.after, {notifications.DELIVERIES: times}))
        elif isinstance(outcome, Retry):
            _bury(message, "files", "attempts-exhausted", outcome.reason)
    if again:
        _clients().send(queue, again)


def archive(queue: str) -> None:
    """The timer of the archive: what waits in its queue is written. Raises `Unavailable`."""
    from orderflow_azure.archive import drain

    deadline = time.time() + _limits("archive")["timeout_s"] - ARCHIVE_MARGIN_S
    done = drain(_clients(), queue, wiring.app().ports.archive, deadline)
    log.write("INFO", "archived", **asdict(done))


def sweep(timer: func.TimerRequest) -> None:
    """The timer; that it is late is not looked at."""
    swept = wiring.app().sweep(deadline=time.time() + _limits("sweeper")["timeout_s"] - MARGIN_S)
    log.write("INFO", "swept", **(asdict(swept) if swept else {"reason": "out of time"}))


def delivery(message: func.ServiceBusMessage) -> Delivery:
    """One message of a batch."""
    properties = message.application_properties or {}
    return Delivery(
        body=message.get_body(),
        attributes={name: value for name, value in properties.items() if isinstance(value, str)},
        transport_id=message.message_id,
        receives=message.delivery_count or 1,
    )


def _copy(
    message: func.ServiceBusMessage, after: float, more: Mapping[str | bytes, int] | None = None
) -> ServiceBusMessage:
    from azure.servicebus import ServiceBusMessage

    properties: dict[str | bytes, Any] = dict((message.application_properties or {}).items())
    properties.update(more or {})
    return ServiceBusMessage(
        message.get_body(),
        application_properties=properties,
        content_type=message.content_type,
        scheduled_enqueue_time_utc=datetime.now(UTC) + timedelta(seconds=after),
    )


def _bury(message: func.ServiceBusMessage, service: str, reason: str, detail: str) -> None:
    letter = notifications.letter(message, service, reason, detail)
    wiring.app().ports.dead_letters.send(letter)
    log.dead_letter(letter)


def _limits(function: str) -> dict[str, Any]:
    from orderflow import topology

    limits: dict[str, Any] = topology.build()["services"][function]["limits"]
    return limits


@cache
def _clients() -> Clients:
    return Clients(os.environ)
