"""The catalogue: one model per event and version. The core workflow's are here; a service that is added declares its
own beside itself, and the services that hear them import them from there. Events are facts in the past tense,
immutable and self-contained but for personal data: they carry the customer's id, never a name, an address or a number.

Money is integer minor units (cents) with an ISO 4217 currency; times are RFC 3339 UTC; quantities are positive
integers.

The newest version of an event has the plain name, ``OrderPlaced``; an older one carries its number, ``OrderPlacedV1``,
and stays as long as events of it may come. `read` makes the newest of any, so that services know no other."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orderflow.envelope import PREFIX, Envelope, Malformed, first_error

Id = Annotated[str, Field(min_length=1, max_length=200)]
OrderId = Annotated[Id, Field(description="The order.")]
CustomerId = Annotated[Id, Field(description="The customer; who that is only the customer's document says.")]
PlacedAt = Annotated[Id, Field(description="When the order was placed: RFC 3339, UTC.")]
Sku = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9._-]{0,63}$", description="The stock-keeping unit.")]
Quantity = Annotated[int, Field(ge=1, le=1_000_000, description="Units of it.")]
Minor = Annotated[int, Field(ge=0, le=10_000_000_000_000_000)]
Total = Annotated[Minor, Field(description="What the order costs, in minor units of its currency.")]
Amount = Annotated[Minor, Field(description="The money that moved, in minor units of its currency.")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")]
Reason = Annotated[str, Field(min_length=1, max_length=300, description="Why, for people.")]
Tier = Literal["standard", "elevated", "high"]
OfTier = Annotated[Tier, Field(description="The order's class of value, which filters see.")]
Channel = Literal["email", "sms", "push"]

CATALOGUE: dict[tuple[str, int], type[Event]] = {}
"""Every event that was imported, by (kind, version)."""
_BY_TYPE: dict[str, type[Event]] = {}
"""Every event by its CloudEvents type."""


class UnknownEvent(Malformed):
    """No event of that type or version is known here; a newer deployment may know it."""


class Event(BaseModel):
    """Base of all events. ``kind`` is the class's name; fields added later need a default, so unknown ones are
    ignored. What checks a model is built when it is first used: a function uses few of them."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    version: ClassVar[int] = 1
    category: ClassVar[str]
    subject_field: ClassVar[str] = "order_id"
    undoes: ClassVar[bool] = False
    """Whether a saga goes backwards by it: a timeline marks it."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if "category" in cls.__dict__:
            if cls.version > 1 and "upcast" not in cls.__dict__:
                raise TypeError(f"{cls.__name__}: version {cls.version} must say how it is made of the one before")
            CATALOGUE[cls.kind(), cls.version] = cls
            _BY_TYPE[cls.type_name()] = cls

    @classmethod
    @cache
    def kind(cls) -> str:
        """The name that filters and people use, the same for all versions."""
        return cls.__name__.removesuffix(f"V{cls.version}")

    @classmethod
    @cache
    def type_name(cls) -> str:
        """The CloudEvents ``type``."""
        return f"{PREFIX}{cls.kind()}.v{cls.version}"

    @classmethod
    def upcast(cls, older: Any) -> Self:
        """The event of this version that one of the version before is, with the same subject. Every version but the
        first has its own; what the older one does not say, it takes from what there is or says is unknown."""
        raise NotImplementedError

    @property
    def subject(self) -> str:
        """The id of what the event is about."""
        value: str = getattr(self, self.subject_field)
        return value


class FileArrived(Event):
    """Base of events that say that a file was dropped in a ``folder`` of the drop bucket. A service that hears a
    subclass is started by such files, and may read them (`orderflow.service.Fetch`). ``size`` is in bytes. The same
    content under the same name is one arrival."""

    subject_field: ClassVar[str] = "file"
    folder: ClassVar[str]
    file: Annotated[str, Field(min_length=1, max_length=200)]
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def read(envelope: Envelope) -> Event:
    """The typed event of an envelope, in its newest version. Raises `UnknownEvent`, or `Malformed` where its data break
    the model of the version that they are of."""
    model = _BY_TYPE.get(envelope.type)
    if model is None:
        raise UnknownEvent(f"type: {envelope.type[:200]} is not in the catalogue")
    try:
        event: Event = model.__pydantic_validator__.validate_python(envelope.data)
    except ValidationError as error:
        raise Malformed(f"data.{first_error(error)}") from None
    if (envelope.kind, envelope.category, envelope.subject) != (model.kind(), model.category, event.subject):
        raise Malformed("kind, category and subject: they must be what type and data say")
    while (newer := CATALOGUE.get((event.kind(), event.version + 1))) is not None:
        event = newer.upcast(event)
    return event


def newest(kind: str) -> type[Event]:
    """The newest version of an event. Raises `KeyError` for a kind that there is not."""
    versions = [version for known, version in CATALOGUE if known == kind]
    return CATALOGUE[kind, max(versions, default=0)]


class Line(BaseModel):
    """One line of an order: ``unit_price`` in minor units of the order's currency."""

    model_config = ConfigDict(frozen=True)

    sku: Sku
    quantity: Quantity
    unit_price: Annotated[Minor, Field(description="The price of one unit, in minor units of the order's currency.")]


