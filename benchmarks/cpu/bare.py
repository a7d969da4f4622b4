"""What a function without a framework of its own does with an event: pydantic, a set of ids, and no other guarantee."""

from __future__ import annotations

from benchmarks.cpu.measure import Shelf
from benchmarks.cpu.models import OrderPlacedEvent, decide

published: list[bytes] = []
seen: set[str] = set()
shelf = Shelf()


def reserve(body: bytes) -> None:
    """Reserve, and say so. Raises `pydantic.ValidationError`."""
    event = OrderPlacedEvent.model_validate_json(body)
    if event.id in seen:
        return
    published.append(decide(event, shelf))
    seen.add(event.id)
