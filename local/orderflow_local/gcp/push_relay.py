"""The push half of Pub/Sub, a stand-in of ours: takes messages from pull subscriptions and posts them to the functions.

Google's emulator pushes without a token and without the delivery attempt, two requests at a time for a subscription,
on a clock of 100 ms, follows retry policies in coarse steps and no filters at all. So its subscriptions (and those of
our stand-in) are pulled instead, and what Pub/Sub does for a push subscription is done here: a wrapped body with
``deliveryAttempt``, an OIDC token of the local issuer, 102, 200, 201, 202 and 204 as the only acknowledgements,
exponential backoff within the subscription's bounds, and then a negative acknowledgement, so that the broker counts the
attempt and dead-letters. What a subscription's filter keeps away is acknowledged and not posted: two thirds of all
deliveries of the workflow. The services ignore what they do not hear in code as well; redrive subscriptions have no
filter.

Of a subscription that is ordered, one message of an ordering key is posted at a time, the next when it was acknowledged
(cloud.google.com/pubsub/docs/ordering). The broker hands over more than that one; where it fails they are given back
with it, because the broker does not begin the key again before. Google's emulator then may begin with those that it had
kept back (0.8.20): they go back too until the first is there. Each time they have one more attempt, as on Google Cloud
only the first has.

Messages are leased as they come and their leases are held while they wait for a free request or back off: how many wait
is known here, which the emulator cannot say. ``GET /depths`` answers it as JSON. Where this process dies the leases end
and the broker delivers again.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import grpc
import uvicorn
from google.api_core.exceptions import GoogleAPICallError
from google.pubsub_v1 import ReceivedMessage, SubscriberAsyncClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route as HttpRoute

from orderflow_local.gcp.pubsub_filter import parse

ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})
"""cloud.google.com/pubsub/docs/push#receive_push"""

_MOST_LEASED = 2_000
_PULL_SECONDS = 90.0
"""Longer than a broker lets a pull wait: a pull that is given up here could have leased messages that nobody sees."""
_TOKEN_SECONDS = 1_800
"""A token is used for half of its life."""


@dataclass(frozen=True, slots=True)
class Route:
    """One push subscription: what is pulled, and where and how it is posted. A request is given up after
    ``timeout_s``, the function's own time-out, after which Cloud Run would answer 504."""

    service: str
    subscription: str
    filter: str
    url: str
    audience: str
    email: str
    concurrency: int
    timeout_s: float
    ack_deadline_s: int
    backoff_min_s: float
    backoff_max_s: float
    max_deliveries: int
    ordered: bool


class Tokens:
    """Tokens of the local issuer, kept until half of their life is over."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._kept: dict[tuple[str, str], tuple[float, str]] = {}

    async def get(self, audience: str, email: str) -> str:
        now = asyncio.get_running_loop().time()
        made, token = self._kept.get((audience, email), (-_TOKEN_SECONDS, ""))
        if now - made >= _TOKEN_SECONDS:
            token = await asyncio.to_thread(self._fetch, audience, email)
            self._kept[audience, email] = (now, token)
        return token

    def _fetch(self, audience: str, email: str) -> str:
        query = urlencode({"aud": audience, "email": email, "ttl": 2 * _TOKEN_SECONDS})
        with urlopen(f"{self._issuer}/token?{query}", timeout=5) as answer:
            token: str = answer.read().decode()
        return token


class Connection:
    """One HTTP/1.1 connection that is kept open between requests, as far as a push needs it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._head = f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: bytes, token: str) -> int:
        """The status of the answer. Raises `OSError` or `EOFError` if there is none."""
        head = f"{self._head}Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        if self._streams is not None:
            # The server may close a connection that was idle; that says nothing about this request.
            with suppress(OSError, EOFError):
                return await self._exchange(head + body)
        self._streams = await asyncio.open_connection(*self._address)
        return await self._exchange(head + body)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, request: bytes) -> int:
        assert self._streams is not None
        reader, writer = self._streams
        whole = False
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
            await reader.readexactly(int(headers.get("content-length", 0)))
            whole = headers.get("connection") != "close"
            return int(head[0].split()[1])
        finally:
            if not whole:
                self.close()


