"""Enrichment: a ticket or a call becomes a case with the customer's tier. The tier travels as an attribute, so that
others can filter on it."""

from __future__ import annotations

from typing import ClassVar, Literal

from orderflow.events import Event, Id, Tier
from orderflow.keys import safe_key
from orderflow.service import Commit, Context, Decision, Fail, Intend, Look, Outcome, Seen, Service
from orderflow.state import State

TIERS = "tiers"
Topic = Literal["delivery", "payment", "other"]


class TicketCreated(Event):
    """A customer wrote."""

    category: ClassVar[str] = "support"
    subject_field: ClassVar[str] = "case_id"
    case_id: Id
    customer_id: Id
    topic: Topic


class CallCompleted(Event):
    """A customer called, for so many seconds, and what it was about was not settled."""

    category: ClassVar[str] = "support"
    subject_field: ClassVar[str] = "case_id"
    case_id: Id
    customer_id: Id
    topic: Topic
    seconds: int


class CaseEnriched(Event):
    """A case has all that its routing asks for."""

    category: ClassVar[str] = "support"
    subject_field: ClassVar[str] = "case_id"
    case_id: Id
    customer_id: Id
    topic: Topic
    tier: Tier
    by_phone: bool


class Case(State):
    """What is known of one case."""

    tier: Tier | None = None


def key(event: TicketCreated | CallCompleted, _time: str) -> str:
    """Cases are kept by case."""
    return safe_key(event.case_id)


def decide(case: Case | None, event: TicketCreated | CallCompleted, _context: Context) -> Decision[Case]:
    """Look the customer up, once for each ticket and each call."""
    return Intend(case or Case(), Look(((TIERS, safe_key(event.customer_id)),)))


def resume(_case: Case, event: TicketCreated | CallCompleted, outcome: Outcome, _context: Context) -> Decision[Case]:
    """Say it with the tier; who never ordered much has the lowest."""
    match outcome:
        case Seen(states=(customer,)):
            tier: Tier = customer["tier"] if customer else "standard"
            enriched = CaseEnriched(
                case_id=event.case_id,
                customer_id=event.customer_id,
                topic=event.topic,
                tier=tier,
                by_phone=isinstance(event, CallCompleted),
            )
            return Commit(Case(tier=tier), (enriched,))
    return Fail(f"it cannot go on after {type(outcome).__name__}")


SERVICE = Service(
    name="enrichment",
    hears=(TicketCreated, CallCompleted),
    emits=(CaseEnriched,),
    collection="cases",
    state=Case,
    key=key,
    decide=decide,
    resume=resume,
    reads=(TIERS,),
)
