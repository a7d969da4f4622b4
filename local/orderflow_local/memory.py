"""The ports in one process's memory: for unit tests, benchmarks and the simulator. They keep the contracts of
`orderflow.ports` exactly, which `tests/unit/test_memory.py` checks, and nothing outlives the process."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orderflow.clock import SystemClock
from orderflow.envelope import Envelope, canonical
from orderflow.ports import Conflict, DeadLetter, Delivery, Document, Page, Ports, Stored, Unavailable


class MemoryStore:
    """Documents in a dict, kept as JSON text so that nobody shares an object with the store."""

    def __init__(self) -> None:
        self._documents: dict[tuple[str, str], tuple[str, str]] = {}
        self._writes = 0

    def get(self, collection: str, key: str) -> Stored | None:
        found = self._documents.get((collection, key))
        return Stored(json.loads(found[0]), found[1]) if found else None

    def insert(self, collection: str, key: str, document: Document) -> Stored:
        if (collection, key) in self._documents:
            raise Conflict(f"{collection} {key} exists")
        return self._write(collection, key, document)

    def replace(self, collection: str, key: str, document: Document, previous: Stored) -> Stored:
        self._check(collection, key, previous)
        return self._write(collection, key, document)

    def delete(self, collection: str, key: str, previous: Stored) -> None:
        self._check(collection, key, previous)
        del self._documents[collection, key]

    def query(
        self,
        collection: str,
        index: str,
        partition: str,
        *,
        through: str | None = None,
        descending: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        entries = sorted(self._entries(collection, index, partition, through), reverse=descending)
        if cursor is not None:
            after = _position(cursor)
            entries = [entry for entry in entries if (entry < after if descending else entry > after)]
        items = []
        for _, key in entries[:limit]:
            stored = self.get(collection, key)
            assert stored is not None
            items.append((key, stored))
        return Page(tuple(items), json.dumps(entries[limit - 1]) if len(entries) > limit else None)

    def scan(self, collection: str) -> Iterator[tuple[str, Stored]]:
        for name, key in list(self._documents):
            if name == collection and (stored := self.get(collection, key)) is not None:
                yield key, stored

    def all(self, collection: str) -> Iterator[tuple[str, Document]]:
        """Every document of a collection, for checks."""
        for (name, key), (text, _) in list(self._documents.items()):
            if name == collection:
                yield key, json.loads(text)

    def _entries(self, collection: str, index: str, partition: str, through: str | None) -> Iterator[tuple[str, str]]:
        for key, document in self.all(collection):
            entry = document.get("index", {}).get(index)
            if entry and entry[0] == partition and (through is None or entry[1] <= through):
                yield entry[1], key

    def _check(self, collection: str, key: str, previous: Stored) -> None:
        found = self._documents.get((collection, key))
        if found is None or found[1] != previous.version:
            raise Conflict(f"{collection} {key} is not at version {previous.version}")

    def _write(self, collection: str, key: str, document: Document) -> Stored:
        self._writes += 1
        text, version = canonical(document).decode(), str(self._writes)
        self._documents[collection, key] = (text, version)
        return Stored(json.loads(text), version)


def _position(cursor: str) -> tuple[str, str]:
    match json.loads(cursor):
        case [str(sort), str(key)]:
            return sort, key
    raise ValueError("no such cursor")


@dataclass
class MemoryBroker:
    """A topic with a filtered queue per service; also the dead-letter box. ``published`` keeps every publish."""

    filters: dict[str, dict[str, list[str]]]
    queues: dict[str, deque[Delivery]] = field(default_factory=lambda: defaultdict(deque))
    published: list[Envelope] = field(default_factory=list)
    letters: dict[str, list[DeadLetter]] = field(default_factory=lambda: defaultdict(list))
    sent: int = 0

    @classmethod
    def of(cls, topology: dict[str, Any]) -> MemoryBroker:
        """With the subscriptions of a topology."""
        services = topology["services"]
        return cls({name: each["filter"] for name, each in services.items() if each["trigger"] == "queue"})

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        for envelope in envelopes:
            self.published.append(envelope)
            attributes = envelope.attributes()
            for service, filters in self.filters.items():
                if all(attributes.get(name) in values for name, values in filters.items()):
                    self.queues[service].append(Delivery(envelope.to_bytes(), attributes, f"m{len(self.published)}"))
        return [None] * len(envelopes)

    def send(self, letter: DeadLetter) -> None:
        self.sent += 1
        self.letters[letter.service].append(replace(letter, letter_id=f"{letter.service}-{self.sent}"))

    def browse(self, service: str, limit: int = 100) -> list[DeadLetter]:
        return self.letters[service][:limit]

    def remove(self, letter: DeadLetter) -> None:
        self.letters[letter.service].remove(letter)

    def resend(self, letter: DeadLetter) -> None:
        self.queues[letter.service].append(Delivery(letter.body, letter.attributes, f"redriven-{letter.letter_id}"))


class MemoryObjects:
    """A bucket in a dict."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    def put(self, name: str, data: bytes) -> None:
        self._objects[name] = data

    def get(self, name: str) -> bytes:
        return self._objects[name]

    def names(self, prefix: str = "") -> list[str]:
        return sorted(name for name in self._objects if name.startswith(prefix))


class MemorySecrets:
    """Secrets in a dict, by their short names."""

    def __init__(self, values: dict[str, str] | None = None) -> None:
        self.values = values or {}
        self.reads = 0

    def read(self, name: str) -> str:
        self.reads += 1
        if name not in self.values:
            raise Unavailable(f"there is no secret {name}")
        return self.values[name]


def memory_ports(topology: dict[str, Any]) -> Ports:
    """All ports in memory, with the simulated providers."""
    from orderflow.providers import from_environment

    store, broker, clock, secrets = MemoryStore(), MemoryBroker.of(topology), SystemClock(), MemorySecrets()
    return Ports(
        store=store,
        publisher=broker,
        dead_letters=broker,
        archive=MemoryObjects(),
        drop=MemoryObjects(),
        clock=clock,
        dependencies=from_environment({}, store, clock, secrets),
        secrets=secrets,
    )
