"""The documents that this process wrote last, so that the next event of the same order need not read one first.

What is remembered is only ever a guess: the compare-and-set that follows fails where somebody else has written since,
and the event is then decided again on the document as it is. A lost guess costs a write, which on every cloud costs
more than the read that it would have saved. So guesses are made only where they have been right: a process first
compares what it remembers with what it reads, and a lost guess sends it back to reading for a while."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from orderflow.ports import Stored

MOST = 256
"""Documents remembered. A document is at most some hundred KiB, and few come near it."""
TRUSTED = 3
"""So often in a row what is remembered must have been current before it is used unread."""
PENALTY = 10
"""So many reads follow a lost guess before another is made."""


class Recent:
    """One process's memory, safe for its threads."""

    def __init__(self) -> None:
        self._stored: OrderedDict[tuple[str, str], Stored] = OrderedDict()
        self._score: dict[str, int] = {}
        self._lock = Lock()

    def guess(self, collection: str, key: str) -> Stored | None:
        """The document as this process last wrote it, if guesses about its collection have been right of late."""
        with self._lock:
            trusted = self._score.get(collection, 0) >= TRUSTED
            return self._stored.get((collection, key)) if trusted else None

    def read(self, collection: str, key: str, stored: Stored | None) -> None:
        """Learn from a read: would a guess have been right?"""
        with self._lock:
            remembered = self._stored.get((collection, key))
            if remembered is None:
                return
            if stored is not None and stored.version == remembered.version:
                self._score[collection] = min(self._score.get(collection, 0) + 1, TRUSTED)
            else:
                self._wrong(collection, key)

    def wrote(self, collection: str, key: str, stored: Stored) -> None:
        """Remember a document that was just written."""
        name = (collection, key)
        with self._lock:
            self._stored[name] = stored
            self._stored.move_to_end(name)
            if len(self._stored) > MOST:
                self._stored.popitem(last=False)

    def lost(self, collection: str, key: str) -> None:
        """A compare-and-set over a guess was lost."""
        with self._lock:
            self._wrong(collection, key)

    def _wrong(self, collection: str, key: str) -> None:
        self._stored.pop((collection, key), None)
        self._score[collection] = TRUSTED - PENALTY
