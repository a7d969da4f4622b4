"""The protocol's rules, each taken out alone. docs/guarantees.md says what they are; `tests/protocol` plays for each
the schedule in which it is needed, and the simulator finds most of them by chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partialmethod
from typing import Any
from unittest.mock import patch

from orderflow import deadletters, files, replay
from orderflow.attempts import Attempts
from orderflow.envelope import decode
from orderflow.events import OrderCancelled, Units
from orderflow.ports import Conflict, Stored, Unavailable
from orderflow.processing import GiveBack, Shell
from orderflow.record import Record, load
from orderflow.service import Changes, Commit, Declined, Intend, Service
from orderflow.services import find, inventory, order, payment
from orderflow.settings import Settings
from orderflow.steps import Get, Publish, Put, Remove, Steps
from simulation.bugs import LONG_OUTAGES, PATIENT, Bug, Plant, services
from simulation.weather import Weather

RULES: list[Bug] = []


LATE = {"weather": Weather(answer_lost_done_late=0.2, crash_done_late=0.1, stall=0.1, lasts=300.0)}
"""Writes that arrive long after somebody gave them up."""
DEAF = {"weather": Weather(lost=0.5, lasts=300.0)}
"""A topic that takes every other event."""
HURRIED: dict[str, Any] = {
    "weather": Weather(conflict=0.5, slow=0.5, redelivered=0.5, step_s=0.02, lasts=20.0),
    "settings": Settings(order_deadline=2.0, sweep_after=1.0, conflict_tries=12, log_level="ERROR"),
    "everybody": False,
}
"""Orders that are cancelled while several workers reserve for them and lose to each other."""
LETTERS: dict[str, Any] = {
    "weather": Weather(outside=0.9, redrives=20, lasts=2000.0),
    "settings": PATIENT,
    "orders": 4,
    "everybody": False,
}
"""Calls that fail so often that messages use up their attempts, and an operator who looks after them often."""
FORGOTTEN: dict[str, Any] = {
    "weather": Weather(outages=6, answer_lost=0.1, outside=0.5, lasts=2000.0),
    "settings": Settings(
        gateway_key_life=400.0, gateway_key_margin=150.0, order_deadline=20.0, sweep_after=5.0, log_level="ERROR"
    ),
}
"""A gateway that answers so seldom that it has forgotten its keys meanwhile."""
BELATED: dict[str, Any] = {
    "weather": Weather(
        rare=0.01,
        slow=0.4,
        crash_done_late=0.1,
        answer_lost_done_late=0.1,
        step_s=0.02,
        delayed=0.5,
        lasts=60.0,
    ),
    "settings": Settings(shard_units=6, stock_shards=16, sweep_after=5.0, log_level="ERROR"),
    "orders": 1,
    "everybody": False,
}
"""Stock files that overtake each other."""
NARROW = Settings(shard_reservations=1, log_level="ERROR")
SHORT_LIVED = Settings(order_deadline=20.0, sweep_after=5.0, log_level="ERROR")
GROWING = Settings(shard_units=2, stock_shards=8, sweep_after=5.0, log_level="ERROR")


def rule(number: int, name: str, **where: Any) -> Callable[[Plant], Plant]:
    """Register what is taken out, with ``where`` that shows, as `simulation.bugs.Bug` has it."""

    def register(plant: Plant) -> Plant:
        RULES.append(Bug(f"rule {number}: {name}", plant, where))
        return plant

    return register


@rule(1, "an intent absorbs its event")
def absorbing_intents() -> AbstractContextManager[Any]:
    def wrong(self: Record[Any], state: Any, cause: Any) -> Record[Any]:
        return self.absorbing(state, cause, ())

    return patch.object(Record, "intending", wrong)


@rule(2, "stock is touched before the plan is committed")
def unplanned() -> AbstractContextManager[Any]:
    """What the plan would be is known only to the handler, until all of it is held."""
    commit = Shell.commit

    def wrong(self: Shell, service: Service[Any], key: str, changed: Record[Any]) -> Steps[Record[Any]]:
        if isinstance(changed.state, inventory.Reservation) and changed.state.status == "reserving":
            return replace(changed, pending={})
        return (yield from commit(self, service, key, changed))

    return _both(patch.object(Shell, "commit", wrong), unfenced())


@rule(3, "no fence", **HURRIED)
def unfenced() -> AbstractContextManager[Any]:
    reserve = inventory._reserve

    def wrong(reservation: Any, context: Any) -> Any:
        decision: Any = reserve(reservation, context)
        return replace(decision, effect=Changes(decision.effect.changes))

    return patch.object(inventory, "_reserve", wrong)


@rule(3, "the fence is read before the stock", **HURRIED)
def early_fence() -> AbstractContextManager[Any]:
    return patch.object(Shell, "_change", partialmethod(_changes, fence_first=True))


@rule(3, "a stock that is read again is written without the fence", **HURRIED)
def fence_at_first() -> AbstractContextManager[Any]:
    """As if the plan's own commit stood for the fence for ever."""

    def wrong(self: Shell, service: Service[Any], key: str, change: Any, changes: Any, looked: Any) -> Steps[None]:
        fence = None if (change.collection, change.key) in looked else changes.fence
        yield from _changes(self, service, key, change, replace(changes, fence=fence), looked)

    return patch.object(Shell, "_change", wrong)


