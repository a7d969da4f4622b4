"""The event as the peers validate it, and what they decide."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

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


class OrderPlacedEvent(BaseModel):
    specversion: Literal["1.0"]
    id: Text
    source: Text
    type: Text
    subject: Text
    time: datetime
    correlationid: Text
    data: OrderPlaced


def screened(event: OrderPlacedEvent) -> bytes:
    """What is said of an order."""
    verdict = "suspected" if event.data.total > 10_000_000 else "cleared"
    said = {"source": "/benchmark", "subject": event.subject, "causationid": event.id, "data": {"verdict": verdict}}
    return json.dumps(said).encode()
