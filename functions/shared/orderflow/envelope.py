"""CloudEvents 1.0 in and out: one canonical form on every cloud, derived ids, correlation and trace context.

The specification is CloudEvents 1.0.2, JSON event format, structured mode. `Envelope` keeps exactly the attributes
that orderflow writes; extensions of others are kept too, so that a message goes on as it came.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, NotRequired
from uuid import UUID

import orjson
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

PREFIX = "com.example.orderflow."
"""Reverse-DNS prefix of every event type; a project that grows on this one sets its own."""

FILTERABLE = ("kind", "category", "tier", "channel")
"""The extension attributes that subscriptions filter on. They travel as broker attributes too; SNS raw delivery drops a
message with more than ten (docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html)."""

_NAMESPACE = UUID("6f0b5f5e-6c0d-5c8e-9d7e-0d6f1b1b7a01").bytes

_HEX = frozenset("0123456789abcdef")

Text = Annotated[str, Field(min_length=1, max_length=300)]


def _in_milliseconds(time: str) -> str:
    """One spelling of a time: SDKs and brokers write fractions and zones in their own way."""
    try:
        moment = datetime.fromisoformat(time.upper())
        if moment.tzinfo is UTC and len(time) == 24 and time[10] == "T" and time[19] == "." and time[23] == "Z":
            return time  # It is spelled so already, as nearly all are.
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise ValueError("it must be an RFC 3339 time with its zone") from None


Time = Annotated[str, Field(max_length=40), AfterValidator(_in_milliseconds)]


class Malformed(ValueError):
    """The bytes are no CloudEvent of ours: reading them again will not help."""


class _Wire(TypedDict):
    """What is checked of a CloudEvent of ours. Other attributes are extensions of others: they are kept."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]  # pydantic's name for it

    specversion: NotRequired[Annotated[str, Field(pattern=r"^1\.0$")]]
    id: Text
    source: Text
    type: Text
    subject: Text
    time: Time
    datacontenttype: NotRequired[Annotated[str, Field(pattern=r"^application/json")]]
    dataschema: NotRequired[str | None]
    correlationid: Text
    causationid: NotRequired[str | None]
    traceparent: NotRequired[str | None]
    tracestate: NotRequired[str | None]
    signature: NotRequired[str | int | float | bool | None]  # It is checked where signatures are; no list nor object.
    partitionkey: NotRequired[str | None]
    kind: Text
    category: Text
    tier: NotRequired[str | None]
    channel: NotRequired[str | None]
    data: dict[str, Any]


_WIRE = TypeAdapter(_Wire).validator
_SAY_NOTHING = ("traceparent", "tracestate", "signature")
_DEFAULTS = {"specversion": "1.0", "datacontenttype": "application/json"}


class Envelope:
    """A CloudEvent: context attributes as CloudEvents names them, ``data`` as a JSON object. Immutable.

    ``subject`` is the aggregate's id (an order id), ``correlationid`` the same for a whole order's story,
    ``causationid`` the id of the event that caused this one. ``kind`` is the type's name without prefix and version.

    It is the JSON object itself with names for what is in it: a message is written, hashed and stored more often than
    it is looked at, and a model would be turned into that object each time.
    """

    __slots__ = ("_bytes", "_content", "_digest")

    def __init__(self, **attributes: Any) -> None:
        """Raises `pydantic.ValidationError`."""
        self._content = _checked(attributes)
        self._bytes: bytes | None = None
        self._digest: str | None = None

    @classmethod
    def trusted(cls, content: dict[str, Any]) -> Envelope:
        """The envelope of a JSON object that this project made, unchecked. It must not be changed afterwards."""
        envelope = cls.__new__(cls)
        envelope._content = content
        envelope._bytes = envelope._digest = None
        return envelope

    def replace(self, **changes: Any) -> Envelope:
        """The same event but for some attributes, unchecked."""
        return type(self).trusted({**self._content, **changes})

    @property
    def id(self) -> str:
        """Unique; the same for each delivery and each publish of one event."""
        return self._content["id"]  # type: ignore[no-any-return]

    @property
    def source(self) -> str:
        """``/orderflow/<service>``."""
        return self._content["source"]  # type: ignore[no-any-return]

    @property
    def type(self) -> str:
        """Prefix, kind and version."""
        return self._content["type"]  # type: ignore[no-any-return]

    @property
    def subject(self) -> str:
        """What the event is about."""
        return self._content["subject"]  # type: ignore[no-any-return]

    @property
    def time(self) -> str:
        """When it happened: RFC 3339, UTC, in milliseconds."""
        return self._content["time"]  # type: ignore[no-any-return]

    @property
    def correlationid(self) -> str:
        """The same for a whole order's story."""
        return self._content["correlationid"]  # type: ignore[no-any-return]

    @property
    def causationid(self) -> str | None:
        """The event that caused this one; None where a command did."""
        return self._content.get("causationid")

    @property
    def traceparent(self) -> str | None:
        """W3C trace context."""
        return self._content.get("traceparent")

    @property
    def partitionkey(self) -> str | None:
        """What must be kept in order, where a broker can."""
        return self._content.get("partitionkey")

    @property
    def kind(self) -> str:
        """The type's name without prefix and version."""
        return self._content["kind"]  # type: ignore[no-any-return]

    @property
    def category(self) -> str:
        """What kind of kind it is: order, answer, stock, message."""
        return self._content["category"]  # type: ignore[no-any-return]

    @property
    def tier(self) -> str | None:
        """An order's class of value."""
        return self._content.get("tier")

    @property
    def channel(self) -> str | None:
        """A notification's channel."""
        return self._content.get("channel")

    @property
    def data(self) -> dict[str, Any]:
        """What happened, as the event's model has it."""
        return self._content["data"]  # type: ignore[no-any-return]

    def extension(self, name: str) -> Any:
        """Another attribute, None where it is absent."""
        return self._content.get(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Envelope) and self._content == other._content

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self.kind} {self.id} of {self.subject}>"

    def to_dict(self) -> dict[str, Any]:
        """The structured JSON form as an object, without absent attributes. It must not be changed."""
        return self._content

    def to_bytes(self) -> bytes:
        """The canonical bytes: sorted keys, no spaces, UTF-8."""
        if self._bytes is None:
            self._bytes = canonical(self._content)
        return self._bytes

    def attributes(self) -> dict[str, str]:
        """The broker attributes that filters see."""
        content = self._content
        return {name: content[name] for name in FILTERABLE if name in content}

    def said(self) -> dict[str, Any]:
        """What the event says: without trace context, where SDKs and brokers may write their own, and without its
        signature, which another key makes another."""
        said = self._content.copy()
        for name in _SAY_NOTHING:
            said.pop(name, None)
        return said

    def digest(self) -> str:
        """A hash of what the event says."""
        if self._digest is None:
            self._digest = hashlib.sha256(canonical(self.said())).hexdigest()[:32]
        return self._digest