def _changes(
    self: Shell, service: Service[Any], key: str, change: Any, changes: Any, looked: Any, *, fence_first: bool = False
) -> Steps[None]:
    """`Shell._change`, written so that it can be broken."""
    for tried in range(self.settings.conflict_tries):
        stored: Stored | None
        if not tried and (change.collection, change.key) in looked:
            stored = looked[change.collection, change.key]
        else:
            if not fence_first:
                stored = yield Get(change.collection, change.key)
            if changes.fence is not None:
                own = load(service, (yield Get(service.collection, key)))
                if own.state is None or not changes.fence(own.state):
                    raise Conflict("moved on")
            if fence_first:
                stored = yield Get(change.collection, change.key)
        found = stored.document if stored else None
        state = change.apply(change.model.of(found) if found else None)
        if state is None:
            return
        try:
            yield Put(change.collection, change.key, state.write(found), stored)
            return
        except Conflict:
            yield from self._yield_way(tried)
    raise GiveBack("too many conflicts", 0.1)


@rule(4, "a release that finds nothing writes nothing", **LATE, settings=SHORT_LIVED)
def no_bump() -> AbstractContextManager[Any]:
    release = inventory._release

    def wrong(stock: Any, **asked: Any) -> Any:
        released = release(stock, **asked)
        return None if released == stock or stock is None else released

    return patch.object(inventory, "_release", wrong)


@rule(5, "lines of one SKU are not merged")
def unmerged() -> AbstractContextManager[Any]:
    def wrong(lines: Any) -> Any:
        return tuple(Units(sku=line.sku, quantity=line.quantity) for line in lines)

    return patch.object(inventory, "merged", wrong)


@rule(5, "a release gives back what a later plan holds")
def numberless() -> AbstractContextManager[Any]:
    release = inventory._release

    def wrong(stock: Any, *, order_id: str, n: int, quantity: int) -> Any:
        held = stock.open.get(order_id) if stock else None
        return release(stock, order_id=order_id, n=held[1] if held else n, quantity=quantity)

    return patch.object(inventory, "_release", wrong)


@rule(5, "a new plan before the old one is undone")
def not_undone() -> AbstractContextManager[Any]:
    resume = inventory.resume

    def wrong(reservation: Any, event: Any, outcome: Any, context: Any) -> Any:
        if reservation.status == "reserving" and isinstance(outcome, Declined) and outcome.reason == "short":
            return inventory._plan(reservation, {}, context)
        return resume(reservation, event, outcome, context)

    return services(find("inventory"), resume=wrong)


