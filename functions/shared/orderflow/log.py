"""Structured lines: JSON on standard output, one for each delivery, request and dead letter, with the ids that let one
follow an order. Never any data."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import orjson

from orderflow.envelope import Envelope, rfc3339, valid_trace
from orderflow.ports import DeadLetter, Delivery

if TYPE_CHECKING:
    from orderflow.processing import Outcome

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_threshold = LEVELS.index("INFO")
_PROJECT = os.environ.get("GOOGLE_CLOUD_PROJECT")
"""Where this is set, lines also have the fields that Cloud Logging takes for a line's trace
(cloud.google.com/trace/docs/trace-log-integration)."""


def set_level(name: str) -> None:
    """Drop lines below a level. Raises `ValueError` for an unknown one."""
    global _threshold
    _threshold = LEVELS.index(name.upper())


def _drops(level: str) -> bool:
    return LEVELS.index(level) < _threshold


def write(level: str, message: str, **fields: Any) -> None:
    """Write one line: ``{"severity", "time", "message", ...fields}``; fields that are None are left out. The first
    three are named as Cloud Logging reads them (cloud.google.com/logging/docs/structured-logging), on all clouds."""
    if not _drops(level):
        _write(level, message, fields)


def _write(level: str, message: str, fields: dict[str, Any]) -> None:
    line: dict[str, Any] = {"severity": level, "time": rfc3339(time.time()), "message": message}
    for name, value in fields.items():
        if value is not None:
            line[name] = value
    sys.stdout.write(orjson.dumps(line, str, orjson.OPT_APPEND_NEWLINE).decode())


def delivery(service: str, message: Delivery, envelope: Envelope, outcome: Outcome) -> None:
    """The line of one delivery."""
    after = getattr(outcome, "after", None)
    level = "INFO" if after is None else "WARNING"
    if _drops(level):
        return
    fields = {"service": service, **_of_event(envelope)}
    fields["transport_id"] = message.transport_id
    fields["receives"] = message.receives
    if after is not None:
        fields["attempt"] = getattr(outcome, "attempt", None)
        fields["after"] = after
        fields["reason"] = getattr(outcome, "reason", None)
    _write(level, "retry" if after is not None else getattr(outcome, "note", ""), fields)


def dead_letter(letter: DeadLetter, envelope: Envelope | None = None) -> None:
    """The line of a message that was given up; without an envelope where it was no event."""
    write(
        "ERROR",
        "dead-lettered",
        service=letter.service,
        **(_of_event(envelope) if envelope else {"event_id": letter.event_id}),
        reason=letter.reason,
        detail=letter.detail,
        attempts=letter.attempts,
    )


def request(method: str, route: str, status: int, order_id: str | None, traceparent: str | None) -> None:
    """The line of a request that was answered; ``route`` has nothing in it that the caller made up."""
    fields = {"order_id": order_id, "traceparent": traceparent, **_trace(traceparent)}
    write("INFO", "request", method=method, path=route, status=status, **fields)


def _of_event(envelope: Envelope) -> dict[str, Any]:
    """The ids of an event."""
    content = envelope.to_dict()
    traceparent = content.get("traceparent")
    fields = {
        "kind": content["kind"],
        "event_id": content["id"],
        "order_id": content.get("data", content).get("order_id"),  # A claim has no data.
        "subject": content["subject"],
        "correlation_id": content["correlationid"],
        "causation_id": content.get("causationid"),
        "traceparent": traceparent,
    }
    return fields if _PROJECT is None else fields | _trace(traceparent)


def _trace(traceparent: str | None) -> dict[str, str]:
    """A line's trace as Cloud Logging takes it, where there is one."""
    if _PROJECT is None or not (valid := valid_trace(traceparent)):
        return {}
    _, trace_id, span_id, _ = valid.split("-")
    return {
        "logging.googleapis.com/trace": f"projects/{_PROJECT}/traces/{trace_id}",
        "logging.googleapis.com/spanId": span_id,
    }
