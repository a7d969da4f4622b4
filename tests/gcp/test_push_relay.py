"""The push half of Pub/Sub, between a broker and a function that notes what is posted to it."""

from __future__ import annotations

import json
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from gcp.conftest import PROJECT, Brokers, Desk
from orderflow_gcp.push import PushVerifier
from orderflow_local.gcp.push_relay import Route, write_routes
from orderflow_local.issuer import Issuer
from orderflow_local.processes import Process, free_port
from waiting import wait_until

pytestmark = pytest.mark.local_cloud

ACCOUNT = "push@example.com"


@dataclass
class Endpoint:
    """A function: what was posted to it, and the statuses that it answers with, the last one for ever; and messages
    that it refuses once each, by their data."""

    statuses: list[int] = field(default_factory=lambda: [204])
    posts: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    hold: threading.Event | None = None
    url: str = ""
    refuses: set[bytes] = field(default_factory=set)

    def note(self, authorization: str, body: bytes) -> int:
        self.posts.append((time.monotonic(), authorization, json.loads(body)))
        status = self.statuses[0] if len(self.statuses) == 1 else self.statuses.pop(0)
        if self.hold is not None:
            self.hold.wait(60)
        if (data := b64decode(json.loads(body)["message"]["data"])) in self.refuses:
            self.refuses.remove(data)
            return 429
        return status

    def data(self) -> list[bytes]:
        return [b64decode(body["message"]["data"]) for _, _, body in self.posts]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = endpoint.note(self.headers["Authorization"], body)
            self.send_response(status)
            self.send_header("Content-Length", "0" if status == 204 else "2")
            self.end_headers()
            if status != 204:
                self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    yield endpoint
    if endpoint.hold is not None:
        endpoint.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Relayed:
    """A running relay of one subscription."""

    desk: Desk
    topic: str
    letters: str
    depths: Callable[[], list[int]]


Relay = Callable[..., Relayed]


@pytest.fixture
def relay(desk: Desk, endpoint: Endpoint, issuer: Issuer, tmp_path: Path) -> Iterator[Relay]:
    """Starts a relay to the endpoint with a route as told."""
    processes: list[Process] = []

    def start(**more: Any) -> Relayed:
        topic, letters = desk.topic("events"), desk.topic("letters")
        policy = {"dead_letter_topic": letters, "max_delivery_attempts": 5}
        route = {
            "service": "inventory",
            "subscription": desk.subscribe("one", topic, dead_letter_policy=policy, ack_deadline_seconds=60),
            "filter": "",
            "url": endpoint.url,
            "audience": "https://inventory.example",
            "email": ACCOUNT,
            "concurrency": 4,
            "timeout_s": 20,
            "ack_deadline_s": 60,
            "backoff_min_s": 0.05,
            "backoff_max_s": 0.2,
            "max_deliveries": 5,
            "ordered": False,
        }
        write_routes(tmp_path / "routes.json", [Route(**{**route, **more})])
        port = free_port()
        options = ["--routes", str(tmp_path / "routes.json"), "--broker", desk.address, "--issuer", issuer.url]
        command = [sys.executable, "-m", "orderflow_local.gcp.push_relay", *options, "--port", str(port)]
        process = Process("relay", command, tmp_path / "relay.log")
        processes.append(process)
        process.wait_for_port(port)

        def depths() -> list[int]:
            counts: list[int] = httpx.get(f"http://127.0.0.1:{port}/depths").json()["inventory"]
            return counts

        return Relayed(desk, topic, letters, depths)

    yield start
    for process in processes:
        process.stop()


def test_a_message_is_posted_as_pubsub_does(relay: Relay, endpoint: Endpoint, issuer: Issuer) -> None:
    relayed = relay()
    relayed.desk.publish(relayed.topic, b"\x00\xff", kind="OrderPlaced")
    wait_until(lambda: len(endpoint.posts) == 1, "the push", 60)
    _, authorization, body = endpoint.posts[0]
    PushVerifier(issuer.url, issuer.jwks_url, "https://inventory.example", ACCOUNT).verify(authorization)
    message = body.pop("message")
    assert body == {"subscription": body["subscription"], "deliveryAttempt": 1}
    assert b64decode(message["data"]) == b"\x00\xff"
    assert message["attributes"] == {"kind": "OrderPlaced"}
    assert message["messageId"] == message["message_id"] != ""
    assert message["publishTime"] == message["publish_time"] != ""
    wait_until(lambda: relayed.depths() == [0, 0], "rest", 60)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_what_is_acknowledged_comes_once(relay: Relay, endpoint: Endpoint, status: int) -> None:
    endpoint.statuses = [status]
    relayed = relay()
    relayed.desk.publish(relayed.topic, b"1")
    wait_until(lambda: len(endpoint.posts) == 1 and relayed.depths() == [0, 0], "the push", 60)
    relayed.desk.publish(relayed.topic, b"2")
    wait_until(lambda: len(endpoint.posts) == 2 and relayed.depths() == [0, 0], "the next push", 60)
    assert endpoint.data() == [b"1", b"2"]


