"""Inventory: all lines of an order or none, nothing oversold, everything given back, whatever interrupts it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orderflow.events import InventoryReleased, OrderCancelled, OutOfStock, ShipmentCreated, Shortage, read
from orderflow.ports import Conflict, Unavailable
from orderflow.processing import Retry
from orderflow.services.inventory import Reservation, Stock, merged, stock_key
from orderflow.settings import Settings
from orderflow_cli.shelves import shards
from unit.support import Lab, done, enveloped, order_placed


def cancelled(order_id: str = "o-1") -> OrderCancelled:
    """The cancellation of an order."""
    return OrderCancelled(order_id=order_id, customer_id="zoe", reason="customer: x", total=1, currency="EUR")


def shipped(order_id: str = "o-1") -> ShipmentCreated:
    """The shipment of an order."""
    return ShipmentCreated(order_id=order_id, customer_id="zoe", tracking="TRK", placed_at="2027-01-15T08:00:00.000Z")


def place(lab: Lab, order_id: str = "o-1", *lines: tuple[str, int]) -> Any:
    """Deliver an OrderPlaced."""
    return lab.deliver("inventory", enveloped(order_placed(order_id, lines=lines or (("CUP", 2),)), f"{order_id}.p"))


def stop(lab: Lab, order_id: str = "o-1") -> Any:
    """Deliver an OrderCancelled."""
    return lab.deliver("inventory", enveloped(cancelled(order_id), f"{order_id}.c"))


def ship(lab: Lab, order_id: str = "o-1") -> Any:
    """Deliver a ShipmentCreated."""
    return lab.deliver("inventory", enveloped(shipped(order_id), f"{order_id}.s"))


def shelf(lab: Lab, sku: str = "CUP") -> Stock:
    """All shards of a SKU together."""
    total: dict[str, Any] = {"available": 0, "shipped": 0, "replenished": 0, "open": {}}
    for shard, stock in enumerate(shards(lab.store.get, sku)):
        assert stock.available >= 0
        assert stock.available + sum(q for q, _ in stock.open.values()) + stock.shipped == stock.replenished
        total["open"] |= {f"{key}@{shard}": hold for key, hold in stock.open.items()}
        for name in ("available", "shipped", "replenished"):
            total[name] += getattr(stock, name)
    return Stock(**total)


def answers(lab: Lab) -> list[Any]:
    """What inventory published, as events."""
    return [read(envelope) for envelope in lab.published()]


def test_an_order_holds_what_it_asks_for(lab: Lab) -> None:
    lab.stock("CUP", 10, 10, 10, 10)
    lab.stock("POT", 5, 5, 5, 5)
    assert done(place(lab, "o-1", ("CUP", 3), ("POT", 5))) == "handled"
    assert shelf(lab, "CUP").available == 37
    assert shelf(lab, "POT").available == 15
    assert [(event.kind(), [(u.sku, u.quantity) for u in event.lines]) for event in answers(lab)] == [
        ("InventoryReserved", [("CUP", 3), ("POT", 5)])
    ]


def test_lines_of_one_sku_are_one(lab: Lab) -> None:
    lab.stock("CUP", 5, 5, 5, 5)
    place(lab, "o-1", ("CUP", 2), ("POT", 1), ("CUP", 3))
    assert [event.kind() for event in answers(lab)] == ["OutOfStock"]
    assert answers(lab)[0].missing == (Shortage(sku="POT", requested=1, available=0),)
    place(lab, "o-2", ("CUP", 2), ("CUP", 3))
    assert shelf(lab).available == 15
    assert shelf(lab).open.popitem()[1][0] == 5


def test_merged_lines_have_one_order_whatever_the_customer_wrote() -> None:
    lines = order_placed(lines=(("B", 1), ("A", 2), ("B", 3), ("C", 1), ("A", 1))).lines
    expected = [("A", 3), ("B", 4), ("C", 1)]
    assert [(unit.sku, unit.quantity) for unit in merged(lines)] == expected
    assert merged(reversed(lines)) == merged(lines)


def test_an_order_that_one_shard_cannot_cover_takes_from_several(lab: Lab) -> None:
    lab.stock("CUP", 3, 3, 3, 3)
    assert done(place(lab, "o-1", ("CUP", 11))) == "handled"
    assert shelf(lab).available == 1
    assert lab.state("inventory").status == "reserved"
    assert lab.state("inventory").n == 1, "the plan is made of what was read"


def test_an_order_that_another_shard_covers_takes_from_that_one(lab: Lab) -> None:
    lab.stock("CUP", 0, 0, 0, 9)
    place(lab, "o-1", ("CUP", 9))
    assert [(hold.shard, hold.quantity) for hold in lab.state("inventory").plan] == [(3, 9)]


@pytest.mark.parametrize("available", [(0, 0, 0, 0), (1, 1, 1, 1), ()])
def test_an_order_that_all_shards_together_cannot_cover_is_out_of_stock(lab: Lab, available: tuple[int, ...]) -> None:
    lab.stock("CUP", *available)
    assert done(place(lab, "o-1", ("CUP", 5))) == "handled"
    assert answers(lab) == [
        OutOfStock(order_id="o-1", missing=(Shortage(sku="CUP", requested=5, available=sum(available)),))
    ]
    assert lab.state("inventory").status == "refused"
    assert shelf(lab).open == {}
    assert shelf(lab).available == sum(available)


def test_out_of_stock_names_every_line_that_is_short_and_holds_none(lab: Lab) -> None:
    lab.stock("CUP", 9, 9, 9, 9)
    lab.stock("POT", 1, 0, 0, 0)
    place(lab, "o-1", ("CUP", 1), ("POT", 2), ("TEA", 3))
    [event] = answers(lab)
    assert [(short.sku, short.requested, short.available) for short in event.missing] == [("POT", 2, 1), ("TEA", 3, 0)]
    assert shelf(lab, "CUP").available == 36
    assert shelf(lab, "POT").available == 1


def test_the_last_piece_goes_to_one_order(lab: Lab) -> None:
    lab.stock("CUP", 1, 0, 0, 0)
    for number in range(5):
        place(lab, f"o-{number}", ("CUP", 1))
    assert sorted(event.kind() for event in answers(lab)) == ["InventoryReserved"] + ["OutOfStock"] * 4
    assert shelf(lab).available == 0


def test_a_cancelled_order_gives_everything_back_and_says_what(lab: Lab) -> None:
    lab.stock("CUP", 5, 5, 5, 5)
    place(lab, "o-1", ("CUP", 18))
    assert done(stop(lab)) == "handled"
    assert shelf(lab).available == 20
    assert shelf(lab).open == {}
    event = answers(lab)[-1]
    assert isinstance(event, InventoryReleased)
    assert [(unit.sku, unit.quantity) for unit in event.lines] == [("CUP", 18)]


def test_a_second_cancellation_under_another_id_gives_nothing_back_again(lab: Lab) -> None:
    lab.stock("CUP", 5, 5, 5, 5)
    place(lab)
    stop(lab)
    lab.deliver("inventory", enveloped(cancelled(), "another"))
    assert shelf(lab).available == 20
    assert answers(lab)[-1] == InventoryReleased(order_id="o-1", lines=())


def test_every_cancellation_is_answered_also_with_nothing(lab: Lab) -> None:
    assert done(stop(lab)) == "handled"
    assert answers(lab) == [InventoryReleased(order_id="o-1", lines=())]
    place(lab, "o-2", ("CUP", 1))
    stop(lab, "o-2")
    assert answers(lab)[-1] == InventoryReleased(order_id="o-2", lines=())


def test_an_order_that_comes_after_its_cancellation_holds_nothing(lab: Lab) -> None:
    lab.stock("CUP", 5, 5, 5, 5)
    stop(lab)
    assert done(place(lab)) == "handled"
    assert shelf(lab).open == {}
    assert [event.kind() for event in answers(lab)] == ["InventoryReleased"]


def test_what_is_shipped_leaves_the_shelf(lab: Lab) -> None:
    lab.stock("CUP", 5, 5, 5, 5)
    place(lab, "o-1", ("CUP", 12))
    assert done(ship(lab)) == "handled"
    lab.deliver("inventory", enveloped(shipped(), "another"))
    assert (shelf(lab).available, shelf(lab).shipped, shelf(lab).open) == (8, 12, {})
    assert lab.state("inventory").status == "shipped"


def test_a_shipment_that_overtakes_its_reservation_is_tried_again(lab: Lab) -> None:
    lab.stock("CUP", 5, 5, 5, 5)
    assert isinstance(ship(lab), Retry)
    place(lab)
    assert done(ship(lab)) == "handled"


def test_a_cancellation_of_what_was_shipped_is_refused_aloud(lab: Lab) -> None:
    lab.stock("CUP", 5, 5, 5, 5)
    place(lab)
    ship(lab)
    assert done(stop(lab)) == "dead-lettered"
    assert lab.letters("inventory")[0].detail == "cancelled after it was shipped"
    assert shelf(lab).shipped == 2


def test_a_shelf_with_too_many_open_reservations_makes_orders_wait_not_fail() -> None:
    lab = Lab.make(Settings(stock_shards=1, shard_reservations=3))
    lab.stock("CUP", 100)
    for number in range(3):
        place(lab, f"o-{number}", ("CUP", 1))
    for _ in range(20):
        outcome = place(lab, "o-9", ("CUP", 1))
        assert isinstance(outcome, Retry)
        assert "open reservations" in outcome.reason
    assert lab.document("attempts", "inventory.o-9.p") is None
    ship(lab, "o-0")
    assert done(place(lab, "o-9", ("CUP", 1))) == "handled"
    assert shelf(lab).available == 96


def test_a_reservation_that_is_overtaken_by_its_cancellation_takes_nothing_more(lab: Lab) -> None:
    """The cancellation comes between the two shelves of an order."""
    lab.stock("CUP", 5, 5, 5, 5)
    lab.stock("POT", 5, 5, 5, 5)
    meddled: list[bool] = []

    def meddle(method: str, collection: str, key: str) -> None:
        if method == "put" and collection == "stock" and key.startswith("POT") and not meddled:
            meddled.append(True)
            assert done(stop(lab)) == "handled"

    lab.store.before = meddle
    assert done(place(lab, "o-1", ("CUP", 1), ("POT", 1))) == "handled"
    assert meddled
    assert (shelf(lab, "CUP").available, shelf(lab, "POT").available) == (20, 20)
    assert [event.kind() for event in answers(lab)] == ["InventoryReleased"]


def test_a_release_that_comes_late_leaves_what_a_newer_plan_holds(lab: Lab) -> None:
    """One delivery is about to give back the first plan, for others were faster; meanwhile another does, and reserves
    by a second plan."""
    lab.stock("CUP", 3, 3, 3, 3)
    sold: list[int] = []
    meddled: list[bool] = []

    def meddle(method: str, collection: str, _key: str) -> None:
        reservation = lab.state("inventory")
        if (method, collection) != ("put", "stock"):
            return
        if not sold:
            sold.append(reservation.plan[1].shard)
            sell(lab, "CUP", sold[0])
        if reservation.status == "undoing" and not meddled:
            meddled.append(True)
            assert done(place(lab, "o-1", ("CUP", 7))) == "handled"

    lab.store.before = meddle
    assert done(place(lab, "o-1", ("CUP", 7))) == "duplicate"
    assert meddled
    assert lab.state("inventory").status == "reserved"
    assert lab.state("inventory").n == 2
    assert sum(quantity for quantity, _ in shelf(lab).open.values()) == 7
    assert shelf(lab).available == 2


def everything(lab: Lab) -> dict[str, Any]:
    """What the stock documents and the reservation say, without their revisions."""
    return {
        f"{name}/{key}": document["state"]
        for name in ("stock", "reservations")
        for key, document in lab.store.all(name)
    }


STORIES: dict[str, tuple[Any, ...]] = {
    "place": (place, "o-1", ("CUP", 10), ("POT", 2)),
    "short": (place, "o-1", ("CUP", 10), ("POT", 99)),
    "cancel": (stop,),
    "ship": (ship,),
}


def begun(story: str) -> Lab:
    """What there is before a story's event arrives."""
    lab = Lab.make()
    lab.stock("CUP", 3, 3, 3, 3)
    lab.stock("POT", 9, 9, 9, 9)
    if story in ("cancel", "ship"):
        place(lab, "o-1", ("CUP", 10), ("POT", 2))
    return lab


