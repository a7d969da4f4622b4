"""The floor: json and dicts, every check written by hand, nothing kept for later but ids."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from benchmarks.cpu.measure import Shelf, measure

published: list[bytes] = []
seen: set[str] = set()
shelf = Shelf()

TEXTS = ("id", "source", "type", "subject", "time", "correlationid", "kind", "category")


class Bad(ValueError):
    """The record is not what it should be."""


def checked(body: str) -> dict[str, Any]:
    """The event, every field that is used looked at."""
    event = json.loads(body)
    if not isinstance(event, dict) or event.get("specversion") != "1.0":
        raise Bad("specversion")
    for name in TEXTS:
        value = event.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= 300:
            raise Bad(name)
    datetime.fromisoformat(event["time"])
    data = event.get("data")
    if not isinstance(data, dict):
        raise Bad("data")
    for name in ("order_id", "customer_id", "currency", "payment_token", "tier", "placed_at"):
        value = data.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= 200:
            raise Bad(name)
    if type(data.get("total")) is not int or data["total"] < 0:
        raise Bad("total")
    lines = data.get("lines")
    if not isinstance(lines, list) or not lines:
        raise Bad("lines")
    for line in lines:
        if not isinstance(line, dict) or not isinstance(line.get("sku"), str):
            raise Bad("sku")
        if type(line.get("quantity")) is not int or not 0 < line["quantity"] <= 1_000_000:
            raise Bad("quantity")
        if type(line.get("unit_price")) is not int or line["unit_price"] < 0:
            raise Bad("unit_price")
    return event


def process(event: dict[str, Any]) -> None:
    """Reserve, and say so."""
    if event["id"] in seen:
        return
    data = event["data"]
    reserved = shelf.take([(line["sku"], line["quantity"]) for line in data["lines"]])
    kind = "InventoryReserved" if reserved else "OutOfStock"
    said = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/benchmark",
        "type": f"com.example.orderflow.{kind}.v1",
        "subject": event["subject"],
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "datacontenttype": "application/json",
        "correlationid": event["correlationid"],
        "causationid": event["id"],
        "kind": kind,
        "category": "answer",
        "data": {"order_id": data["order_id"], "customer_id": data["customer_id"], "lines": data["lines"]},
    }
    published.append(json.dumps(said).encode())
    seen.add(event["id"])


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch."""
    failures = []
    for record in event["Records"]:
        try:
            process(checked(record["body"]))
        except ValueError:
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


if __name__ == "__main__":
    measure(handler, published)
