"""What became of the orders of today (UTC), what was earned and how long shipping took: from the totals that analytics
keeps, of which there are 16 documents for a minute however many orders they count.

A look reads the totals of this minute and of those just before; the whole day is read again when that has cost
only a small share of the time since, because redriven events are counted at the time at which they happened."""

from __future__ import annotations

from typing import Any

from orderflow.envelope import rfc3339
from orderflow.services.analytics import BUCKETS_MS, SERVICE, SHARDS, Totals, key_of, merge
from orderflow_cli.ops.doors import Doors

_JUST_BEFORE_S = (0, 60, 120)
_WHOLE_EVERY = 100
"""The whole day is read when so many times as long as reading it takes has passed, and no sooner than after
`_WHOLE_AFTER_S`."""
_WHOLE_AFTER_S = 30.0


class Today:
    """The totals of the current day, kept from look to look."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._day = ""
        self._totals: dict[str, Totals] = {}
        self._whole_at = 0.0

    def look(self) -> dict[str, Any]:
        """Today's figures. Revenue is in minor units by currency. Raises `orderflow.ports.Unavailable`."""
        now = self._doors.ports.clock.now()
        day = rfc3339(now)[:10]
        if day != self._day or now > self._whole_at:
            self._read_whole(day)
        else:
            self._read_newest(now)
        totals = merge(self._totals.values(), day)
        placed, shipped = totals.events.get("OrderPlaced", 0), totals.events.get("ShipmentCreated", 0)
        cancelled = sum(totals.cancelled.values())
        return {
            "day": day,
            "placed": placed,
            "under_way": max(0, placed - shipped - cancelled),
            "confirmed": totals.events.get("OrderConfirmed", 0),
            "shipped": shipped,
            "cancelled": cancelled,
            "reasons": totals.cancelled,
            "payments": totals.events.get("PaymentCompleted", 0),
            "refunds": totals.events.get("PaymentRefunded", 0),
            "revenue": totals.revenue,
            "shipping": _shipping(totals),
        }

    def _read_whole(self, day: str) -> None:
        clock, store = self._doors.ports.clock, self._doors.ports.store
        began = clock.now()
        totals: dict[str, Totals] = {}
        cursor: str | None = None
        while True:
            page = store.query(SERVICE.collection, "day", day, limit=100, cursor=cursor)
            totals |= {key: Totals.of(stored.document) for key, stored in page.items}
            cursor = page.cursor
            if cursor is None:
                break
        self._day, self._totals = day, totals
        self._whole_at = clock.now() + max(_WHOLE_AFTER_S, _WHOLE_EVERY * (clock.now() - began))

    def _read_newest(self, now: float) -> None:
        for time in [rfc3339(now - before) for before in _JUST_BEFORE_S]:
            if time[:10] == self._day:
                for key in (key_of(time, shard) for shard in range(SHARDS)):
                    stored = self._doors.ports.store.get(SERVICE.collection, key)
                    if stored is not None:
                        self._totals[key] = Totals.of(stored.document)


def _shipping(totals: Totals) -> dict[str, Any]:
    """Shipped orders by class of their time from placed to shipped: the class's upper bound in milliseconds (None for
    what is above all bounds) and how many; and the mean in milliseconds, None before the first."""
    count = sum(totals.shipped_within)
    classes = zip((*BUCKETS_MS, None), totals.shipped_within, strict=True)
    return {"mean_ms": round(totals.shipping_ms / count) if count else None, "within": list(classes)}
