"""Step 0: the monolith. An order is taken, charged, shipped and told of in one transaction of one database, while the
customer waits."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, units INTEGER NOT NULL CHECK (units >= 0));
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, lines TEXT NOT NULL, total INTEGER NOT NULL, placed_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS messages (
    order_id TEXT NOT NULL REFERENCES orders (id), template TEXT NOT NULL, channel TEXT NOT NULL,
    PRIMARY KEY (order_id, template, channel)
);
INSERT OR IGNORE INTO stock VALUES ('CUP', 100), ('POT', 100);
"""
PRICES = {"CUP": 1_200, "POT": 4_900}
SMS_ABOVE = 50_000
"""An SMS goes out too above this total, in cents."""


class SoldOut(Exception):
    """The stock cannot cover the order; nothing was changed."""


class Shop:
    """The monolith over its database."""

    def __init__(self, database: Path) -> None:
        self._database = database
        with closing(self._open()) as connection:
            connection.executescript(SCHEMA)

    def place(self, order_id: str, customer: str, lines: dict[str, int]) -> None:
        """Take an order: all of it, or nothing. Raises `SoldOut`."""
        total = sum(PRICES[sku] * quantity for sku, quantity in lines.items())
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with closing(self._open()) as connection, connection:
            try:
                connection.executemany(
                    "UPDATE stock SET units = units - ? WHERE sku = ?", [(units, sku) for sku, units in lines.items()]
                )
            except sqlite3.IntegrityError:
                raise SoldOut(order_id) from None
            row = (order_id, customer, json.dumps(lines), total, now)
            connection.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", row)
            self.confirmed(connection, order_id, customer, total, now)

    def confirmed(self, connection: sqlite3.Connection, order_id: str, customer: str, total: int, now: str) -> None:
        """What follows, in the same transaction: the messages. (Sending is left out: here they are rows.)"""
        for channel in ("email", "sms") if total > SMS_ABOVE else ("email",):
            self.say(connection, order_id, "confirmation", channel)

    @staticmethod
    def say(connection: sqlite3.Connection, order_id: str, template: str, channel: str) -> None:
        """Note a message."""
        connection.execute("INSERT OR IGNORE INTO messages VALUES (?, ?, ?)", (order_id, template, channel))

    def messages(self) -> list[tuple[str, str, str]]:
        """Every message: order, template, channel."""
        with closing(self._open()) as connection:
            return connection.execute("SELECT * FROM messages ORDER BY 1, 2, 3").fetchall()

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._database, timeout=30)
