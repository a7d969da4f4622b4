"""When an old event may be handed to a service again: by a replay from the archive, or by a redrive of a dead letter.

A service is safe against an event that it has had because its document remembers it. Where an operator deletes the
documents of old orders, an event older than what is kept would be taken for new, and its effect would happen again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from orderflow.service import Service
from orderflow.settings import Settings


def refusal(service: Service[Any], event_time: str, now: float, settings: Settings) -> str | None:
    """Why a service must not be given an event (of this RFC 3339 time) again, None where it may.

    A service without effects outside its own documents, such as analytics, may hear everything again: its documents
    can be dropped and built anew."""
    if not (service.emits or service.uses or service.writes):
        return None
    age = now - datetime.fromisoformat(event_time).timestamp()
    if not settings.saga_retention or age <= settings.saga_retention:
        return None
    return (
        f"the event is {age / 86_400:.1f} days old, the documents of {service.name} are kept for "
        f"{settings.saga_retention / 86_400:.1f}: it may have had its effect without anything remembering it"
    )