class Relay:
    """Moves one subscription's messages to its function."""

    def __init__(self, route: Route, subscriber: SubscriberAsyncClient, tokens: Tokens) -> None:
        self.route = route
        self._subscriber = subscriber
        self._tokens = tokens
        self._passes = parse(route.filter)
        self._leased: set[str] = set()
        self._room = asyncio.Event()
        self._room.set()
        self._ready: asyncio.Queue[ReceivedMessage] = asyncio.Queue()
        self._lines: dict[str, deque[ReceivedMessage]] = {}
        """By ordering key: the message that is posted, or backs off, and those that wait for it."""
        self._awaited: dict[str, str] = {}
        """By ordering key: the id of the message that was given back and must come before any other."""
        self._backing_off = 0
        self._posting = 0
        self._acks = _Batch(self._acknowledge)
        self._nacks = _Batch(self._nack_all)

    def depth(self) -> tuple[int, int]:
        """Messages waiting, those that back off included, and messages in a request."""
        behind = sum(len(line) - 1 for line in self._lines.values() if line)
        return self._ready.qsize() + self._backing_off + behind, self._posting

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for work in (self._pull(), self._keep_leases(), self._acks.run(), self._nacks.run()):
                tasks.create_task(work)
            for _ in range(self.route.concurrency):
                tasks.create_task(self._post_each())

    async def _pull(self) -> None:
        request = {"subscription": self.route.subscription, "max_messages": 1_000}
        while True:
            await self._room.wait()
            try:
                answer = await self._subscriber.pull(request, retry=None, timeout=_PULL_SECONDS)
            except GoogleAPICallError:  # nothing came in time, or the broker is away
                await asyncio.sleep(0.05)
                continue
            messages = list(answer.received_messages)
            for received in sorted(messages, key=_place) if self.route.ordered else messages:
                if self._passes(received.message.attributes):
                    self._leased.add(received.ack_id)
                    self._line_up(received)
                else:
                    self._acks.add(received.ack_id)
            self._note_room()

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self.route.ack_deadline_s / 3)
            with suppress(GoogleAPICallError):  # the broker is away; the next round may reach it
                await self._set_deadline(list(self._leased), self.route.ack_deadline_s)

    async def _post_each(self) -> None:
        connection = Connection(self.route.url)
        while True:
            received = await self._ready.get()
            self._posting += 1
            try:
                status = await asyncio.wait_for(self._post(connection, received), self.route.timeout_s)
            except (OSError, EOFError, ValueError, TimeoutError):
                connection.close()
                status = 0
            self._posting -= 1
            if status in ACKNOWLEDGED:
                self._release(received.ack_id, self._acks)
                self._go_on(received.message.ordering_key)
            else:
                self._backing_off += 1
                asyncio.get_running_loop().call_later(self._backoff(received.delivery_attempt), self._nack, received)

    async def _post(self, connection: Connection, received: ReceivedMessage) -> int:
        token = await self._tokens.get(self.route.audience, self.route.email)
        return await connection.post(push_body(self.route.subscription, received), token)

    def _backoff(self, attempt: int) -> float:
        return min(self.route.backoff_max_s, self.route.backoff_min_s * 2.0 ** min(max(attempt, 1) - 1, 20))

    def _nack(self, received: ReceivedMessage) -> None:
        self._backing_off -= 1
        key = received.message.ordering_key
        line = self._lines.pop(key, None)
        if line is not None and received.delivery_attempt < self.route.max_deliveries:  # else it is dead-lettered
            self._awaited[key] = received.message.message_id
        for each in line or [received]:
            self._release(each.ack_id, self._nacks)

    def _line_up(self, received: ReceivedMessage) -> None:
        """Have a message posted, after those of its key that are before it."""
        key = received.message.ordering_key if self.route.ordered else ""
        if key and self._awaited.get(key, received.message.message_id) != received.message.message_id:
            self._release(received.ack_id, self._nacks)
        elif key in self._lines:
            self._lines[key].append(received)
        else:
            if key:
                self._awaited.pop(key, None)
                self._lines[key] = deque([received])
            self._ready.put_nowait(received)

    def _go_on(self, key: str) -> None:
        """The first message of a key is through: post the next."""
        line = self._lines.get(key)
        if line is None:
            return
        line.popleft()
        if line:
            self._ready.put_nowait(line[0])
        else:
            del self._lines[key]

    def _release(self, ack_id: str, batch: _Batch) -> None:
        self._leased.discard(ack_id)
        self._note_room()
        batch.add(ack_id)

    def _note_room(self) -> None:
        if len(self._leased) < _MOST_LEASED:
            self._room.set()
        else:
            self._room.clear()

    async def _acknowledge(self, ack_ids: list[str]) -> None:
        await self._subscriber.acknowledge(subscription=self.route.subscription, ack_ids=ack_ids)

    async def _nack_all(self, ack_ids: list[str]) -> None:
        await self._set_deadline(ack_ids, 0)

    async def _set_deadline(self, ack_ids: list[str], seconds: int) -> None:
        if ack_ids:
            await self._subscriber.modify_ack_deadline(
                subscription=self.route.subscription, ack_ids=ack_ids, ack_deadline_seconds=seconds
            )


