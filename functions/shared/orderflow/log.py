"""One structured line per delivery: JSON on standard output, with the ids that let one follow an order. Never any
data."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import orjson

from orderflow.envelope import Envelope, rfc3339
from orderflow.ports import DeadLetter, Delivery

if TYPE_CHECKING:
    from orderflow.processing import Outcome

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_threshold = LEVELS.index("INFO")


def set_level(name: str) -> None:
    """Drop lines below a level. Raises `ValueError` for an unknown one."""
    global _threshold
    _threshold = LEVELS.index(name.upper())


def _drops(level: str) -> bool:
    return LEVELS.index(level) < _threshold


def write(level: str, message: str, **fields: Any) -> None:
    """Write one line: ``{"severity", "time", "message", ...fields}``; fields that are None are left out. The first
    three are named as Cloud Logging reads them (cloud.google.com/logging/docs/structured-logging), on all clouds."""
    if _drops(level):
        return
    given = {name: value for name, value in fields.items() if value is not None}
    line = {"severity": level, "time": rfc3339(time.time()), "message": message, **given}
    sys.stdout.write(orjson.dumps(line, default=str).decode() + "\n")


def delivery(service: str, message: Delivery, envelope: Envelope, outcome: Outcome) -> None:
    """The line of one delivery."""
    after = getattr(outcome, "after", None)
    level = "INFO" if after is None else "WARNING"
    if _drops(level):
        return
    write(
        level,
        "retry" if after is not None else getattr(outcome, "note", ""),
        service=service,
        kind=envelope.kind,
        event_id=envelope.id,
        subject=envelope.subject,
        correlation_id=envelope.correlationid,
        causation_id=envelope.causationid,
        traceparent=envelope.traceparent,
        transport_id=message.transport_id,
        receives=message.receives,
        after=after,
        reason=getattr(outcome, "reason", None),
    )


def dead_letter(letter: DeadLetter) -> None:
    """The line of a message that was given up."""
    write(
        "ERROR",
        "dead-lettered",
        service=letter.service,
        event_id=letter.event_id,
        reason=letter.reason,
        detail=letter.detail,
        attempts=letter.attempts,
    )
