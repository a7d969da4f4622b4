"""The external systems of a run: they keep books of what was really done, and are as nasty as real ones may be. A
gateway that has forgotten a key charges, and refunds, again."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from orderflow.ports import Unavailable
from simulation.weather import Weather
from simulation.world import Violation, World


class Dependency:
    """An external system that may be down."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._down_until = 0.0

    def go_down(self, seconds: float) -> None:
        """Answer nothing for a while."""
        self._down_until = max(self._down_until, self._world.time + seconds)

    def come_back(self) -> None:
        """Answer from now on."""
        self._down_until = 0.0

    def _answer(self) -> None:
        if self._world.time < self._down_until:
            raise Unavailable("down")


@dataclass(slots=True)
class Charge:
    """Money taken, and how often it was given back."""

    charge_id: str
    amount: int
    refunds: list[str] = field(default_factory=list)


class Gateway(Dependency):
    """Remembers an idempotency key for ``key_life`` seconds, and what it said to it first. A token ``refused...`` is
    refused."""

    def __init__(self, world: World, key_life: float, weather: Weather) -> None:
        super().__init__(world)
        self.weather = weather
        self.key_life_seconds = int(key_life)
        self.charges: dict[str, list[Charge]] = defaultdict(list)
        self._remembered: dict[str, tuple[float, dict[str, Any]]] = {}
        self._refused: dict[str, dict[str, Any]] = {}

    def charge(self, *, key: str, order_id: str, amount: int, currency: str, token: str) -> dict[str, Any]:
        self._answer()
        known = self._recall(key)
        if known is not None:
            return known
        if token.startswith("refused"):
            self._refused[order_id] = {"status": "refused", "reason": "card declined"}
            return self._remember(key, self._refused[order_id])
        charges = self.charges[order_id]
        charges.append(Charge(f"ch-{len(charges) + 1}-{order_id}", amount))
        if len(charges) > 1:
            raise Violation(f"I2: order {order_id} was charged {len(charges)} times (key {key})")
        return self._remember(key, {"status": "charged", "charge_id": charges[-1].charge_id})

    def refund(self, *, key: str, charge_id: str, amount: int, currency: str) -> dict[str, Any]:
        self._answer()
        known = self._recall(key)
        if known is not None:
            return known
        if self._world.chance(self.weather.refused_refunds):
            return self._remember(key, {"status": "refused", "reason": "not now"})
        charge = next(each for charges in self.charges.values() for each in charges if each.charge_id == charge_id)
        charge.refunds.append(f"re-{len(charge.refunds) + 1}-{charge_id}")
        if len(charge.refunds) > 1 or amount != charge.amount:
            raise Violation(f"I2: charge {charge_id} of {charge.amount} was refunded: {amount}, {charge.refunds}")
        return self._remember(key, {"status": "refunded", "refund_id": charge.refunds[-1]})

    def lookup(self, *, order_id: str) -> dict[str, Any]:
        self._answer()
        if not self.charges[order_id]:
            return self._refused.get(order_id, {"status": "none"})
        charge = self.charges[order_id][-1]
        if charge.refunds:
            return {"status": "refunded", "charge_id": charge.charge_id, "refund_id": charge.refunds[-1]}
        return {"status": "charged", "charge_id": charge.charge_id}

    def _recall(self, key: str) -> dict[str, Any] | None:
        at, answer = self._remembered.get(key, (0.0, None))
        return answer if self._world.time - at < self.key_life_seconds else None

    def _remember(self, key: str, answer: dict[str, Any]) -> dict[str, Any]:
        self._remembered[key] = (self._world.time, answer)
        return answer


class Carrier(Dependency):
    """Takes parcels to everywhere but country AQ; one label a key."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.labels: dict[str, list[str]] = defaultdict(list)
        self.trackings: set[str] = set()
        self._answers: dict[str, dict[str, Any]] = {}

    def label(self, *, key: str, order_id: str, address: dict[str, Any], parcels: int) -> dict[str, Any]:
        self._answer()
        if key not in self._answers:
            self._answers[key] = {"status": "refused", "reason": "no service to this address"}
            if address["country"] != "AQ":
                self.labels[order_id].append(key)
                self._answers[key] = {"status": "accepted", "tracking": f"T{len(self.labels[order_id])}-{order_id}"}
                self.trackings.add(self._answers[key]["tracking"])
                if len(self.labels[order_id]) > 1:
                    raise Violation(f"I4: order {order_id} has two labels: {self.labels[order_id]}")
        return self._answers[key]


class Messenger(Dependency):
    """A provider that knows no idempotency keys: what it is told to send, it sends."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.sent: Counter[str] = Counter()

    def send(self, *, key: str, to: str, subject: str, text: str) -> dict[str, Any]:
        self._answer()
        self.sent[key] += 1
        return {"status": "sent", "message_id": f"{key}.{self.sent[key]}"}
