"""What a customer is worth: the highest tier of their confirmed orders. It hears an event of the core workflow, and
nothing there was changed for it."""

from __future__ import annotations

from orderflow.events import OrderConfirmed, Tier
from orderflow.keys import safe_key
from orderflow.service import Commit, Context, Decision, Service
from orderflow.state import State

RANKS: tuple[Tier, ...] = ("standard", "elevated", "high")


class Customer(State):
    """One customer's tier."""

    tier: Tier = "standard"


def key(event: OrderConfirmed, _time: str) -> str:
    """Tiers are kept by customer."""
    return safe_key(event.customer_id)


def decide(customer: Customer | None, event: OrderConfirmed, _context: Context) -> Decision[Customer]:
    """Remember the highest."""
    known = customer.tier if customer else "standard"
    return Commit(Customer(tier=max(known, event.tier, key=RANKS.index)))


SERVICE = Service(
    name="tiers",
    hears=(OrderConfirmed,),
    emits=(),
    filter={"kind": ("OrderConfirmed",), "tier": ("elevated", "high")},
    collection="tiers",
    state=Customer,
    key=key,
    decide=decide,
)
