"""What the stand-ins for Firehose and for Cloud Storage subscriptions share: messages are gathered for a while and
written as one object, each as a line of it; only then are they settled."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from orderflow.archive import lines

_LOOK_S = 1.0
_AFTER_ERROR_S = 1.0


@dataclass(frozen=True, slots=True)
class Received:
    """A message that waits to be settled by its handle."""

    body: bytes
    handle: str


class Source(Protocol):
    """Where the messages come from."""

    def receive(self, wait_s: float) -> list[Received]:
        """Some messages, as soon as there are any; none after the wait."""

    def settle(self, handles: Sequence[str]) -> None:
        """Take messages away for good."""


Write = Callable[[float, bytes], None]
"""Takes when a batch was begun, in seconds since the epoch, and its content."""


class Sink:
    """A thread that writes an object of everything that comes within ``every_s`` seconds of a first message, or of
    ``most_bytes``. Whatever fails is tried again."""

    def __init__(self, source: Source, write: Write, *, every_s: float, most_bytes: int) -> None:
        self._source = source
        self._write = write
        self._every_s = every_s
        self._most_bytes = most_bytes
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. What it has gathered by then is not written."""
        self._stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            begun, messages = self._gather()
            self._insist(partial(self._write, begun, lines(message.body for message in messages)))
            self._insist(partial(self._source.settle, [message.handle for message in messages]))

    def _gather(self) -> tuple[float, list[Received]]:
        """The next batch with the time at which it was begun, less where the sink is stopped before it is due."""
        begun, due = 0.0, 0.0
        messages: list[Received] = []
        while not self._stopping.is_set():
            if messages and (time.time() >= due or sum(len(one.body) for one in messages) >= self._most_bytes):
                break
            wait = min(_LOOK_S, due - time.time()) if messages else _LOOK_S
            try:
                found = self._source.receive(max(wait, 0.0))
            except Exception as error:
                self._failed(error)
                continue
            if found and not messages:
                begun = time.time()
                due = begun + self._every_s
            messages += found
        return begun, messages

    def _insist(self, step: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                step()
                break
            except Exception as error:
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        if not self._stopping.is_set():
            print(f"sink: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            self._stopping.wait(_AFTER_ERROR_S)
