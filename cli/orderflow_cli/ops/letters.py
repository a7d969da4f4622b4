"""Dead letters: found by service, reason, age, order or id, handed to their service again, or thrown away.

The rules are those of `orderflow.deadletters`: what must not be redriven or discarded is left where it is, and said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from orderflow import deadletters
from orderflow.driver import run
from orderflow.files import RECEIPTS
from orderflow.ports import DeadLetter, Unavailable
from orderflow.service import Service
from orderflow.services import SERVICES, find
from orderflow_cli.hints import Exit
from orderflow_cli.ops.doors import CannotDo, Doors
from orderflow_cli.ops.queues import services_with_queues
from orderflow_cli.ops.selection import paced

MOST = 1_000
"""So many letters of one queue are looked at."""

Verb = Literal["redrive", "discard"]
RULES = {"redrive": deadletters.redrive, "discard": deadletters.discard}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters. Everything that is given must hold; ``ids`` are letters' ids or beginnings of them; ages are in
    seconds since the letter was given up."""

    service: str | None = None
    reason: str | None = None
    ids: tuple[str, ...] = ()
    order_id: str | None = None
    older_than: float | None = None
    younger_than: float | None = None

    def takes(self, letter: Letter, now: float) -> bool:
        """Whether a letter is one of these."""
        age = now - (datetime.fromisoformat(letter.last_at).timestamp() if letter.last_at else now)
        return (
            (self.reason is None or letter.reason == self.reason)
            and (not self.ids or any(letter.letter_id.startswith(wanted) for wanted in self.ids))
            and (self.order_id is None or self.order_id == letter.order_id)
            and (self.older_than is None or age >= self.older_than)
            and (self.younger_than is None or age <= self.younger_than)
        )


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it is shown. ``letter_id`` is the event's id, or is made of the body where that is no event: the
    same each time one looks, on every cloud. ``raw`` is what the adapters know it by."""

    letter_id: str
    service: str
    kind: str
    order_id: str
    reason: str
    detail: str
    attempts: int
    first_at: str
    last_at: str
    raw: DeadLetter

    def payload(self) -> Any:
        """The original message: as JSON where it is some, else as text."""
        try:
            return json.loads(self.raw.body)
        except ValueError:
            return self.raw.body.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of one letter: None where it was done, or why it was left."""

    letter: Letter
    left: str | None


def look(doors: Doors, choice: Choice, *, now: float | None = None) -> list[Letter]:
    """The letters of a choice, oldest first; looking takes none. Raises `CannotDo` for a service that there is not."""
    now = doors.ports.clock.now() if now is None else now
    names = services_with_queues()
    if choice.service is not None:
        if choice.service not in names:
            raise CannotDo(f"{choice.service!r} has no dead-letter queue", f"one of: {', '.join(names)}", Exit.USAGE)
        names = [choice.service]
    with ThreadPoolExecutor(4) as pool:  # Some brokers take a second to say that a queue is empty.
        boxes = list(pool.map(lambda name: doors.ports.dead_letters.browse(name, MOST), names))
    letters = [_letter(raw) for box in boxes for raw in box]
    return sorted((letter for letter in letters if choice.takes(letter, now)), key=lambda letter: letter.last_at)


def handle(
    doors: Doors,
    verb: Verb,
    letters: Sequence[Letter],
    *,
    per_second: float | None = None,
    advance: Callable[[int], None] = lambda done: None,
) -> Iterator[Handled]:
    """Redrive or discard letters that `look` has just shown, one after the other; answers each when it is done. A
    letter whose broker or store cannot be reached is left, too."""
    shell = doors.shell()
    for number, letter in enumerate(paced(letters, per_second, doors.ports.clock), 1):
        try:
            left = run(RULES[verb](shell, _service(letter.service), letter.raw), doors.ports)
        except Unavailable as error:
            left = f"not reached: {error}"
        advance(number)
        yield Handled(letter, left)


def by_service(letters: Iterable[Letter]) -> dict[tuple[str, str], int]:
    """How many letters there are, by service and reason."""
    counts: dict[tuple[str, str], int] = {}
    for letter in letters:
        counts[letter.service, letter.reason] = counts.get((letter.service, letter.reason), 0) + 1
    return counts


def _letter(raw: DeadLetter) -> Letter:
    try:
        body = json.loads(raw.body)
        event = body if isinstance(body, dict) else {}
    except ValueError:
        event = {}
    data = event.get("data")
    order_id = data.get("order_id") if isinstance(data, dict) else event.get("partitionkey")
    event_id = raw.event_id or event.get("id")
    return Letter(
        letter_id=str(event_id) if event_id else f"body-{hashlib.sha256(raw.body).hexdigest()[:16]}",
        service=raw.service,
        kind=str(event.get("kind", "")),
        order_id=str(order_id or ""),
        reason=raw.reason,
        detail=raw.detail,
        attempts=raw.attempts,
        first_at=raw.first_at,
        last_at=raw.last_at,
        raw=raw,
    )


def _service(name: str) -> Service[Any]:
    """A service by name; the rows of dropped files have one of their own."""
    return find(name) if name in SERVICES else RECEIPTS
