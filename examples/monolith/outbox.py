"""Step 1: the monolith also says what happened. The fact is a row, written in the transaction in which it becomes true;
`orderflow relay` publishes it. Everything else stays."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from orderflow_cli.ops.relay import TABLE

from .shop import Shop


class TellingShop(Shop):
    """The monolith with an outbox."""

    def __init__(self, database: Path) -> None:
        super().__init__(database)
        with closing(self._open()) as connection:
            connection.executescript(TABLE)

    def confirmed(self, connection: sqlite3.Connection, order_id: str, customer: str, total: int, now: str) -> None:
        """As before, and the fact."""
        super().confirmed(connection, order_id, customer, total, now)
        self.tell(connection, order_id, customer, total, now)

    @staticmethod
    def tell(connection: sqlite3.Connection, order_id: str, customer: str, total: int, now: str) -> None:
        """Put OrderConfirmed into the outbox. Its contract is docs/events.md."""
        data = {
            "order_id": order_id,
            "customer_id": customer,
            "total": total,
            "currency": "EUR",
            "tier": "standard",
            "placed_at": now,
        }
        connection.execute(
            "INSERT INTO orderflow_outbox (kind, data, happened_at) VALUES (?, ?, ?)",
            ("OrderConfirmed", json.dumps(data), now),
        )

    def told(self) -> set[str]:
        """The orders of which orderflow was told."""
        with closing(self._open()) as connection:
            found = connection.execute("SELECT data FROM orderflow_outbox WHERE relayed_at IS NOT NULL").fetchall()
        return {json.loads(data)["order_id"] for (data,) in found}