@rule(6, "a late order does not find what inventory did without it")
def no_tombstone_of_stock() -> AbstractContextManager[Any]:
    place = inventory._place

    def wrong(reservation: Any, event: Any, context: Any) -> Any:
        tombstone = reservation is not None and reservation.status == "released" and not reservation.n
        return place(None if tombstone else reservation, event, context)

    return patch.object(inventory, "_place", wrong)


@rule(6, "a late order does not find what payment did without it")
def no_tombstone_of_payment() -> AbstractContextManager[Any]:
    place = payment._place

    def wrong(paying: Any, event: Any, context: Any) -> Any:
        tombstone = paying is not None and paying.status == "void" and not paying.intent_at
        return place(None if tombstone else paying, event, context)

    return patch.object(payment, "_place", wrong)


@rule(7, "a charge under way counts as none")
def no_settling() -> AbstractContextManager[Any]:
    cancel = payment._cancel

    def wrong(paying: Any, event: Any, context: Any) -> Any:
        charging = paying is not None and paying.status == "charging"
        return payment._void(paying) if charging else cancel(paying, event, context)

    return patch.object(payment, "_cancel", wrong)


@rule(8, "who has nothing to undo does not answer")
def silent() -> AbstractContextManager[Any]:
    decide = {name: find(name).decide for name in ("inventory", "payment")}

    def quiet(name: str) -> Any:
        def wrong(state: Any, event: Any, context: Any) -> Any:
            decision = decide[name](state, event, context)
            if isinstance(event, OrderCancelled) and isinstance(decision, Commit):
                return replace(decision, emit=())
            return decision

        return wrong

    return _both(
        services(find("inventory"), decide=quiet("inventory")), services(find("payment"), decide=quiet("payment"))
    )


@rule(8, "a cancelled order is closed at once")
def closed_at_once() -> AbstractContextManager[Any]:
    move = order._move

    def wrong(placed: Any, status: Any, now: float, note: str | None = None, **update: Any) -> Any:
        moved = move(placed, status, now, note, **update)
        return moved.model_copy(update={"closed": True}) if status == "cancelled" else moved

    return patch.object(order, "_move", wrong)


@rule(9, "newest first", **DEAF, settings=SHORT_LIVED)
def newest_first() -> AbstractContextManager[Any]:
    emitted = Record.emitted
    return patch.object(Record, "emitted", lambda self: emitted(self)[::-1])


@rule(9, "publishing goes on after a failure", **DEAF, settings=SHORT_LIVED)
def goes_on() -> AbstractContextManager[Any]:
    def wrong(self: Shell, emitted: Any) -> Steps[None]:
        lost: Unavailable | None = None
        for envelope in emitted:
            try:
                yield Publish(envelope)
            except Unavailable as error:
                lost = error
        if lost is not None:
            raise lost

    return patch.object(Shell, "publish", wrong)


@rule(10, "the stock does not know the rows that are on their way")
def rows_unknown() -> AbstractContextManager[Any]:
    arrive = files._arrive

    def wrong(stock: Any, **row: Any) -> Any:
        arrived = arrive(stock, **row)
        return arrived and arrived.model_copy(update={"arriving": {}})

    return patch.object(files, "_arrive", wrong)


@rule(10, "the receipt is not read again before the stock is written", **{**HURRIED, "orders": 2})
def receipt_unfenced() -> AbstractContextManager[Any]:
    count = files._count

    def wrong(receipt: Any, arrival: Any) -> Any:
        decision: Any = count(receipt, arrival)
        return replace(decision, effect=Changes(decision.effect.changes))

    return patch.object(files, "_count", wrong)


@rule(10, "the row is forgotten before the receipt says applied")
def row_forgotten_early() -> AbstractContextManager[Any]:
    resume = files.RECEIPTS.resume
    assert resume is not None
    forgotten: set[str] = set()

    def wrong(receipt: Any, arrival: Any, outcome: Any, context: Any) -> Any:
        if arrival.row_id not in forgotten:
            forgotten.add(arrival.row_id)
            return Intend(receipt, files._after(receipt, arrival))
        return resume(receipt, arrival, outcome, context)

    return services(files.RECEIPTS, resume=wrong)


