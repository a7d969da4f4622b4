"""The sweeper: what stands still is pushed on, cancelled in time, and looked at less and less often."""

from __future__ import annotations

from itertools import pairwise

import pytest

from orderflow.app import App
from orderflow.events import PaymentCompleted, ShipmentCreated
from orderflow.ports import Conflict, Unavailable
from orderflow.settings import Settings
from orderflow.sweeper import Swept
from unit.support import BEGIN, Lab, done, enveloped

SETTINGS = Settings()


def test_an_order_whose_event_was_never_published_is_published(lab: Lab) -> None:
    placed = lab.place(publish=False)
    lab.clock.time += SETTINGS.sweep_after
    assert lab.sweep() == Swept(looked_at=1, republished=1)
    assert [each.to_bytes() for each in lab.published()] == [placed.to_bytes()]


def test_an_order_is_left_alone_until_it_is_due(lab: Lab) -> None:
    lab.place(publish=False)
    lab.clock.time += SETTINGS.sweep_after - 1
    assert lab.sweep() == Swept()
    assert lab.published() == []


def test_everything_that_an_order_emitted_is_published_oldest_first(lab: Lab) -> None:
    lab.place(publish=False)
    paid = PaymentCompleted(order_id="o-1", customer_id="zoe", charge_id="c", amount=1, currency="EUR")
    lab.store.overwrite("orders", "o-1", reserved=True)
    lab.broker.refuses = lambda _: Unavailable("down")
    lab.deliver("order", enveloped(paid))
    lab.broker.refuses = None
    lab.clock.time += SETTINGS.sweep_after
    lab.sweep()
    assert [each.kind for each in lab.published()] == ["OrderPlaced", "OrderConfirmed"]
    assert [len(call) for call in lab.broker.calls[-2:]] == [1, 1], "one after the other"


def test_after_an_event_that_was_not_taken_no_later_one_of_the_order_goes_out(lab: Lab) -> None:
    lab.place(publish=False)
    lab.clock.time += SETTINGS.order_deadline
    lab.broker.refuses = lambda each: Unavailable("throttled") if each.kind == "OrderPlaced" else None
    assert lab.sweep() == Swept(looked_at=1, expired=1, failed=1)
    assert lab.published() == []
    lab.broker.refuses = None
    assert lab.sweep() == Swept(looked_at=1, republished=1), "it is still due"
    assert [each.kind for each in lab.published()] == ["OrderPlaced", "OrderCancelled"]


def test_an_order_that_fails_does_not_keep_the_others_from_being_swept(lab: Lab) -> None:
    for number in range(6):
        lab.place(f"o-{number}", publish=False)
    lab.store.amend("orders", "o-2", lambda document: document["state"].update(total="nonsense"))
    lab.clock.time += SETTINGS.sweep_after
    lab.broker.refuses = lambda each: (
        Unavailable("x")
        if each.subject == "o-1"
        else ValueError("a bug in an adapter")
        if each.subject == "o-4"
        else None
    )
    assert lab.sweep() == Swept(looked_at=6, republished=3, failed=3)
    assert {each.subject for each in lab.published()} == {"o-0", "o-3", "o-5"}


def test_a_pending_order_past_its_deadline_is_cancelled_and_says_so(lab: Lab) -> None:
    lab.place()
    lab.clock.time += SETTINGS.order_deadline
    assert lab.sweep().expired == 1
    order = lab.state("order")
    assert (order.status, order.reason) == ("cancelled", "deadline: not confirmed in time")
    assert [each.kind for each in lab.published()] == ["OrderPlaced", "OrderPlaced", "OrderCancelled"]
    lab.clock.time += SETTINGS.sweep_cap
    assert lab.sweep().expired == 0
    assert len({each.to_bytes() for each in lab.published() if each.kind == "OrderCancelled"}) == 1


