"""What happened to one order: its events across the services, each with its cause, who has absorbed it and who has not,
failed attempts, duplicates, and which of them undo something.

The services' documents hold the events that they emitted and the ids of those that they absorbed. The archive is read
only where it is asked for: that costs as much as was archived since the order was placed. It knows orders, too, whose
documents were deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orderflow.attempts import COLLECTION as ATTEMPTS
from orderflow.envelope import Envelope, Malformed
from orderflow.events import Event, read
from orderflow.keys import safe_key
from orderflow.record import Record, load
from orderflow.service import Context, Ignore, Service
from orderflow.services import SERVICES, catalogue, find
from orderflow_cli.ops.archived import read_archive
from orderflow_cli.ops.doors import CannotDo, Doors
from orderflow_cli.ops.orders import documents


@dataclass(frozen=True, slots=True)
class Attempts:
    """Failed attempts of a service at an event: how many there are now (a redrive starts anew), and the last error."""

    count: int
    last_error: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of an order. ``service`` emitted it; ``causation_id`` is the event that caused it, None for a command
    of the API, the sweeper or an operator; ``depth`` counts causes up to such a command. ``absorbed_by`` and
    ``waits_for`` are the services that hear it and have it in their documents or not yet. ``duplicates`` counts by
    service the deliveries that changed nothing, None where the functions' logs are not on this machine; ``archived``
    says whether the archive has it, None where that was not asked."""

    event_id: str
    kind: str
    service: str
    time: str
    causation_id: str | None
    depth: int
    compensation: bool
    absorbed_by: tuple[str, ...]
    waits_for: tuple[str, ...]
    attempts: dict[str, Attempts]
    duplicates: dict[str, int] | None
    archived: bool | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Timeline:
    """An order's events, causes before effects, then by time. ``correlation_id`` is what its log lines have in
    common."""

    order_id: str
    correlation_id: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def waits_for(self) -> list[str]:
        """What stands out: ``service: kind`` for every event that somebody who hears it has not absorbed."""
        return [f"{service}: {entry.kind}" for entry in self.entries for service in entry.waits_for]


def timeline(doors: Doors, order_id: str, *, archived: bool = False) -> Timeline:
    """An order's story. Raises `CannotDo` where nothing is known of it."""
    records = documents(doors, order_id)
    events = {envelope.id: envelope for record in records.values() for envelope in record.emitted()}
    in_archive: set[str] | None = None
    if archived:
        found = {envelope.id: envelope for envelope in _in_archive(doors, order_id, events)}
        in_archive = set(found)
        events = {**found, **events}
    if not events:
        raise CannotDo(f"nothing is known of an order {order_id}", "orderflow orders list shows their ids")
    absorbed = _Absorbed(doors, records)
    duplicates = _duplicates(doors, set(events))
    depths = _depths(events)
    undoing = {event.kind() for event in catalogue() if event.undoes}
    entries = [
        _entry(doors, envelope, absorbed, duplicates, in_archive, depths[envelope.id], envelope.kind in undoing)
        for envelope in events.values()
    ]
    entries.sort(key=lambda entry: (entry.time, entry.depth, entry.kind))
    return Timeline(order_id, next(iter(events.values())).correlationid, entries)


def _entry(
    doors: Doors,
    envelope: Envelope,
    absorbed: _Absorbed,
    duplicates: dict[str, Counter[str]] | None,
    in_archive: set[str] | None,
    depth: int,
    compensation: bool,
) -> Entry:
    hearers = list(_hearers(doors, envelope))
    done = {service.name: absorbed.has(service, event, envelope) for service, event in hearers}
    return Entry(
        event_id=envelope.id,
        kind=envelope.kind,
        service=envelope.source.rpartition("/")[2],
        time=envelope.time,
        causation_id=envelope.causationid,
        depth=depth,
        compensation=compensation,
        absorbed_by=tuple(name for name, has in done.items() if has),
        waits_for=tuple(name for name, has in done.items() if not has),
        attempts=dict(_attempts(doors, envelope.id, done)),
        duplicates=None if duplicates is None else dict(duplicates.get(envelope.id, {})),
        archived=None if in_archive is None else envelope.id in in_archive,
        data=envelope.data,
    )


def _hearers(doors: Doors, envelope: Envelope) -> Iterator[tuple[Service[Any], Event]]:
    """The services that an event goes to and that do not pass it over, as the topology and their own rules say."""
    try:
        event = read(envelope)
    except Malformed:
        return
    for name in SERVICES:
        service = find(name)
        if type(event) not in service.hears or not service.lets_through(envelope.attributes()):
            continue
        # What a service ignores leaves no trace, and depends on the event alone.
        if not isinstance(service.decide(None, event, Context(0.0, doors.settings, envelope.time)), Ignore):
            yield service, event


class _Absorbed:
    """Who has absorbed what, each document read once."""

    def __init__(self, doors: Doors, records: Mapping[str, Record[Any]]) -> None:
        self._doors = doors
        self._records = {(name, ""): record for name, record in records.items()}

    def has(self, service: Service[Any], event: Event, envelope: Envelope) -> bool:
        """Whether a service's document says that it has absorbed an event."""
        if (service.name, "") in self._records:
            return envelope.id in self._records[service.name, ""].absorbed
        key = service.key(event, envelope.time)
        if (service.name, key) not in self._records:
            self._records[service.name, key] = load(service, self._doors.ports.store.get(service.collection, key))
        return envelope.id in self._records[service.name, key].absorbed


def _attempts(doors: Doors, event_id: str, services: Mapping[str, bool]) -> Iterator[tuple[str, Attempts]]:
    for service in services:
        stored = doors.ports.store.get(ATTEMPTS, safe_key(f"{service}.{event_id}"))
        if stored is not None:
            yield service, Attempts(stored.document["count"], stored.document["last_error"])


def _duplicates(doors: Doors, event_ids: set[str]) -> dict[str, Counter[str]] | None:
    """By event and service, from the functions' logs."""
    if doors.logs is None:
        return None
    found: dict[str, Counter[str]] = {}
    for line in doors.logs():
        if line.get("message") == "duplicate" and line.get("event_id") in event_ids:
            found.setdefault(line["event_id"], Counter())[line["service"]] += 1
    return found


def _depths(events: Mapping[str, Envelope]) -> dict[str, int]:
    """How many events lie between each and the command that began it."""
    depths: dict[str, int] = {}

    def depth(event_id: str) -> int:
        if event_id not in depths:
            depths[event_id] = 0  # Should a cause ever lead back to here, it ends here.
            cause = events[event_id].causationid
            if cause is not None and cause in events:
                depths[event_id] = depth(cause) + 1
        return depths[event_id]

    for event_id in events:
        depth(event_id)
    return depths


def _in_archive(doors: Doors, order_id: str, known: Mapping[str, Envelope]) -> Iterator[Envelope]:
    """The events about an order in the archive, from the day on which it was placed if that is known."""
    times = [datetime.fromisoformat(envelope.time).timestamp() for envelope in known.values()]
    for event in read_archive(doors, min(times, default=0.0) - 1, doors.ports.clock.now() + 3600):
        if event.whole.data.get("order_id") == order_id:
            yield event.whole
