"""Pure functions of the shared package, remembered: a run decodes the same bytes many times, and thousands of runs take
as long as that takes. A test shows that the same runs come out without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar
from unittest.mock import patch

from orderflow import processing, redact
from orderflow.envelope import Envelope
from orderflow.events import Event
from orderflow.ports import Stored
from orderflow.record import Cause

T = TypeVar("T")


@contextmanager
def memoised() -> Iterator[None]:
    """Decode each message, read each event, hash and write each envelope, load each document and redact each error only
    once. What is refused is not remembered."""
    with (
        patch.object(processing, "decode", _once(processing.decode)),  # type: ignore[attr-defined]
        patch.object(processing, "read", _once_each(processing.read)),  # type: ignore[attr-defined]
        patch.object(processing, "Cause", _Causes()),
        patch.object(processing, "load", _once_loaded(processing.load)),  # type: ignore[attr-defined]
        patch.object(Envelope, "to_bytes", _once_for_content(Envelope.to_bytes)),
        patch.object(Envelope, "digest", _once_for_content(Envelope.digest)),
        patch.object(redact, "redact", cache(redact.redact)),
    ):
        yield


def _once(decode: Callable[[bytes], Envelope]) -> Callable[[bytes], Envelope]:
    known: dict[bytes, Envelope] = {}

    def decoded(body: bytes) -> Envelope:
        envelope = known.get(body)
        if envelope is None:
            envelope = known[body] = decode(body)
        return envelope

    return decoded


def _once_each(read: Callable[[Envelope], Event]) -> Callable[[Envelope], Event]:
    known: dict[int, tuple[Envelope, Event]] = {}  # The envelope is kept too, so that its id is nobody else's.

    def was_read(envelope: Envelope) -> Event:
        found = known.get(id(envelope))
        if found is None:
            found = known[id(envelope)] = (envelope, read(envelope))
        return found[1]

    return was_read


def _once_for_content(made: Callable[[Envelope], T]) -> Callable[[Envelope], T]:
    """Envelopes of one event share its content, as documents are shared with those who read them."""
    known: dict[int, tuple[Envelope, T]] = {}

    def was_made(self: Envelope) -> T:
        content = id(self.to_dict())
        found = known.get(content)
        if found is None:
            found = known[content] = (self, made(self))
        return found[1]

    return was_made


def _once_loaded(load: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[int, tuple[Any, Stored, Any]] = {}

    def loaded(service: Any, stored: Stored | None) -> Any:
        if stored is None:
            return load(service, None)
        found = known.get(id(stored))
        if found is None or found[0] is not service.state:
            found = known[id(stored)] = (service.state, stored, load(service, stored))
        return found[2]

    return loaded


class _Causes:
    """Stands for `Cause` where the shell asks for an envelope's."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Envelope, Cause]] = {}

    def of(self, envelope: Envelope) -> Any:
        """As `Cause.of`."""
        found = self._known.get(id(envelope))
        if found is None:
            found = self._known[id(envelope)] = (envelope, Cause.of(envelope))
        return found[1]
