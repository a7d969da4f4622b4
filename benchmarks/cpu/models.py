"""The events as the peers with pydantic validate and write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import BaseModel, Field

from benchmarks.cpu.measure import Shelf

Text = Annotated[str, Field(min_length=1, max_length=300)]


class Line(BaseModel):
    sku: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9._-]{0,63}$")]
    quantity: Annotated[int, Field(ge=1, le=1_000_000)]
    unit_price: Annotated[int, Field(ge=0)]


class OrderPlaced(BaseModel):
    order_id: Text
    customer_id: Text
    lines: Annotated[list[Line], Field(min_length=1)]
    total: Annotated[int, Field(ge=0)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    payment_token: Text
    tier: Literal["standard", "elevated", "high"]
    placed_at: Text


class CloudEvent(BaseModel):
    specversion: Literal["1.0"]
    id: Text
    source: Text
    type: Text
    subject: Text
    time: datetime
    correlationid: Text
    kind: Text
    category: Text
    traceparent: str | None = None
    data: Any


class OrderPlacedEvent(CloudEvent):
    data: OrderPlaced


class Reserved(BaseModel):
    order_id: str
    customer_id: str
    lines: list[Line]


def decide(event: OrderPlacedEvent, shelf: Shelf) -> bytes:
    """Reserve; what is said of it."""
    data = event.data
    reserved = shelf.take([(line.sku, line.quantity) for line in data.lines])
    kind = "InventoryReserved" if reserved else "OutOfStock"
    said = CloudEvent(
        specversion="1.0",
        id=str(uuid4()),
        source="/benchmark",
        type=f"com.example.orderflow.{kind}.v1",
        subject=event.subject,
        time=datetime.now(UTC),
        correlationid=event.correlationid,
        kind=kind,
        category="answer",
        data=Reserved(order_id=data.order_id, customer_id=data.customer_id, lines=data.lines),
    )
    return said.model_dump_json(exclude_none=True).encode()