class _Batch:
    """Ack ids that are sent together: all that came up while the last call was under way."""

    def __init__(self, send: Callable[[list[str]], Coroutine[Any, Any, None]]) -> None:
        self._send = send
        self._ids: list[str] = []
        self._some = asyncio.Event()

    def add(self, ack_id: str) -> None:
        self._ids.append(ack_id)
        self._some.set()

    async def run(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            ids, self._ids = self._ids, []
            with suppress(GoogleAPICallError):  # the broker is away: the lease ends by itself
                await self._send(ids)


def _place(received: ReceivedMessage) -> tuple[int, str]:
    """Brokers on this machine count their messages."""
    return len(received.message.message_id), received.message.message_id


def push_body(subscription: str, received: ReceivedMessage) -> bytes:
    """The body of a wrapped push, with both spellings of the message's fields that Pub/Sub writes."""
    message = received.message
    published = message.publish_time.rfc3339()
    body: dict[str, Any] = {
        "message": {
            "attributes": dict(message.attributes),
            "data": base64.b64encode(message.data).decode(),
            "messageId": message.message_id,
            "message_id": message.message_id,
            "publishTime": published,
            "publish_time": published,
        },
        "subscription": subscription,
    }
    if received.delivery_attempt:
        body["deliveryAttempt"] = received.delivery_attempt
    return json.dumps(body).encode()


async def relay_all(routes: list[Route], broker: str, issuer: str, port: int) -> None:
    """Relay every route, and answer ``/depths``, until stopped."""
    channel = grpc.aio.insecure_channel(broker)
    subscriber = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
    tokens = Tokens(issuer)
    relays = [Relay(route, subscriber, tokens) for route in routes]

    def depths(_: Request) -> JSONResponse:
        sums: dict[str, list[int]] = {}
        for relay in relays:
            total = sums.setdefault(relay.route.service, [0, 0])
            for place, count in enumerate(relay.depth()):
                total[place] += count
        return JSONResponse(sums)

    pages = Starlette(routes=[HttpRoute("/depths", depths)])
    server = uvicorn.Server(uvicorn.Config(pages, host="127.0.0.1", port=port, log_level="warning", access_log=False))
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(relay.run()) for relay in relays]
        await server.serve()
        for task in running:
            task.cancel()


def write_routes(path: Path, routes: list[Route]) -> None:
    """Write the file that the relay is started with."""
    path.write_text(json.dumps([asdict(route) for route in routes]))


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description="push relay: a stand-in for Pub/Sub's push delivery")
    parser.add_argument("--routes", required=True, type=Path)
    parser.add_argument("--broker", required=True)
    parser.add_argument("--issuer", required=True)
    parser.add_argument("--port", required=True, type=int)
    arguments = parser.parse_args()
    routes = [Route(**route) for route in json.loads(arguments.routes.read_text())]
    asyncio.run(relay_all(routes, arguments.broker, arguments.issuer, arguments.port))


if __name__ == "__main__":
    main()
