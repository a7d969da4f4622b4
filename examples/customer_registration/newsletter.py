"""The newsletter: subscribes who asked for it when registering."""

from __future__ import annotations

from typing import ClassVar

from customer_registration._events import CustomerRegistered
from orderflow.events import Event, Id
from orderflow.keys import safe_key
from orderflow.service import Commit, Context, Decision, Ignore, Service
from orderflow.state import State


class NewsletterSubscribed(Event):
    """A customer gets the newsletter from now on."""

    category: ClassVar[str] = "registration"
    subject_field: ClassVar[str] = "customer_id"
    customer_id: Id


class Subscription(State):
    """One customer's subscription."""

    customer_id: str
    since: str


def key(event: CustomerRegistered, _time: str) -> str:
    """Subscriptions are kept by customer."""
    return safe_key(event.customer_id)


def decide(subscription: Subscription | None, event: CustomerRegistered, context: Context) -> Decision[Subscription]:
    """Subscribe, once."""
    if not event.newsletter:
        return Ignore()
    if subscription is not None:
        return Commit(subscription)
    subscribed = Subscription(customer_id=event.customer_id, since=context.event_time)
    return Commit(subscribed, (NewsletterSubscribed(customer_id=event.customer_id),))


SERVICE = Service(
    name="newsletter",
    hears=(CustomerRegistered,),
    emits=(NewsletterSubscribed,),
    collection="subscriptions",
    state=Subscription,
    key=key,
    unread=(CustomerRegistered,),
    decide=decide,
)
