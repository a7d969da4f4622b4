"""Notification: hears every order event, decides by rule which messages are due on which channels, and asks for each.

The rules are a table. Orders above the elevated tier's threshold get an SMS as well.
"""

from __future__ import annotations

from typing import Any

from orderflow.envelope import derived_id
from orderflow.events import (
    Channel,
    Event,
    FraudCleared,
    FraudSuspected,
    InventoryReleased,
    InventoryReserved,
    NotificationRequested,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OutOfStock,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
    ShipmentCreated,
    ShipmentRefused,
)
from orderflow.keys import safe_key
from orderflow.service import UNHURRIED, Commit, Context, Decision, Ignore, Service
from orderflow.state import State


class Conversation(State):
    """What was said to a customer about one order: template and channel, oldest first."""

    order_id: str
    said: tuple[tuple[str, str], ...] = ()


_TEMPLATES: dict[type[Event], tuple[str, tuple[Channel, ...]]] = {
    OrderConfirmed: ("confirmation", ("email",)),
    PaymentCompleted: ("receipt", ("email",)),
    PaymentRefunded: ("refund", ("email",)),
    ShipmentCreated: ("shipped", ("email", "push")),
    OrderCancelled: ("cancelled", ("email", "push")),
}
_HIGH_VALUE = ("confirmation", "cancelled")
_MINOR_DIGITS = (
    dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX"), 0)
    | dict.fromkeys(("UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0)
    | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
)
"""Digits after the point, of the currencies that do not have two (ISO 4217)."""


def key(event: Event, _time: str) -> str:
    """Conversations are kept by order."""
    return safe_key(event.order_id)  # type: ignore[attr-defined]  # every event that notification hears has it


def decide(conversation: Conversation | None, event: Any, context: Context) -> Decision[Conversation]:
    """Ask for the messages that the rules give for an event; most events have none."""
    if type(event) not in _TEMPLATES:
        return Ignore()
    template, channels = _TEMPLATES[type(event)]
    if template in _HIGH_VALUE and event.total > context.settings.elevated_from:
        channels = (*channels, "sms")
    conversation = conversation or Conversation(order_id=event.order_id)
    said = tuple((template, channel) for channel in channels)
    return Commit(
        conversation.model_copy(update={"said": (*conversation.said, *said)}),
        tuple(_request(event, template, channel) for channel in channels),
    )


def _request(event: Any, template: str, channel: Channel) -> NotificationRequested:
    return NotificationRequested(
        notification_id=derived_id(event.order_id, template, channel),
        order_id=event.order_id,
        customer_id=event.customer_id,
        channel=channel,
        template=template,
        values=_values(event),
    )


def _values(event: Any) -> dict[str, str]:
    values = {"order": event.order_id}
    for name in ("reason", "tracking"):
        if hasattr(event, name):
            values[name] = getattr(event, name)
    amount = getattr(event, "total", getattr(event, "amount", None))
    if amount is not None:
        values["amount"] = _money(amount, event.currency)
    return values


def _money(amount: int, currency: str) -> str:
    digits = _MINOR_DIGITS.get(currency, 2)
    whole, part = divmod(amount, 10**digits)
    return f"{whole}.{part:0{digits}} {currency}" if digits else f"{whole} {currency}"


_HEARS: tuple[type[Event], ...] = (
    OrderPlaced,
    OrderConfirmed,
    OrderCancelled,
    InventoryReserved,
    OutOfStock,
    InventoryReleased,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
    FraudSuspected,
    FraudCleared,
    ShipmentCreated,
    ShipmentRefused,
)

SERVICE = Service(
    name="notification",
    hears=_HEARS,
    emits=(NotificationRequested,),
    filter={"category": ("order", "answer")},
    collection="conversations",
    state=Conversation,
    key=key,
    # The payment is the first that there is a message for; the others without one change nothing.
    unread=(PaymentCompleted, *(event for event in _HEARS if event not in _TEMPLATES)),
    decide=decide,
    limits=UNHURRIED,
)
