"""Bugs to show that the simulator has teeth: each takes one guarantee out of the shared package while its context
lasts. Some are the real bugs of other systems of this kind.

``make simulate ARGS=--bugs`` prints a table of how many runs it takes to catch each."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import count
from typing import Any
from unittest.mock import patch

from orderflow import api, claims, deadletters, driver, files, processing, signatures, sweeper
from orderflow.attempts import Attempts
from orderflow.breaker import Breakers
from orderflow.envelope import Envelope, decode, derived_id
from orderflow.events import InventoryReleased, OutOfStock, PaymentRefunded, Shortage
from orderflow.ports import Conflict, DeadLetter, Delivery, Stored, Unavailable
from orderflow.processing import Done, Retry, Shell
from orderflow.record import Record, load
from orderflow.service import Call, Commit, Declined, Fail, Intend, Service, Unanswered, Wait
from orderflow.services import _channels as channels
from orderflow.services import find, inventory, notification, order, payment, shipping
from orderflow.settings import Settings
from orderflow.signatures import Signatures
from orderflow.state import State
from orderflow.steps import Get, Publish, PublishAll, Put, Remove, Resend, Steps
from orderflow_local.memory import MemoryObjects
from simulation import workers
from simulation.profiles import PROFILES
from simulation.simulator import Result, simulate
from simulation.weather import Weather

MOST_RUNS = 300
"""Within how many runs every bug must be caught."""

Plant = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Bug:
    """A way to break the shared package."""

    name: str
    plant: Plant
    where: dict[str, Any] = field(default_factory=dict)
    """What of a run is not left to the draw, for a bug that shows in rare schedules only: arguments of `simulate`."""


BUGS: list[Bug] = []

ERASING = Weather(outside=0.6, erased=0.8, lasts=600.0)
FAILING = Weather(outside=0.9, lasts=2000.0)
LONG_OUTAGES = Weather(outages=6, lasts=2000.0)
CROWDED = Weather(conflict=0.5, rare=0.01, lasts=300.0)
DELAYING = Weather(delayed=0.5, lasts=300.0)
HASTY = Settings(conflict_tries=2, log_level="ERROR")
SUSPICIOUS = Settings(elevated_from=10, high_from=50, suspect_from=100, log_level="ERROR")
SWEPT = Settings(sweep_after=1.0, sweep_cap=8.0, log_level="ERROR")
REFUSING = Weather(refused_refunds=0.5, lasts=20.0)
SIGNED = Settings(signatures="require", log_level="ERROR")
STALLING = Weather(stall=0.3, lasts=600.0)
PATIENT = Settings(breaker_failures=1000, sweep_after=60.0, log_level="ERROR")


def bug(name: str, **where: Any) -> Callable[[Plant], Plant]:
    """Register a bug under what it does wrong, with ``where`` it shows."""

    def register(plant: Plant) -> Plant:
        BUGS.append(Bug(name, plant, where))
        return plant

    return register


def hunt(planted: Bug, most: int = MOST_RUNS, stopped: Callable[[], bool] = lambda: False) -> tuple[int, Result | None]:
    """Run seeds on all profiles in turn until the bug is caught; answers the number of runs, and the run that did."""
    profiles = list(PROFILES)
    with planted.plant():
        for seed in range(most):
            if stopped():
                return seed, None
            result = simulate(seed, profiles[seed % len(profiles)], **planted.where)
            if result.violations:
                return seed + 1, result
    return most, None


@contextmanager
def services(*changed: Service[Any], **fields: Any) -> Iterator[None]:
    """Declare services differently."""
    kept = {each.name: {name: getattr(each, name) for name in fields} for each in changed}
    try:
        for each in changed:
            for name, value in fields.items():
                object.__setattr__(each, name, value)
        yield
    finally:
        for each in changed:
            for name, value in kept[each.name].items():
                object.__setattr__(each, name, value)


# The shell


@bug("acknowledges before it has handled")
def acknowledges_first() -> AbstractContextManager[Any]:
    consume = workers.Fleet._consume

    def wrong(self: Any, service: str, receipts: Any) -> None:
        for receipt in receipts:
            self._broker.settle(receipt, Done())
        consume(self, service, receipts)

    return patch.object(workers.Fleet, "_consume", wrong)


@bug("acknowledges what failed (eShop's event bus)")
def acknowledges_failures() -> AbstractContextManager[Any]:
    deliver = Shell.deliver

    def wrong(self: Shell, service: Service[Any], delivery: Delivery) -> Steps[Any]:
        outcome = yield from deliver(self, service, delivery)
        return Done("failed") if isinstance(outcome, Retry) else outcome

    return patch.object(Shell, "deliver", wrong)


@bug("publishes before it commits")
def publishes_first() -> AbstractContextManager[Any]:
    commit = Shell.commit

    def wrong(self: Shell, service: Service[Any], key: str, changed: Record[Any]) -> Steps[Record[Any]]:
        yield from self.publish(changed.emitted())
        return (yield from commit(self, service, key, changed))

    return patch.object(Shell, "commit", wrong)


@bug("does not recognise a known event")
def forgets() -> AbstractContextManager[Any]:
    class Amnesia(dict[str, Any]):
        def __contains__(self, key: object) -> bool:
            return False

    def wrong(service: Service[Any], stored: Any) -> Record[Any]:
        known = load(service, stored)
        return replace(known, absorbed=Amnesia(known.absorbed))

    return patch.object(processing, "load", wrong)


@bug("a known event is not published again")
def publishes_once() -> AbstractContextManager[Any]:
    commit, finish = Shell.commit, Shell._finish
    fresh: list[Record[Any]] = []

    def committed(self: Shell, service: Service[Any], key: str, changed: Record[Any]) -> Steps[Record[Any]]:
        fresh.append((yield from commit(self, service, key, changed)))
        return fresh[-1]

    def wrong(self: Shell, service: Any, key: str, known: Record[Any], cause: Any, event: Any) -> Steps[None]:
        if any(known is each for each in fresh[-50:]):
            yield from finish(self, service, key, known, cause, event)

    return _both(patch.object(Shell, "commit", committed), patch.object(Shell, "_finish", wrong))


@bug("every publish has a new event id")
def random_ids() -> AbstractContextManager[Any]:
    numbers = count()

    def wrong(self: Shell, emitted: Any) -> Steps[None]:
        for envelope in emitted:
            yield Publish(envelope.replace(id=f"random-{next(numbers)}"))

    return patch.object(Shell, "publish", wrong)


@bug("goes on when a publish failed")
def swallows_publish() -> AbstractContextManager[Any]:
    def wrong(self: Shell, emitted: Any) -> Steps[None]:
        for envelope in emitted:
            try:
                yield Publish(envelope)
            except Unavailable:
                continue

    finish = Shell._finish

    def finished(self: Shell, service: Any, key: str, known: Record[Any], cause: Any, event: Any) -> Steps[None]:
        yield from wrong(self, known.emitted_for(cause.id))
        published = {**known.absorbed, cause.id: (cause.digest, ())}
        yield from finish(self, service, key, replace(known, absorbed=published), cause, event)

    return _both(patch.object(Shell, "publish", wrong), patch.object(Shell, "_finish", finished))


@bug("overwrites after a lost compare-and-set")
def ignores_conflicts() -> AbstractContextManager[Any]:
    def wrong(self: Shell, service: Service[Any], key: str, changed: Record[Any]) -> Steps[Record[Any]]:
        while True:
            try:
                stored = yield Put(service.collection, key, changed.to_document(service), changed.stored)
                return replace(changed, stored=stored)
            except Conflict:
                changed = replace(changed, stored=(yield Get(service.collection, key)))

    return patch.object(Shell, "commit", wrong)


@bug("an inbox that loses a message whose handler failed once (sagaz 1.5)")
def inbox_first() -> AbstractContextManager[Any]:
    deliver = Shell.deliver
    inboxes: list[tuple[Any, set[tuple[str, bytes]]]] = []

    def wrong(self: Shell, service: Service[Any], delivery: Delivery) -> Steps[Any]:
        inbox = next((seen for settings, seen in inboxes if settings is self.settings), None)
        if inbox is None:
            inboxes[:] = [(self.settings, inbox := set())]
        if (service.name, delivery.body) in inbox:
            return Done("duplicate")
        inbox.add((service.name, delivery.body))
        return (yield from deliver(self, service, delivery))

    return patch.object(Shell, "deliver", wrong)


@bug("de-duplicates by the transport's message id")
def transport_ids() -> AbstractContextManager[Any]:
    deliver = Shell.deliver

    def wrong(self: Shell, service: Service[Any], delivery: Delivery) -> Steps[Any]:
        try:
            envelope: Envelope = decode(delivery.body).replace(id=delivery.transport_id)
        except ValueError:
            return (yield from deliver(self, service, delivery))
        return (yield from deliver(self, service, replace(delivery, body=envelope.to_bytes())))

    return patch.object(Shell, "deliver", wrong)


@bug("drops a message after its last attempt")
def drops_dead_letters() -> AbstractContextManager[Any]:
    def wrong(self: Shell, *arguments: Any, **more: Any) -> Steps[Any]:
        return Done("given up")
        yield

    return patch.object(Shell, "_bury", wrong)


@bug("waiting for an open circuit breaker uses up attempts")
def breaker_burns_attempts() -> AbstractContextManager[Any]:
    leave = Shell._leave_to_call

    def wrong(self: Shell, effect: Any) -> Steps[bool]:
        try:
            return (yield from leave(self, effect))
        except processing.GiveBack as error:
            raise processing.AttemptFailed(error.reason) from None

    return patch.object(Shell, "_leave_to_call", wrong)


@bug("a lost compare-and-set uses up attempts", weather=CROWDED, settings=HASTY)
def conflicts_burn_attempts() -> AbstractContextManager[Any]:
    def wrong(self: Shell, service: Service[Any], cause: Any, event: Any, time: str) -> Steps[Any]:
        try:
            return (yield from self._absorb(service, service.key(event, time), cause, event, time, None))
        except Conflict as error:
            raise processing.AttemptFailed(str(error)) from None

    return patch.object(Shell, "handle", wrong)


@bug("a batch answers for all what it answers for one")
def whole_batches() -> AbstractContextManager[Any]:
    interleave = driver.interleave

    def wrong(batch: Any, late: Any) -> Any:
        results = yield from interleave(batch, late)
        done = [result for result in results if isinstance(result, Done)]
        return [done[0] if done and not isinstance(result, Exception) else result for result in results]

    return patch.object(workers, "interleave", wrong)


@bug("the sweeper never comes")
def no_sweeper() -> AbstractContextManager[Any]:
    def wrong(shell: Shell) -> Steps[Any]:
        return sweeper.Swept()
        yield

    return patch.object(sweeper, "sweep", wrong)


@bug("the sweeper cancels confirmed orders too")
def sweeps_too_much() -> AbstractContextManager[Any]:
    def pending(service: Service[Any], stored: Any) -> Record[Any]:
        known = load(service, stored)
        if known.state is not None and known.state.status == "confirmed":
            return replace(known, state=known.state.model_copy(update={"status": "pending"}))
        return known

    return patch.object(sweeper, "load", pending)


@bug("an idempotency key is not looked at")
def ignores_keys() -> AbstractContextManager[Any]:
    identify = api.Api._identify

    def wrong(self: Any, customer: str, request: Any, wanted: Any) -> Any:
        headers = {name: value for name, value in request.headers.items() if name != "idempotency-key"}
        return identify(self, customer, replace(request, headers=headers), wanted)

    return patch.object(api.Api, "_identify", wrong)


@bug("a row of a stock file is known by chance only")
def random_rows() -> AbstractContextManager[Any]:
    numbers = count()
    return patch.object(files, "derived_id", lambda *parts: f"row-{next(numbers)}")


# The services


@bug("charges without an idempotency key (AWS's durable saga sample)")
def charges_without_key() -> AbstractContextManager[Any]:
    charge, numbers = payment._charge, count()

    def wrong(paying: Any) -> Call:
        call = charge(paying)
        return replace(call, arguments={**call.arguments, "key": f"key-{next(numbers)}"})

    return patch.object(payment, "_charge", wrong)


@bug("refunds without an idempotency key")
def refunds_without_key() -> AbstractContextManager[Any]:
    refund, numbers = payment._refund, count()

    def wrong(paying: Any) -> Call:
        call = refund(paying)
        return replace(call, arguments={**call.arguments, "key": f"key-{next(numbers)}"})

    return patch.object(payment, "_refund", wrong)


@bug("a cancellation does not refund")
def no_refund() -> AbstractContextManager[Any]:
    def wrong(paying: Any, event: Any, context: Any) -> Any:
        return payment._void(paying or payment.Payment(status="void", order_id=event.order_id, customer_id="c"))

    return patch.object(payment, "_cancel", wrong)


@bug("a refund is taken for done although the gateway did not answer")
def hopes_for_refund() -> AbstractContextManager[Any]:
    resume = payment.resume

    def wrong(paying: Any, event: Any, outcome: Any, context: Any) -> Any:
        decision = resume(paying, event, outcome, context)
        if isinstance(decision, Fail) and paying.status == "settling" and paying.charge_id:
            hoped = paying.model_copy(update={"status": "refunded", "refund_id": "hoped"})
            return Commit(hoped, (payment._refund_event(hoped),))
        return decision

    return services(find("payment"), resume=wrong)


@bug("gives back twice what is released twice")
def releases_twice() -> AbstractContextManager[Any]:
    def wrong(stock: Any, *, order_id: str, n: int, quantity: int) -> Any:
        stock = stock or inventory.Stock()
        left = {other: hold for other, hold in stock.open.items() if other != order_id}
        return stock.model_copy(update={"available": stock.available + quantity, "open": left})

    return patch.object(inventory, "_release", wrong)


@bug("an order of two lines keeps the first when the second is short (AWS's durable saga sample)")
def leaks_stock() -> AbstractContextManager[Any]:
    resume = inventory.resume

    def wrong(reservation: Any, event: Any, outcome: Any, context: Any) -> Any:
        if reservation.status == "reserving" and isinstance(outcome, Declined) and outcome.reason == "short":
            refused = reservation.model_copy(update={"status": "refused", "plan": ()})
            return Commit(refused, (OutOfStock(order_id=reservation.order_id, missing=()),))
        return resume(reservation, event, outcome, context)

    return services(find("inventory"), resume=wrong)


@bug("says released before anything is")
def releases_nothing() -> AbstractContextManager[Any]:
    cancel = inventory._cancel

    def wrong(reservation: Any, event: Any) -> Any:
        if reservation is not None and reservation.status == "reserved":
            released = reservation.model_copy(update={"status": "released"})
            return Commit(released, (InventoryReleased(order_id=event.order_id, lines=()),))
        return cancel(reservation, event)

    return patch.object(inventory, "_cancel", wrong)


@bug("sells what is not there")
def oversells() -> AbstractContextManager[Any]:
    def wrong(stock: Any, *, order_id: str, n: int, quantity: int, cap: int) -> Any:
        stock = stock or inventory.Stock()
        if order_id in stock.open:
            return None
        held = {**stock.open, order_id: (quantity, n)}
        return stock.model_copy(update={"available": stock.available - quantity, "open": held})

    return patch.object(inventory, "_hold", wrong)


@bug("ships before the order is confirmed")
def ships_unconfirmed() -> AbstractContextManager[Any]:
    decide = shipping.decide

    def wrong(shipment: Any, event: Any, context: Any) -> Any:
        known = shipment or shipping.Shipment(order_id=event.order_id, customer_id=event.customer_id)
        return decide(known.model_copy(update={"confirmed": True}) if shipment else None, event, context)

    return services(find("shipping"), decide=wrong)


@bug("confirms before the payment was taken")
def confirms_unpaid() -> AbstractContextManager[Any]:
    ready = order._confirm_if_ready

    def wrong(placed: Any, context: Any) -> Any:
        return ready(placed.model_copy(update={"paid": True}), context)

    return patch.object(order, "_confirm_if_ready", wrong)


@bug("a late answer revives a cancelled order")
def revives() -> AbstractContextManager[Any]:
    ready = order._confirm_if_ready

    def wrong(placed: Any, context: Any) -> Any:
        return ready(placed.model_copy(update={"status": "pending"}), context)

    return patch.object(order, "_confirm_if_ready", wrong)


@bug("sends what is being sent already", everybody=True)
def sends_again() -> AbstractContextManager[Any]:
    decide = channels.decide

    def wrong(message: Any, event: Any, context: Any) -> Any:
        decision = decide(message, event, context)
        return decide(None, event, context) if isinstance(decision, Wait) else decision

    return services(*(find(channel) for channel in ("email", "sms", "push")), decide=wrong)


@bug("an erased address refuses a parcel that may be on its way", orders=8, weather=ERASING)
def refuses_late() -> AbstractContextManager[Any]:
    resume = shipping.resume

    def wrong(shipment: Any, event: Any, outcome: Any, context: Any) -> Any:
        decision = resume(shipment, event, outcome, context)
        if isinstance(decision, Fail) and "address" in decision.reason:
            return shipping._refused(shipment, "no address")
        return decision

    return services(find("shipping"), resume=wrong)


@bug("a re-enqueue begins the count of attempts anew", orders=4, weather=FAILING, settings=PATIENT)
def recounts() -> AbstractContextManager[Any]:
    """The count is kept by the transport's id, which every scheduled copy has anew."""
    count_attempt = Shell._count_attempt

    def wrong(self: Shell, service: Service[Any], delivery: Delivery, envelope: Envelope, reason: str) -> Steps[Any]:
        recounting = copy(self)
        add = self._attempts.add
        recounting._attempts = copy(self._attempts)
        recounting._attempts.add = lambda service, event_id, reason: add(  # type: ignore[method-assign]
            service, f"{event_id}.{delivery.transport_id}", reason
        )
        return (yield from count_attempt(recounting, service, delivery, envelope, reason))

    return patch.object(Shell, "_count_attempt", wrong)


