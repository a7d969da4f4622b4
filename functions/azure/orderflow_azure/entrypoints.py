"""What ``function_app.py`` hands on to: triggers of Azure Functions in, the application's words inside. No rule of ours
is here.

Delivery semantics
    The Service Bus trigger completes a whole batch when its function returns and abandons it whole when it raises; an
    abandoned message comes again at once, and Python functions cannot settle one message of a batch. So what is to be
    given back is put into its own queue again, as a new message with the same body and properties that shows itself
    after the delay, and then everything is completed. Where that fails the function raises, and all of the batch comes
    again: what was done is known by its event id. The broker's delivery count starts again with each new message.
    A blob trigger that raises is called again, five times by default, then tells a storage queue
    (learn.microsoft.com/azure/azure-functions/functions-bindings-storage-blob-trigger#poison-blobs); it knows no delay.
Ordering
    None.
Limits
    A batch is not renewed while it is processed: the time limit of a service must stay below the lock duration of its
    queue, 5 minutes at most.
Errors
    `Unavailable` where a message could not be given back, `NotLoaded` where a file must be tried again.
"""

from __future__ import annotations

import os
import time
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
from orderflow_azure import wiring
from orderflow_azure.sdk import Clients

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage

MARGIN_S = 2.0
"""Kept of a function's time for what follows the application: giving messages back."""


class NotLoaded(Exception):
    """The file must be tried again."""


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


def load_file(blob: func.InputStream) -> None:
    """A blob that arrived in the drop container. Raises `NotLoaded`."""
    _container, _, name = (blob.name or "").partition("/")
    outcome = wiring.app().load_file(name, deadline=_deadline("files"))
    if isinstance(outcome, Retry):
        raise NotLoaded(f"{name}: {outcome.reason}")


def sweep(timer: func.TimerRequest) -> None:
    """The timer; that it is late is not looked at."""
    swept = wiring.app().sweep(deadline=_deadline("sweeper"))
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


def _copy(message: func.ServiceBusMessage, after: float) -> ServiceBusMessage:
    from azure.servicebus import ServiceBusMessage

    properties: dict[str | bytes, Any] = dict((message.application_properties or {}).items())
    return ServiceBusMessage(
        message.get_body(),
        application_properties=properties,
        content_type=message.content_type,
        scheduled_enqueue_time_utc=datetime.now(UTC) + timedelta(seconds=after),
    )


def _deadline(function: str) -> float:
    from orderflow import topology

    limits: dict[str, Any] = topology.build()["services"][function]["limits"]
    return time.time() + float(limits["timeout_s"]) - MARGIN_S


@cache
def _clients() -> Clients:
    return Clients(os.environ)
