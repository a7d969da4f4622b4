"""The plain peer: the same events through the same steps, in memory, and nothing else. Every subscriber decodes and
validates each message; its state is in a dict. No store, no de-duplication, no retry, no faults, no checks."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable

from orderflow.envelope import decode
from orderflow.events import (
    Event,
    InventoryReserved,
    Line,
    OrderConfirmed,
    OrderPlaced,
    PaymentCompleted,
    ShipmentCreated,
    Units,
    read,
)
from orderflow.record import Cause, envelopes

AT = "2027-01-15T08:00:00.000Z"
NOW = 1_800_000_000.0
PLENTY = 10**9


class Choreography:
    """Order, inventory, payment and shipping, on one queue."""

    def __init__(self) -> None:
        self.delivered = 0
        self.status: dict[str, str] = {}
        self.stock = Counter({"CUP": PLENTY, "POT": PLENTY})
        self._seen: dict[str, set[str]] = {}
        self._queue: deque[tuple[Callable[[Event], Iterable[Event]], bytes]] = deque()
        self._hearers: dict[type[Event], tuple[Callable[[Event], Iterable[Event]], ...]] = {
            OrderPlaced: (self._inventory, self._payment),
            InventoryReserved: (self._order, self._shipping),
            PaymentCompleted: (self._order, self._shipping),
            OrderConfirmed: (self._shipping,),
            ShipmentCreated: (self._order, self._inventory),
        }

    def place(self, number: int) -> None:
        """Place an order."""
        order_id = f"order-{number:06d}"
        self.status[order_id] = "pending"
        self._publish(
            OrderPlaced(
                order_id=order_id,
                customer_id="somebody",
                lines=(Line(sku="CUP", quantity=1, unit_price=1_000), Line(sku="POT", quantity=1, unit_price=2_000)),
                total=3_000,
                currency="EUR",
                payment_token="tok_visa",  # noqa: S106
                tier="standard",
                placed_at=AT,
            )
        )

    def run(self) -> None:
        """Deliver until nothing is left to deliver."""
        while self._queue:
            hearer, body = self._queue.popleft()
            self.delivered += 1
            for event in hearer(read(decode(body))):
                self._publish(event)

    def _publish(self, event: Event) -> None:
        cause = Cause(f"{event.kind()}.{event.subject}", "", event.subject)
        body = envelopes("order", cause, (event,), NOW)[0].to_bytes()
        self._queue.extend((hearer, body) for hearer in self._hearers[type(event)])

    def _inventory(self, event: Event) -> Iterable[Event]:
        if isinstance(event, OrderPlaced):
            units = tuple(Units(sku=line.sku, quantity=line.quantity) for line in event.lines)
            self.stock.subtract({line.sku: line.quantity for line in units})
            yield InventoryReserved(order_id=event.order_id, customer_id=event.customer_id, lines=units)

    def _payment(self, event: Event) -> Iterable[Event]:
        assert isinstance(event, OrderPlaced)
        yield PaymentCompleted(
            order_id=event.order_id,
            customer_id=event.customer_id,
            amount=event.total,
            currency=event.currency,
            charge_id=f"charge-{event.order_id}",
        )

    def _order(self, event: Event) -> Iterable[Event]:
        if isinstance(event, ShipmentCreated):
            self.status[event.order_id] = "shipped"
        elif self._complete(event, "order", 2):
            self.status[event.subject] = "confirmed"
            yield OrderConfirmed(
                order_id=event.subject,
                customer_id="somebody",
                total=3_000,
                currency="EUR",
                tier="standard",
                placed_at=AT,
            )

    def _shipping(self, event: Event) -> Iterable[Event]:
        if self._complete(event, "shipping", 3):
            yield ShipmentCreated(order_id=event.subject, customer_id="somebody", tracking="T1", placed_at=AT)

    def _complete(self, event: Event, service: str, kinds: int) -> bool:
        seen = self._seen.setdefault(f"{service}.{event.subject}", set())
        seen.add(event.kind())
        return len(seen) == kinds