def _both(*patches: Any) -> AbstractContextManager[Any]:
    stack = ExitStack()

    @contextmanager
    def planted() -> Iterator[None]:
        with stack:
            for each in patches:
                stack.enter_context(each)
            yield

    return planted()


@bug("an older release writes only what it knows")
def forgets_the_next_release() -> AbstractContextManager[Any]:
    write = State.write

    def wrong(self: State, previous: Any) -> Any:
        return {**write(self, previous), "state": self.model_dump(mode="json", include=set(type(self).model_fields))}

    return patch.object(State, "write", wrong)


@bug("an older release says that it migrated what it wrote")
def forgets_the_schema() -> AbstractContextManager[Any]:
    write = State.write

    def wrong(self: State, previous: Any) -> Any:
        return {**write(self, previous), "schema": self.schema_number()}

    return patch.object(State, "write", wrong)


# Bugs that were thought of after the simulator was written, by somebody who looked for what it would not see


@bug("a failed probe of an open circuit breaker uses up attempts")
def probes_burn_attempts() -> AbstractContextManager[Any]:
    leave, call = Shell._leave_to_call, Shell._call
    probing: list[Any] = []

    def asked(self: Shell, effect: Any) -> Steps[bool]:
        if (yield from leave(self, effect)):
            probing.append(effect)
        return False

    def wrong(self: Shell, effect: Call, probe: bool) -> Steps[Any]:
        return (yield from call(self, effect, any(effect is each for each in probing)))

    return _both(patch.object(Shell, "_leave_to_call", asked), patch.object(Shell, "_call", wrong))


