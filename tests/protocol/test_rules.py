"""Each rule of the protocol, in the schedule that needs it: with the rule everything comes out right, and with the rule
taken out (`simulation.rules`) the same schedule does not."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from orderflow import replay
from orderflow.envelope import Envelope
from orderflow.events import Line
from orderflow.ports import DeadLetter
from orderflow.processing import Done, Retry
from orderflow.services import find
from protocol.hands import Scene, ask, cancelled, get, placed, publish, put, shipped
from simulation.bugs import Bug
from simulation.rules import RULES
from simulation.world import Violation

Scenario = Callable[[], None]
SCENARIOS: dict[str, Scenario] = {}
"""Schedules by the name of the rule that each needs, as it is called in `simulation.rules`."""

DAY = 86_400.0


def needs(*names: str) -> Callable[[Scenario], Scenario]:
    """Register a scenario under the rules without which it fails."""

    def register(scenario: Scenario) -> Scenario:
        SCENARIOS.update(dict.fromkeys(names, scenario))
        return scenario

    return register


@needs("rule 1: an intent absorbs its event")
def a_crash_after_the_intent_is_resumed() -> None:
    scene = Scene()
    scene.deliver("payment", placed()).before(ask("charge"))  # and it dies
    scene.hears("payment", placed())
    assert scene.status("payments") == "charged"
    assert scene.kinds() == ["PaymentCompleted"]


@needs("rule 2: stock is touched before the plan is committed")
def a_crash_between_stock_and_reservation_is_released() -> None:
    scene = Scene()
    scene.shelve(5)
    scene.deliver("inventory", placed(3)).after(put("stock"))  # and it dies
    assert scene.stock() == (2, 3, 0)
    scene.hears("inventory", cancelled())
    assert scene.stock() == (5, 0, 0)


@needs("rule 3: no fence", "rule 3: the fence is read before the stock")
def the_fence_is_read_after_the_stock() -> None:
    scene = Scene()
    scene.shelve(5)
    scene.deliver("inventory", placed(3)).after(put("reservations"))  # and it dies
    late = scene.deliver("inventory", placed(3)).after(get("reservations"))
    late.perform()  # the first of its two reads
    scene.hears("inventory", cancelled())
    late.finish()
    assert scene.status("reservations") == "released"
    assert scene.stock() == (5, 0, 0)


@needs("rule 3: a stock that is read again is written without the fence")
def a_handler_that_was_overtaken_at_the_stock_and_by_a_cancellation_reserves_nothing() -> None:
    scene = Scene()
    scene.shelve(5)
    late = scene.deliver("inventory", placed(3)).before(put("stock"))
    scene.hears("inventory", placed(1, order_id="other"))
    late.perform()  # It has lost the stock that it looked at before its plan.
    scene.hears("inventory", cancelled())
    late.finish()
    assert scene.status("reservations") == "released"
    assert scene.stock() == (4, 1, 0)


def a_handler_that_slept_between_its_plan_and_the_stock_reserves_nothing() -> None:
    scene = Scene()
    scene.shelve(5)
    late = scene.deliver("inventory", placed(3)).before(put("stock"))
    scene.hears("inventory", cancelled())
    late.finish()
    assert scene.status("reservations") == "released"
    assert scene.stock() == (5, 0, 0)


@needs("rule 4: a release that finds nothing writes nothing")
def a_release_that_finds_nothing_stops_a_reservation_under_way() -> None:
    scene = Scene()
    scene.shelve(5)
    late = scene.deliver("inventory", placed(3)).before(put("stock"))
    scene.hears("inventory", cancelled())
    late.finish()
    assert scene.status("reservations") == "released"
    assert scene.stock() == (5, 0, 0)


@needs("rule 5: lines of one SKU are not merged")
def two_lines_of_one_sku_are_held_together() -> None:
    scene = Scene()
    scene.shelve(5)
    scene.hears("inventory", placed(1, 2))
    assert scene.stock() == (2, 3, 0)
    scene.hears("inventory", shipped())
    assert scene.stock() == (2, 0, 3)


@needs("rule 5: a release gives back what a later plan holds")
def a_late_release_leaves_the_next_plan_alone() -> None:
    scene = Scene()
    scene.shelve(2, 2, 2)
    planned = scene.deliver("inventory", placed(3)).after(put("reservations"))
    [_, second] = scene.state("reservations", "o")["plan"]
    scene.sell(second["shard"])
    late = planned.after(put("reservations", status="undoing"))
    scene.hears("inventory", placed(3))
    assert scene.state("reservations", "o")["n"] == 2
    late.finish()
    held = [scene.stock(shard)[1] for shard in range(3)]
    assert sum(held) == 3, f"reserved is {scene.status('reservations')}, held are {held}"


@needs("rule 5: a new plan before the old one is undone")
def a_new_plan_begins_with_nothing_held() -> None:
    scene = Scene()
    scene.shelve(5, 5)
    scene.shelve(5, 5, sku="B")
    event = placed(1).model_copy(
        update={"lines": tuple(Line(sku=sku, quantity=1, unit_price=100) for sku in ("A", "B"))}
    )
    planned = scene.deliver("inventory", event).after(put("reservations"))
    [_, of_b] = scene.state("reservations", "o")["plan"]
    scene.sell(of_b["shard"], "B")
    planned.finish()
    assert scene.status("reservations") == "reserved"
    assert scene.state("reservations", "o")["n"] == 2
    assert sum(scene.stock(shard)[1] for shard in (0, 1)) == 1


@needs("rule 6: a late order does not find what inventory did without it")
def a_late_order_finds_its_cancellation_in_inventory() -> None:
    scene = Scene()
    scene.shelve(5)
    scene.hears("inventory", cancelled())
    scene.hears("inventory", placed(3))
    assert scene.stock() == (5, 0, 0)
    assert scene.kinds() == ["InventoryReleased"]


@needs("rule 6: a late order does not find what payment did without it")
def a_late_order_finds_its_cancellation_in_payment() -> None:
    scene = Scene()
    scene.hears("payment", cancelled())
    scene.hears("payment", placed())
    assert not scene.gateway.charges["o"]
    assert scene.kinds() == ["PaymentVoided"]


@needs("rule 7: a charge under way counts as none")
def a_cancellation_settles_a_charge_under_way() -> None:
    scene = Scene()
    scene.deliver("payment", placed()).after(ask("charge"))  # The money is taken, and it dies.
    settling = scene.deliver("payment", cancelled()).before(ask("refund"))
    assert scene.status("payments") == "settling"
    outcome = settling.unanswered(done=True).finish()
    assert isinstance(outcome, Retry)
    assert scene.status("payments") == "settling", "a refund without an answer is not done"
    scene.hears("payment", cancelled())
    [charge] = scene.gateway.charges["o"]
    assert len(charge.refunds) == 1
    assert scene.kinds() == ["PaymentRefunded"]


@needs("rule 8: who has nothing to undo does not answer")
def a_cancellation_is_answered_by_both_even_with_nothing() -> None:
    scene = Scene()
    handler, order_id = scene.place()
    handler.after(put("orders"))  # It dies before it publishes: nobody ever hears of the order.
    scene.request("POST", f"/orders/{order_id()}/cancel").finish()
    scene.published = [envelope for envelope in scene.published if envelope.kind == "OrderCancelled"]
    scene.settle()
    assert scene.state("orders", order_id())["closed"]


@needs("rule 8: a cancelled order is closed at once")
def a_cancellation_that_nobody_heard_is_published_by_the_sweeper() -> None:
    scene = Scene()
    scene.shelve(5)
    handler, order_id = scene.place(3)
    handler.finish()
    [order] = scene.published
    scene.hears("inventory", order)
    scene.request("POST", f"/orders/{order_id()}/cancel").after(put("orders", status="cancelled"))  # and it dies
    assert scene.stock() == (2, 3, 0)
    scene.pass_time(scene.settings.sweep_after + 1)
    scene.sweep()
    scene.settle()
    assert scene.stock() == (5, 0, 0)
    assert scene.state("orders", order_id())["closed"]


@needs("rule 9: newest first")
def a_crash_between_two_publishes_leaves_the_newer_one_open() -> None:
    scene = Scene()
    handler, order_id = scene.place()
    handler.after(put("orders"))  # and it dies
    scene.request("POST", f"/orders/{order_id()}/cancel").after(publish)  # and it dies
    scene.settle()
    scene.pass_time(scene.settings.sweep_after + 1)
    scene.sweep()
    scene.settle()
    assert {"OrderPlaced", "OrderCancelled"} <= set(scene.kinds())
    assert scene.state("orders", order_id())["closed"]


@needs("rule 9: publishing goes on after a failure")
def a_failed_publish_stops_the_later_ones() -> None:
    scene = Scene()
    handler, order_id = scene.place()
    handler.after(put("orders"))  # and it dies
    cancelling = scene.request("POST", f"/orders/{order_id()}/cancel").before(publish).unanswered(done=False)
    assert cancelling.finish().status == 202
    scene.settle()
    scene.pass_time(scene.settings.sweep_after + 1)
    scene.sweep()
    scene.settle()
    assert {"OrderPlaced", "OrderCancelled"} <= set(scene.kinds())


@needs("rule 10: the stock does not know the rows that are on their way")
def a_row_is_counted_once_whatever_dies() -> None:
    scene = Scene()
    scene.arrive("row", 5).after(put("stock"))  # and it dies
    scene.arrive("row", 5).finish()
    assert scene.stock() == (5, 0, 0)
    assert scene.state("stock", "A.0")["arriving"] == {}
    assert scene.kinds() == ["StockReplenished"]


@needs("rule 10: the receipt is not read again before the stock is written")
def a_handler_that_slept_through_an_arrival_counts_nothing() -> None:
    scene = Scene()
    late = scene.arrive("row", 5).before(put("stock"))
    scene.arrive("row", 5).finish()
    late.finish()
    assert scene.stock() == (5, 0, 0)


@needs("rule 10: the row is forgotten before the receipt says applied")
def the_stock_remembers_a_row_until_its_receipt_does() -> None:
    scene = Scene()
    arriving = scene.arrive("row", 5).after(put("stock"))
    while not put("receipts", status="applied")(arriving.step):
        arriving.perform()
    del arriving  # It dies before the receipt says so.
    scene.arrive("row", 5).finish()
    assert scene.stock() == (5, 0, 0)


@needs("rule 10: a stock file makes shards that the first one does not tell of")
def orders_find_what_a_stock_file_put_into_new_shards() -> None:
    scene = Scene(shard_units=2)
    scene.shelve(1)
    scene.arrive("row", 5).finish()
    scene.hears("inventory", placed(6))
    assert scene.kinds() == ["StockReplenished", "InventoryReserved"]


@needs("rule 10: a row that comes late makes its SKU narrow again")
def a_row_that_was_planned_before_others_came_hides_no_shard() -> None:
    scene = Scene(shard_units=2)
    late = scene.arrive("late", 4).after(put("receipts"))
    scene.arrive("row", 8).finish()
    late.finish()
    scene.hears("inventory", placed(12))
    assert scene.kinds()[-1] == "InventoryReserved"


@needs("rule 11: an old charge is called for again, not looked up")
def an_old_charge_is_looked_up() -> None:
    scene = Scene()
    scene.deliver("payment", placed()).before(ask("charge")).unanswered(done=True).finish()
    scene.pass_time(scene.settings.gateway_key_life + 1)
    scene.hears("payment", placed())
    assert scene.status("payments") == "charged"
    assert len(scene.gateway.charges["o"]) == 1


@needs("rule 11: an old refund is called for again, not looked up")
def an_old_refund_is_looked_up() -> None:
    scene = Scene()
    scene.hears("payment", placed())
    scene.deliver("payment", cancelled()).before(ask("refund")).unanswered(done=True).finish()
    scene.pass_time(scene.settings.gateway_key_life + 1)
    scene.hears("payment", cancelled())
    assert scene.status("payments") == "refunded"
    assert len(scene.gateway.charges["o"][0].refunds) == 1


def an_old_charge_that_never_was_is_made_under_a_new_key() -> None:
    scene = Scene()
    scene.deliver("payment", placed()).before(ask("charge")).unanswered(done=False).finish()
    scene.pass_time(scene.settings.gateway_key_life + 1)
    scene.hears("payment", placed())
    assert scene.status("payments") == "charged"
    assert scene.state("payments", "o")["tries"] == 2


@needs("rule 12: old events are replayed into services that have effects")
def an_event_older_than_the_documents_is_not_replayed() -> None:
    scene = Scene(saga_retention=90 * DAY)
    began = scene.now()
    event = scene.envelope(placed())
    scene.hears("payment", event)
    scene.pass_time(89 * DAY)
    assert _replays(scene, "payment", event) == "duplicate"
    scene.pass_time(2 * DAY)
    stored = scene.store.get("payments", "o")
    assert stored is not None
    scene.store.delete("payments", "o", stored)  # What the operator keeps documents for has passed.
    scene.watch.absorbed.clear()
    _replays(scene, "payment", event)
    assert len(scene.gateway.charges["o"]) == 1
    assert _replays(scene, "analytics", event) == "handled", "an aggregate can be built anew at any time"
    assert scene.now() - began > scene.settings.saga_retention


def _replays(scene: Scene, service: str, event: Envelope) -> str:
    """Replay an event as the tools do; answers what came of it."""
    refusal = replay.refusal(find(service), event.time, scene.now(), scene.settings)
    if refusal is not None:
        return refusal
    outcome = scene.hears(service, event)
    assert isinstance(outcome, Done)
    return outcome.note


@needs("rule 13: a lost compare-and-set is an attempt")
def lost_conflicts_use_up_no_attempts() -> None:
    scene = Scene(conflict_tries=3)
    scene.shelve(5)
    for _ in range(3 * find("inventory").limits.max_attempts):
        unlucky = scene.deliver("inventory", placed(3))
        while unlucky.step is not None:
            if put("stock")(unlucky.step):
                scene.write("stock", "A.0", scene.state("stock", "A.0"))  # Somebody else is always first.
            unlucky.perform()
        assert isinstance(unlucky.result, Retry)
    assert scene.letters == []
    scene.hears("inventory", placed(3))
    assert scene.status("reservations") == "reserved"


@needs("rule 13: a full shard is a short one")
def a_full_shard_is_waited_for() -> None:
    scene = Scene(shard_reservations=1)
    scene.shelve(5)
    scene.hears("inventory", placed(1, order_id="first"))
    for _ in range(2 * find("inventory").limits.max_attempts):
        assert isinstance(scene.hears("inventory", placed(1)), Retry)
    assert scene.letters == []
    assert scene.status("reservations") == "reserving"
    scene.hears("inventory", shipped("first"))
    scene.hears("inventory", placed(1))
    assert scene.status("reservations") == "reserved"


@needs("rule 14: a letter is thrown away without its publish")
def what_a_letter_stands_for_is_published_before_it_goes() -> None:
    scene = Scene()
    scene.shelve(5)
    event = scene.envelope(cancelled())
    scene.deliver("inventory", event).before(publish)  # It dies, and the broker gives the message up.
    letter = DeadLetter("inventory", event.to_bytes(), {}, "broker", "", 100, "", "")
    scene.letters.append(letter)
    assert scene.discard("inventory", letter) is None
    assert scene.letters == []
    assert scene.kinds() == ["InventoryReleased"]


@needs("rule 14: a letter is thrown away whatever waits for it")
def a_letter_that_an_order_waits_for_is_kept() -> None:
    scene = Scene()
    event = scene.envelope(cancelled())
    letter = DeadLetter("inventory", event.to_bytes(), {}, "attempts-exhausted", "", 5, "", "")
    scene.letters.append(letter)
    refusal = scene.discard("inventory", letter)
    assert refusal is not None
    assert scene.letters == [letter]


@pytest.mark.parametrize("scenario", dict.fromkeys(SCENARIOS.values()), ids=lambda scenario: scenario.__name__)
def test_with_the_rule_everything_comes_out_right(scenario: Scenario) -> None:
    scenario()


def test_an_old_charge_that_never_was_is_made() -> None:
    an_old_charge_that_never_was_is_made_under_a_new_key()


@pytest.mark.parametrize("mutant", RULES, ids=lambda mutant: mutant.name)
def test_without_the_rule_the_schedule_goes_wrong(mutant: Bug) -> None:
    scenario = SCENARIOS[mutant.name]
    with mutant.plant(), pytest.raises((AssertionError, Violation)):
        scenario()


def test_every_rule_is_taken_out() -> None:
    assert {int(name.split()[1].rstrip(":")) for name in SCENARIOS} == set(range(1, 15))
    assert set(SCENARIOS) == {mutant.name for mutant in RULES}


@pytest.mark.parametrize(
    "body",
    [b"{", json.dumps({"specversion": "1.0"}).encode(), b"\xff"],
    ids=["no JSON", "no event", "no text"],
)
def test_what_cannot_be_read_may_be_thrown_away(body: bytes) -> None:
    scene = Scene()
    letter = DeadLetter("payment", body, {}, "malformed", "", 1, "", "")
    scene.letters.append(letter)
    assert scene.discard("payment", letter) is None
    assert scene.letters == []


def test_an_event_of_a_newer_version_is_kept() -> None:
    scene = Scene()
    newer = scene.envelope(cancelled()).replace(type="com.example.orderflow.OrderCancelled.v9")
    letter = DeadLetter("payment", newer.to_bytes(), {}, "unknown-event", "", 1, "", "")
    scene.letters.append(letter)
    assert scene.discard("payment", letter) is not None
    assert scene.letters == [letter]
