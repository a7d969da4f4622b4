"""What a cloud must provide. The docstring of a port is its contract, and `tests/conformance` holds every adapter to
it.

Every adapter answers with the errors of this module only: `Conflict` where a condition did not hold (nothing was
written), `Unavailable` where the service could not be asked or its answer was lost (a write may have happened).
Adapters do not retry beyond what their SDK does by itself and add no behaviour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from orderflow.envelope import Envelope

if TYPE_CHECKING:
    from orderflow.signatures import Signatures

Document = dict[str, Any]
"""A JSON object. Three top-level fields mean something to a store, all optional:

``rev``         int, changed by every write, so that no write leaves a document as it was (Firestore keeps the update
                time of a write that changes nothing).
``index``       ``{index name: [partition, sort]}``, the index entries under which `Store.query` finds the document.
``expires_at``  int, seconds since the epoch after which the store may delete the document, at any time or never.
"""


class Conflict(Exception):
    """The document is not at the version that was named, or exists already. Nothing was written."""


class Unavailable(Exception):
    """A service of the cloud or an external one gave no answer. A write or a call may or may not have happened."""


@dataclass(slots=True)
class Stored:
    """A document as it was read, with the version that `Store.replace` compares."""

    document: Document
    version: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a query's documents, in order, as (key, stored) pairs; ``cursor`` asks for the next ones, None is the
    end."""

    items: tuple[tuple[str, Stored], ...]
    cursor: str | None


class Store(Protocol):
    """Documents by collection and key, written by compare-and-set only.

    Keys, index partitions and sort values are made of ``A-Z a-z 0-9 . _ = -`` and at most 250 characters
    (`orderflow.keys.safe_key` makes them); collections are short lower-case names. A document is at most
    256 KiB of JSON.
    """

    def get(self, collection: str, key: str) -> Stored | None:
        """Read one document, strongly consistent: it shows every write that was answered before."""

    def insert(self, collection: str, key: str, document: Document) -> Stored:
        """Write a document that must not exist. Raises `Conflict` if it does."""

    def replace(self, collection: str, key: str, document: Document, previous: Stored) -> Stored:
        """Write over ``previous``, which must still be what is stored. Raises `Conflict` if it is not, or is gone."""

    def delete(self, collection: str, key: str, previous: Stored) -> None:
        """Delete ``previous``. Raises `Conflict` if something else is stored by now, or nothing."""

    def query(
        self,
        collection: str,
        index: str,
        partition: str,
        *,
        through: str | None = None,
        descending: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """List the documents of one index partition by their sort value, ``limit`` at most.

        ``through`` ends the list after the last sort value that is not greater. The index may lag behind the
        documents by seconds, but every document is shown as it is stored now, and only where its own ``index`` field
        still has that entry. Raises `ValueError` for a ``cursor`` that is none.
        """

    def scan(self, collection: str) -> Iterator[tuple[str, Stored]]:
        """Every document of a collection with its key, in no order, fetched in pages. For tools, not for functions:
        it costs as much as the collection is large."""


class Publisher(Protocol):
    """The topic that every event is published to."""

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        """Publish all, in as few calls as the broker allows; answer for each None or why it was not accepted.

        The body is `Envelope.to_bytes`, or the same CloudEvent as the SDK writes it; `Envelope.attributes` travel as
        the broker's message attributes, so that subscriptions can filter on them. None means that the broker has it.
        """


@dataclass(slots=True)
class Delivery:
    """One handing-over of a message by a broker.

    ``transport_id`` is for log lines only: a redrive or a re-enqueue changes it. ``receives`` is how often the broker
    says it handed the message over (1 or more; 1 where it does not count). ``group`` is equal for the messages that
    the broker keeps in order, empty where it does not.
    """

    body: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)
    transport_id: str = ""
    receives: int = 1
    group: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that a service gave up on: the original unchanged, and why.

    ``reason`` is a short code such as ``malformed`` or ``attempts-exhausted``; ``detail`` is for people (at most 1,000
    characters); times are RFC 3339 UTC. ``letter_id`` is an adapter's handle for `DeadLetterBox.remove`, empty before
    the letter was read from the queue.
    """

    service: str
    body: bytes
    attributes: Mapping[str, str]
    reason: str
    detail: str
    attempts: int
    first_at: str
    last_at: str
    event_id: str = ""
    letter_id: str = ""


class DeadLetterBox(Protocol):
    """The dead-letter queues, one per service, of our own on every cloud beside the broker's native dead-lettering."""

    def send(self, letter: DeadLetter) -> None:
        """Put a letter into its service's dead-letter queue; return when the broker has it. Raises `Unavailable`."""

    def browse(self, service: str, limit: int = 100) -> list[DeadLetter]:
        """Show letters of one service without taking them, those that the broker itself dead-lettered included
        (reason ``broker``: it knows no better). For tools, not for functions."""

    def remove(self, letter: DeadLetter) -> None:
        """Delete a letter that `browse` has shown."""

    def resend(self, letter: DeadLetter) -> None:
        """Hand the original message of a letter to its service's queue again (not to the topic: nobody else hears
        it)."""


