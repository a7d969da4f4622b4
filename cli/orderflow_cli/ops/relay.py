"""The relay of a transactional outbox: facts that another system wrote into a table of its own database, in the
transaction in which they became true, are published from there. So nobody writes twice: what was rolled back is never
published, and what was committed always is.

The table is `TABLE`. A row's event id derives from the row, so that a relay that dies between publishing and marking
publishes the same event again, which everybody knows already. A row that breaks its contract is parked with the reason,
and the others go on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from orderflow.envelope import Envelope, Malformed, derived_id, rfc3339
from orderflow.ports import Unavailable
from orderflow_cli.hints import Exit
from orderflow_cli.ops.doors import CannotDo, Doors
from orderflow_cli.ops.facts import from_short

TABLE = """\
CREATE TABLE IF NOT EXISTS orderflow_outbox (
    position       INTEGER PRIMARY KEY AUTOINCREMENT, -- the order in which facts are published
    kind           TEXT NOT NULL,                     -- OrderConfirmed
    data           TEXT NOT NULL,                     -- what happened, as JSON, by the event's contract
    happened_at    TEXT NOT NULL,                     -- RFC 3339, with its zone
    correlation_id TEXT,                              -- of the whole story, the order's id if left out
    relayed_at     TEXT,                              -- set by the relay
    parked         TEXT                               -- set by the relay: why it can never be published
)"""

BATCH = 100
POLL_S = 1.0
BACKOFF_BASE_S, BACKOFF_CAP_S = 1.0, 60.0


@dataclass(slots=True)
class Relayed:
    """What a relay did: rows that were published, that were parked, and that the broker has not taken, with its last
    words."""

    published: int = 0
    parked: int = 0
    refused: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the outbox that waits."""

    position: int
    kind: str
    data: str
    happened_at: str
    correlation_id: str | None


@contextmanager
def outbox(database: str) -> Iterator[sqlite3.Connection]:
    """The database of an outbox: a path, or ``sqlite:///path``. Raises `CannotDo` where there is none, or no table."""
    scheme, found, rest = database.partition("://")
    if found and scheme != "sqlite":
        raise CannotDo(f"{scheme} databases cannot be read", "docs/strangler-fig.md says what to do", Exit.USAGE)
    path = Path(rest.removeprefix("/") if found else database)
    if not path.is_file():
        raise CannotDo(f"there is no database {path}", code=Exit.USAGE)
    try:
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            connection.execute("SELECT position FROM orderflow_outbox LIMIT 1")
            yield connection
    except sqlite3.Error as error:
        raise CannotDo(f"{path}: {error}", "docs/strangler-fig.md has the table's shape") from None


def relay(doors: Doors, connection: sqlite3.Connection, source: str, advance: Callable[[int], None]) -> Relayed:
    """Publish what waits, oldest first, each row once; answers when nothing waits any more, or when the broker did not
    take something: what comes after it is left for the next time."""
    done = Relayed()
    while not done.refused and (rows := _waiting(connection)):
        _pass(doors, connection, source, rows, done)
        advance(done.published)
    return done


def follow(
    doors: Doors, connection: sqlite3.Connection, source: str, random: Random, told: Callable[[Relayed], None]
) -> None:
    """Relay for ever: look again every second, and with full-jitter exponential backoff where the broker is away."""
    failures = 0
    while True:
        done = relay(doors, connection, source, lambda _: None)
        failures = failures + 1 if done.refused else 0
        told(done)
        bound = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0 ** min(failures, 16))
        doors.ports.clock.sleep(random.uniform(POLL_S, bound) if failures else POLL_S)


def _waiting(connection: sqlite3.Connection) -> list[Row]:
    """The oldest rows that wait. They are known by their marks, not by the last position: elsewhere than in SQLite a
    transaction may commit after one with a higher position."""
    found = connection.execute(
        "SELECT position, kind, data, happened_at, correlation_id FROM orderflow_outbox"
        " WHERE relayed_at IS NULL AND parked IS NULL ORDER BY position LIMIT ?",
        (BATCH,),
    )
    return [Row(*each) for each in found]


def _pass(doors: Doors, connection: sqlite3.Connection, source: str, rows: list[Row], done: Relayed) -> None:
    good: list[tuple[Row, Envelope]] = []
    for row in rows:
        try:
            good.append((row, _envelope(row, source)))
        except Malformed as error:
            connection.execute("UPDATE orderflow_outbox SET parked = ? WHERE position = ?", (str(error), row.position))
            done.parked += 1
    connection.commit()
    now = rfc3339(doors.ports.clock.now())
    for (row, _), refusal in zip(good, _publish(doors, [envelope for _, envelope in good]), strict=True):
        if refusal is None:
            connection.execute("UPDATE orderflow_outbox SET relayed_at = ? WHERE position = ?", (now, row.position))
            done.published += 1
        else:
            done.refused, done.error = done.refused + 1, str(refusal)
    connection.commit()


def _publish(doors: Doors, envelopes: list[Envelope]) -> list[Exception | None]:
    if not envelopes:
        return []
    try:
        return doors.ports.publisher.publish(envelopes)
    except Unavailable as error:
        return [error] * len(envelopes)


def _envelope(row: Row, source: str) -> Envelope:
    try:
        data: Any = json.loads(row.data)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"data: no JSON: {error}") from None
    fact = {
        "kind": row.kind,
        "data": data,
        # The time is in it too: where a database is set up again, its positions begin anew, and its facts are others.
        "id": derived_id("outbox", source, str(row.position), row.kind, row.happened_at),
        "time": row.happened_at,
        "correlation_id": row.correlation_id,
    }
    return from_short(fact, source)
