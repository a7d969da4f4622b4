"""What the channel services e-mail, SMS and push have in common: look up the contact, send once, remember it.

The right to send is committed as an intent with a lease, so that of two concurrent deliveries one sends. Only a crash
in the instant between the provider's answer and its record can send twice; a provider that knows idempotency keys
closes that too."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from orderflow.events import Channel, NotificationRequested
from orderflow.keys import safe_key
from orderflow.service import (
    UNHURRIED,
    Answer,
    Call,
    Commit,
    Context,
    Decision,
    Fail,
    Intend,
    Look,
    Outcome,
    Seen,
    Service,
    Unanswered,
    Wait,
)
from orderflow.state import State

CUSTOMERS = "customers"

_TEXTS = {
    "confirmation": ("Your order is confirmed", "Hello {name}, your order {order} over {amount} is confirmed."),
    "receipt": ("Your receipt", "Hello {name}, we received {amount} for your order {order}."),
    "refund": ("Your refund", "Hello {name}, we returned {amount} for your order {order}."),
    "shipped": ("Your order is on its way", "Hello {name}, your order {order} was shipped: {tracking}."),
    "cancelled": ("Your order was cancelled", "Hello {name}, your order {order} was cancelled: {reason}."),
}


class Message(State):
    """One message on one channel. ``lease_until`` (seconds since the epoch) bounds the sole right to send it."""

    status: Literal["sending", "sent", "undeliverable"] = "sending"
    template: str
    order_id: str
    lease_until: float = 0.0
    note: str = ""


def key(event: NotificationRequested, _time: str) -> str:
    """Messages are kept by notification."""
    return safe_key(event.notification_id)


def decide(message: Message | None, event: NotificationRequested, context: Context) -> Decision[Message]:
    """Take the lease and look up the contact, unless the message was sent or is being sent."""
    message = message or Message(template=event.template, order_id=event.order_id)
    if message.status != "sending":
        return Commit(message)
    if message.lease_until > context.now:
        return Wait("another delivery is sending it", message.lease_until - context.now)
    leased = message.model_copy(update={"lease_until": context.now + context.settings.send_lease})
    return Intend(leased, Look(((CUSTOMERS, safe_key(event.customer_id)),)))


def resume(
    channel: Channel, message: Message, event: NotificationRequested, outcome: Outcome, _context: Context
) -> Decision[Message]:
    """Send to the contact; note the answer, or give the lease back where there was none."""
    match outcome:
        case Seen(states=(customer,)):
            if customer is None or not customer.get(channel):
                return Commit(message.model_copy(update={"status": "undeliverable", "note": "no contact"}))
            return Intend(message, _send(channel, event, customer))
        case Unanswered():
            return Fail(outcome.error, message.model_copy(update={"lease_until": 0.0}))
        case Answer() if outcome.value["status"] == "sent":
            return Commit(message.model_copy(update={"status": "sent", "note": outcome.value["message_id"]}))
        case Answer():
            return Commit(message.model_copy(update={"status": "undeliverable", "note": outcome.value["reason"]}))
    return Fail(f"{message.status} cannot go on after {type(outcome).__name__}")


def _send(channel: Channel, event: NotificationRequested, customer: dict[str, Any]) -> Call:
    subject, text = _TEXTS[event.template]
    values = {"name": customer["name"], **event.values}
    arguments = {
        "key": event.notification_id,
        "to": customer[channel],
        "subject": subject,
        "text": text.format_map(values),
    }
    return Call(channel, "send", arguments)


def channel_service(channel: Channel) -> Service[Message]:
    """The declaration of one channel's service."""
    return Service(
        name=channel,
        hears=(NotificationRequested,),
        emits=(),
        filter={"kind": ("NotificationRequested",), "channel": (channel,)},
        collection=channel,
        state=Message,
        key=key,
        unread=(NotificationRequested,),
        decide=decide,
        resume=partial(resume, channel),
        reads=(CUSTOMERS,),
        uses=(channel,),
        limits=UNHURRIED,
    )
