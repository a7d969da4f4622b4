"""A service's document as it is stored: the state, the events it has absorbed, and those it emitted for each.

Shape: ``{"schema": s, "rev": n, "state": {...}, "absorbed": [[cause id, digest, [envelope, ...]], ...], "pending":
{cause id: digest}, "index": {...}}``. The emitted envelopes are kept as they are, so that publishing again sends the
same message. ``absorbed`` is a list because stores do not keep the order of an object's fields, and everything that a
document emitted is published again oldest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar

from orderflow.envelope import Envelope, child_trace, derived_id, rfc3339
from orderflow.events import Event
from orderflow.ports import Document, Stored
from orderflow.service import Service
from orderflow.state import State

S = TypeVar("S", bound=State)


@dataclass(slots=True)
class Cause:
    """What an event is processed for: an event that was heard, or a command by its logical id."""

    id: str
    digest: str
    correlation_id: str
    traceparent: str | None = None
    causation_id: str | None = None
    """None for a command: it is no event, so nothing can be said to be caused by one."""

    @classmethod
    def of(cls, envelope: Envelope) -> Cause:
        return cls(envelope.id, envelope.digest(), envelope.correlationid, envelope.traceparent, envelope.id)


@dataclass(slots=True)
class Record(Generic[S]):
    """A document, decoded. ``stored`` is what the next write replaces, None for a document that is not there yet.
    Emitted envelopes stay JSON objects until somebody publishes them: most events only add to them."""

    state: S | None = None
    absorbed: dict[str, tuple[str, tuple[Document, ...]]] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    stored: Stored | None = None

    def intending(self, state: S, cause: Cause) -> Record[S]:
        """With a new state, the event not absorbed yet."""
        return Record(state, self.absorbed, {**self.pending, cause.id: cause.digest}, self.stored)

    def absorbing(self, state: S, cause: Cause, emitted: tuple[Envelope, ...]) -> Record[S]:
        """With a new state, the event absorbed and what it emitted kept."""
        pending = self.pending
        if cause.id in pending:
            pending = {cause_id: digest for cause_id, digest in pending.items() if cause_id != cause.id}
        kept = tuple([envelope.to_dict() for envelope in emitted])
        return Record(state, {**self.absorbed, cause.id: (cause.digest, kept)}, pending, self.stored)

    @property
    def trace(self) -> str | None:
        """The trace context of the first event that the document emitted: what a later command without a caller of
        its own goes on with. None where there is none yet."""
        emitted = next((envelopes for _, envelopes in self.absorbed.values() if envelopes), ())
        return emitted[0].get("traceparent") if emitted else None

    def emitted(self) -> list[Envelope]:
        """Every event that the document ever emitted, oldest first."""
        return [envelope for cause_id in self.absorbed for envelope in self.emitted_for(cause_id)]

    def emitted_for(self, cause_id: str) -> list[Envelope]:
        """The events that were emitted for one that was absorbed."""
        return [Envelope.trusted(envelope) for envelope in self.absorbed[cause_id][1]]

    def contradicts(self, cause: Cause) -> bool:
        """Whether an event of this id but of other content was seen before."""
        known = self.absorbed[cause.id][0] if cause.id in self.absorbed else self.pending.get(cause.id)
        return known is not None and known != cause.digest

    def to_document(self, service: Service[S]) -> Document:
        """The document to write, its ``rev`` one above what it replaces."""
        assert self.state is not None
        document = self.state.write(self.stored.document if self.stored else None)
        document["absorbed"] = [
            [cause_id, digest, list(envelopes)] for cause_id, (digest, envelopes) in self.absorbed.items()
        ]
        if self.pending:
            document["pending"] = self.pending
        if service.index and (index := service.index(self.state)):
            document["index"] = index
        return document


def load(service: Service[S], stored: Stored | None) -> Record[S]:
    """Decode a document of a service."""
    if stored is None:
        return Record()
    document = stored.document
    return Record(
        state=service.state.of(document),
        absorbed={cause_id: (digest, tuple(envelopes)) for cause_id, digest, envelopes in document["absorbed"]},
        pending=document.get("pending", {}),
        stored=stored,
    )


def envelopes(service_name: str, cause: Cause, events: tuple[Event, ...], now: float) -> tuple[Envelope, ...]:
    """The envelopes of events emitted for a cause. Their ids derive from it, so that emitting twice is one event."""
    time = rfc3339(now)
    return tuple([_envelope(service_name, cause, ordinal, event, time) for ordinal, event in enumerate(events)])


@cache
def _always(service_name: str, event: type[Event]) -> dict[str, str]:
    """What all envelopes of one kind of event have in common."""
    return {
        "specversion": "1.0",
        "source": f"/orderflow/{service_name}",
        "type": event.type_name(),
        "datacontenttype": "application/json",
        "dataschema": f"urn:orderflow:{event.kind()}:v{event.version}",
        "kind": event.kind(),
        "category": event.category,
    }


def _envelope(service_name: str, cause: Cause, ordinal: int, event: Event, time: str) -> Envelope:
    content: dict[str, Any] = {**_always(service_name, type(event))}
    event_id = derived_id(cause.id, service_name, content["type"], str(ordinal))
    subject = event.subject
    data: dict[str, Any] = event.__pydantic_serializer__.to_python(event, mode="json", exclude_none=True)
    content["id"] = event_id
    content["subject"] = subject
    content["time"] = time
    content["correlationid"] = cause.correlation_id
    content["traceparent"] = child_trace(cause.traceparent, event_id)
    content["partitionkey"] = data.get("order_id", subject)
    content["data"] = data
    for name in ("tier", "channel"):
        if name in data:
            content[name] = data[name]
    if cause.causation_id is not None:
        content["causationid"] = cause.causation_id
    return Envelope.trusted(content)
