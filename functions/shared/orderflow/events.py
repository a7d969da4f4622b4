"""The catalogue: one model per event and version. Events are facts in the past tense, immutable and self-contained
but for personal data: they carry the customer's id, never a name, an address or a number.

Money is integer minor units (cents) with an ISO 4217 currency; times are RFC 3339 UTC; quantities are positive
integers."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orderflow.envelope import PREFIX, Envelope, Malformed, first_error

Id = Annotated[str, Field(min_length=1, max_length=200)]
Sku = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9._-]{0,63}$")]
Quantity = Annotated[int, Field(ge=1, le=1_000_000)]
Minor = Annotated[int, Field(ge=0, le=10_000_000_000_000_000)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Reason = Annotated[str, Field(min_length=1, max_length=300)]
Tier = Literal["standard", "elevated", "high"]
Channel = Literal["email", "sms", "push"]
Category = Literal["order", "answer", "stock", "message"]

CATALOGUE: dict[tuple[str, int], type[Event]] = {}
"""Every event by (kind, version)."""
_BY_TYPE: dict[str, type[Event]] = {}
"""Every event by its CloudEvents type."""


class UnknownEvent(Malformed):
    """No event of that type or version is known here; a newer deployment may know it."""


class Event(BaseModel):
    """Base of all events. ``kind`` is the class's name; fields added later need a default, so unknown ones are
    ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: ClassVar[int] = 1
    category: ClassVar[str]
    subject_field: ClassVar[str] = "order_id"

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if "category" in cls.__dict__:
            CATALOGUE[cls.kind(), cls.version] = cls
            _BY_TYPE[cls.type_name()] = cls

    @classmethod
    @cache
    def kind(cls) -> str:
        """The name that filters and people use, the same for all versions."""
        return cls.__name__

    @classmethod
    @cache
    def type_name(cls) -> str:
        """The CloudEvents ``type``."""
        return f"{PREFIX}{cls.kind()}.v{cls.version}"

    @property
    def subject(self) -> str:
        """The id of what the event is about."""
        value: str = getattr(self, self.subject_field)
        return value


def read(envelope: Envelope) -> Event:
    """The typed event of an envelope. Raises `UnknownEvent`, or `Malformed` where its data break the model."""
    model = _BY_TYPE.get(envelope.type)
    if model is None:
        raise UnknownEvent(f"type: {envelope.type[:200]} is not in the catalogue")
    try:
        event = model.model_validate(envelope.data)
    except ValidationError as error:
        raise Malformed(f"data.{first_error(error)}") from None
    if (envelope.kind, envelope.category, envelope.subject) != (model.kind(), model.category, event.subject):
        raise Malformed("kind, category and subject: they must be what type and data say")
    return event


class Line(BaseModel):
    """One line of an order: ``unit_price`` in minor units of the order's currency."""

    model_config = ConfigDict(frozen=True)

    sku: Sku
    quantity: Quantity
    unit_price: Minor


class Units(BaseModel):
    """Units of one SKU."""

    model_config = ConfigDict(frozen=True)

    sku: Sku
    quantity: Quantity


class Shortage(BaseModel):
    """A SKU that cannot cover an order."""

    model_config = ConfigDict(frozen=True)

    sku: Sku
    requested: Quantity
    available: Minor


class OrderPlaced(Event):
    """A customer ordered; nothing is promised yet. ``payment_token`` is the gateway's reference to a payment method."""

    category: ClassVar[str] = "order"
    order_id: Id
    customer_id: Id
    lines: Annotated[tuple[Line, ...], Field(min_length=1)]
    total: Minor
    currency: Currency
    payment_token: Id
    tier: Tier
    placed_at: Id


class OrderConfirmed(Event):
    """The order will be shipped: stock is reserved and the payment was taken."""

    category: ClassVar[str] = "order"
    order_id: Id
    customer_id: Id
    total: Minor
    currency: Currency
    tier: Tier
    placed_at: Id


class OrderCancelled(Event):
    """The order will not be shipped; whatever was done for it is undone. ``reason`` starts with a short code."""

    category: ClassVar[str] = "order"
    order_id: Id
    customer_id: Id
    reason: Reason
    total: Minor
    currency: Currency


class InventoryReserved(Event):
    """Every line of the order is held in stock."""

    category: ClassVar[str] = "answer"
    order_id: Id
    customer_id: Id
    lines: tuple[Units, ...]


class OutOfStock(Event):
    """No line of the order is held: stock cannot cover it."""

    category: ClassVar[str] = "answer"
    order_id: Id
    missing: tuple[Shortage, ...]


class InventoryReleased(Event):
    """No stock is held for the order any more; ``lines`` were given back (none where none was held)."""

    category: ClassVar[str] = "answer"
    order_id: Id
    lines: tuple[Units, ...]


class StockReplenished(Event):
    """Stock arrived, one row of a stock file."""

    category: ClassVar[str] = "stock"
    subject_field: ClassVar[str] = "sku"
    sku: Sku
    quantity: Quantity
    row_id: Id


class PaymentCompleted(Event):
    """The money was taken."""

    category: ClassVar[str] = "answer"
    order_id: Id
    customer_id: Id
    charge_id: Id
    amount: Minor
    currency: Currency


class PaymentFailed(Event):
    """The gateway refused the payment; no money was taken."""

    category: ClassVar[str] = "answer"
    order_id: Id
    customer_id: Id
    reason: Reason


class PaymentRefunded(Event):
    """The money that was taken was given back."""

    category: ClassVar[str] = "answer"
    order_id: Id
    customer_id: Id
    refund_id: Id
    amount: Minor
    currency: Currency


class PaymentVoided(Event):
    """A cancelled order has no charge and never will."""

    category: ClassVar[str] = "answer"
    order_id: Id


class FraudSuspected(Event):
    """Screening advises against the order."""

    category: ClassVar[str] = "answer"
    order_id: Id
    reasons: tuple[Reason, ...]


class FraudCleared(Event):
    """Screening found nothing against the order."""

    category: ClassVar[str] = "answer"
    order_id: Id


class ShipmentCreated(Event):
    """The carrier took the order."""

    category: ClassVar[str] = "answer"
    order_id: Id
    customer_id: Id
    tracking: Id
    placed_at: Id


class ShipmentRefused(Event):
    """The carrier will never take the order."""

    category: ClassVar[str] = "answer"
    order_id: Id
    reason: Reason


class NotificationRequested(Event):
    """A message is due to a customer on one channel; the channel's service looks up the address."""

    category: ClassVar[str] = "message"
    subject_field: ClassVar[str] = "notification_id"
    notification_id: Id
    order_id: Id
    customer_id: Id
    channel: Channel
    template: Id
    values: dict[str, str]
