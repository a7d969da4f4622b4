"""CloudEvents 1.0 in and out: one canonical form on every cloud, derived ids, correlation and trace context.

The specification is CloudEvents 1.0.2, JSON event format, structured mode. `Envelope` keeps exactly the attributes
that orderflow writes; extensions of others are kept too, so that a message goes on as it came.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

PREFIX = "com.example.orderflow."
"""Reverse-DNS prefix of every event type; a project that grows on this one sets its own."""

FILTERABLE = ("kind", "category", "tier", "channel")
"""The extension attributes that subscriptions filter on. They travel as broker attributes too; SNS raw delivery drops a
message with more than ten (docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html)."""

_NAMESPACE = UUID("6f0b5f5e-6c0d-5c8e-9d7e-0d6f1b1b7a01")

Text = Annotated[str, Field(min_length=1, max_length=300)]


def _in_milliseconds(time: str) -> str:
    """One spelling of a time: SDKs and brokers write fractions and zones in their own way."""
    try:
        moment = datetime.fromisoformat(time.upper())
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise ValueError("it must be an RFC 3339 time with its zone") from None


Time = Annotated[str, Field(max_length=40), AfterValidator(_in_milliseconds)]


class Malformed(ValueError):
    """The bytes are no CloudEvent of ours: reading them again will not help."""


class Envelope(BaseModel):
    """A CloudEvent: context attributes as CloudEvents names them, ``data`` as a JSON object.

    ``subject`` is the aggregate's id (an order id), ``correlationid`` the same for a whole order's story,
    ``causationid`` the id of the event that caused this one. ``kind`` is the type's name without prefix and version.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    specversion: Annotated[str, Field(pattern=r"^1\.0$")] = "1.0"
    id: Text
    source: Text
    type: Text
    subject: Text
    time: Time
    datacontenttype: Annotated[str, Field(pattern=r"^application/json")] = "application/json"
    dataschema: str | None = None
    correlationid: Text
    causationid: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    partitionkey: str | None = None
    kind: Text
    category: Text
    tier: str | None = None
    channel: str | None = None
    data: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The structured JSON form as an object, without absent attributes."""
        return self.model_dump(exclude_none=True)

    def to_bytes(self) -> bytes:
        """The canonical bytes: sorted keys, no spaces, UTF-8."""
        return canonical(self.to_dict())

    def attributes(self) -> dict[str, str]:
        """The broker attributes that filters see."""
        return {name: value for name in FILTERABLE if (value := getattr(self, name)) is not None}

    def digest(self) -> str:
        """A hash of what the event says. Trace context is left out: SDKs and brokers may write their own there."""
        content = self.model_dump(exclude_none=True, exclude={"traceparent", "tracestate"})
        return hashlib.sha256(canonical(content)).hexdigest()[:32]


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, without spaces, in UTF-8: the form that is hashed and compared."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decode(body: bytes) -> Envelope:
    """Read a structured CloudEvent. Raises `Malformed` with the first thing that is wrong, never showing the data."""
    try:
        return Envelope.model_validate_json(body)
    except ValidationError as error:
        raise Malformed(first_error(error)) from None


def first_error(error: ValidationError) -> str:
    """Where and what the first mistake is, without the value (it may be personal)."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "body"
    return f"{place}: {first['msg']}"


def derived_id(*parts: str) -> str:
    """A UUIDv5 of the parts: the same cause gives the same id, so that emitting twice is one event."""
    return str(uuid5(_NAMESPACE, "\x1f".join(parts)))


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as an RFC 3339 UTC time with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def child_trace(traceparent: str | None, event_id: str) -> str:
    """A W3C ``traceparent`` for an event caused within a trace; ids derive from the event's, so a repeat is the
    same."""
    hexes = event_id.replace("-", "")
    trace_id = traceparent.split("-")[1] if traceparent and traceparent.count("-") == 3 else hexes
    return f"00-{trace_id}-{hexes[:16]}-01"
