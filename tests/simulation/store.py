"""The documents of a run, in memory, under watch: every write is checked against what must always hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from orderflow.ports import Conflict, Document, Page, Stored
from simulation.world import World

Watcher = Callable[[str, str, Document, Document | None], None]
"""(collection, key, the document written, what it replaced)"""


class SimulatedStore:
    """Keeps the contract of `orderflow.ports.Store`. Documents are shared with those who read them, which is safe as
    long as nobody changes what was read; ``through_json`` makes a copy of each by JSON, as a real store does, and a
    test shows that the same runs come out."""

    def __init__(self, world: World, lagging: float = 0.0, *, through_json: bool = False) -> None:
        self.lagging = lagging
        self.watchers: list[Watcher] = []
        self._world = world
        self._through_json = through_json
        self._documents: dict[tuple[str, str], Stored] = {}
        self._indexed: dict[tuple[str, str, str], dict[str, tuple[str, float]]] = {}
        self._writes = 0

    def get(self, collection: str, key: str) -> Stored | None:
        stored = self._documents.get((collection, key))
        return None if stored is None else self._shown(stored)

    def insert(self, collection: str, key: str, document: Document) -> Stored:
        if (collection, key) in self._documents:
            raise Conflict(f"{collection} {key} exists")
        return self._write(collection, key, document, None)

    def replace(self, collection: str, key: str, document: Document, previous: Stored) -> Stored:
        found = self._at(collection, key, previous)
        return self._write(collection, key, document, found.document)

    def delete(self, collection: str, key: str, previous: Stored) -> None:
        found = self._at(collection, key, previous)
        self._index(collection, key, {}, found.document)
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
        recently = self._world.time - 3.0
        entries = sorted(
            (
                (sort, key)
                for key, (sort, since) in self._indexed.get((collection, index, partition), {}).items()
                if (through is None or sort <= through) and not (since > recently and self._world.chance(self.lagging))
            ),
            reverse=descending,
        )
        if cursor is not None:
            after = _position(cursor)
            entries = [entry for entry in entries if (entry < after if descending else entry > after)]
        items = tuple((key, self._shown(self._documents[collection, key])) for _, key in entries[:limit])
        return Page(items, json.dumps(entries[limit - 1]) if len(entries) > limit else None)

    def scan(self, collection: str) -> Iterator[tuple[str, Stored]]:
        for (name, key), stored in list(self._documents.items()):
            if name == collection:
                yield key, self._shown(stored)

    def all(self, collection: str) -> Iterator[tuple[str, Document]]:
        """Every document of a collection, for checks."""
        return ((key, stored.document) for (name, key), stored in self._documents.items() if name == collection)

    def _at(self, collection: str, key: str, previous: Stored) -> Stored:
        found = self._documents.get((collection, key))
        if found is None or found.version != previous.version:
            raise Conflict(f"{collection} {key} is not at version {previous.version}")
        return found

    def _write(self, collection: str, key: str, document: Document, previous: Document | None) -> Stored:
        self._writes += 1
        stored = Stored(self._kept(document), str(self._writes))
        self._documents[collection, key] = stored
        self._index(collection, key, stored.document, previous)
        for watcher in self.watchers:
            watcher(collection, key, stored.document, previous)
        return self._shown(stored)

    def _shown(self, stored: Stored) -> Stored:
        """A document as its reader gets it."""
        if not self._through_json:
            return stored
        return Stored(json.loads(json.dumps(stored.document)), stored.version)

    def _kept(self, document: Document) -> Document:
        """Fields sorted by name, as the adapters write them, where their order could be seen."""
        if self._through_json:
            copy: Document = json.loads(json.dumps(document, sort_keys=True))
            return copy
        pending = document.get("pending")
        if pending is not None and len(pending) > 1:
            return {**document, "pending": dict(sorted(pending.items()))}
        return document

    def _index(self, collection: str, key: str, document: Document, previous: Document | None) -> None:
        new: dict[str, Any] = document.get("index", {})
        old: dict[str, Any] = previous.get("index", {}) if previous else {}
        if new == old:
            return
        for name, (partition, _) in old.items():
            self._indexed[collection, name, partition].pop(key, None)
        for name, (partition, sort) in new.items():
            self._indexed.setdefault((collection, name, partition), {})[key] = (sort, self._world.time)


def _position(cursor: str) -> tuple[str, str]:
    """The last page's last sort value and key. Raises `ValueError` for what no page gave."""
    match json.loads(cursor):
        case [str(sort), str(key)]:
            return sort, key
    raise ValueError("not a cursor")
