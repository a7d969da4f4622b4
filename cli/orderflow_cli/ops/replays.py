"""Replay: events of the archive, handed to one chosen service again. Nobody else hears them.

It is safe for a service that remembers what it has absorbed; what it might have forgotten is left out
(`orderflow.replay`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from orderflow import replay
from orderflow.envelope import Envelope, Malformed
from orderflow.events import read
from orderflow.ports import DeadLetter
from orderflow.services import SERVICES, find
from orderflow_cli.hints import Exit
from orderflow_cli.ops.archived import Archived, read_archive
from orderflow_cli.ops.doors import CannotDo, Doors
from orderflow_cli.ops.selection import paced


@dataclass(frozen=True, slots=True)
class Range:
    """Which events of the archive: when they happened (seconds since the epoch, the end left out), of which kinds,
    about which order."""

    since: float
    until: float
    kinds: frozenset[str] = frozenset()
    order_id: str | None = None


@dataclass(slots=True)
class Replayed:
    """What a replay did, or would do: events handed over by kind; those that the service does not hear; and those that
    it must not be given again, by why."""

    handed_over: Counter[str] = field(default_factory=Counter)
    not_heard: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def chosen(doors: Doors, wanted: Range) -> Iterator[Archived]:
    """The events of a range, each once, as the archive has them. Raises `orderflow.ports.Unavailable`."""
    for event in read_archive(doors, wanted.since, wanted.until):
        if wanted.kinds and event.whole.kind not in wanted.kinds:
            continue
        if wanted.order_id in (None, event.whole.data.get("order_id")):
            yield event


def replay_to(
    doors: Doors,
    service_name: str,
    wanted: Range,
    *,
    dry_run: bool = False,
    per_second: float | None = None,
    advance: Callable[[int], None] = lambda done: None,
) -> Replayed:
    """Hand the events of a range to a service's own queue. ``dry_run`` only counts. Raises `CannotDo` for a service
    that there is not, `orderflow.ports.Unavailable`."""
    if service_name not in SERVICES:
        raise CannotDo(f"{service_name!r} is no service", f"one of: {', '.join(SERVICES)}", Exit.USAGE)
    service = find(service_name)
    done = Replayed()
    settings, now = doors.settings, doors.ports.clock.now()

    def may_go() -> Iterator[Envelope]:
        for event in chosen(doors, wanted):
            envelope = event.whole
            try:
                heard = type(read(envelope)) in service.hears and service.lets_through(envelope.attributes())
            except Malformed:
                heard = False
            if not heard:
                done.not_heard += 1
            elif (refusal := replay.refusal(service, envelope.time, now, settings)) is not None:
                done.refused[refusal] += 1
            else:
                yield event.sent

    for envelope in paced(may_go(), None if dry_run else per_second, doors.ports.clock):
        if not dry_run:
            _hand_over(doors, service_name, envelope)
        done.handed_over[envelope.kind] += 1
        advance(done.handed_over.total())
    return done


def _hand_over(doors: Doors, service: str, envelope: Envelope) -> None:
    """Put an event into a service's queue, past the topic, as a redrive does."""
    doors.ports.dead_letters.resend(
        DeadLetter(
            service=service,
            body=envelope.to_bytes(),
            attributes=envelope.attributes(),
            reason="replay",
            detail="",
            attempts=0,
            first_at=envelope.time,
            last_at=envelope.time,
            event_id=envelope.id,
        )
    )
