"""Facts from outside: events that another system publishes into the workflow, checked against their contract before
they go."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from orderflow.envelope import Envelope, Malformed, decode, first_error, rfc3339
from orderflow.events import Event, newest, read
from orderflow.services import catalogue
from orderflow_cli.ops.doors import CannotDo, Doors

_SHORT = {"kind", "data", "id", "time", "correlation_id"}


def read_facts(lines: Iterable[bytes], source: str) -> tuple[list[Envelope], list[str]]:
    """Facts from JSON lines; answers the envelopes, and for each bad line what is wrong with it. A line is either a
    whole CloudEvent of ours (``specversion`` and so on) or the short form ``{"kind": "PaymentCompleted", "data":
    {...}}`` with, if wanted, ``id``, ``time`` and ``correlation_id``. Publishing a fact again needs its ``id`` and
    ``time``: without them it gets new ones."""
    facts: list[Envelope] = []
    wrong: list[str] = []
    for number, line in _numbered(lines):
        try:
            facts.append(_fact(line, source))
        except Malformed as error:
            wrong.append(f"line {number}: {error}")
    return facts, wrong


def publish(doors: Doors, facts: list[Envelope]) -> None:
    """Publish to the topic. Raises `CannotDo` naming the first that the broker did not take; those before it are
    out."""
    for envelope, error in zip(facts, doors.ports.publisher.publish(facts), strict=True):
        if error is not None:
            raise CannotDo(f"{envelope.kind} {envelope.id} was not taken: {error}", "publish the same lines again")


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _fact(line: bytes, source: str) -> Envelope:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"no JSON: {error}") from None
    if not isinstance(given, dict):
        raise Malformed("no JSON object")
    if "specversion" in given:
        envelope = decode(line)
        catalogue()  # A service's own events are known once it is imported.
        read(envelope)
        return envelope
    return from_short(given, source)


def from_short(given: dict[str, Any], source: str) -> Envelope:
    """The envelope of a fact in the short form. Raises `Malformed`."""
    if unknown := set(given) - _SHORT:
        raise Malformed(f"{', '.join(sorted(unknown))}: not known; the short form has {', '.join(sorted(_SHORT))}")
    model = _newest(str(given.get("kind", "")))
    try:
        event = model.model_validate(given.get("data"))
    except ValidationError as error:
        raise Malformed(f"data.{first_error(error)}") from None
    data = event.model_dump(mode="json", exclude_none=True)
    attributes: dict[str, Any] = {
        "id": given.get("id") or str(uuid.uuid4()),
        "source": source,
        "type": event.type_name(),
        "subject": event.subject,
        "time": given.get("time") or rfc3339(time.time()),
        "dataschema": f"urn:orderflow:{event.kind()}:v{event.version}",
        "correlationid": given.get("correlation_id") or data.get("order_id") or event.subject,
        "partitionkey": data.get("order_id", event.subject),
        "kind": event.kind(),
        "category": event.category,
        "tier": data.get("tier"),
        "channel": data.get("channel"),
        "data": data,
    }
    try:
        return Envelope(**attributes)
    except ValidationError as error:
        raise Malformed(first_error(error)) from None


def _newest(kind: str) -> type[Event]:
    known = sorted({event.kind() for event in catalogue()})
    if kind not in known:
        raise Malformed(f"kind: {kind!r} is none of {', '.join(known)}")
    return newest(kind)
