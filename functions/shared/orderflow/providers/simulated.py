"""The simulated gateway, carrier and channels, which are the default.

They answer by fixed rules and keep their books in collections of their own, so that one can see
what was really charged, shipped and sent. They are providers, not stand-ins for the workflow: every cloud calls them
in the same way.

Rules: a payment token ``tok_refused...`` is refused; ``tok_lost...`` takes the money and loses its first answer. An
address in country ``AQ`` is refused by the carrier. The document ``simulation/<name>`` may set ``{"mode": "down" |
"slow" | "refuse"}`` to break one on purpose; a gateway of mode ``refuse-refunds`` takes money and gives none back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orderflow.envelope import derived_id
from orderflow.keys import safe_key
from orderflow.ports import Clock, Conflict, Document, Store, Unavailable

COLLECTIONS = ("gateway", "carrier", "messages", "simulation")
_TRIES = 20
MODE_LIFE_SECONDS = 1.0
"""For how long a process believes what ``simulation/<name>`` said."""


def set_mode(store: Store, name: str, mode: str) -> None:
    """Let a simulated provider behave so from now on; every process notices within `MODE_LIFE_SECONDS`. Raises
    `Conflict` where somebody else was just doing the same."""
    stored = store.get("simulation", name)
    if stored is None:
        store.insert("simulation", name, {"rev": 1, "mode": mode})
    else:
        store.replace("simulation", name, {"rev": stored.document["rev"] + 1, "mode": mode}, stored)


class _Books:
    """One provider's books: a document a customer case, changed by compare-and-set."""

    def __init__(self, name: str, collection: str, store: Store, clock: Clock) -> None:
        self._name = name
        self._collection = collection
        self._store = store
        self._clock = clock
        self._mode = "ok"
        self._mode_read_at = -1e9

    def obey_simulation(self) -> str:
        """Do what ``simulation/<name>`` said within the last second; answers the mode. Raises `Unavailable` when it is
        down."""
        if self._clock.now() - self._mode_read_at > MODE_LIFE_SECONDS:
            order = self._store.get("simulation", self._name)
            self._mode = order.document["mode"] if order else "ok"
            self._mode_read_at = self._clock.now()
        mode = self._mode
        if mode == "down":
            raise Unavailable(f"{self._name} is down")
        if mode == "slow":
            self._clock.sleep(2.0)
        return mode

    def enter(self, key: str, name: Callable[[Document], str], make: Callable[[], Document]) -> tuple[Document, bool]:
        """Add an entry, named by what is there already, unless it is there; answers the entry and whether it is new.
        Most cases have one entry: it is inserted before anything is read."""
        key = safe_key(key)
        for tried in range(_TRIES):
            stored = self._store.get(self._collection, key) if tried else None
            entries: Document = stored.document["entries"] if stored else {}
            entry = name(entries)
            if entry in entries:
                return entries[entry], False
            made: Document = make()
            document = {"rev": stored.document["rev"] + 1 if stored else 1, "entries": {**entries, entry: made}}
            try:
                if stored is None:
                    self._store.insert(self._collection, key, document)
                else:
                    self._store.replace(self._collection, key, document, stored)
            except Conflict:
                continue
            return made, True
        raise Unavailable(f"{self._name}: too many conflicts")

    def entries(self, key: str) -> Document:
        """All entries of a case."""
        stored = self._store.get(self._collection, safe_key(key))
        return stored.document["entries"] if stored else {}


class SimulatedGateway:
    """A payment gateway that remembers keys for ever. Books: ``gateway/<order id>``, entries by idempotency key."""

    key_life_seconds = 86_400

    def __init__(self, store: Store, clock: Clock) -> None:
        self._books = _Books("gateway", "gateway", store, clock)

    def charge(self, *, key: str, order_id: str, amount: int, currency: str, token: str) -> dict[str, Any]:
        refuse = self._books.obey_simulation() == "refuse" or token.startswith("tok_refused")

        def made() -> dict[str, Any]:
            if refuse:
                return {"status": "refused", "reason": "card declined"}
            charge_id = f"ch_{derived_id(key)}"
            return {"status": "charged", "charge_id": charge_id, "amount": amount, "currency": currency}

        answer, new = self._books.enter(order_id, lambda _: key, made)
        if new and token.startswith("tok_lost"):
            raise Unavailable("the answer was lost")
        return answer

    def refund(self, *, key: str, charge_id: str, amount: int, currency: str) -> dict[str, Any]:
        refuse = self._books.obey_simulation() == "refuse-refunds"
        entry: dict[str, Any] = (
            {"status": "refused", "reason": "refunds are not possible"}
            if refuse
            else {"status": "refunded", "refund_id": f"re_{derived_id(key)}", "amount": amount, "currency": currency}
        )
        return self._books.enter(key.partition(".refund")[0], lambda _: key, lambda: entry)[0]

    def lookup(self, *, order_id: str) -> dict[str, Any]:
        self._books.obey_simulation()
        books = self._books.entries(order_id)
        entries = [entry for key, entry in books.items() if ".refund" not in key or entry["status"] == "refunded"]
        refunds = [entry for entry in entries if entry["status"] == "refunded"]
        last: dict[str, Any] = (refunds or entries or [{"status": "none"}])[-1]
        return last


class SimulatedCarrier:
    """A parcel carrier that does not go to Antarctica. Books: ``carrier/<order id>``, entries by idempotency key."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._books = _Books("carrier", "carrier", store, clock)

    def label(self, *, key: str, order_id: str, address: dict[str, Any], parcels: int) -> dict[str, Any]:
        refuse = self._books.obey_simulation() == "refuse" or address.get("country") == "AQ"
        entry = (
            {"status": "refused", "reason": "no service to this address"}
            if refuse
            else {"status": "accepted", "tracking": f"TRK{derived_id(key)[:12].upper()}", "parcels": parcels}
        )
        return self._books.enter(order_id, lambda _: key, lambda: entry)[0]


class SimulatedMessenger:
    """A channel whose provider knows no idempotency keys: what is sent twice is sent twice. Books: ``messages/<key>``,
    one entry a sending, without the contact."""

    def __init__(self, channel: str, store: Store, clock: Clock) -> None:
        self._channel = channel
        self._books = _Books(channel, "messages", store, clock)
        self._clock = clock

    def send(self, *, key: str, to: str, subject: str, text: str) -> dict[str, Any]:
        if self._books.obey_simulation() == "refuse":
            return {"status": "refused", "reason": "the provider refuses"}
        entry = {"status": "sent", "message_id": f"{self._channel}-{key}", "subject": subject, "length": len(text)}
        return self._books.enter(key, lambda sent: str(len(sent) + 1), lambda: entry)[0]
