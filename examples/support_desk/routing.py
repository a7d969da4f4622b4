"""Routing: the first word on a case sends it to a team; what comes later about the same case changes the priority only
upwards."""

from __future__ import annotations

from typing import ClassVar, Literal

from orderflow.events import Event, Id
from orderflow.keys import safe_key
from orderflow.service import Commit, Context, Decision, Service
from orderflow.state import State
from support_desk.enrichment import CaseEnriched

Priority = Literal["low", "normal", "urgent"]
RANKS: tuple[Priority, ...] = ("low", "normal", "urgent")


class CaseRouted(Event):
    """A team has a case, or has it with a higher priority than before."""

    category: ClassVar[str] = "support"
    subject_field: ClassVar[str] = "case_id"
    case_id: Id
    team: Id
    priority: Priority


class Route(State):
    """Who has a case."""

    case_id: str
    team: str
    priority: Priority


def key(event: CaseEnriched, _time: str) -> str:
    """Routes are kept by case."""
    return safe_key(event.case_id)


def index(route: Route) -> dict[str, list[str]]:
    """By team, the most urgent first."""
    rank = len(RANKS) - RANKS.index(route.priority)
    return {"team": [route.team, safe_key(f"{rank}.{route.case_id}")]}


def decide(route: Route | None, event: CaseEnriched, _context: Context) -> Decision[Route]:
    """Send it to its team, or raise its priority."""
    wanted = _priority(event)
    if route is not None and RANKS.index(wanted) <= RANKS.index(route.priority):
        return Commit(route)
    team = route.team if route else {"delivery": "logistics", "payment": "accounts"}.get(event.topic, "desk")
    routed = Route(case_id=event.case_id, team=team, priority=wanted)
    return Commit(routed, (CaseRouted(case_id=event.case_id, team=team, priority=wanted),))


def _priority(event: CaseEnriched) -> Priority:
    """Money and the best customers first; who had to call waits no longer than who wrote."""
    if event.tier == "high" or (event.topic == "payment" and event.tier == "elevated"):
        return "urgent"
    return "normal" if event.by_phone or event.topic == "payment" else "low"


SERVICE = Service(
    name="routing",
    hears=(CaseEnriched,),
    emits=(CaseRouted,),
    collection="routes",
    state=Route,
    key=key,
    index=index,
    indexes=("team",),
    unread=(CaseEnriched,),
    decide=decide,
)