@bug("a deadline ends a handler between a call and its record", everybody=True, weather=STALLING)
def ends_owing() -> AbstractContextManager[Any]:
    return patch.object(driver, "Ask", type("Nothing", (), {}))


@bug("a failed publish of a batch is told to the first of it only")
def tells_the_first() -> AbstractContextManager[Any]:
    interleave = driver.interleave

    def wrong(batch: Any, late: Any) -> Any:
        driving, answer = interleave(batch, late), None
        while True:
            try:
                places, step = driving.send(answer)
            except StopIteration as end:
                return end.value
            answer = yield places, step
            if isinstance(step, PublishAll) and isinstance(answer, Exception):
                answer = [Unavailable(str(answer)), *[None] * (len(places) - 1)]

    return patch.object(workers, "interleave", wrong)


@bug("an event that is still at work may come again with other content")
def forgets_what_it_works_on() -> AbstractContextManager[Any]:
    def wrong(self: Record[Any], cause: Any) -> bool:
        return cause.id in self.absorbed and self.absorbed[cause.id][0] != cause.digest

    return patch.object(Record, "contradicts", wrong)


@bug("a redrive gives no attempts back")
def spent_attempts() -> AbstractContextManager[Any]:
    def wrong(self: Attempts, service: Service[Any], event_id: str) -> Steps[None]:
        yield from ()

    return patch.object(Attempts, "forget", wrong)


