"""The archive's function on the stand-ins: from Event Grid through its queue into Blob Storage."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import pytest
from azure.servicebus import ServiceBusClient

from orderflow import archive
from orderflow.envelope import Envelope
from orderflow.ports import Unavailable
from orderflow_azure import archive as module
from orderflow_azure.archive import Archived, drain
from orderflow_azure.objects import BlobObjects
from orderflow_azure.publisher import EventGridPublisher
from orderflow_azure.sdk import Clients
from waiting import wait_until

pytestmark = pytest.mark.local_cloud

MakeEnvelope = Callable[..., Envelope]
QUEUE = "orderflow-archive"


@pytest.fixture
def objects(clients: Clients) -> BlobObjects:
    """An empty container."""
    container = f"t{secrets.token_hex(4)}"
    clients.blobs.create_container(container)
    return BlobObjects(clients, container)


@pytest.fixture
def publish(clients: Clients, service_bus: ServiceBusClient, envelope: MakeEnvelope) -> Callable[[int], list[Envelope]]:
    """Publishes so many events."""

    def publish(count: int) -> list[Envelope]:
        events = [envelope(number) for number in range(count)]
        assert set(EventGridPublisher(clients).publish(events)) == {None}
        return events

    return publish


def soon() -> float:
    return time.time() + 60


def read(objects: BlobObjects) -> list[Envelope]:
    return sorted(archive.read(objects, 0, 4e9), key=lambda event: int(event.id.removeprefix("event-")))


def test_what_waits_is_written_as_one_blob_and_taken_from_the_queue(
    clients: Clients, objects: BlobObjects, publish: Callable[[int], list[Envelope]]
) -> None:
    events = publish(250)
    assert drain(clients, QUEUE, objects, soon()) == Archived(250, 1)
    assert read(objects) == events
    assert drain(clients, QUEUE, objects, soon()) == Archived(0, 0)


@pytest.mark.parametrize(("name", "value", "blobs"), [("_EVENTS", 40, 3), ("_BYTES", 1, 10)])
def test_a_run_writes_one_blob_after_the_other_until_nothing_is_left(
    name: str,
    value: int,
    blobs: int,
    clients: Clients,
    objects: BlobObjects,
    publish: Callable[[int], list[Envelope]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 10)
    monkeypatch.setattr(module, name, value)
    events = publish(100)
    done = drain(clients, QUEUE, objects, soon())
    assert done.events == 100
    assert done.objects >= blobs
    assert read(objects) == events


def test_what_comes_during_a_run_does_not_keep_it_going(
    clients: Clients,
    objects: BlobObjects,
    publish: Callable[[int], list[Envelope]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Busy(BlobObjects):
        """While one object is written, the events for another come."""

        def put(self, name: str, data: bytes) -> None:
            objects.put(name, data)
            publish(2)

    monkeypatch.setattr(module, "_EVENTS", 2)
    publish(4)
    assert drain(clients, QUEUE, Busy(clients, "unused"), soon()) == Archived(6, 3)


def test_no_batch_is_begun_after_the_deadline(
    clients: Clients, objects: BlobObjects, publish: Callable[[int], list[Envelope]]
) -> None:
    publish(1)
    assert drain(clients, QUEUE, objects, time.time() - 1) == Archived(0, 0)
    assert objects.names() == []


def test_who_dies_after_writing_writes_again_and_no_event_is_read_twice(
    clients: Clients, objects: BlobObjects, publish: Callable[[int], list[Envelope]]
) -> None:
    class Dying(BlobObjects):
        def put(self, name: str, data: bytes) -> None:
            objects.put(name, data)
            raise SystemExit

    events = publish(3)
    with pytest.raises(SystemExit):
        drain(clients, QUEUE, Dying(clients, "unused"), soon())
    wait_until(lambda: drain(clients, QUEUE, objects, soon()).events == 3, "the messages to come again", 60)
    assert len(objects.names()) == 2
    assert read(objects) == events


def test_what_cannot_be_written_stays_in_the_queue(
    clients: Clients, objects: BlobObjects, publish: Callable[[int], list[Envelope]]
) -> None:
    events = publish(3)
    with pytest.raises(Unavailable):
        drain(clients, QUEUE, BlobObjects(clients, "missing"), soon())
    wait_until(lambda: drain(clients, QUEUE, objects, soon()).events == 3, "the messages to come again", 60)
    assert read(objects) == events
