"""The triggers of the function host stand-in: what happens outside becomes a call of a function.

Kept of the real ones
    HTTP: catch-all routes below ``http.routePrefix``. Service Bus: batches by peek-lock, ``maxMessageBatchSize`` at
    most, one batch of a function at a time, completed when the function returns and abandoned when it raises, no
    renewal of locks, delivery count from 1 (Microsoft.Azure.WebJobs.Extensions.ServiceBus, ServiceBusListener). Timer:
    the schedule, one run at a time.
Not kept
    A message may wait in the client for the batch before it, locked. Timer: only schedules of every so many minutes, no
    memory of missed ones; ``ORDERFLOW_SWEEP_EVERY_S`` and ``ORDERFLOW_ARCHIVE_EVERY_S`` override. HTTP: no keys (the
    functions are anonymous), one value a header and query parameter.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from orderflow_local.azure.protocol import Typed, as_json
from orderflow_local.azure.worker import FunctionFailed, HttpAnswer, Worker

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver

Binding = Mapping[str, Any]

_IDLE_S = 30.0
_REST_OF_BATCH_S = 0.01
_AFTER_ERROR_S = 1.0

EVERY_S = {"sweeper": "ORDERFLOW_SWEEP_EVERY_S", "archive": "ORDERFLOW_ARCHIVE_EVERY_S"}
"""The variables that hold another interval for a timer's function."""


def log(text: str) -> None:
    """A line of the host's own log."""
    print(text, file=sys.stderr, flush=True)


class HttpRoutes:
    """HTTP functions as an ASGI application."""

    def __init__(self, worker: Worker, settings: Mapping[str, Any]) -> None:
        self._worker = worker
        prefix = settings.get("extensions", {}).get("http", {}).get("routePrefix", "api")
        self._prefix = f"/{prefix}/" if prefix else "/"
        self._functions: list[tuple[re.Pattern[str], str, str]] = []

    def add(self, function: str, trigger: Binding) -> None:
        pattern = re.sub(r"\\{\\\*(\w+)\\}", r"(?P<\1>.*)", re.escape(trigger["route"]))
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", pattern)
        self._functions.append((re.compile(re.escape(self._prefix) + pattern), function, trigger["name"]))

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """One request."""
        body = bytearray()
        while (part := await receive())["type"] == "http.request":
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        answer = await self._answer(scope, bytes(body))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Mapping[str, Any], body: bytes) -> HttpAnswer:
        for pattern, function, argument in self._functions:
            if match := pattern.fullmatch(scope["path"]):
                request = _http(scope, body, match.groupdict())
                try:
                    answer = await self._worker.invoke(function, {argument: request}, {})
                except FunctionFailed as error:
                    log(f"{function} failed: {error}")
                    return HttpAnswer(500)
                return answer if isinstance(answer, HttpAnswer) else HttpAnswer(204)
        return HttpAnswer(404)


class QueueListener(threading.Thread):
    """A Service Bus trigger with cardinality many."""

    def __init__(self, worker: Worker, function: str, trigger: Binding, settings: Mapping[str, Any]) -> None:
        super().__init__(name=f"queue-{function}", daemon=True)
        if str(trigger["cardinality"]).lower() != "many":
            raise LookupError(f"{function}: the stand-in delivers batches only")
        self._worker = worker
        self._function = function
        self._argument: str = trigger["name"]
        self._queue: str = trigger["queueName"]
        self._connection = os.environ[trigger["connection"]]
        self._most: int = settings["extensions"]["serviceBus"]["maxMessageBatchSize"]
        self._loop = asyncio.get_running_loop()

    def run(self) -> None:
        """Receive for ever; whatever breaks is tried again."""
        from azure.core.exceptions import AzureError
        from azure.servicebus import ServiceBusClient

        while True:
            try:
                with (
                    ServiceBusClient.from_connection_string(self._connection) as client,
                    client.get_queue_receiver(self._queue) as receiver,
                ):
                    while True:
                        self._batch(receiver)
            except AzureError as error:
                log(f"{self._function}: {type(error).__name__}: {error}")
                threading.Event().wait(_AFTER_ERROR_S)

    def _batch(self, receiver: ServiceBusReceiver) -> None:
        # One at first: the client waits 0.2 s for more of a batch, and a function should not.
        messages = receiver.receive_messages(1, max_wait_time=_IDLE_S)
        if messages and self._most > 1:
            messages += receiver.receive_messages(self._most - 1, max_wait_time=_REST_OF_BATCH_S)
        if not messages:
            return
        inputs = {self._argument: Typed("collection_bytes", [b"".join(message.body) for message in messages])}
        call = self._worker.invoke(self._function, inputs, _metadata(messages))
        try:
            asyncio.run_coroutine_threadsafe(call, self._loop).result()
        except FunctionFailed as error:
            log(f"{self._function} failed: {error}")
            settle = receiver.abandon_message
        else:
            settle = receiver.complete_message
        for message in messages:
            _settle(settle, message, self._function)


class Timer:
    """A timer trigger."""

    def __init__(self, worker: Worker, function: str, trigger: Binding) -> None:
        self._worker = worker
        self._function = function
        self._argument: str = trigger["name"]
        minutes = re.fullmatch(r"0 \*/(\d+) \* \* \* \*", trigger["schedule"])
        if minutes is None:
            raise LookupError(f"{function}: no stand-in for the schedule {trigger['schedule']}")
        self._every_s = float(os.environ.get(EVERY_S.get(function, ""), int(minutes[1]) * 60))

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            request = as_json({"IsPastDue": False, "Schedule": {"AdjustForDST": True}, "ScheduleStatus": None})
            try:
                await self._worker.invoke(self._function, {self._argument: request}, {})
            except FunctionFailed as error:
                log(f"{self._function} failed: {error}")


def _http(scope: Mapping[str, Any], body: bytes, params: dict[str, str]) -> Typed:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope["query_string"].decode("latin-1")
    path = scope["raw_path"].decode("latin-1")
    return Typed(
        "http",
        {
            "method": scope["method"],
            "url": f"http://{headers.get('host', '127.0.0.1')}{path}{'?' if query else ''}{query}",
            "headers": headers,
            "query": dict(parse_qsl(query, keep_blank_values=True)),
            "params": params,
            "body": body,
        },
    )


def _metadata(messages: list[ServiceBusReceivedMessage]) -> dict[str, Typed]:
    """The metadata of a batch, by the names that the extension gives it: what `orderflow_azure.entrypoints` reads. The
    rest is left out, because the worker's converter reads every array again for each message of a batch."""
    properties = as_json([_properties(message) for message in messages])
    return {
        "UserPropertiesArray": properties,
        "ApplicationPropertiesArray": properties,
        "MessageIdArray": as_json([message.message_id for message in messages]),
        "DeliveryCountArray": as_json([(message.delivery_count or 0) + 1 for message in messages]),
        "ContentTypeArray": as_json([message.content_type for message in messages]),
    }


def _properties(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    return {
        _text(name): _text(value) if isinstance(value, bytes) else value
        for name, value in (message.application_properties or {}).items()
    }


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _settle(settle: Callable[[ServiceBusReceivedMessage], None], message: Any, function: str) -> None:
    """Settle a message; where the lock is lost it comes again, which every function expects."""
    from azure.servicebus.exceptions import MessageLockLostError

    try:
        settle(message)
    except MessageLockLostError as error:
        log(f"{function}: lock lost: {json.dumps(message.message_id)}: {error}")