@bug("a redrive removes the letter before its message is on its way")
def removes_first() -> AbstractContextManager[Any]:
    def wrong(shell: Shell, service: Service[Any], letter: DeadLetter) -> Steps[str | None]:
        yield Remove(letter)
        yield Resend(letter)
        return None

    return patch.object(deadletters, "redrive", wrong)


@bug(
    "a letter that nobody waits for cannot be thrown away", orders=4, everybody=True, weather=FAILING, settings=PATIENT
)
def keeps_letters() -> AbstractContextManager[Any]:
    needed = deadletters._needed

    def wrong(shell: Shell, service: Service[Any], envelope: Envelope) -> Steps[str | None]:
        return (yield from needed(shell, service, envelope)) or (None if service.emits else "it emits nothing")

    return patch.object(deadletters, "_needed", wrong)


@bug("a dead letter has lost the attributes of its message")
def loses_attributes() -> AbstractContextManager[Any]:
    bury = Shell._bury

    def wrong(self: Shell, service: Service[Any], delivery: Delivery, *arguments: Any, **more: Any) -> Steps[Any]:
        return (yield from bury(self, service, replace(delivery, attributes={}), *arguments, **more))

    return patch.object(Shell, "_bury", wrong)


@bug("the filter is left to the broker")
def filters_nothing() -> AbstractContextManager[Any]:
    return patch.object(Service, "lets_through", lambda self, attributes: True)