def sell(lab: Lab, sku: str, shard: int) -> None:
    """Let others have what is available in a shard."""

    def take(document: Any) -> None:
        stock = document["state"]
        stock.update(available=0, shipped=stock["shipped"] + stock["available"])

    lab.store.amend("stock", stock_key(sku, shard), take)


@pytest.mark.parametrize("lost", [False, True], ids=["write not made", "answer lost"])
@pytest.mark.parametrize("story", STORIES)
def test_a_handler_that_dies_at_any_write_is_finished_by_the_next(story: str, lost: bool) -> None:
    act, *arguments = STORIES[story]
    straight = begun(story)
    before = straight.store.writes()
    assert done(act(straight, *arguments)) == "handled"
    writes = straight.store.writes() - before
    assert writes >= (1 if story == "short" else 4)
    for number in range(writes):
        lab = begun(story)
        dying(lab, number, lost=lost)
        assert isinstance(act(lab, *arguments), Retry), "it did die"
        lab.store.before = lab.store.after = None
        assert done(act(lab, *arguments)) == ("duplicate" if lost and number == writes - 1 else "handled")
        assert everything(lab) == everything(straight), number
        assert {each.to_bytes() for each in lab.published()} == {each.to_bytes() for each in straight.published()}


def dying(lab: Lab, number: int, *, lost: bool) -> None:
    """Let the store fail at its n-th write from now: instead of it, or after it was made."""
    left = [number]

    def fail(method: str, _collection: str, _key: str) -> None:
        if method == "put":
            left[0] -= 1
            if left[0] == -1:
                raise Unavailable("died")

    if lost:
        lab.store.after = fail
    else:
        lab.store.before = fail