@pytest.mark.parametrize("status", [302, 400, 401, 404, 429, 500, 503])
def test_what_is_refused_comes_again_later_each_time(relay: Relay, endpoint: Endpoint, status: int) -> None:
    endpoint.statuses = [status, status, status, 204]
    relayed = relay()
    relayed.desk.publish(relayed.topic, b"1")
    wait_until(lambda: len(endpoint.posts) == 4 and relayed.depths() == [0, 0], "four pushes", 60)
    assert [body["deliveryAttempt"] for _, _, body in endpoint.posts] == [1, 2, 3, 4]
    times = [at for at, _, _ in endpoint.posts]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert all(pause >= least for pause, least in zip(pauses, [0.05, 0.1, 0.2], strict=True))


def test_what_is_refused_too_often_is_dead_lettered(relay: Relay, endpoint: Endpoint) -> None:
    endpoint.statuses = [500]
    relayed = relay()
    dead = relayed.desk.subscribe("dead", relayed.letters)
    relayed.desk.publish(relayed.topic, b"poison")
    [letter] = relayed.desk.subscriber.pull(subscription=dead, max_messages=1, timeout=60, retry=None).received_messages
    assert letter.message.data == b"poison"
    assert letter.message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"
    assert len(endpoint.posts) == 5
    wait_until(lambda: relayed.depths() == [0, 0], "rest", 60)


def test_what_a_filter_keeps_away_is_not_posted(relay: Relay, endpoint: Endpoint) -> None:
    relayed = relay(filter='attributes.kind = "OrderPlaced"')
    relayed.desk.publish(relayed.topic, b"1", kind="OrderCancelled")
    relayed.desk.publish(relayed.topic, b"2", kind="OrderPlaced")
    wait_until(lambda: len(endpoint.posts) == 1 and relayed.depths() == [0, 0], "the push", 60)
    assert endpoint.data() == [b"2"]


def test_no_more_requests_than_told_are_under_way_and_the_rest_waits(relay: Relay, endpoint: Endpoint) -> None:
    endpoint.hold = threading.Event()
    relayed = relay(concurrency=3)
    relayed.desk.publish(relayed.topic, *(b"%d" % number for number in range(10)))
    wait_until(lambda: len(endpoint.posts) == 3 and relayed.depths() == [7, 3], "three under way, seven waiting", 60)
    endpoint.hold.set()
    wait_until(lambda: relayed.depths() == [0, 0], "rest", 60)
    assert sorted(endpoint.data()) == [b"%d" % number for number in range(10)]


def test_a_request_that_takes_too_long_is_given_up_and_made_again(relay: Relay, endpoint: Endpoint) -> None:
    endpoint.hold = threading.Event()
    relayed = relay(timeout_s=0.3)
    relayed.desk.publish(relayed.topic, b"1")
    wait_until(lambda: len(endpoint.posts) >= 2, "a second try after a time-out", 60)
    endpoint.hold.set()
    wait_until(lambda: relayed.depths() == [0, 0], "rest", 60)
    assert set(endpoint.data()) == {b"1"}


def test_while_a_message_of_an_ordered_subscription_is_refused_the_later_ones_of_its_key_wait_and_others_do_not(
    relay: Relay, desk: Desk, endpoint: Endpoint
) -> None:
    endpoint.refuses = {b"A"}
    endpoint.hold = threading.Event()
    relayed = ordered_relay(relay, desk)
    for name, key in ((b"A", "o-1"), (b"B", "o-1"), (b"other", "o-2"), (b"C", "o-1")):
        publish_ordered(desk, key, name)
        wait_until(lambda: bool(endpoint.posts), "the first to be posted", 60)
    wait_until(lambda: b"other" in endpoint.data(), "the other order's to be posted", 60)
    assert endpoint.data() == [b"A", b"other"]
    endpoint.hold.set()
    wait_until(lambda: b"C" in endpoint.data(), "all to be posted", 60)
    assert endpoint.data() == [b"A", b"other", b"A", b"B", b"C"]
    wait_until(lambda: relayed.depths() == [0, 0], "rest", 60)


def test_when_a_message_of_an_ordered_subscription_is_given_up_its_key_goes_on(
    relay: Relay, desk: Desk, endpoint: Endpoint, brokers: Brokers
) -> None:
    if brokers.kind == "official":
        pytest.skip("Google's emulator hands over nothing more of a key after a message that it dead-lettered")
    endpoint.statuses = [500] * 5 + [204]
    relayed = ordered_relay(relay, desk)
    publish_ordered(desk, "o-1", b"A")
    wait_until(lambda: len(endpoint.posts) == 5, "the last attempt", 60)
    publish_ordered(desk, "o-1", b"B")
    wait_until(lambda: len(endpoint.posts) == 6, "the next to be posted", 60)
    assert endpoint.data() == [b"A"] * 5 + [b"B"]
    wait_until(lambda: relayed.depths() == [0, 0], "rest", 60)


def ordered_relay(relay: Relay, desk: Desk) -> Relayed:
    topic = desk.topic("ordered")
    policy = {"dead_letter_topic": desk.topic("given-up"), "max_delivery_attempts": 5}
    subscription = desk.subscribe(
        "ordered", topic, enable_message_ordering=True, ack_deadline_seconds=60, dead_letter_policy=policy
    )
    return relay(subscription=subscription, ordered=True)


def publish_ordered(desk: Desk, key: str, body: bytes) -> None:
    topic = f"projects/{PROJECT}/topics/{desk._prefix}-ordered"
    desk.publisher.publish(request={"topic": topic, "messages": [{"data": body, "ordering_key": key}]})