@bug("a circuit breaker knows its last failure only")
def forgets_failures() -> AbstractContextManager[Any]:
    def wrong(self: Breakers, name: str) -> Steps[None]:
        stored = yield from self._read(name)
        now = self._clock.now()
        opened = now + self._settings.breaker_cooldown if stored and stored.document["open_until"] else 0.0
        yield from self._write(name, {"failures": [now], "open_until": opened, "probe_until": 0.0}, stored)

    return patch.object(Breakers, "failed", wrong)


@bug("an open circuit breaker is probed by everybody")
def probes_together() -> AbstractContextManager[Any]:
    look = Breakers._look

    def wrong(self: Breakers, name: str) -> Steps[Stored | None]:
        stored = yield from look(self, name)
        return stored and Stored({**stored.document, "probe_until": 0.0}, stored.version)

    return patch.object(Breakers, "_look", wrong)


@bug("the sweeper's intervals double without end", weather=LONG_OUTAGES, settings=SWEPT)
def sweeps_ever_later() -> AbstractContextManager[Any]:
    def wrong(placed: Any, shell: Shell, now: float) -> Any:
        interval = shell.settings.sweep_after * 2.0 ** (placed.sweeps + 1)
        return placed.model_copy(update={"sweeps": placed.sweeps + 1, "due_at": now + interval})

    return patch.object(sweeper, "_later", wrong)


