"""What must hold: at every write and every publish (`Watch`), and once everything is at rest (`at_rest`). The names I1
to I6 are those of docs/guarantees.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from typing import Any

from orderflow.breaker import COLLECTION as BREAKERS
from orderflow.envelope import Envelope
from orderflow.events import read
from orderflow.files import RECEIPTS
from orderflow.keys import safe_key
from orderflow.ports import DeadLetter, Document
from orderflow.service import Service
from orderflow.services import SERVICES, find
from orderflow.services.analytics import Totals, merge
from orderflow.settings import Settings
from simulation.broker import Broker
from simulation.outside import Carrier, Gateway, Messenger
from simulation.releases import MARK
from simulation.store import SimulatedStore
from simulation.workers import ADDRESS_GONE, Fleet
from simulation.workload import Workload
from simulation.world import Violation, World

UNBELIEVED = ("unsigned", "bad-signature")
"""Why a message is put aside that none of ours has sent."""

CLOCKS_APART_S = 10.0
"""At most so far a process's clock is from the world's: twice what `Weather.draw` has."""

MOVES = {
    ("pending", "confirmed"),
    ("pending", "cancelled"),
    ("confirmed", "shipped"),
    ("confirmed", "cancelled"),
}


class Watch:
    """Checks each write and each publish as it happens, and remembers what was absorbed and emitted."""

    def __init__(self, settings: Settings, world: World) -> None:
        self.absorbed: Counter[tuple[str, str]] = Counter()
        self.emitted: dict[str, dict[str, Any]] = {}
        self._followed: dict[tuple[str, str], list[str]] = {}
        """Ids of what a service emitted for an event."""
        self._settings = settings
        self._world = world
        self._owners: dict[str, Service[Any]] = {find(name).collection: find(name) for name in SERVICES}
        self._owners[RECEIPTS.collection] = RECEIPTS

    def written(self, collection: str, key: str, document: Document, previous: Document | None) -> None:
        """Check a write against what it replaced."""
        if document["rev"] != (previous["rev"] + 1 if previous else 1):
            raise Violation(f"rule 4: {collection}/{key} was written without a new rev")
        if previous is not None and "schema" in previous:
            _kept(collection, key, document, previous)
        if collection in self._owners:
            self._absorbing(self._owners[collection], key, document, previous)
        if collection == "stock":
            _balanced(key, document["state"])
            if previous is not None and document["state"]["spread"] < previous["state"]["spread"]:
                raise Violation(f"rule 10: {key} tells of fewer shards than there were")
        elif collection == BREAKERS:
            _trips(key, document, previous, self._settings)
        elif collection == "orders" and previous is not None:
            _moved(key, document["state"], previous["state"])
            longest = max(self._settings.sweep_cap, self._settings.sweep_after) + CLOCKS_APART_S
            if document["state"]["due_at"] > self._world.time + longest:
                raise Violation(f"I1: the sweeper comes back to order {key} too late")

    def published(self, envelope: Envelope) -> None:
        """Check that an event was committed before it is published, and is the same every time."""
        committed = self.emitted.get(envelope.id)
        if committed is None:
            raise Violation(f"{envelope.kind} {envelope.id} was published but not committed")
        said = envelope.to_dict()
        if "signature" in said:
            said = {name: value for name, value in said.items() if name != "signature"}
        if committed != said:
            raise Violation(f"{envelope.kind} {envelope.id} was published with other content than was committed")

    def let_go(self, published: Container[str], service: str, event_id: str) -> None:
        """Check that an event is acknowledged only when everything that followed from it is published."""
        for followed in self._followed.get((service, event_id), ()):
            if followed not in published:
                raise Violation(f"I5: {service} let go of {event_id} before {followed} was published")

    def _absorbing(self, service: Service[Any], key: str, document: Document, previous: Document | None) -> None:
        before = previous["absorbed"] if previous else []
        after = document["absorbed"]
        if len(after) == len(before):
            return
        if [entry[0] for entry in after[: len(before)]] != [entry[0] for entry in before]:
            raise Violation(f"I5: {service.name} {key} forgot what it had absorbed")
        for cause_id, digest, envelopes in after[len(before) :]:
            if cause_id in self.emitted:
                _heard(service, Envelope.trusted(self.emitted[cause_id]), digest)
            self._followed[service.name, cause_id] = [envelope["id"] for envelope in envelopes]
            self.absorbed[service.name, cause_id] += 1
            if self.absorbed[service.name, cause_id] > 1:
                raise Violation(f"I5: {service.name} absorbed {cause_id} twice")
            for envelope in envelopes:
                if envelope["id"] in self.emitted:
                    raise Violation(f"{envelope['kind']} {envelope['id']} was emitted twice")
                self.emitted[envelope["id"]] = envelope
                if envelope["kind"] == "OutOfStock":
                    _short(envelope)


def _heard(service: Service[Any], envelope: Envelope, digest: str) -> None:
    attributes = envelope.attributes()
    if not all(attributes.get(name) in values for name, values in service.subscription_filter().items()):
        raise Violation(f"I5: {service.name} absorbed {envelope.kind} {envelope.id}, which its filter keeps back")
    if digest != envelope.digest():
        raise Violation(f"R-REL-13: {service.name} absorbed other content than that of {envelope.kind} {envelope.id}")


def _short(envelope: dict[str, Any]) -> None:
    for short in envelope["data"]["missing"]:
        if short["available"] >= short["requested"]:
            raise Violation(f"R-INV-1: order {envelope['subject']} is refused though there is enough: {short}")


def _kept(collection: str, key: str, document: Document, previous: Document) -> None:
    mark = previous["state"].get(MARK)
    if document["schema"] < previous["schema"] or (mark and document["state"].get(MARK) != mark):
        raise Violation(f"R-CON-4: {collection}/{key} lost what the next release wrote")


def _balanced(key: str, stock: dict[str, Any]) -> None:
    held = sum(quantity for quantity, _ in stock["open"].values())
    if stock["available"] < 0 or stock["available"] + held + stock["shipped"] != stock["replenished"]:
        raise Violation(f"I3: stock {key} does not add up: {stock}")


def _trips(name: str, breaker: Document, previous: Document | None, settings: Settings) -> None:
    """A breaker counts every failure of its window, opens with the last that it bears, and lets one probe at a time."""
    before = previous or {"failures": [], "open_until": 0.0, "probe_until": 0.0}
    if breaker["probe_until"]:
        if breaker["probe_until"] - settings.breaker_cooldown < before["probe_until"] - 0.001:
            raise Violation(f"R-REL-5: {name} is probed by two at once: {before}, {breaker}")
    elif breaker["failures"]:
        now = breaker["failures"][-1]
        known = 1 + sum(now - at < settings.breaker_window for at in before["failures"])
        if len(breaker["failures"]) < min(known, settings.breaker_failures):
            raise Violation(f"R-REL-5: the breaker of {name} forgot a failure: {before}, {breaker}")
        if known >= settings.breaker_failures and not breaker["open_until"]:
            raise Violation(f"R-REL-5: the breaker of {name} stays closed after {known} failures")


def _moved(key: str, state: dict[str, Any], before: dict[str, Any]) -> None:
    if before["status"] != state["status"] and (before["status"], state["status"]) not in MOVES:
        raise Violation(f"R-ORD-3: order {key} went from {before['status']} to {state['status']}")
    if (before["status"], state["status"]) == ("confirmed", "cancelled") and "shipment-refused" not in state["reason"]:
        raise Violation(f"R-ORD-3: order {key} was confirmed and is cancelled: {state['reason']}")


def at_rest(
    store: SimulatedStore, broker: Broker, fleet: Fleet, workload: Workload, watch: Watch, active: list[str]
) -> Iterator[tuple[str, str]]:
    """Everything that is wrong once faults have stopped and nothing moves any more, each with what it concerns."""
    dependencies = fleet.ports.dependencies
    for wish in workload.wishes:
        if wish.order_id is None or store.get("orders", wish.order_id) is None:
            yield f"order {wish.key} was accepted ({wish.order_id}) and is not there", wish.key
    for key, document in store.all("orders"):
        for message in _order(key, document["state"], store, dependencies["gateway"], dependencies["carrier"]):
            yield message, key
    yield from _stock(store, workload)
    for sku in workload.articles:
        if store.get("catalogue", sku) is None:
            yield f"R-INV-4: the price of {sku} was handed in and is not in the catalogue", sku
    yield from _events(store, broker, fleet, watch, active)
    buried = {(letter.service, letter.body) for letter in broker.buried}
    for service, body in workload.poison:
        if (service, body) not in buried:
            yield f"I6: a message that {service} could not read is in no DLQ: {body!r}", "poison"
    unbelieved = {(letter.service, letter.event_id) for letter in broker.buried if letter.reason in UNBELIEVED}
    for service, envelope in workload.foreign:
        if (service, envelope.id) not in unbelieved:
            yield f"R-SEC-3: {service} believed {envelope.kind} {envelope.id}, which none of ours signed", envelope.id
    for letter in broker.buried:
        original = broker.published.get(letter.event_id)
        if original and not original[0].attributes().items() <= letter.attributes.items():
            yield f"I6: a letter lost the attributes of its message: {letter}", letter.event_id
        reason = None if (letter.service, letter.body) in workload.forged else _unstated(letter, fleet)
        if reason:
            yield f"I6: {reason}: {letter.service} {letter.event_id} {letter.reason} {letter.detail}", letter.event_id
    for service, letters in broker.letters.items():
        if letters:
            yield f"I6: {len(letters)} letters are left in the DLQ of {service}: {letters[0].detail}", service
    yield from _messages(store, broker, fleet)
    yield from _truth(store, watch, dependencies["gateway"], dependencies["carrier"])
    yield from _totals(store, watch)


def _order(key: str, order: dict[str, Any], store: SimulatedStore, gateway: Gateway, carrier: Carrier) -> Iterator[str]:
    status = order["status"]
    if status not in ("shipped", "cancelled") or not order["closed"]:
        yield f"I1: order {key} rests as {status}, closed={order['closed']}"
        return
    shipped = status == "shipped"
    charges = gateway.charges.get(key, [])
    taken = len(charges) - sum(len(charge.refunds) for charge in charges)
    if taken != (1 if shipped else 0):
        yield f"I2: order {key} is {status}; its charges: {charges}"
    if any(charge.amount != order["total"] for charge in charges):
        yield f"I2: order {key} over {order['total']} was charged {charges}"
    if len(carrier.labels.get(key, ())) != (1 if shipped else 0):
        yield f"I4: order {key} is {status}; its labels: {carrier.labels.get(key, [])}"
    for collection, resting in (
        ("reservations", ("shipped",) if shipped else ("released", "refused")),
        ("payments", ("charged",) if shipped else ("refunded", "void", "refused")),
        ("shipments", ("shipped",) if shipped else ("cancelled", "refused")),
    ):
        stored = store.get(collection, key)
        found = stored.document["state"]["status"] if stored else "missing"
        if found not in resting:
            yield f"order {key} is {status} but {collection} says {found}"


def _stock(store: SimulatedStore, workload: Workload) -> Iterator[tuple[str, str]]:
    totals: dict[str, Counter[str]] = {}
    for key, document in store.all("stock"):
        sku, _, shard = key.rpartition(".")
        state = document["state"]
        first = store.get("stock", f"{sku}.0")
        if int(shard) >= (first.document["state"]["spread"] if first else 1):
            yield f"I3: no order finds stock {key}: the first shard does not tell of it", key
        total = totals.setdefault(sku, Counter())
        for name in ("available", "shipped", "replenished"):
            total[name] += state[name]
        if state["open"] or state["arriving"]:
            yield f"I3: stock {key} is not at rest: open {state['open']}, arriving {state['arriving']}", key
    shipped: Counter[str] = Counter()
    for _, document in store.all("orders"):
        if document["state"]["status"] == "shipped":
            for line in document["state"]["lines"]:
                shipped[line["sku"]] += line["quantity"]
    for sku, arrived in workload.arrived.items():
        total = totals.get(sku, Counter())
        if total["replenished"] != arrived:
            yield f"I3: {arrived} of {sku} arrived, {total['replenished']} were counted", sku
        if total["shipped"] != shipped[sku]:
            yield f"I3: {shipped[sku]} of {sku} were ordered and shipped, {total['shipped']} left the stock", sku


def _events(
    store: SimulatedStore, broker: Broker, fleet: Fleet, watch: Watch, active: list[str]
) -> Iterator[tuple[str, str]]:
    for event_id, emitted in watch.emitted.items():
        if event_id not in broker.published:
            yield f"I5: {emitted['kind']} {event_id} was committed and never published", emitted["subject"]
    for (name, event_id), envelope in broker.matched.items():
        if name not in active or watch.absorbed[name, event_id] or _given_up(broker, name, event_id):
            continue
        if type(read(envelope)) in find(name).hears and fleet.acknowledged.get((name, event_id)) != "ignored":
            yield f"I5: {name} never absorbed {envelope.kind} {event_id}", envelope.subject


def awaited(service: str) -> bool:
    """Whether somebody waits for what a service has to say."""
    return any(emitted.category != "message" for emitted in find(service).emits)


def _given_up(broker: Broker, service: str, event_id: str) -> bool:
    """Whether an operator threw a message away that nobody waits for; such a one only."""
    return not awaited(service) and (service, event_id) in broker.discarded


def _unstated(letter: DeadLetter, fleet: Fleet) -> str | None:
    match letter.reason:
        case "malformed" if not letter.event_id:
            return None
        case "attempts-exhausted" if letter.detail.startswith(ADDRESS_GONE):
            return None
        case "attempts-exhausted":
            failed = fleet.failures[letter.service, letter.event_id]
            return f"only {failed} failures" if failed < letter.attempts else None
    return "no reason to be in a DLQ"


def _messages(store: SimulatedStore, broker: Broker, fleet: Fleet) -> Iterator[tuple[str, str]]:
    for channel in ("email", "sms", "push"):
        messenger: Messenger = fleet.ports.dependencies[channel]
        for key, document in store.all(channel):
            sent, state = messenger.sent[key], document["state"]
            causes = [entry[0] for entry in document["absorbed"]]
            if not causes and any(_given_up(broker, channel, cause) for cause in document.get("pending", ())):
                continue
            if state["status"] == "undeliverable" and state["note"] != "no contact":
                yield f"{channel} {key} was given up: {state['note']}", state["order_id"]
            excused = sum(fleet.faults[channel, cause] for cause in causes)
            if state["status"] == "sending" or (state["status"] == "sent" and not sent):
                yield f"{channel} {key} rests as {state['status']}, {sent} sent", state["order_id"]
            if sent > 1 + excused:
                yield f"R-NOT-3: {channel} {key} was sent {sent} times, with {excused} faults", state["order_id"]


def _truth(store: SimulatedStore, watch: Watch, gateway: Gateway, carrier: Carrier) -> Iterator[tuple[str, str]]:
    """Events say what was really done."""
    for emitted in watch.emitted.values():
        data, subject = emitted["data"], emitted["subject"]
        charges = {charge.charge_id: charge for charge in gateway.charges.get(subject, ())}
        match emitted["kind"]:
            case "PaymentCompleted":
                true = data["charge_id"] in charges and charges[data["charge_id"]].amount == data["amount"]
            case "PaymentRefunded":
                true = any(
                    data["refund_id"] in each.refunds and each.amount == data["amount"] for each in charges.values()
                )
            case "ShipmentCreated":
                true = data["tracking"] in carrier.trackings
            case "NotificationRequested":
                stored = store.get(data["channel"], safe_key(data["notification_id"]))
                about = stored.document["state"] if stored else data
                true = (about["order_id"], about["template"]) == (data["order_id"], data["template"])
            case _:
                continue
        if not true:
            yield f"{emitted['kind']} {emitted['id']} does not say what was done: {data}", subject


def _totals(store: SimulatedStore, watch: Watch) -> Iterator[tuple[str, str]]:
    """The aggregates are those of what analytics has heard. A refund takes off what a payment of that order put on."""
    events: Counter[str] = Counter()
    revenue: Counter[str] = Counter()
    paid = {emitted["data"]["order_id"] for emitted in watch.emitted.values() if emitted["kind"] == "PaymentCompleted"}
    for name, event_id in watch.absorbed:
        if name == "analytics":
            emitted = watch.emitted[event_id]
            events[emitted["kind"]] += 1
            data = emitted["data"]
            if emitted["kind"] == "PaymentCompleted":
                revenue[data["currency"]] += data["amount"]
            elif emitted["kind"] == "PaymentRefunded" and data["order_id"] in paid:
                revenue[data["currency"]] -= data["amount"]
    totals = merge((Totals.of(document) for _, document in store.all("analytics")), "")
    if totals.events != dict(events) or totals.revenue != dict(revenue):
        yield (
            f"R-ANA-1: analytics counts {totals.events} and {totals.revenue}, of {dict(events)} and {dict(revenue)}",
            "",
        )
