"""Step 3: orderflow says the messages, the monolith only tells what happened, and hears back what was said."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from orderflow.envelope import Envelope
from orderflow.events import NotificationRequested, read

from .outbox import TellingShop

INBOX = "CREATE TABLE IF NOT EXISTS inbox (event_id TEXT PRIMARY KEY)"


class QuietShop(TellingShop):
    """The monolith that leaves messages to orderflow."""

    def __init__(self, database: Path) -> None:
        super().__init__(database)
        with closing(self._open()) as connection:
            connection.executescript(INBOX)

    def confirmed(self, connection: sqlite3.Connection, order_id: str, customer: str, total: int, now: str) -> None:
        """The fact, and nothing else."""
        self.tell(connection, order_id, customer, total, now)

    def hear(self, envelopes: Iterable[Envelope]) -> int:
        """Take in events, each once, whatever comes again; answers how many were new. The event's id and what follows
        from it are one transaction. An event of an order of somebody else's is passed over."""
        new = 0
        for envelope in envelopes:
            event = read(envelope)
            if not isinstance(event, NotificationRequested):
                continue
            with closing(self._open()) as connection, connection:
                if not connection.execute("SELECT 1 FROM orders WHERE id = ?", (event.order_id,)).fetchone():
                    continue
                taken = connection.execute("INSERT OR IGNORE INTO inbox VALUES (?)", (envelope.id,)).rowcount
                if taken:
                    self.say(connection, event.order_id, event.template, event.channel)
                    new += 1
        return new