@bug("a refused refund is asked for again under the same key", orders=2, everybody=False, weather=REFUSING)
def same_key_for_ever() -> AbstractContextManager[Any]:
    resume = payment.resume

    def wrong(*arguments: Any) -> Any:
        decision = resume(*arguments)
        return Fail(decision.reason) if isinstance(decision, Fail) else decision

    return services(find("payment"), resume=wrong)


@bug("a suspicion cancels what is confirmed", weather=DELAYING, settings=SUSPICIOUS)
def suspects_late() -> AbstractContextManager[Any]:
    def wrong(placed: Any, reason: str, context: Any) -> Any:
        undecided = placed.status in ("pending", "confirmed")
        return order.cancel(placed, reason, context.now) if undecided else Commit(placed)

    return patch.object(order, "_cancel_if_pending", wrong)


@bug("an order is refused that several shards together could cover")
def wants_one_shard() -> AbstractContextManager[Any]:
    plan = inventory._plan

    def wrong(reservation: Any, seen: Any, context: Any) -> Any:
        decision = plan(reservation, seen, context)
        if isinstance(decision, Intend) and len(decision.state.plan) > len(reservation.lines):
            short = [
                Shortage(sku=line.sku, requested=line.quantity, available=_available(line.sku, seen))
                for line in reservation.lines
            ]
            refused = reservation.model_copy(update={"status": "refused", "plan": ()})
            return Commit(refused, (OutOfStock(order_id=reservation.order_id, missing=tuple(short)),))
        return decision

    return patch.object(inventory, "_plan", wrong)


