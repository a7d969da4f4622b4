"""What the simulator found in the shared package, as schedules by hand."""

from __future__ import annotations

import json

from orderflow.events import InventoryReserved, OrderConfirmed, PaymentCompleted, Units
from orderflow.ports import Conflict, Delivery
from orderflow.processing import Done, Retry
from orderflow.services import find
from protocol.hands import Hand, Scene, ask, placed, publish, put


def _ready_to_ship(scene: Scene) -> OrderConfirmed:
    """Let shipping hear two of the three events; answers the third."""
    common = {"order_id": "o", "customer_id": "c"}
    scene.hears("shipping", InventoryReserved(**common, lines=(Units(sku="A", quantity=1),)))
    scene.hears("shipping", PaymentCompleted(**common, charge_id="ch", amount=100, currency="EUR"))
    return OrderConfirmed(**common, total=100, currency="EUR", tier="standard", placed_at="2027-01-15T08:00:00.000Z")


def test_an_address_erased_after_the_carrier_was_asked_refuses_no_parcel() -> None:
    scene = Scene()
    confirmed = _ready_to_ship(scene)
    scene.deliver("shipping", confirmed).before(ask("label")).unanswered(done=True).finish()
    customer = scene.store.get("customers", "c")
    assert customer is not None
    scene.store.delete("customers", "c", customer)
    assert isinstance(scene.hears("shipping", confirmed), Retry)
    assert scene.kinds() == []
    scene.write("customers", "c", customer.document["state"])
    assert scene.hears("shipping", confirmed) == Done("handled")
    assert scene.kinds() == ["ShipmentCreated"]
    assert len(scene.carrier.labels["o"]) == 1


def test_of_two_handlers_one_with_and_one_without_an_address_only_one_counts() -> None:
    scene = Scene()
    confirmed = _ready_to_ship(scene)
    customer = scene.store.get("customers", "c")
    assert customer is not None
    scene.store.delete("customers", "c", customer)
    without = scene.deliver("shipping", confirmed).before(put("shipments", status="refused"))
    scene.write("customers", "c", customer.document["state"])
    with_address = scene.deliver("shipping", confirmed).before(ask("label"))
    without.finish()
    with_address.finish()
    assert set(scene.kinds()) == {"ShipmentCreated"}
    assert scene.status("shipments") == "shipped"


def test_an_order_that_the_store_refused_and_does_not_have_is_not_published() -> None:
    scene = Scene()
    handler, _ = scene.place()
    response = handler.before(put("orders")).answered(Conflict("spurious")).finish()
    assert response.status == 503
    assert scene.published == []


def test_what_a_document_emitted_keeps_its_order_in_a_store_that_sorts_fields() -> None:
    scene = Scene()
    handler, order_id = scene.place()
    handler.after(put("orders"))  # and it dies
    scene.request("POST", f"/orders/{order_id()}/cancel").finish()
    assert scene.kinds() == ["OrderPlaced", "OrderCancelled"]
    stored = scene.store.get("orders", order_id())
    assert stored is not None
    assert json.loads(json.dumps(stored.document, sort_keys=True)) == stored.document


def test_what_only_waits_outlasts_the_brokers_limit_of_deliveries() -> None:
    scene = Scene(shard_reservations=1)
    scene.shelve(5)
    scene.hears("inventory", placed(1, order_id="first"))
    waited = 0.0
    limits = find("inventory").limits
    for receives in range(1, limits.broker_max_deliveries):
        delivery = Delivery(scene.envelope(placed(1)).to_bytes(), receives=receives)
        outcome = Hand(scene.ports, scene.shell.deliver(find("inventory"), delivery)).finish()
        assert isinstance(outcome, Retry)
        waited += outcome.after
    assert waited > scene.settings.order_deadline, "the order's own deadline comes first"


def test_a_plan_that_dies_after_its_publish_publishes_the_same_again() -> None:
    scene = Scene()
    scene.shelve(5)
    scene.deliver("inventory", placed(1)).after(publish)  # and it dies
    assert scene.hears("inventory", placed(1)) == Done("duplicate")
    first, again = scene.published
    assert first.to_bytes() == again.to_bytes()