@rule(10, "a stock file makes shards that the first one does not tell of", settings=GROWING)
def shards_untold() -> AbstractContextManager[Any]:
    arrive = files._arrive
    return patch.object(files, "_arrive", lambda stock, **row: arrive(stock, **{**row, "spread": 1}))


@rule(10, "a row that comes late makes its SKU narrow again", **BELATED)
def narrowed() -> AbstractContextManager[Any]:
    arrive = files._arrive

    def wrong(stock: Any, **row: Any) -> Any:
        arrived = arrive(stock, **row)
        return arrived and arrived.model_copy(update={"spread": row["spread"]})

    return patch.object(files, "_arrive", wrong)


@rule(11, "an old charge is called for again, not looked up")
def no_lookup_of_charge() -> AbstractContextManager[Any]:
    learn = payment._learn

    def wrong(paying: Any, context: Any) -> Any:
        return learn(paying, context) if paying.charge_id else payment._charge(paying)

    return patch.object(payment, "_learn", wrong)


@rule(11, "an old refund is called for again, not looked up", **FORGOTTEN)
def no_lookup_of_refund() -> AbstractContextManager[Any]:
    learn = payment._learn

    def wrong(paying: Any, context: Any) -> Any:
        return payment._refund(paying) if paying.charge_id else learn(paying, context)

    return patch.object(payment, "_learn", wrong)


@rule(12, "old events are replayed into services that have effects")
def replays_anything() -> AbstractContextManager[Any]:
    return patch.object(replay, "refusal", lambda *arguments: None)


@rule(13, "a lost compare-and-set is an attempt")
def conflicts_count() -> AbstractContextManager[Any]:
    deliver = Shell.deliver

    def wrong(self: Shell, service: Service[Any], delivery: Any) -> Steps[Any]:
        outcome = yield from deliver(self, service, delivery)
        reason = getattr(outcome, "reason", "")
        if "onflict" not in reason:
            return outcome
        envelope = decode(delivery.body)
        try:
            times, first = yield from Attempts(self.clock).add(service, envelope.id, reason)
        except (Conflict, Unavailable):
            return outcome
        if times < service.limits.max_attempts:
            return outcome
        exhausted: dict[str, Any] = {"attempts": times, "first_at": first}
        return (yield from self._bury(service, delivery, envelope, "attempts-exhausted", reason, **exhausted))

    return patch.object(Shell, "deliver", wrong)


@rule(13, "a full shard is a short one", weather=LONG_OUTAGES, settings=NARROW)
def full_is_short() -> AbstractContextManager[Any]:
    hold = inventory._hold

    def wrong(stock: Any, **asked: Any) -> Any:
        try:
            return hold(stock, **asked)
        except Declined:
            raise Declined("short") from None

    return patch.object(inventory, "_hold", wrong)


@rule(14, "a letter is thrown away without its publish")
def silent_discard() -> AbstractContextManager[Any]:
    def wrong(self: Shell, service: Service[Any], cause: Any, event: Any, time: str) -> Steps[bool]:
        record = load(service, (yield Get(service.collection, service.key(event, time))))
        return cause.id in record.absorbed

    return patch.object(Shell, "repeat", wrong)


@rule(14, "a letter is thrown away whatever waits for it", **LETTERS)
def careless_discard() -> AbstractContextManager[Any]:
    def wrong(shell: Shell, service: Service[Any], letter: Any) -> Steps[str | None]:
        yield Remove(letter)
        return None

    return patch.object(deadletters, "discard", wrong)


@contextmanager
def _both(*patches: AbstractContextManager[Any]) -> Iterator[None]:
    first, second = patches
    with first, second:
        yield