def _available(sku: str, seen: Any) -> int:
    return sum(state.get("available", 0) for (of, _), state in seen.items() if of == sku)


@bug("a refund is told of by the charge's id")
def tells_the_charge() -> AbstractContextManager[Any]:
    told = payment._refund_event

    def wrong(paying: Any) -> PaymentRefunded:
        return told(paying).model_copy(update={"refund_id": paying.charge_id})

    return patch.object(payment, "_refund_event", wrong)


@bug("a message that the provider did not answer is given up", everybody=True)
def gives_up_messages() -> AbstractContextManager[Any]:
    resume = {channel: find(channel).resume for channel in ("email", "sms", "push")}

    def giving_up(channel: str) -> Any:
        def wrong(message: Any, event: Any, outcome: Any, context: Any) -> Any:
            if isinstance(outcome, Unanswered):
                return Commit(message.model_copy(update={"status": "undeliverable", "note": outcome.error}))
            known = resume[channel]
            assert known is not None
            return known(message, event, outcome, context)

        return wrong

    return _both(*(services(find(channel), resume=giving_up(channel)) for channel in resume))


@bug("messages about two orders of a customer are taken for one", everybody=True)
def confuses_messages() -> AbstractContextManager[Any]:
    request = notification._request

    def wrong(event: Any, template: str, channel: Any) -> Any:
        wanted = derived_id(event.customer_id, template, channel)
        return request(event, template, channel).model_copy(update={"notification_id": wanted})

    return patch.object(notification, "_request", wrong)