class Shelves(RuleBasedStateMachine):
    """Any orders, cancellations and shipments in any order, with conflicts and deaths: stock is conserved.

    As the arbiter has it, an order is either cancelled or, once it is reserved, shipped."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = Lab.make(Settings(stock_shards=2, shard_reservations=4, conflict_tries=3))
        self.random = Random(7)
        self.orders: dict[str, list[tuple[str, int]]] = {}
        self.verdicts: dict[str, Any] = {}
        for sku in ("CUP", "POT"):
            self.lab.stock(sku, 3, 3)

    def _act(self, trouble: str | None, act: Any, *arguments: Any) -> None:
        def fail(method: str, collection: str, _key: str) -> None:
            if method == "put" and collection in ("stock", "reservations") and self.random.random() < 0.4:
                raise Conflict("lost") if trouble == "conflict" else Unavailable("died")

        self.lab.store.before = fail if trouble else None
        act(self.lab, *arguments)

    troubles = st.sampled_from([None, None, "conflict", "death"])
    wishes = st.lists(st.tuples(st.sampled_from(["CUP", "POT"]), st.integers(1, 4)), min_size=1, max_size=3)

    @rule(lines=wishes, trouble=troubles)
    def place(self, lines: list[tuple[str, int]], trouble: str | None) -> None:
        order_id = f"o-{len(self.orders)}"
        self.orders[order_id] = lines
        self._act(trouble, place, order_id, *lines)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), trouble=troubles)
    def place_again(self, data: st.DataObject, trouble: str | None) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.orders)))
        self._act(trouble, place, order_id, *self.orders[order_id])

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), trouble=troubles)
    def cancel_or_ship(self, data: st.DataObject, trouble: str | None) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.orders)))
        state = self.lab.state("inventory", order_id)
        if order_id not in self.verdicts:
            may_ship = state is not None and state.status == "reserved"
            self.verdicts[order_id] = data.draw(st.sampled_from([stop, ship] if may_ship else [stop]))
        self._act(trouble, self.verdicts[order_id], order_id)

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        for sku in ("CUP", "POT"):
            stock = shelf(self.lab, sku)
            assert stock.available + sum(quantity for quantity, _ in stock.open.values()) + stock.shipped == 6

    @invariant()
    def who_is_through_holds_nothing_and_who_is_reserved_holds_the_order(self) -> None:
        for order_id in self.orders:
            reservation: Reservation | None = self.lab.state("inventory", order_id)
            held: dict[str, int] = {}
            for sku in ("CUP", "POT"):
                for name, (quantity, _) in shelf(self.lab, sku).open.items():
                    if name.startswith(f"{order_id}@"):
                        held[sku] = held.get(sku, 0) + quantity
            if reservation is None or reservation.status in ("released", "refused", "shipped"):
                assert held == {}
            elif reservation.status == "reserved" and self.verdicts.get(order_id) is None:
                assert held == {unit.sku: unit.quantity for unit in reservation.lines}

    def teardown(self) -> None:
        """Once nothing fails any more every order comes to rest, and the sums are right."""
        sold = dict.fromkeys(("CUP", "POT"), 0)
        for order_id, lines in self.orders.items():
            verdict = self.verdicts.get(order_id, stop)
            for _ in range(3):
                self._act(None, place, order_id, *lines)
                self._act(None, verdict, order_id)
            assert self.lab.state("inventory", order_id).status in (
                ("shipped",) if verdict is ship else ("released", "refused")
            )
            if verdict is ship:
                for sku, quantity in lines:
                    sold[sku] += quantity
        assert {sku: shelf(self.lab, sku).shipped for sku in sold} == sold
        assert not any(shelf(self.lab, sku).open for sku in sold)


Shelves.TestCase.settings = hypothesis_settings(max_examples=20, stateful_step_count=15)
TestStockIsConserved = Shelves.TestCase
