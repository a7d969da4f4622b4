"""The broker of a run: a topic with a filtered queue per service, leases, redelivery and dead-letter queues, with the
semantics of a `Profile`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from orderflow.envelope import Envelope
from orderflow.ports import DeadLetter
from orderflow.processing import Done, Outcome, Retry
from orderflow.service import Limits
from simulation.profiles import Profile
from simulation.weather import Weather
from simulation.world import World

COUNT = "redelivered"
"""The attribute in which a scheduled copy carries the count of its predecessors."""


@dataclass(slots=True, eq=False)
class Message:
    """One message in one service's queue. ``settled`` once it is acknowledged, dead-lettered or replaced by a copy;
    ``turn`` numbers its receives: a receipt of an earlier one is stale."""

    service: str
    body: bytes
    attributes: dict[str, str]
    transport_id: str
    subject: str
    event_id: str
    receives: int = 0
    settled: bool = False
    turn: int = 0


Receipt = tuple[Message, int]
"""A message as it was handed over, and the turn in which it was."""


class Broker:
    """Publisher and dead-letter box of a run. ``limits`` by service; ``receive`` is told of every service that has
    something to do."""

    def __init__(self, world: World, profile: Profile, weather: Weather, limits: dict[str, Limits]) -> None:
        self.weather = weather
        self.published: dict[str, list[Envelope]] = defaultdict(list)
        self.letters: dict[str, list[DeadLetter]] = defaultdict(list)
        self.buried: list[DeadLetter] = []
        """Every letter ever sent, also those that were redriven since."""
        self.discarded: set[tuple[str, str]] = set()
        """What an operator threw away: (service, event id)."""
        self._resent: set[str] = set()
        self.matched: dict[tuple[str, str], Envelope] = {}
        """What every service must have heard: envelopes by (service, event id)."""
        self.receive: Callable[[str], None] = lambda service: None
        self.ready: dict[str, list[Message]] = {service: [] for service in limits}
        self.filters: dict[str, dict[str, list[str]]] = {}
        self.publishing: Callable[[Envelope], None] = lambda envelope: None
        self.whole: Callable[[Envelope], Envelope] = lambda envelope: envelope
        """What its consumers will make of an event that left its data behind."""
        self._world = world
        self._profile = profile
        self._limits = limits
        self._messages = 0
        self._matching: dict[tuple[tuple[str, str], ...], list[tuple[str, bool]]] = {}
        self._filtering = not world.chance(profile.unfiltered)

    # Publisher

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        for travelling in envelopes:
            envelope = self.whole(travelling)
            self.publishing(envelope)
            event_id, subject = envelope.id, envelope.subject
            self.published[event_id].append(envelope)
            attributes = envelope.attributes()
            body = travelling.to_bytes()
            for service, matches in self._subscribers(attributes):
                if matches:
                    self.matched.setdefault((service, event_id), envelope)
                self.enqueue(service, body, attributes, subject, event_id)
                if self._world.chance(self.weather.duplicate):
                    self._count(service, "duplicate")
                    self.enqueue(service, body, attributes, subject, event_id)
        return [None] * len(envelopes)

    def _subscribers(self, attributes: dict[str, str]) -> list[tuple[str, bool]]:
        """The services that get a message with these attributes, and of each whether its filter asks for it."""
        key = tuple(attributes.items())
        found = self._matching.get(key)
        if found is None:
            every = [
                (service, all(attributes.get(name) in values for name, values in filters.items()))
                for service, filters in self.filters.items()
            ]
            found = self._matching[key] = [each for each in every if each[1] or not self._filtering]
        return found

    # Dead-letter box

    def send(self, letter: DeadLetter) -> None:
        letter = replace(letter, letter_id=f"{letter.service}-{len(self.buried) + 1}")
        self.letters[letter.service].append(letter)
        self.buried.append(letter)

    def browse(self, service: str, limit: int = 100) -> list[DeadLetter]:
        return self.letters[service][:limit]

    def remove(self, letter: DeadLetter) -> None:
        if letter in self.letters[letter.service]:
            self.letters[letter.service].remove(letter)
            if letter.letter_id not in self._resent:
                self.discarded.add((letter.service, letter.event_id))

    def resend(self, letter: DeadLetter) -> None:
        self._resent.add(letter.letter_id)
        subject = next((m.subject for m in self.published.get(letter.event_id, ())), "")
        self.enqueue(letter.service, letter.body, dict(letter.attributes), subject, letter.event_id)

    # Queues

    def enqueue(
        self,
        service: str,
        body: bytes,
        attributes: dict[str, str],
        subject: str,
        event_id: str,
        *,
        delay: float | None = None,
        receives: int = 0,
    ) -> None:
        """Put a new message into a queue, with a transport id of its own."""
        self._messages += 1
        message = Message(service, body, attributes, f"m{self._messages}", subject, event_id, receives)
        if delay is None:
            delay = self._travel(service)
        self._world.after(delay, self._make_ready, message, 0)

    def take(self, service: str, most: int) -> list[Receipt]:
        """Hand over some messages, in any order."""
        ready, random = self.ready[service], self._world.random
        taken: list[Receipt] = []
        while ready and len(taken) < most:
            message = ready.pop(random.randrange(len(ready)))
            if not message.settled:
                message.receives += 1
                message.turn += 1
                taken.append((message, message.turn))
                if self._world.chance(self.weather.redelivered):
                    self._count(service, "redelivered at work")
                    soon = random.random() * 20 * self.weather.step_s
                    self._world.after(soon, self._make_ready, message, message.turn)
        return taken

    def abandon(self, receipt: Receipt) -> None:
        """The process died: the message comes back when its lease has ended."""
        message, turn = receipt
        self._world.after(self._limits[message.service].lock_s, self._make_ready, message, turn)

    def settle(self, receipt: Receipt, outcome: Outcome) -> None:
        """Do what the handler's outcome asks for, as this broker does it."""
        message, turn = receipt
        lost = self._world.chance(self.weather.ack_lost)
        if self._profile.giving_back == "copy" and isinstance(outcome, Retry):
            self._copy(message, outcome.after)
            outcome = Done()
        if lost:
            self._count(message.service, "acknowledgement lost")
            self.abandon(receipt)
        elif not isinstance(outcome, Retry):
            # A stale receipt may be good for an acknowledgement or not.
            message.settled = message.settled or turn == message.turn or self._world.random.random() < 0.5
        elif self._profile.giving_back == "delay":
            self._world.after(math.ceil(outcome.after), self._make_ready, message, turn)
        else:
            bound = min(self._profile.backoff_to, self._profile.backoff_from * 2.0 ** min(message.receives - 1, 10))
            seconds = self._world.random.uniform(self._profile.backoff_from, bound)
            self._world.after(seconds, self._make_ready, message, turn)

    def _make_ready(self, message: Message, turn: int) -> None:
        """Let a message be received (again), unless it was settled or received meanwhile."""
        if message.settled or message.turn != turn or message in self.ready[message.service]:
            return
        if message.receives >= self._limits[message.service].broker_max_deliveries:
            message.settled = True
            self.send(
                DeadLetter(message.service, message.body, message.attributes, "broker", "", message.receives, "", "")
            )
            return
        self.ready[message.service].append(message)
        self.receive(message.service)

    def _copy(self, message: Message, delay: float) -> None:
        # The count is carried so that the shell's backoff grows; the broker starts its own anew.
        carried = int(message.attributes.get(COUNT, "0")) + 1
        attributes = {**message.attributes, COUNT: str(carried)}
        self.enqueue(message.service, message.body, attributes, message.subject, message.event_id, delay=delay)

    def receives(self, message: Message) -> int:
        """How often the handler is told that the message was handed over."""
        carried = message.attributes.get(COUNT)
        return message.receives if carried is None else message.receives + int(carried)

    def _count(self, service: str, fault: str) -> None:
        self._world.coverage[f"deliver to {service}", fault] += 1

    def _travel(self, service: str) -> float:
        random, weather = self._world.random, self.weather
        if self._world.chance(weather.delayed):
            self._count(service, "delayed")
            return random.choice((1.0, 10.0, 100.0, 1000.0)) * random.random()
        return random.random() * 4 * weather.step_s