def _checked(content: Any) -> dict[str, Any]:
    """The content of an envelope: validated, with its defaults, without absent attributes."""
    valid: dict[str, Any] = _WIRE.validate_python(content)
    if None in valid.values():
        valid = {name: value for name, value in valid.items() if value is not None}
    return valid if "specversion" in valid and "datacontenttype" in valid else _DEFAULTS | valid


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, without spaces, in UTF-8: the form that is hashed and compared."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def decode(body: bytes) -> Envelope:
    """Read a structured CloudEvent. Raises `Malformed` with the first thing that is wrong, never showing the data."""
    try:
        envelope = Envelope.trusted(_checked(orjson.loads(body)))
        # Everybody asks for it; and orjson reads what is nested deeper than it writes: that could not be hashed.
        envelope.digest()
        return envelope
    except orjson.JSONDecodeError as error:
        raise Malformed(f"body: it is no JSON: {error}") from None
    except orjson.JSONEncodeError as error:
        raise Malformed(f"body: {error}") from None
    except ValidationError as error:
        raise Malformed(first_error(error)) from None


def first_error(error: ValidationError) -> str:
    """Where and what the first mistake is, without the value (it may be personal)."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "body"
    return f"{place}: {first['msg']}"


def derived_id(*parts: str) -> str:
    """A UUIDv5 of the parts: the same cause gives the same id, so that emitting twice is one event."""
    # As uuid.uuid5 does it, in a fifth of its time.
    hexes = hashlib.sha1(_NAMESPACE + "\x1f".join(parts).encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(hexes[16], 16) & 3]
    return f"{hexes[:8]}-{hexes[8:12]}-5{hexes[13:16]}-{variant}{hexes[17:20]}-{hexes[20:32]}"


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as an RFC 3339 UTC time with milliseconds."""
    whole, microseconds = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_to_the_second(whole)}.{microseconds // 1_000:03d}Z"


@lru_cache(maxsize=16)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def valid_trace(traceparent: str | None) -> str | None:
    """A W3C ``traceparent`` of version 00 (w3.org/TR/trace-context), or None where it is none."""
    parts = (traceparent or "").split("-")
    shaped = len(parts) == 4 and [len(part) for part in parts] == [2, 32, 16, 2] and parts[0] == "00"
    if not shaped or any(not set(part) <= _HEX for part in parts):
        return None
    return traceparent if parts[1].strip("0") and parts[2].strip("0") else None


def child_trace(traceparent: str | None, event_id: str) -> str:
    """A W3C ``traceparent`` for an event caused within a trace; ids derive from the event's, so a repeat is the
    same. A new trace has the event id's halves the other way round: samplers by trace id look at its end, and the end
    of a UUID has bits that never change."""
    hexes = event_id.replace("-", "")
    trace_id = traceparent.split("-")[1] if traceparent and traceparent.count("-") == 3 else hexes[16:] + hexes[:16]
    return f"00-{trace_id}-{hexes[:16]}-01"
