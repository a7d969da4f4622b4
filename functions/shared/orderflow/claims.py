"""The claim check: data too large for a broker wait in the object store, and their event travels with a reference.

The reference is CloudEvents' ``dataref`` (github.com/cloudevents/spec, cloudevents/extensions/dataref.md), relative to
the archive bucket; ``datasha256`` is the SHA-256 of what is there, in hexadecimal. An object is named by its content:
storing it twice is harmless, and no event can lead to another's data. It lies beside the archived events and is kept
as long as they are, which is longer than any queue or dead-letter queue keeps a message, and enough for a replay."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from orderflow import envelope as plain
from orderflow.envelope import Envelope, Malformed, canonical
from orderflow.ports import Objects, Publisher, Unavailable
from orderflow.steps import ReadArchive, Steps

PREFIX = "claims/"
MOST_BYTES = 64 * 1024
"""An event larger than this, in canonical form, leaves its data behind. The narrowest broker is Service Bus Standard:
256 KB a message, of which up to 64 KB may be properties, such as a dead letter's reason
(learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas). So 192 KB are left for the body; and where JSON is
written in ASCII, as Event Grid's SDK does, two bytes of UTF-8 become six. SNS takes 256 KB
(docs.aws.amazon.com/sns/latest/api/API_Publish.html), Event Grid 1 MB
(learn.microsoft.com/azure/event-grid/quotas-limits), Pub/Sub 10 MB (cloud.google.com/pubsub/quotas)."""


class MissingClaim(Exception):
    """The data of an event are not where it says."""


class BadClaim(Malformed):
    """An event leads to something that is not its data."""


class Claim(Envelope):
    """An event whose data stayed behind: it has a ``dataref`` in place of ``data``."""

    __slots__ = ()


class ClaimingPublisher:
    """A `Publisher` that keeps back what is too large for the broker: more than ``most_bytes``. Where data cannot be
    stored, their event is not published."""

    def __init__(self, publisher: Publisher, archive: Objects, most_bytes: int = MOST_BYTES) -> None:
        self._publisher = publisher
        self._archive = archive
        self._most_bytes = most_bytes

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        answers: list[Exception | None] = [None] * len(envelopes)
        travelling: dict[int, Envelope] = {}
        for number, envelope in enumerate(envelopes):
            try:
                travelling[number] = self._made_small(envelope)
            except Unavailable as error:
                answers[number] = error
        answered = self._publisher.publish(list(travelling.values()))
        for number, answer in zip(travelling, answered, strict=True):
            answers[number] = answer
        return answers

    def _made_small(self, envelope: Envelope) -> Envelope:
        if len(envelope.to_bytes()) <= self._most_bytes:
            return envelope
        attributes = dict(envelope.to_dict())
        data = canonical(attributes.pop("data"))
        sha256 = hashlib.sha256(data).hexdigest()
        self._archive.put(_name(sha256), data)
        return Claim.trusted({**attributes, "dataref": _name(sha256), "datasha256": sha256})


def decode(body: bytes) -> Envelope:
    """Read a structured CloudEvent; a `Claim` where it has a ``dataref`` and no data. Raises `Malformed`."""
    try:
        return plain.decode(body)
    except Malformed:
        content = _content(body)
        if "dataref" not in content or "data" in content:
            raise
    try:
        attributes = dict(plain.decode(canonical({**content, "data": {}})).to_dict())
    except orjson.JSONEncodeError as error:  # It reads what is nested deeper than it writes.
        raise Malformed(f"body: {error}") from None
    del attributes["data"]
    return Claim.trusted(attributes)


def redeem(envelope: Envelope) -> Steps[Envelope]:
    """The event with its data, as it was before it was published. Raises `MissingClaim`, `BadClaim`, `Unavailable`."""
    if not isinstance(envelope, Claim):
        return envelope
    attributes = dict(envelope.to_dict())
    dataref, sha256 = str(attributes.pop("dataref", "")), str(attributes.pop("datasha256", ""))
    if len(sha256) != 64 or dataref != _name(sha256):
        # Whoever publishes an event must not choose what is read.
        raise BadClaim("dataref: it must be claims/<datasha256>.json")
    found: bytes | None = yield ReadArchive(dataref)
    if found is None:
        raise MissingClaim(f"the event's data are not in the archive bucket at {dataref}")
    if hashlib.sha256(found).hexdigest() != sha256:
        raise BadClaim(f"datasha256: what is at {dataref} is not what was published")
    return Envelope.trusted({**attributes, "data": _content(found)})


def _name(sha256: str) -> str:
    return f"{PREFIX}{sha256}.json"


def _content(text: bytes) -> dict[str, Any]:
    """The JSON object in a text; an empty one where there is none."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
