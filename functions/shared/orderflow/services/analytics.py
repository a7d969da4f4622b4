"""Analytics: hears every event of the core workflow and keeps live aggregates.

One document of totals could not remember every event that it has counted. So the totals are spread over documents by
the minute of the event's time and a shard of its id; each absorbs only its own few events, and the aggregates of a
day are the sum of its documents (`merge`). An absorbed event takes about 80 bytes, so 16 documents of at most 256 KiB
hold some 50,000 events in a minute, those of about a hundred orders a second. Longer than a minute they are not,
because each event writes its document anew, and DynamoDB bills that by its size."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zlib import crc32

from orderflow.events import (
    CORE,
    Event,
    OrderCancelled,
    PaymentCompleted,
    PaymentRefunded,
    ShipmentCreated,
)
from orderflow.service import UNHURRIED, Commit, Context, Decision, Service
from orderflow.state import State

SHARDS = 16
BUCKETS_MS = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 3_600_000)
"""Upper bounds of the classes of placed-to-shipped times, in milliseconds; one more class holds what is above."""


class Totals(State):
    """Aggregates of some events. ``revenue`` is payments less refunds of them in minor units by currency;
    ``shipped_within`` counts shipped orders by class of `BUCKETS_MS`."""

    day: str
    events: dict[str, int] = {}
    revenue: dict[str, int] = {}
    cancelled: dict[str, int] = {}
    shipped_within: tuple[int, ...] = (0,) * (len(BUCKETS_MS) + 1)
    shipping_ms: int = 0


def key(event: Event, time: str) -> str:
    """Totals by minute and shard."""
    return key_of(time, crc32(f"{event.kind()}{event.subject}".encode()) % SHARDS)


def key_of(time: str, shard: int) -> str:
    """The document of the minute of an RFC 3339 time, and of a shard."""
    return f"{time[:13]}.{time[14:16]}.{shard:02d}"


def index(totals: Totals) -> dict[str, list[str]]:
    """By day."""
    return {"day": [totals.day, totals.day]}


def decide(totals: Totals | None, event: Event, context: Context) -> Decision[Totals]:
    """Count the event."""
    totals = totals or Totals(day=context.event_time[:10])
    update: dict[str, Any] = {"events": _plus(totals.events, event.kind(), 1)}
    match event:
        case PaymentCompleted():
            update["revenue"] = _plus(totals.revenue, event.currency, event.amount)
        case PaymentRefunded() if event.announced:
            update["revenue"] = _plus(totals.revenue, event.currency, -event.amount)
        case OrderCancelled():
            update["cancelled"] = _plus(totals.cancelled, event.reason.split(":")[0], 1)
        case ShipmentCreated():
            took = max(0, round(_milliseconds(context.event_time) - _milliseconds(event.placed_at)))
            update["shipping_ms"] = totals.shipping_ms + took
            update["shipped_within"] = _classed(totals.shipped_within, took)
    return Commit(totals.model_copy(update=update))


def merge(parts: Iterable[Totals], day: str) -> Totals:
    """The sum of several documents' totals."""
    events: dict[str, int] = {}
    revenue: dict[str, int] = {}
    cancelled: dict[str, int] = {}
    within = [0] * (len(BUCKETS_MS) + 1)
    shipping_ms = 0
    for part in parts:
        for into, counts in ((events, part.events), (revenue, part.revenue), (cancelled, part.cancelled)):
            for name, count in counts.items():
                into[name] = into.get(name, 0) + count
        within = [have + more for have, more in zip(within, part.shipped_within, strict=True)]
        shipping_ms += part.shipping_ms
    return Totals(
        day=day,
        events=events,
        revenue=revenue,
        cancelled=cancelled,
        shipped_within=tuple(within),
        shipping_ms=shipping_ms,
    )


def _plus(counts: dict[str, int], name: str, count: int) -> dict[str, int]:
    return {**counts, name: counts.get(name, 0) + count}


def _classed(within: tuple[int, ...], took: int) -> tuple[int, ...]:
    position = next((at for at, bound in enumerate(BUCKETS_MS) if took <= bound), len(BUCKETS_MS))
    return (*within[:position], within[position] + 1, *within[position + 1 :])


def _milliseconds(rfc3339: str) -> float:
    return datetime.fromisoformat(rfc3339).timestamp() * 1000


SERVICE = Service(
    name="analytics",
    hears=CORE,
    emits=(),
    filter={"category": tuple(sorted({event.category for event in CORE}))},
    collection="analytics",
    state=Totals,
    key=key,
    index=index,
    indexes=("day",),
    decide=decide,
    limits=UNHURRIED,
)