class Units(BaseModel):
    """Units of one SKU."""

    model_config = ConfigDict(frozen=True)

    sku: Sku
    quantity: Quantity


class Shortage(BaseModel):
    """A SKU that cannot cover an order."""

    model_config = ConfigDict(frozen=True)

    sku: Sku
    requested: Annotated[Quantity, Field(description="Units that the order wants.")]
    available: Annotated[Minor, Field(description="Units that there are.")]


class OrderPlaced(Event):
    """A customer ordered; nothing is promised yet. ``payment_token`` is the gateway's reference to a payment method."""

    category: ClassVar[str] = "order"
    order_id: OrderId
    customer_id: CustomerId
    lines: Annotated[tuple[Line, ...], Field(min_length=1, description="What was ordered.")]
    total: Total
    currency: Currency
    payment_token: Annotated[Id, Field(description="The gateway's reference to a payment method.")]
    tier: OfTier
    placed_at: PlacedAt


class OrderConfirmed(Event):
    """The order will be shipped: stock is reserved and the payment was taken."""

    category: ClassVar[str] = "order"
    order_id: OrderId
    customer_id: CustomerId
    total: Total
    currency: Currency
    tier: OfTier
    placed_at: PlacedAt


class OrderCancelled(Event):
    """The order will not be shipped; whatever was done for it is undone. ``reason`` starts with a short code."""

    category: ClassVar[str] = "order"
    undoes: ClassVar[bool] = True
    order_id: OrderId
    customer_id: CustomerId
    reason: Reason
    total: Total
    currency: Currency


class InventoryReserved(Event):
    """Every line of the order is held in stock."""

    category: ClassVar[str] = "answer"
    order_id: OrderId
    customer_id: CustomerId
    lines: Annotated[tuple[Units, ...], Field(description="What is held.")]


class OutOfStock(Event):
    """No line of the order is held: stock cannot cover it."""

    category: ClassVar[str] = "answer"
    order_id: OrderId
    missing: Annotated[tuple[Shortage, ...], Field(description="What cannot be covered.")]


class InventoryReleased(Event):
    """No stock is held for the order any more; ``lines`` were given back (none where none was held)."""

    category: ClassVar[str] = "answer"
    undoes: ClassVar[bool] = True
    order_id: OrderId
    lines: Annotated[tuple[Units, ...], Field(description="What was given back.")]


class StockReplenished(Event):
    """Stock arrived, one row of a stock file."""

    category: ClassVar[str] = "stock"
    subject_field: ClassVar[str] = "sku"
    sku: Sku
    quantity: Quantity
    row_id: Annotated[Id, Field(description="The row of the stock file, so that it counts once.")]


class PaymentCompleted(Event):
    """The money was taken."""

    category: ClassVar[str] = "answer"
    order_id: OrderId
    customer_id: CustomerId
    charge_id: Annotated[Id, Field(description="The gateway's name of the charge.")]
    amount: Amount
    currency: Currency


class PaymentFailed(Event):
    """The gateway refused the payment; no money was taken."""

    category: ClassVar[str] = "answer"
    order_id: OrderId
    customer_id: CustomerId
    reason: Reason


class PaymentRefunded(Event):
    """The money that was taken was given back."""

    category: ClassVar[str] = "answer"
    undoes: ClassVar[bool] = True
    order_id: OrderId
    customer_id: CustomerId
    refund_id: Annotated[Id, Field(description="The gateway's name of the refund.")]
    amount: Amount
    currency: Currency
    announced: Annotated[
        bool,
        Field(
            description="Whether PaymentCompleted told of the payment before. It did not where the order was cancelled "
            "before the gateway had answered the charge."
        ),
    ] = True


class PaymentVoided(Event):
    """A cancelled order has no charge and never will."""

    category: ClassVar[str] = "answer"
    undoes: ClassVar[bool] = True
    order_id: OrderId


class FraudSuspected(Event):
    """Screening advises against the order."""

    category: ClassVar[str] = "answer"
    order_id: OrderId
    reasons: Annotated[tuple[Reason, ...], Field(description="Which rules spoke against it: total, quantity.")]


class FraudCleared(Event):
    """Screening found nothing against the order."""

    category: ClassVar[str] = "answer"
    order_id: OrderId


class ShipmentCreated(Event):
    """The carrier took the order."""

    category: ClassVar[str] = "answer"
    order_id: OrderId
    customer_id: CustomerId
    tracking: Annotated[Id, Field(description="The carrier's number of the parcel.")]
    placed_at: PlacedAt


class ShipmentRefused(Event):
    """The carrier will never take the order."""

    category: ClassVar[str] = "answer"
    order_id: OrderId
    reason: Reason


class NotificationRequested(Event):
    """A message is due to a customer on one channel; the channel's service looks up the address."""

    category: ClassVar[str] = "message"
    subject_field: ClassVar[str] = "notification_id"
    notification_id: Annotated[Id, Field(description="The message, once per order, template and channel.")]
    order_id: OrderId
    customer_id: CustomerId
    channel: Annotated[Channel, Field(description="How it is sent, which filters see.")]
    template: Annotated[Id, Field(description="Which text: confirmation, receipt, refund, shipped, cancelled.")]
    values: Annotated[dict[str, str], Field(description="What the text says of the order.")]


CORE = tuple(CATALOGUE.values())
"""The core workflow's events."""
