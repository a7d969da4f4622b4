"""A good customer writes about a delivery; a new one writes and then calls about another."""

from __future__ import annotations

from collections.abc import Iterator

from orderflow.events import OrderConfirmed
from orderflow_cli.examples import Stage
from support_desk.enrichment import CallCompleted, TicketCreated


def tell(stage: Stage) -> Iterator[str]:
    """Play it. Raises `orderflow_cli.examples.Broken`."""
    vip, new = stage.fresh("vera"), stage.fresh("noah")
    stage.publish(
        OrderConfirmed(
            order_id=stage.fresh("order"),
            customer_id=vip,
            total=250_000,
            currency="EUR",
            tier="high",
            placed_at=stage.now(),
        )
    )
    stage.until("tiers", vip, "tier", "high")
    yield f"{vip} has ordered for 2,500.00 EUR: tier high"

    urgent, calm = stage.fresh("case-a"), stage.fresh("case-b")
    stage.publish(TicketCreated(case_id=urgent, customer_id=vip, topic="delivery"), times=2)
    stage.publish(TicketCreated(case_id=calm, customer_id=new, topic="delivery"), times=2)
    yield "both write about a delivery; each ticket was published twice"

    for case, priority in ((urgent, "urgent"), (calm, "low")):
        stage.until("routing", case, "case_id", case)
        found = stage.field("routing", case, "priority")
        stage.expect(found == priority, f"{case} is {found}, not {priority}")
        yield f"{case}: team {stage.field('routing', case, 'team')}, {found}"

    stage.publish(CallCompleted(case_id=calm, customer_id=new, topic="delivery", seconds=240), times=2)
    stage.until("routing", calm, "priority", "normal")
    yield f"{new} calls about it: {calm} is normal now"