class Objects(Protocol):
    """One bucket or container of an object store."""

    def put(self, name: str, data: bytes) -> None:
        """Write an object, over one of the same name. Raises `Unavailable`."""

    def get(self, name: str) -> bytes:
        """Read an object. Raises `KeyError` where there is none."""

    def names(self, prefix: str = "") -> list[str]:
        """All object names with a prefix, sorted."""


class Secrets(Protocol):
    """The cloud's secret store, read with the identity of the function itself. It is asked each time: who needs a value
    more than once keeps it (`orderflow.secret.Secret`)."""

    def read(self, name: str) -> str:
        """The newest value of the secret of this short name. Raises `Unavailable` where there is none, where it may not
        be read or where the store gives no answer; the message never holds a value."""


class Clock(Protocol):
    """The time, so that a simulator can give its own."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""

    def sleep(self, seconds: float) -> None:
        """Let time pass: fractions of a second between two tries of a compare-and-set."""


class Gateway(Protocol):
    """A payment provider. Every call carries an idempotency key: the same key again gives the first call's answer.

    Raises `Unavailable` where the outcome is unknown.
    """

    key_life_seconds: int
    """How long the provider remembers an idempotency key; past it a repeated call could charge twice."""

    def charge(self, *, key: str, order_id: str, amount: int, currency: str, token: str) -> dict[str, Any]:
        """Take money: ``{"status": "charged", "charge_id": ...}`` or ``{"status": "refused", "reason": ...}``."""

    def refund(self, *, key: str, charge_id: str, amount: int, currency: str) -> dict[str, Any]:
        """Give back a whole charge: ``{"status": "refunded", "refund_id": ...}``."""

    def lookup(self, *, order_id: str) -> dict[str, Any]:
        """Find out by order: as `refund` answers if its charge was given back, else as `charge` does, else
        ``{"status": "none"}``."""


class Carrier(Protocol):
    """A parcel carrier. Idempotent by key; raises `Unavailable` where the outcome is unknown."""

    def label(self, *, key: str, order_id: str, address: dict[str, Any], parcels: int) -> dict[str, Any]:
        """Order a shipment: ``{"status": "accepted", "tracking": ...}`` or ``{"status": "refused", "reason": ...}``.

        ``address`` is as customers save it, with the customer's ``name``."""


class Messenger(Protocol):
    """A channel to a customer: e-mail, SMS or push."""

    def send(self, *, key: str, to: str, subject: str, text: str) -> dict[str, Any]:
        """Send one message: ``{"status": "sent", "message_id": ...}`` or ``{"status": "refused", "reason": ...}``.

        Raises `Unavailable` where it may or may not have been sent. ``key`` goes to providers that know such keys."""


class Webhook(Protocol):
    """How the gateway tells by itself of what happened later."""

    def notice(self, *, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """What a request to the webhook says, its body as it came. ``{"status": "told", "fact": "refund-failed" |
        "dispute-opened", "order_id", "reference", "reason"}``: ``reference`` is the gateway's id of the refund or the
        dispute, ``reason`` a code. ``{"status": "ignored"}`` where it is no matter of ours, ``{"status": "refused",
        "reason"}`` where the gateway did not say it. Raises `Unavailable`."""


@dataclass(slots=True)
class Ports:
    """Everything a cloud's wiring hands to the shell. ``dependencies`` are the external systems by name (``gateway``,
    ``carrier``, ``email``, ``sms``, ``push``): each has its own circuit breaker. ``webhook`` is among them where the
    gateway tells things by itself."""

    store: Store
    publisher: Publisher
    dead_letters: DeadLetterBox
    archive: Objects
    drop: Objects
    clock: Clock
    dependencies: Mapping[str, Any]
    secrets: Secrets
    signatures: Signatures | None = None
    """There where events are signed."""
