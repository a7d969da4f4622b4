"""State and read models made again from the archive alone, and compared with what is stored.

`analytics` is a read model: it can be put back (`rebuild_analytics`). `orders` (the documents of order, inventory,
payment and shipping about each order) and `stock` are compared only: intents and revisions are in no event, so
nothing of a service with effects is ever written from the archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orderflow.driver import run
from orderflow.envelope import Envelope, Malformed
from orderflow.events import NotificationRequested, StockReplenished, read
from orderflow.keys import safe_key
from orderflow.ports import Conflict
from orderflow.record import Cause, Record, load
from orderflow.service import Commit, Context, Service
from orderflow.services import analytics, find
from orderflow.services.inventory import STOCK, Stock
from orderflow_cli.ops.archived import Archived, read_archive
from orderflow_cli.ops.doors import CannotDo, Doors
from orderflow_cli.ops.projections import PROJECTIONS, Projection, stock_of_events

Advance = Callable[[int], None]
"""Takes how many events were read."""

_DAY = 86_400.0
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that the archive tells otherwise. ``key`` names the document."""

    key: str
    field: str
    live: Any
    rebuilt: Any


@dataclass(slots=True)
class Comparison:
    """What was compared: documents that are equal, and what differs. ``under_way`` have not absorbed all that the
    archive has, ``behind`` know events that the archive does not have (yet): both are to be looked at again when the
    queues are empty and the last batch is archived. ``written`` were put back."""

    model: str
    events: int = 0
    equal: int = 0
    differences: list[Difference] = field(default_factory=list)
    under_way: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing differs that was not put back."""
        return not {difference.key for difference in self.differences} - set(self.written)

    def compare(self, key: str, live: Mapping[str, Any], rebuilt: Mapping[str, Any]) -> bool:
        """Note whether a document is equal, field by field."""
        wrong = [
            Difference(key, name, live.get(name), rebuilt.get(name))
            for name in sorted({*live, *rebuilt})
            if live.get(name) != rebuilt.get(name)
        ]
        self.differences += wrong
        self.equal += not wrong
        return not wrong


@dataclass(slots=True)
class Story:
    """The events about one order that the archive has, by id; those of its messages are left out."""

    events: dict[str, Envelope] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, dict[str, Any]]:
        """Their data by kind: an order has one of each."""
        return {envelope.kind: envelope.data for envelope in self.events.values()}

    def placed_at(self) -> float | None:
        """When the order was placed, None where the archive does not have that."""
        times = [envelope.time for envelope in self.events.values() if envelope.kind == "OrderPlaced"]
        return datetime.fromisoformat(times[0]).timestamp() if times else None


def rebuild_analytics(
    doors: Doors, since: float, until: float, *, write: bool = False, advance: Advance = lambda events: None
) -> Comparison:
    """Count the events of whole days (UTC), from the day of ``since`` to that of ``until``, and compare with the live
    aggregates. With ``write`` a document that differs is put back by compare-and-set, unless it has absorbed what the
    archive does not have. Raises `orderflow.ports.Unavailable`."""
    service: Service[analytics.Totals] = find("analytics")
    first, end = since - since % _DAY, until - until % _DAY + _DAY
    result = Comparison("analytics")
    rebuilt: dict[str, Record[analytics.Totals]] = {}
    for envelope in _counted(read_archive(doors, first, end), result, advance):
        try:
            event = read(envelope)
        except Malformed:  # Analytics has dead-lettered it, too.
            continue
        key = service.key(event, envelope.time)
        record = rebuilt.get(key, Record())
        decision = service.decide(record.state, event, Context(0.0, doors.settings, envelope.time))
        assert isinstance(decision, Commit)
        rebuilt[key] = record.absorbing(decision.state, Cause.of(envelope), ())
    nothing: Record[analytics.Totals] = Record()
    for key in sorted({*rebuilt, *_live_keys(doors, first, end)}):
        _settle(doors, service, key, rebuilt.get(key, nothing), result, write=write)
    return result


def compare_orders(
    doors: Doors, since: float, until: float, *, order_id: str | None = None, advance: Advance = lambda events: None
) -> Comparison:
    """Rebuild the documents about every order that was placed in a range of time (seconds since the epoch), or about
    one order, and compare. Raises `orderflow.ports.Unavailable`."""
    result = Comparison("orders")
    now = doors.ports.clock.now() + 3600
    stories = _stories(doors, since, now, order_id, result, advance)
    placed = {known for known, story in stories.items() if (at := story.placed_at()) is not None and at < until}
    for known in sorted(placed):
        for projection in PROJECTIONS:
            _compare_document(doors, projection, known, stories[known], result)
    if order_id is not None and not placed:
        raise CannotDo(f"the archive does not have the order {order_id}", "it may not have been archived yet")
    return result


def compare_stock(doors: Doors, *, advance: Advance = lambda events: None) -> Comparison:
    """Rebuild the units of every SKU from the whole archive and compare: where anything is on its way, or the archive's
    beginning was deleted, they differ. Raises `orderflow.ports.Unavailable`."""
    result = Comparison("stock")
    arrivals: list[dict[str, Any]] = []
    stories = _stories(doors, 0.0, doors.ports.clock.now() + 3600, None, result, advance, arrivals)
    rebuilt = stock_of_events(arrivals, [story.facts for story in stories.values()])
    live: dict[str, dict[str, int]] = {}
    for key, stored in doors.ports.store.scan(STOCK):
        shard = Stock.of(stored.document)
        units = live.setdefault(
            key.rpartition(".")[0], dict.fromkeys(("replenished", "held", "shipped", "available"), 0)
        )
        units["replenished"] += shard.replenished
        units["shipped"] += shard.shipped
        units["available"] += shard.available
        units["held"] += sum(quantity for quantity, _ in shard.open.values())
    by_key = {safe_key(sku): units for sku, units in rebuilt.items()}
    for sku in sorted({*by_key, *live}):
        result.compare(sku, live.get(sku, {}), by_key.get(sku, {}))
    return result


def _settle(
    doors: Doors,
    service: Service[analytics.Totals],
    key: str,
    rebuilt: Record[analytics.Totals],
    result: Comparison,
    *,
    write: bool,
) -> None:
    """Compare one document of totals, and put it back if that is wanted."""
    for _ in range(_TRIES):
        live = load(service, doors.ports.store.get(service.collection, key))
        if set(live.absorbed) - set(rebuilt.absorbed):
            result.behind.append(key)
            return
        if live.stored and live.stored.document["schema"] > analytics.Totals.schema_number():
            raise CannotDo(f"analytics/{key} was written by a newer release", "rebuild with that release")
        if result.compare(key, _dump(live), _dump(rebuilt)) or not write:
            return
        try:
            put = Record(rebuilt.state, rebuilt.absorbed, live.pending, live.stored)
            run(doors.shell().commit(service, key, put), doors.ports)
        except Conflict:  # It has counted another event meanwhile.
            result.differences = [each for each in result.differences if each.key != key]
            continue
        result.written.append(key)
        return
    result.under_way.append(key)


def _live_keys(doors: Doors, first: float, end: float) -> Iterator[str]:
    day = first
    while day < end:
        partition, cursor = datetime.fromtimestamp(day, UTC).date().isoformat(), None
        while True:
            page = doors.ports.store.query("analytics", "day", partition, limit=100, cursor=cursor)
            yield from (key for key, _ in page.items)
            cursor = page.cursor
            if cursor is None:
                break
        day += _DAY


def _compare_document(doors: Doors, projection: Projection, order_id: str, story: Story, result: Comparison) -> None:
    service = find(projection.service)
    live = load(service, doors.ports.store.get(service.collection, safe_key(order_id)))
    key = f"{service.collection}/{order_id}"
    heard = {event_id for event_id, envelope in story.events.items() if _hears(service, envelope)}
    absorbed = {cause_id for cause_id in live.absorbed if not cause_id.startswith(f"{order_id}.")}  # less commands
    if live.pending or heard - absorbed:
        result.under_way.append(key)
    elif (absorbed | {envelope.id for envelope in live.emitted()}) - set(story.events):
        result.behind.append(key)
    else:
        known = projection.of_state(live.state) if live.state is not None else {}
        result.compare(key, known, projection.of_events(story.facts) or {})


def _hears(service: Service[Any], envelope: Envelope) -> bool:
    return type(read(envelope)) in service.hears and service.lets_through(envelope.attributes())


def _stories(
    doors: Doors,
    since: float,
    until: float,
    order_id: str | None,
    result: Comparison,
    advance: Advance,
    arrivals: list[dict[str, Any]] | None = None,
) -> dict[str, Story]:
    """The story of each order. Arrivals of stock go into ``arrivals``."""
    stories: dict[str, Story] = {}
    for envelope in _counted(read_archive(doors, since, until), result, advance):
        try:
            event = read(envelope)
        except Malformed:
            continue
        if isinstance(event, StockReplenished):
            if arrivals is not None:
                arrivals.append(envelope.data)
        elif not isinstance(event, NotificationRequested) and order_id in (None, event.subject):
            stories.setdefault(event.subject, Story()).events[envelope.id] = envelope
    return stories


def _counted(events: Iterator[Archived], result: Comparison, advance: Advance) -> Iterator[Envelope]:
    for event in events:
        result.events += 1
        advance(result.events)
        yield event.whole


def _dump(record: Record[analytics.Totals]) -> dict[str, Any]:
    return record.state.model_dump(mode="json") if record.state is not None else {}