def test_an_order_that_expired_comes_to_rest(lab: Lab) -> None:
    lab.stock("CUP", 10)
    lab.simulate("gateway", "down")
    lab.place(publish=False)
    lab.clock.time += SETTINGS.order_deadline
    lab.sweep()
    lab.simulate("gateway", "ok")
    lab.run_to_rest()
    assert lab.state("order").closed
    assert lab.state("inventory").status == "released"
    assert [entry["status"] for entry in lab.entries("gateway")] in ([], ["charged", "refunded"])


@pytest.mark.parametrize("status", ["confirmed", "shipped", "cancelled"])
def test_what_was_decided_does_not_expire(lab: Lab, status: str) -> None:
    lab.place()
    lab.store.overwrite("orders", "o-1", status=status)
    lab.clock.time += SETTINGS.order_deadline * 2
    assert lab.sweep() == Swept(looked_at=1, republished=1)
    assert lab.state("order").status == status


def test_a_closed_order_is_not_looked_at(lab: Lab) -> None:
    lab.place()
    lab.store.overwrite("orders", "o-1", status="confirmed")
    shipped = ShipmentCreated(order_id="o-1", customer_id="zoe", tracking="T", placed_at="2027-01-15T08:00:00.000Z")
    assert done(lab.deliver("order", enveloped(shipped))) == "handled"
    lab.clock.time += 10 * SETTINGS.sweep_cap
    assert lab.sweep() == Swept()


def test_an_order_that_stands_still_is_looked_at_less_and_less_often(lab: Lab) -> None:
    lab.place()
    lab.store.overwrite("orders", "o-1", status="confirmed")
    looked_at: list[float] = []
    while len(looked_at) < 12:
        due = lab.state("order").due_at
        lab.clock.time = due - 1
        assert lab.sweep() == Swept()
        lab.clock.time = due
        assert lab.sweep() == Swept(looked_at=1, republished=1)
        looked_at.append(due - BEGIN)
    pauses = [after - before for before, after in pairwise(looked_at)]
    assert pauses == [min(SETTINGS.sweep_cap, SETTINGS.sweep_after * 2.0**number) for number in range(1, 12)]
    assert pauses[-1] == SETTINGS.sweep_cap
    assert lab.state("order").sweeps == 12


def test_an_order_that_moved_on_meanwhile_is_left_to_itself(lab: Lab) -> None:
    lab.place()
    lab.clock.time += SETTINGS.order_deadline

    def lose(method: str, collection: str, _key: str) -> None:
        if (method, collection) == ("put", "orders"):
            raise Conflict("confirmed meanwhile")

    lab.store.before = lose
    assert lab.sweep() == Swept(looked_at=1)
    assert lab.state("order").status == "pending"
    assert [each.kind for each in lab.published()] == ["OrderPlaced"], "nothing is said that was not decided"


def test_many_due_orders_are_all_swept_page_by_page(lab: Lab) -> None:
    for number in range(260):
        lab.place(f"o-{number}", publish=False)
    lab.clock.time += SETTINGS.sweep_after
    assert lab.sweep() == Swept(looked_at=260, republished=260)
    assert len(lab.published()) == 260
    assert lab.sweep() == Swept()


def test_a_sweep_ends_at_its_deadline_and_the_next_goes_on(lab: Lab) -> None:
    for number in range(20):
        lab.place(f"o-{number}", publish=False)
    lab.clock.time += SETTINGS.sweep_after
    ticking = lab.ports.publisher.publish

    def slow(envelopes):  # type: ignore[no-untyped-def]
        lab.clock.time += 1
        return ticking(envelopes)

    lab.broker.publish = slow  # type: ignore[method-assign]
    app = App(lab.ports, SETTINGS)
    assert app.sweep(deadline=lab.clock.time + 7) is None
    first = len(lab.published())
    assert 5 <= first <= 8
    swept = app.sweep(deadline=lab.clock.time + 600)
    assert swept is not None
    assert {each.subject for each in lab.published()} == {f"o-{n}" for n in range(20)}
    assert len(lab.published()) <= 21


def test_a_sweep_that_finds_nothing_says_so(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert App(lab.ports, SETTINGS).sweep(deadline=lab.clock.time + 10) == Swept()
    assert '"swept"' in capsys.readouterr().out
