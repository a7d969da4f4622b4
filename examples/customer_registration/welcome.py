"""The welcome e-mail: looks up the address, sends once, remembers it.

The right to send is committed with a lease before the provider is called, so that of two deliveries at the same time
one sends; a crash between the provider's answer and its record is closed by the key, where the provider knows keys."""

from __future__ import annotations

from typing import Any, Literal

from customer_registration._events import CustomerRegistered
from orderflow.keys import safe_key
from orderflow.service import (
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


class Welcome(State):
    """One customer's welcome. ``lease_until`` (seconds since the epoch) bounds the sole right to send it."""

    status: Literal["sending", "sent", "undeliverable"] = "sending"
    lease_until: float = 0.0
    note: str = ""


def key(event: CustomerRegistered, _time: str) -> str:
    """Welcomes are kept by customer."""
    return safe_key(event.customer_id)


def decide(welcome: Welcome | None, event: CustomerRegistered, context: Context) -> Decision[Welcome]:
    """Take the lease and look up the address, unless it was sent or is being sent."""
    welcome = welcome or Welcome()
    if welcome.status != "sending":
        return Commit(welcome)
    if welcome.lease_until > context.now:
        return Wait("another delivery is sending it", welcome.lease_until - context.now)
    leased = welcome.model_copy(update={"lease_until": context.now + context.settings.send_lease})
    return Intend(leased, Look(((CUSTOMERS, safe_key(event.customer_id)),)))


def resume(welcome: Welcome, event: CustomerRegistered, outcome: Outcome, _context: Context) -> Decision[Welcome]:
    """Send to the address; note the answer, or give the lease back where there was none."""
    match outcome:
        case Seen(states=(customer,)):
            if customer is None or not customer.get("email"):
                return Commit(welcome.model_copy(update={"status": "undeliverable", "note": "no address"}))
            return Intend(welcome, _mail(event.customer_id, customer))
        case Unanswered():
            return Fail(outcome.error, welcome.model_copy(update={"lease_until": 0.0}))
        case Answer() if outcome.value["status"] == "sent":
            return Commit(welcome.model_copy(update={"status": "sent", "note": outcome.value["message_id"]}))
        case Answer():
            return Commit(welcome.model_copy(update={"status": "undeliverable", "note": outcome.value["reason"]}))
    return Fail(f"{welcome.status} cannot go on after {type(outcome).__name__}")


def _mail(customer_id: str, customer: dict[str, Any]) -> Call:
    arguments = {
        "key": f"{customer_id}.welcome",
        "to": customer["email"],
        "subject": "Welcome",
        "text": f"Hello {customer['name']}, good to have you here.",
    }
    return Call("email", "send", arguments)


SERVICE = Service(
    name="welcome",
    hears=(CustomerRegistered,),
    emits=(),
    collection="welcomes",
    state=Welcome,
    key=key,
    unread=(CustomerRegistered,),
    decide=decide,
    resume=resume,
    reads=(CUSTOMERS,),
    uses=("email",),
)