@bug("analytics counts refunds as revenue", everybody=True)
def earns_by_refunds() -> AbstractContextManager[Any]:
    decide = find("analytics").decide

    def wrong(totals: Any, event: Any, context: Any) -> Any:
        if isinstance(event, PaymentRefunded):
            event = event.model_copy(update={"amount": -event.amount})
        return decide(totals, event, context)

    return services(find("analytics"), decide=wrong)


@bug("an idempotency key does not know how it is to be paid")
def ignores_tokens() -> AbstractContextManager[Any]:
    identify = api.Api._identify

    def wrong(self: Any, customer: str, request: Any, wanted: Any) -> Any:
        return identify(self, customer, request, wanted.model_copy(update={"payment_token": "any"}))

    return patch.object(api.Api, "_identify", wrong)


@bug("a file is known by its name only")
def files_by_name() -> AbstractContextManager[Any]:
    class Hashes:
        @staticmethod
        def sha256(content: bytes) -> Any:
            return sha256(content.split(b"\0")[0])

    return patch.object(files, "hashlib", Hashes)


@bug("a row that others always overtook is put aside", weather=CROWDED, settings=HASTY)
def puts_aside() -> AbstractContextManager[Any]:
    load_price = files._load_price

    def wrong(shell: Shell, row_id: str, row: Any) -> Steps[bool]:
        try:
            return (yield from load_price(shell, row_id, row))
        except Conflict:
            return False

    return patch.object(files, "_load_price", wrong)


# Large events


@bug("an event goes out although its data could not be stored")
def forgets_data() -> AbstractContextManager[Any]:
    made_small = claims.ClaimingPublisher._made_small

    def wrong(self: Any, envelope: Envelope) -> Envelope:
        try:
            return made_small(self, envelope)
        except Unavailable:
            return made_small(claims.ClaimingPublisher(self._publisher, MemoryObjects(), self._most_bytes), envelope)

    return patch.object(claims.ClaimingPublisher, "_made_small", wrong)


@bug("an event is refused whose data cannot be fetched just now")
def refuses_unfetched_data() -> AbstractContextManager[Any]:
    redeem = claims.redeem

    def wrong(envelope: Envelope) -> Steps[Envelope]:
        try:
            return (yield from redeem(envelope))
        except Unavailable as error:
            raise claims.BadClaim(str(error)) from None

    return patch.object(processing, "redeem", wrong)


# Signed events


@bug("signatures are not looked at", settings=SIGNED)
def looks_at_no_signature() -> AbstractContextManager[Any]:
    return patch.object(Signatures, "fault", lambda self, envelope: None)


@bug("an event that nobody signed is believed", settings=SIGNED)
def believes_the_unsigned() -> AbstractContextManager[Any]:
    fault = Signatures.fault

    def wrong(self: Signatures, envelope: Envelope) -> str | None:
        return None if envelope.extension("signature") is None else fault(self, envelope)

    return patch.object(Signatures, "fault", wrong)


@bug("a signature is good for any event", settings=SIGNED)
def compares_no_content() -> AbstractContextManager[Any]:
    return patch.object(signatures, "_mac", lambda key, header, envelope: hmac.digest(key, header.encode(), sha256))


@bug("any key's signature is good", settings=SIGNED)
def compares_no_key() -> AbstractContextManager[Any]:
    mac = signatures._mac
    return patch.object(signatures, "_mac", lambda key, header, envelope: mac(b"", header, envelope))


@bug("what cannot be checked just now is refused", settings=SIGNED)
def refuses_the_unchecked() -> AbstractContextManager[Any]:
    doubt = Shell.doubt

    def wrong(self: Shell, envelope: Envelope) -> Steps[str | None]:
        try:
            return (yield from doubt(self, envelope))
        except Unavailable as error:
            return str(error)

    return patch.object(Shell, "doubt", wrong)
