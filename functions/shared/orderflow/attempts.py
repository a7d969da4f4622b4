"""Attempts at a message, counted by its event id in a document that is written on failure only.

Brokers count every receive, also those that only waited; and a redrive or a re-enqueue starts their count anew.
"""

from __future__ import annotations

from typing import Any

from orderflow.keys import safe_key
from orderflow.ports import Clock, Conflict, Document, Stored
from orderflow.service import Service
from orderflow.steps import Get, Put, Steps

COLLECTION = "attempts"
LIFE_SECONDS = 14 * 86_400
"""As long as a message can be on its way: the longest retention of the brokers' queues."""


class Attempts:
    """The attempt documents of all services."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def add(self, service: Service[Any], event_id: str, reason: str) -> Steps[tuple[int, float]]:
        """Count one more failed attempt; answers how many there are and when the first was."""
        key = safe_key(f"{service.name}.{event_id}")
        now = self._clock.now()
        stored: Stored | None = yield Get(COLLECTION, key)
        past: Document = stored.document if stored else {"rev": 0, "count": 0}
        document: Document = {
            "rev": past["rev"] + 1,
            "count": past["count"] + 1,
            "first_at": past["first_at"] if past["count"] else now,
            "last_error": reason[:1000],
            "expires_at": int(now) + LIFE_SECONDS,
        }
        yield Put(COLLECTION, key, document, stored)
        return document["count"], document["first_at"]

    def forget(self, service: Service[Any], event_id: str) -> Steps[None]:
        """Start anew: the message is in the dead-letter queue, and a redrive gives it all its attempts again."""
        key = safe_key(f"{service.name}.{event_id}")
        stored: Stored | None = yield Get(COLLECTION, key)
        if stored is not None:
            document = {**stored.document, "rev": stored.document["rev"] + 1, "count": 0}
            try:
                yield Put(COLLECTION, key, document, stored)
            except Conflict:
                return
