"""One SKU that everybody wants: orders served a second by handlers that run beside each other.

Time is virtual. Every call of the store and of the broker takes 5 ms, give or take half, and what is read may be stale
when it is written; so the conflicts are those that a design makes, and the figures are the same on every machine. An
order is served once its unit is reserved and then shipped. All designs wait between two tries of a lost compare-and-set
with the shell's full jitter, and give a message back after as many tries as the shell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Any

from orderflow import topology
from orderflow.driver import interleave
from orderflow.envelope import Envelope
from orderflow.events import Event, Line, OrderPlaced, ShipmentCreated
from orderflow.keys import safe_key
from orderflow.ports import Conflict, Delivery, Document, Stored
from orderflow.processing import Done, Outcome, Retry, Shell
from orderflow.record import Cause, envelopes
from orderflow.services import find
from orderflow.services.inventory import STOCK, Stock, stock_key
from orderflow.settings import Settings
from orderflow.steps import Get, Pause, Publish, Put, Steps
from orderflow_local.memory import memory_ports

CALL_SECONDS = 0.005
HANDLERS = 32
"""So many messages are under way at a time, each in a process of its own."""
SHARES = (0.01, 0.1, 0.5, 1.0)
"""Of the orders so many want the hot SKU; each of the others wants a SKU of its own."""
HOT = "HOT"
NAIVE = "one document a SKU"
PLENTY = 10**6
AT = "2027-01-15T08:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Served:
    """What a run came to: orders served a virtual second, and compare-and-sets lost an order."""

    goodput: float
    lost: float


def designs() -> dict[str, int | None]:
    """By name: the number of the hot SKU's stock documents, None for the naive design. The last is what the SKU has
    where nothing is configured and there is much of it."""
    shards = {f"orderflow, {shards} shards": shards for shards in (1, 4, 8, 16, Settings().stock_shards)}
    return {NAIVE: None, **shards}


def serve(shards: int | None, share: float, orders: int, seed: int) -> Served:
    """Serve so many orders with a design. Raises `AssertionError` where units are lost or sold twice."""
    return _Run(shards, share, orders, seed).run()


class _Run:
    """An agenda of calls that are under way, and a queue of messages that wait for a handler."""

    def __init__(self, shards: int | None, share: float, orders: int, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311  for latencies
        self._time = 0.0
        self._ports = memory_ports(topology.build())
        self._settings = Settings()
        self._skus = [HOT if self._random.random() < share else f"SKU-{number}" for number in range(orders)]
        self._reserve, self._ship = self._naive() if shards is None else self._ours()
        self._lost = 0
        for sku in {HOT, *self._skus}:
            spread = shards if shards and sku == HOT else 1
            for shard in range(spread):
                state = Stock(spread=spread, available=PLENTY, replenished=PLENTY).model_dump(mode="json")
                self._ports.store.insert(STOCK, stock_key(sku, shard), {"schema": 1, "rev": 1, "state": state})

    def run(self) -> Served:
        waiting: list[tuple[float, int, int, bool]] = [
            (0.0, number, number, False) for number in range(len(self._skus))
        ]
        agenda: list[tuple[float, int, Any]] = []
        entries, served, free = len(waiting), 0, HANDLERS
        while waiting or agenda:
            while free and waiting and (waiting[0][0] <= self._time or not agenda):
                at, _, number, shipping = heappop(waiting)
                self._time, free, entries = max(self._time, at), free - 1, entries + 1
                handler = (self._ship if shipping else self._reserve)(number)
                heappush(agenda, (self._time, entries, (handler, None, number, shipping)))
            self._time, _, (driving, step, number, shipping) = heappop(agenda)
            entries += 1
            try:
                step = driving.send(None if step is None else self._performed(step))
            except StopIteration as end:
                free += 1
                outcome = end.value[0]
                if isinstance(outcome, Retry):
                    heappush(waiting, (self._time + outcome.after, entries, number, shipping))
                elif not isinstance(outcome, Done):
                    raise AssertionError(f"{self._skus[number]}: {outcome}") from None
                elif shipping:
                    served += 1
                else:
                    heappush(waiting, (self._time, entries, number, True))
                continue
            step = step[1]
            heappush(agenda, (self._time + self._lasts(step), entries, (driving, step, number, shipping)))
        self._check()
        return Served(served / self._time, self._lost / served)

    def _lasts(self, step: Any) -> float:
        return step.seconds if isinstance(step, Pause) else CALL_SECONDS * self._random.uniform(0.5, 1.5)

    def _performed(self, step: Any) -> Any:
        if isinstance(step, Pause):
            return None
        try:
            return step.perform(self._ports)
        except Conflict as error:
            self._lost += 1
            return error

    def _ours(self) -> tuple[Callable[[int], Any], Callable[[int], Any]]:
        """The shell and the inventory service as they are."""
        service = find("inventory")

        def handler(event: Event) -> Any:
            shell = Shell(self._settings, self._ports.clock, self._random)
            envelope = _envelope(event)
            steps = shell.deliver(service, Delivery(envelope.to_bytes(), envelope.attributes()))
            return interleave([steps], lambda: False)

        return lambda n: handler(_placed(n, self._skus[n])), lambda n: handler(_shipped(n))

    def _naive(self) -> tuple[Callable[[int], Any], Callable[[int], Any]]:
        """All stock of a SKU in one document, which each message reads, changes and writes, and then an event. Nothing
        recognises a duplicate."""

        def handler(number: int, event: Event, frm: str, to: str) -> Any:
            key = stock_key(self._skus[number], 0)

            def steps() -> Steps[Outcome]:
                for tried in range(self._settings.conflict_tries):
                    stored: Stored = yield Get(STOCK, key)
                    state: Document = stored.document["state"]
                    state = {**state, frm: state[frm] - 1, to: state.get(to, 0) + 1}
                    try:
                        yield Put(
                            STOCK, key, {**stored.document, "rev": stored.document["rev"] + 1, "state": state}, stored
                        )
                    except Conflict:
                        yield Pause(self._random.uniform(0, 0.01 * 2 ** min(tried, 5)))
                        continue
                    yield Publish(_envelope(event))
                    return Done()
                return Retry(self._random.uniform(0.1, 1.0), "too many conflicts")

            return interleave([steps()], lambda: False)

        return (
            lambda n: handler(n, _placed(n, self._skus[n]), "available", "reserved"),
            lambda n: handler(n, _shipped(n), "reserved", "shipped"),
        )

    def _check(self) -> None:
        stock = [stored.document["state"] for _, stored in self._ports.store.scan(STOCK)]
        shipped = sum(state["shipped"] for state in stock)
        left = sum(state["available"] + len(state["open"]) for state in stock)
        if shipped != len(self._skus) or left != len(stock) * PLENTY - shipped:
            raise AssertionError(f"{shipped} units were shipped for {len(self._skus)} orders")


def _order(number: int) -> str:
    return safe_key(f"order-{number:06d}")


def _placed(number: int, sku: str) -> OrderPlaced:
    return OrderPlaced(
        order_id=_order(number),
        customer_id="somebody",
        lines=(Line(sku=sku, quantity=1, unit_price=1_000),),
        total=1_000,
        currency="EUR",
        payment_token="tok_visa",  # noqa: S106
        tier="standard",
        placed_at=AT,
    )


def _shipped(number: int) -> ShipmentCreated:
    return ShipmentCreated(order_id=_order(number), customer_id="somebody", tracking="T1", placed_at=AT)


def _envelope(event: Event) -> Envelope:
    cause = Cause(f"{event.kind()}.{event.subject}", "", event.subject)
    return envelopes("order", cause, (event,), 1_800_000_000.0)[0]
