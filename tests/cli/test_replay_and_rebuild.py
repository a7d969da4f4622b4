"""What the archive is for: handing old events to one service, and making state and read models again."""

from __future__ import annotations

from collections import Counter

import pytest

from cli.desk import archive_all, day_of, desk, shipped
from orderflow.attempts import COLLECTION as ATTEMPTS
from orderflow_cli.ops import rebuild
from orderflow_cli.ops.doors import CannotDo
from orderflow_cli.ops.replays import Range, replay_to
from unit.support import Lab


@pytest.fixture
def archived(lab: Lab) -> Lab:
    """Four stories, archived to the last event: shipped, refused by gateway and by carrier, out of stock."""
    shipped(lab, "o-1")
    shipped(lab, "o-2", token="tok_refused")
    lab.customer("south", address={"street": "1", "city": "Pole", "postcode": "1", "country": "AQ"})
    shipped(lab, "o-3", customer="south")
    shipped(lab, "o-4", lines=[("CUP", 1000)])
    archive_all(lab)
    return lab


def test_a_replay_goes_to_the_chosen_service_alone_and_changes_nothing_there(archived: Lab) -> None:
    before = archived.document("payments", "o-1")
    published = len(archived.broker.published)
    calls = Counter(archived.store.calls)

    done = replay_to(desk(archived), "payment", Range(*day_of(archived)))

    assert done.handed_over == {"OrderPlaced": 4, "OrderCancelled": 3}
    assert {service for service, queue in archived.broker.queues.items() if queue} == {"payment"}
    archived.run_to_rest()
    assert archived.document("payments", "o-1") == before
    assert archived.entries("gateway")[0]["status"] == "charged"
    assert len(archived.entries("gateway")) == 1
    assert len(archived.broker.published) > published, "what it once emitted is published again, for those who lost it"
    assert archived.store.calls["put", ATTEMPTS] == calls["put", ATTEMPTS]


def test_a_replay_takes_only_what_is_asked_for(archived: Lab) -> None:
    doors = desk(archived)
    since, until = day_of(archived)

    by_kind = replay_to(doors, "payment", Range(since, until, frozenset({"OrderCancelled"})), dry_run=True)
    by_order = replay_to(doors, "payment", Range(since, until, order_id="o-1"), dry_run=True)
    before = replay_to(doors, "payment", Range(since, since + 1), dry_run=True)

    assert by_kind.handed_over == {"OrderCancelled": 3}
    assert by_order.handed_over == {"OrderPlaced": 1}
    assert before.handed_over == {}
    assert not any(archived.broker.queues.values()), "a dry run hands over nothing"


def test_what_a_service_might_have_forgotten_is_not_replayed_into_it(archived: Lab) -> None:
    archived.clock.time += 7200
    doors = desk(archived, ORDERFLOW_SAGA_RETENTION="3600")

    done = replay_to(doors, "payment", Range(0.0, archived.clock.now()))
    free = replay_to(doors, "analytics", Range(0.0, archived.clock.now()), dry_run=True)

    assert done.handed_over == {}
    assert done.refused.total() == 7
    assert free.refused == {}, "analytics has no effects: it may hear everything again"


def test_a_replay_to_nobody_is_refused(archived: Lab) -> None:
    with pytest.raises(CannotDo, match="'api' is no service"):
        replay_to(desk(archived), "api", Range(*day_of(archived)))


def test_the_state_of_every_order_rebuilt_from_its_events_equals_the_stored_one(archived: Lab) -> None:
    result = rebuild.compare_orders(desk(archived), *day_of(archived))

    assert result.differences == []
    assert (result.under_way, result.behind) == ([], [])
    assert result.equal == 4 * 4, "order, inventory, payment and shipping of four orders"


def test_the_stock_rebuilt_from_all_events_equals_the_stored_one(archived: Lab) -> None:
    result = rebuild.compare_stock(desk(archived))

    assert result.differences == []
    assert result.equal == 1


def test_the_aggregates_rebuilt_from_all_events_equal_the_live_ones(archived: Lab) -> None:
    result = rebuild.rebuild_analytics(desk(archived), *day_of(archived))

    assert result.differences == []
    assert result.behind == []
    assert result.equal > 0
    assert result.events == len({event.id for event in archived.broker.published})


@pytest.mark.parametrize(
    ("collection", "field", "value"),
    [
        ("orders", "status", "cancelled"),
        ("orders", "tracking", "TRK-OTHER"),
        ("payments", "charge_id", "ch_other"),
        ("reservations", "status", "released"),
        ("shipments", "tracking", "TRK-OTHER"),
    ],
)
def test_a_document_that_tells_another_story_than_its_events_is_found(
    archived: Lab, collection: str, field: str, value: str
) -> None:
    archived.store.amend(collection, "o-1", lambda document: document["state"].update({field: value}))

    result = rebuild.compare_orders(desk(archived), *day_of(archived))

    assert {each.key for each in result.differences} == {f"{collection}/o-1"}
    assert (field, value) in {(each.field, str(each.live)) for each in result.differences}
    assert not result.holds


def test_units_that_no_event_accounts_for_are_found(archived: Lab) -> None:
    archived.store.amend("stock", "CUP.0", lambda document: document["state"].update(available=1))

    result = rebuild.compare_stock(desk(archived))

    assert [(each.key, each.field) for each in result.differences] == [("CUP", "available")]


def test_a_document_that_has_not_absorbed_everything_is_under_way_and_not_wrong(lab: Lab) -> None:
    lab.place("o-1")
    archive_all(lab)

    result = rebuild.compare_orders(desk(lab), *day_of(lab))

    assert result.holds
    assert set(result.under_way) == {"reservations/o-1", "payments/o-1"}


def test_a_document_that_knows_more_than_the_archive_is_not_called_wrong(lab: Lab) -> None:
    shipped(lab)
    archive_all(lab, but=("ShipmentCreated",))

    result = rebuild.compare_orders(desk(lab), *day_of(lab))

    assert result.holds
    assert "shipments/o-1" in result.behind


def test_a_lost_aggregate_is_found_and_put_back_from_the_archive(archived: Lab) -> None:
    doors = desk(archived)
    key = _totals_with("PaymentCompleted", archived)
    stored = archived.ports.store.get("analytics", key)
    assert stored is not None
    good = stored.document["state"]
    archived.store.delete("analytics", key, stored)

    looked = rebuild.rebuild_analytics(doors, *day_of(archived))
    assert {each.key for each in looked.differences} == {key}
    assert archived.document("analytics", key) is None, "looking changes nothing"
    written = rebuild.rebuild_analytics(doors, *day_of(archived), write=True)

    assert written.written == [key]
    assert written.holds
    document = archived.document("analytics", key)
    assert document is not None
    assert document["state"] == good
    assert rebuild.rebuild_analytics(doors, *day_of(archived)).differences == []
    replay_to(doors, "analytics", Range(*day_of(archived)))
    archived.run_to_rest()
    assert rebuild.rebuild_analytics(doors, *day_of(archived)).differences == [], "nothing is counted twice"


def test_an_aggregate_that_knows_more_than_the_archive_is_left_alone(lab: Lab) -> None:
    shipped(lab)
    archive_all(lab, but=("PaymentCompleted",))

    result = rebuild.rebuild_analytics(desk(lab), *day_of(lab), write=True)

    assert result.behind
    assert result.written == []


def _totals_with(kind: str, lab: Lab) -> str:
    """The key of one document of totals that has counted an event of a kind."""
    for key, stored in lab.ports.store.scan("analytics"):
        if kind in stored.document["state"]["events"]:
            return key
    raise AssertionError(kind)
