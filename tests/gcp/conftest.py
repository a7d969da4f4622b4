"""Pub/Sub and Firestore for the tests: Google's emulators where they run already (``PUBSUB_EMULATOR_HOST`` and
``FIRESTORE_EMULATOR_HOST``, see compose.yaml) or are installed, and always the embedded stand-ins."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import pytest
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from orderflow_local.cloud import Missing
from orderflow_local.gcp import emulators
from orderflow_local.issuer import Issuer
from orderflow_local.processes import Process, free_port

PROJECT = "test-project"


@dataclass(frozen=True, slots=True)
class Brokers:
    """Addresses of a running Pub/Sub and a running Firestore, both empty but for what other tests left."""

    kind: emulators.Kind
    pubsub: str
    firestore: str


@pytest.fixture(scope="session", params=["official", "embedded"])
def brokers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """Both kinds in turn."""
    kind: emulators.Kind = request.param
    running = [os.environ.get(name) for name in ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST")]
    if kind == "official" and all(running):
        yield Brokers(kind, *map(str, running))
        return
    try:
        emulators.choose(kind)
    except Missing as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp(kind)
    pubsub, firestore = free_port(), free_port()
    processes = [
        Process("pubsub", emulators.pubsub_command(kind, pubsub), folder / "pubsub.log"),
        Process("firestore", emulators.firestore_command(kind, firestore), folder / "firestore.log"),
    ]
    try:
        processes[0].wait_for_port(pubsub)
        processes[1].wait_for_port(firestore)
        yield Brokers(kind, f"127.0.0.1:{pubsub}", f"127.0.0.1:{firestore}")
    finally:
        for process in processes:
            process.stop()


@pytest.fixture
def prefix() -> str:
    """A prefix that makes a test's topics and collections its own."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def emulated(brokers: Brokers, monkeypatch: pytest.MonkeyPatch) -> Brokers:
    """The brokers, named in the environment as the SDKs look for them."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", brokers.pubsub)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", brokers.firestore)
    return brokers


class Desk:
    """Pub/Sub as a test handles it: short names in, messages out."""

    def __init__(self, address: str, prefix: str) -> None:
        self.address = address
        self.channel = grpc.insecure_channel(address)
        self.publisher = PublisherClient(transport=PublisherGrpcTransport(channel=self.channel))
        self.subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=self.channel))
        self._prefix = prefix

    def topic(self, name: str) -> str:
        """The full name of a topic, which is made."""
        path = f"projects/{PROJECT}/topics/{self._prefix}-{name}"
        self.publisher.create_topic(name=path)
        return path

    def subscribe(self, name: str, topic: str, **options: object) -> str:
        """The full name of a subscription, which is made."""
        path = f"projects/{PROJECT}/subscriptions/{self._prefix}-{name}"
        self.subscriber.create_subscription(request={"name": path, "topic": topic, **options})
        return path

    def publish(self, topic: str, *bodies: bytes, **attributes: str) -> None:
        """Publish messages with the same attributes."""
        self.publisher.publish(
            request={"topic": topic, "messages": [{"data": body, "attributes": attributes} for body in bodies]}
        )


@pytest.fixture
def desk(brokers: Brokers, prefix: str) -> Iterator[Desk]:
    """A Pub/Sub with nothing of this test in it yet."""
    desk = Desk(brokers.pubsub, prefix)
    yield desk
    desk.channel.close()


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """A running development issuer."""
    issuer = Issuer(tmp_path_factory.mktemp("issuer"))
    issuer.start()
    yield issuer
    issuer.stop()
