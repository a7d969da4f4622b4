"""The gathering that the stand-ins for Firehose and for Cloud Storage subscriptions share."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue

import pytest

from orderflow_local import sink as module
from orderflow_local.sink import Received, Sink
from waiting import wait_until


class Queue:
    """A source; it fails as often as it is told."""

    def __init__(self) -> None:
        self.waiting: SimpleQueue[Received] = SimpleQueue()
        self.settled: list[str] = []
        self.failures = 0

    def put(self, *bodies: bytes) -> None:
        for body in bodies:
            self.waiting.put(Received(body, body.decode()))

    def receive(self, wait_s: float) -> list[Received]:
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        try:
            return [self.waiting.get(timeout=wait_s)]
        except Empty:
            return []

    def settle(self, handles: Sequence[str]) -> None:
        self.settled += handles


class Bucket:
    """Where batches go; it fails as often as it is told."""

    def __init__(self, queue: Queue) -> None:
        self.written: list[bytes] = []
        self.settled_before: list[int] = []
        self.failures = 0
        self.asked = threading.Event()
        self._queue = queue

    def __call__(self, _begun: float, data: bytes) -> None:
        self.asked.set()
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        self.settled_before.append(len(self._queue.settled))
        self.written.append(data)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setattr(module, "_AFTER_ERROR_S", 0.01)
    monkeypatch.setattr(module, "_LOOK_S", 0.01)
    return Queue()


@pytest.fixture
def bucket(queue: Queue) -> Bucket:
    return Bucket(queue)


@pytest.fixture
def started(queue: Queue, bucket: Bucket) -> Iterator[list[Sink]]:
    """What a test starts is stopped."""
    sinks: list[Sink] = []
    yield sinks
    for sink in sinks:
        sink.stop()


def test_what_comes_in_time_is_one_object_of_lines_and_settled_after_it_was_written(
    queue: Queue, bucket: Bucket, started: list[Sink]
) -> None:
    queue.put(b"1", b"2", b"3")
    started.append(Sink(queue, bucket, every_s=0.2, most_bytes=1_000))
    wait_until(lambda: len(queue.settled) == 3, "the messages to be settled", 60)
    assert bucket.written == [b"1\n2\n3\n"]
    assert bucket.settled_before == [0]


def test_a_batch_that_is_large_enough_does_not_wait(queue: Queue, bucket: Bucket, started: list[Sink]) -> None:
    queue.put(b"12345", b"67890", b"x")
    started.append(Sink(queue, bucket, every_s=3600, most_bytes=10))
    wait_until(lambda: bucket.written == [b"12345\n67890\n"], "the first batch", 60)


def test_whatever_fails_is_tried_again_and_nothing_is_lost(queue: Queue, bucket: Bucket, started: list[Sink]) -> None:
    queue.failures = bucket.failures = 2
    queue.put(b"1")
    started.append(Sink(queue, bucket, every_s=0.01, most_bytes=1_000))
    wait_until(lambda: queue.settled == ["1"], "the message to be settled", 60)
    assert bucket.written == [b"1\n"]


def test_what_was_not_written_is_not_settled(queue: Queue, bucket: Bucket, started: list[Sink]) -> None:
    bucket.failures = 1_000_000
    queue.put(b"1")
    started.append(Sink(queue, bucket, every_s=0.01, most_bytes=1_000))
    assert bucket.asked.wait(60)
    started[0].stop()
    assert (bucket.written, queue.settled) == ([], [])
