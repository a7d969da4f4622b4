"""The shell's port calls as values. A handler is a generator that yields steps and is sent each step's answer, so
whoever drives it decides when a call happens: `orderflow.driver` performs it at once, a simulator lets other handlers
run first, loses the answer, or never comes back.

Nobody changes a step, nor anything else that is made for every message; they are not frozen because a frozen dataclass
takes four times as long to make."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from orderflow.envelope import Envelope
from orderflow.ports import DeadLetter, Document, Page, Ports, Stored

T = TypeVar("T")


class Step(Protocol):
    """One call of a port."""

    def perform(self, ports: Ports) -> Any:
        """Make the call and answer what it answers."""


Steps = Generator[Step, Any, T]


@dataclass(slots=True)
class Get:
    """`Store.get`."""

    collection: str
    key: str

    def perform(self, ports: Ports) -> Stored | None:
        return ports.store.get(self.collection, self.key)


@dataclass(slots=True)
class Put:
    """`Store.insert` where there is no ``previous``, else `Store.replace`."""

    collection: str
    key: str
    document: Document
    previous: Stored | None

    def perform(self, ports: Ports) -> Stored:
        if self.previous is None:
            return ports.store.insert(self.collection, self.key, self.document)
        return ports.store.replace(self.collection, self.key, self.document, self.previous)


@dataclass(frozen=True, slots=True)
class Query:
    """`Store.query`."""

    collection: str
    index: str
    partition: str
    through: str | None = None
    descending: bool = False
    limit: int = 50
    cursor: str | None = None

    def perform(self, ports: Ports) -> Page:
        return ports.store.query(
            self.collection,
            self.index,
            self.partition,
            through=self.through,
            descending=self.descending,
            limit=self.limit,
            cursor=self.cursor,
        )


@dataclass(slots=True)
class Publish:
    """Publish one event; a driver sends those of several handlers in one call, as `PublishAll`."""

    envelope: Envelope

    def perform(self, ports: Ports) -> None:
        error = ports.publisher.publish([self.envelope])[0]
        if error is not None:
            raise error


@dataclass(slots=True)
class PublishAll:
    """`Publisher.publish`: the events of several handlers in one call. Answers for each None or the error."""

    envelopes: tuple[Envelope, ...]

    def perform(self, ports: Ports) -> list[Exception | None]:
        return ports.publisher.publish(self.envelopes)


@dataclass(slots=True)
class Verify:
    """`Signatures.fault`."""

    envelope: Envelope

    def perform(self, ports: Ports) -> str | None:
        assert ports.signatures is not None, "where signatures are required, the wiring makes them"
        return ports.signatures.fault(self.envelope)


@dataclass(frozen=True, slots=True)
class Bury:
    """Put a message into its service's dead-letter queue."""

    letter: DeadLetter

    def perform(self, ports: Ports) -> None:
        ports.dead_letters.send(self.letter)


@dataclass(frozen=True, slots=True)
class Resend:
    """`DeadLetterBox.resend`."""

    letter: DeadLetter

    def perform(self, ports: Ports) -> None:
        ports.dead_letters.resend(self.letter)


@dataclass(frozen=True, slots=True)
class Remove:
    """`DeadLetterBox.remove`."""

    letter: DeadLetter

    def perform(self, ports: Ports) -> None:
        ports.dead_letters.remove(self.letter)


@dataclass(slots=True)
class Ask:
    """Call an external system by name and method; its arguments are keywords."""

    dependency: str
    method: str
    arguments: dict[str, Any]

    def perform(self, ports: Ports) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(ports.dependencies[self.dependency], self.method)(**self.arguments)
        return answer


@dataclass(frozen=True, slots=True)
class Pause:
    """Let a little time pass before a compare-and-set is tried again."""

    seconds: float

    def perform(self, ports: Ports) -> None:
        ports.clock.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class ReadDrop:
    """Read an object from the drop bucket; None where there is none any more."""

    name: str

    def perform(self, ports: Ports) -> bytes | None:
        try:
            return ports.drop.get(self.name)
        except KeyError:
            return None


@dataclass(frozen=True, slots=True)
class WriteArchive:
    """Write an object to the archive bucket."""

    name: str
    data: bytes

    def perform(self, ports: Ports) -> None:
        ports.archive.put(self.name, self.data)


@dataclass(frozen=True, slots=True)
class ReadArchive:
    """Read an object from the archive bucket; None where there is none."""

    name: str

    def perform(self, ports: Ports) -> bytes | None:
        try:
            return ports.archive.get(self.name)
        except KeyError:
            return None
