"""A service of orderflow that does what the peers do: it takes stock from a dict, and says so."""

from __future__ import annotations

from benchmarks.cpu.measure import Shelf
from orderflow.events import InventoryReserved, OrderPlaced, OutOfStock, Units
from orderflow.keys import safe_key
from orderflow.service import Commit, Context, Decision, Service
from orderflow.state import State

shelf = Shelf()


class Reservation(State):
    """What was decided about one order."""

    order_id: str
    reserved: bool


def decide(reservation: Reservation | None, event: OrderPlaced, context: Context) -> Decision[Reservation]:
    """Every line or none."""
    reserved = shelf.take([(line.sku, line.quantity) for line in event.lines])
    said: InventoryReserved | OutOfStock = OutOfStock(order_id=event.order_id, missing=())
    if reserved:
        lines = tuple([Units(sku=line.sku, quantity=line.quantity) for line in event.lines])
        said = InventoryReserved(order_id=event.order_id, customer_id=event.customer_id, lines=lines)
    return Commit(Reservation(order_id=event.order_id, reserved=reserved), (said,))


SERVICE = Service(
    name="reserving",
    hears=(OrderPlaced,),
    emits=(InventoryReserved, OutOfStock),
    collection="benchmark",
    state=Reservation,
    key=lambda event, time: safe_key(event.order_id),
    decide=decide,
    unread=(OrderPlaced,),
)
