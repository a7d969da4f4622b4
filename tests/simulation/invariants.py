"""What must hold: at every write and every publish (`Watch`), and once everything is at rest (`at_rest`). The names I1
to I6 are those of docs/guarantees.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from orderflow.envelope import Envelope
from orderflow.events import read
from orderflow.files import RECEIPTS
from orderflow.ports import DeadLetter, Document
from orderflow.service import Service
from orderflow.services import SERVICES, find
from simulation.broker import Broker
from simulation.outside import Carrier, Gateway, Messenger
from simulation.releases import MARK
from simulation.store import SimulatedStore
from simulation.workers import Fleet
from simulation.workload import Workload
from simulation.world import Violation

MOVES = {
    ("pending", "confirmed"),
    ("pending", "cancelled"),
    ("confirmed", "shipped"),
    ("confirmed", "cancelled"),
}


class Watch:
    """Checks each write and each publish as it happens, and remembers what was absorbed and emitted."""

    def __init__(self) -> None:
        self.absorbed: Counter[tuple[str, str]] = Counter()
        self.emitted: dict[str, dict[str, Any]] = {}
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
        elif collection == "orders" and previous is not None:
            _moved(key, document["state"], previous["state"])

    def published(self, envelope: Envelope) -> None:
        """Check that an event was committed before it is published, and is the same every time."""
        committed = self.emitted.get(envelope.id)
        if committed is None:
            raise Violation(f"{envelope.kind} {envelope.id} was published but not committed")
        if committed != envelope.to_dict():
            raise Violation(f"{envelope.kind} {envelope.id} was published with other content than was committed")

    def _absorbing(self, service: Service[Any], key: str, document: Document, previous: Document | None) -> None:
        before = previous["absorbed"] if previous else []
        after = document["absorbed"]
        if len(after) == len(before):
            return
        if [entry[0] for entry in after[: len(before)]] != [entry[0] for entry in before]:
            raise Violation(f"I5: {service.name} {key} forgot what it had absorbed")
        for cause_id, _, envelopes in after[len(before) :]:
            self.absorbed[service.name, cause_id] += 1
            if self.absorbed[service.name, cause_id] > 1:
                raise Violation(f"I5: {service.name} absorbed {cause_id} twice")
            for envelope in envelopes:
                if envelope["id"] in self.emitted:
                    raise Violation(f"{envelope['kind']} {envelope['id']} was emitted twice")
                self.emitted[envelope["id"]] = envelope


def _kept(collection: str, key: str, document: Document, previous: Document) -> None:
    mark = previous["state"].get(MARK)
    if document["schema"] < previous["schema"] or (mark and document["state"].get(MARK) != mark):
        raise Violation(f"R-CON-4: {collection}/{key} lost what the next release wrote")


def _balanced(key: str, stock: dict[str, Any]) -> None:
    held = sum(quantity for quantity, _ in stock["open"].values())
    if stock["available"] < 0 or stock["available"] + held + stock["shipped"] != stock["replenished"]:
        raise Violation(f"I3: stock {key} does not add up: {stock}")


def _moved(key: str, state: dict[str, Any], before: dict[str, Any]) -> None:
    if before["status"] != state["status"] and (before["status"], state["status"]) not in MOVES:
        raise Violation(f"R-ORD-3: order {key} went from {before['status']} to {state['status']}")


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
    yield from _events(store, broker, fleet, watch, active)
    buried = {(letter.service, letter.body) for letter in broker.buried}
    for service, body in workload.poison:
        if (service, body) not in buried:
            yield f"I6: a message that {service} could not read is in no DLQ: {body!r}", "poison"
    for letter in broker.buried:
        reason = _unstated(letter, fleet)
        if reason:
            yield f"I6: {reason}: {letter.service} {letter.event_id} {letter.reason} {letter.detail}", letter.event_id
    for service, letters in broker.letters.items():
        if letters:
            yield f"I6: {len(letters)} letters are left in the DLQ of {service}: {letters[0].detail}", service
    yield from _messages(store, broker, fleet)


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
        sku = key.rpartition(".")[0]
        state = document["state"]
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


def _given_up(broker: Broker, service: str, event_id: str) -> bool:
    """Whether an operator threw a message away that nobody waits for; such a one only."""
    awaited = any(emitted.category != "message" for emitted in find(service).emits)
    return not awaited and (service, event_id) in broker.discarded


def _unstated(letter: DeadLetter, fleet: Fleet) -> str | None:
    match letter.reason:
        case "malformed" if not letter.event_id:
            return None
        case "attempts-exhausted" if letter.detail.startswith("the customer's address is gone"):
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
            excused = sum(fleet.faults[channel, cause] for cause in causes)
            if state["status"] == "sending" or (state["status"] == "sent" and not sent):
                yield f"{channel} {key} rests as {state['status']}, {sent} sent", state["order_id"]
            if sent > 1 + excused:
                yield f"R-NOT-3: {channel} {key} was sent {sent} times, with {excused} faults", state["order_id"]
