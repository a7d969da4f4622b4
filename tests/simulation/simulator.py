"""One run: a world drawn from a seed, its weather, and the question whether everything came out right."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from typing import Any

from orderflow import deadletters, log, sweeper
from orderflow.attempts import COLLECTION as ATTEMPTS
from orderflow.claims import ClaimingPublisher
from orderflow.events import read
from orderflow.files import RECEIPTS
from orderflow.keys import safe_key
from orderflow.ports import DeadLetter, Ports
from orderflow.service import Limits
from orderflow.services import SERVICES, find
from orderflow.settings import Settings
from orderflow.signatures import SigningPublisher
from orderflow.steps import Remove, Resend, Steps
from orderflow_local.memory import MemoryObjects, MemorySecrets
from signing import signatures
from simulation.broker import Broker
from simulation.bucket import Bucket, most_bytes, whole
from simulation.invariants import Watch, at_rest, awaited
from simulation.memo import memoised
from simulation.outside import Carrier, Gateway, Messenger
from simulation.profiles import PROFILES, Profile
from simulation.signing import KEY, required
from simulation.store import SimulatedStore
from simulation.weather import Weather, draw_settings
from simulation.workers import FILES, Fleet, Invocation
from simulation.workload import Workload
from simulation.world import BEGIN, Violation, World

CORE = ("order", "inventory", "payment", "shipping", "fraud")
"""The services that the invariants are about; the others take part in every tenth run or so."""

WORST = 0.06
"""The part of the runs in which every fault is to meet every step."""

SWEEP_TIMEOUT_S = 50.0
SWEEPS = 6
"""At most so often, about, the sweeper runs while things go wrong: one that finds nothing shows nothing."""
ROUND_S = 3_600.0
"""How often somebody looks after a run that does not come to rest by itself: longer than any message is on its way."""
ROUNDS = 120


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run; ``messages`` are deliveries that were handled to an outcome. ``world`` has the
    trace, where there is one: `simulate` says of which runs."""

    seed: int
    profile: str
    weather: Weather
    sagas: int
    messages: int
    steps: int
    seconds: float
    outcomes: Counter[str]
    violations: tuple[str, ...]
    subjects: tuple[str, ...]
    orders: int
    everybody: bool
    world: World

    def report(self, again: str = "") -> str:
        """A failure for people: what is broken, how to see it ``again``, and what happened to whom it concerns."""
        told = "\n".join(f"  {violation}" for violation in self.violations)
        again = again or f"make simulate RUNS=1 SEED={self.seed} PROFILE={self.profile}"
        weather = ", ".join(self.weather.faults())
        subjects = [subject for subject in self.subjects if subject]
        timeline = self.world.timeline(*subjects[:1])
        return f"seed {self.seed} on {self.profile} ({again})\nfaults: {weather}\n{told}\n{timeline}"


def simulate(
    seed: int,
    profile: str | Profile = "sqs",
    *,
    orders: int | None = None,
    weather: Weather | None = None,
    only: Collection[str] | None = None,
    settings: Settings | None = None,
    everybody: bool | None = None,
    through_json: bool = False,
    traced: bool = False,
) -> Result:
    """Run one simulation; what is not given is drawn, and of the faults that are drawn there are ``only`` some. The
    same arguments give the same run, step by step: so only a run that breaks something is played again for its trace,
    unless all are to be ``traced``."""

    def play(traced: bool) -> Result:
        with _quiet(), nullcontext() if through_json else memoised():
            run = Run(seed, profile, orders, weather, only, settings, everybody, through_json, traced)
            try:
                return run.run()
            finally:
                run.fall_apart()

    result = play(traced)
    if traced or not result.violations:
        return result
    again = play(True)
    # Who broke the run may have drawn from elsewhere than its seed. What was found is told all the same.
    return again if again.violations else result


class Run:
    """The parts of one run, put together."""

    def __init__(
        self,
        seed: int,
        profile: str | Profile,
        orders: int | None,
        weather: Weather | None,
        only: Collection[str] | None,
        settings: Settings | None,
        everybody: bool | None,
        through_json: bool,
        traced: bool,
    ) -> None:
        self.seed = seed
        self.profile = profile if isinstance(profile, Profile) else PROFILES[profile]
        self.world = World(seed, traced=traced)
        random = self.world.random
        drawn_weather, drawn_settings = Weather.draw(random), draw_settings(random)
        drawn_everybody, drawn_orders = random.random() < 0.1, random.randint(3, 12)
        if random.random() < WORST:
            # A breaker that opens late lets messages use up their attempts.
            drawn_weather, drawn_settings = drawn_weather.worst(), replace(drawn_settings, breaker_failures=20)
            drawn_everybody, drawn_orders = True, 4
        if required(seed):
            drawn_settings = replace(drawn_settings, signatures="require")
        self.weather = weather or (drawn_weather if only is None else drawn_weather.only(only))
        self.settings = settings or drawn_settings
        self.orders = drawn_orders if orders is None else orders
        self.everybody = drawn_everybody if everybody is None else everybody
        self.active = list(SERVICES) if self.everybody else list(CORE)
        limits = {name: find(name).limits for name in self.active} | {FILES: Limits(batch_size=1, timeout_s=50)}
        self.store = SimulatedStore(self.world, self.weather.lagging_index, through_json=through_json)
        self.watch = Watch(self.settings, self.world)
        self.store.watchers.append(self.watch.written)
        self.broker = Broker(self.world, self.profile, self.weather, limits)
        self.broker.filters = {name: find(name).subscription_filter() for name in self.active}
        self.broker.publishing = self.watch.published
        dependencies: dict[str, Any] = {
            "gateway": Gateway(self.world, self.settings.gateway_key_life, self.weather),
            "carrier": Carrier(self.world),
            **{channel: Messenger(self.world) for channel in ("email", "sms", "push")},
        }
        self.bucket = bucket = Bucket(self.world)
        bucket.weather = self.weather
        signed = signatures(KEY) if self.settings.signatures == "require" else None
        topic = SigningPublisher(self.broker, signed) if signed else self.broker
        ports = Ports(
            store=self.store,
            publisher=ClaimingPublisher(topic, bucket, most_bytes(seed)),
            dead_letters=self.broker,
            archive=bucket,
            drop=MemoryObjects(),
            clock=_NoClock(),
            dependencies=dependencies,
            secrets=MemorySecrets(),
            signatures=signed,
        )
        self.broker.whole = partial(whole, ports)
        self.fleet = Fleet(self.world, ports, self.broker, self.settings, self.weather, self.profile, limits)
        self.fleet.let_go = partial(self.watch.let_go, self.broker.published)
        self.workload = Workload(self.world, self.store, self.broker, self.fleet, self.settings, self.weather)

    def run(self) -> Result:
        self.workload.prepare(self.orders)
        world = self.world
        storm = self.workload.last + self.weather.lasts
        self._sweep_until(BEGIN + storm, max(storm / SWEEPS, min(60.0, self.settings.sweep_after)))
        for times, happens in (
            (self.weather.redrives, self._operate),
            (self.weather.jumps, self.fleet.set_a_clock),
            (self.weather.redeploys, self.fleet.redeploy),
        ):
            for _ in range(times):
                world.after(world.random.random() * storm, happens)
        world.run(BEGIN + storm)
        world.note("weather", "clears up")
        self.fleet.calm_down(Weather(step_s=self.weather.step_s))
        self.bucket.weather = Weather()
        self.workload.settle_in()
        found = [] if world.violations else self._come_to_rest()
        for message, subject in found:
            world.violate(message, subject)
        return Result(
            seed=self.seed,
            profile=self.profile.name,
            weather=self.weather,
            sagas=len(self.workload.wishes),
            messages=self.fleet.settled,
            steps=world.steps,
            seconds=world.time - BEGIN,
            outcomes=Counter(document["state"]["status"] for _, document in self.store.all("orders")),
            violations=tuple(world.violations),
            subjects=tuple(subject for _, subject in found) or _named(world.violations, self.store),
            orders=self.orders,
            everybody=self.everybody,
            world=world,
        )

    def fall_apart(self) -> None:
        """Let go of each other, so that nothing of the run but its trace outlives it."""
        self.broker.receive = lambda service: None
        self.fleet.erase = lambda order_id: None
        self.fleet.let_go = lambda service, event_id: None
        self.broker.whole = lambda envelope: envelope
        self.world.forget_plans()

    def _come_to_rest(self) -> list[tuple[str, str]]:
        """Let everything end: messages, late requests, dead letters, and orders that wait for the sweeper."""
        world = self.world
        for _ in range(ROUNDS):
            dry = world.run_dry(ROUND_S)
            if world.violations:
                return []
            if not dry:  # Stock that a dead letter holds may be what the others wait for.
                self._operate()
                self._sweep()
                continue
            waiting = [document["state"]["due_at"] for _, document in self.store.all("orders") if _open(document)]
            letters = any(self.broker.letters.values())
            if not waiting and not letters:
                return list(at_rest(self.store, self.broker, self.fleet, self.workload, self.watch, self.active))
            if letters:
                self._operate()
            else:
                world.time = max(world.time, min(waiting) + self.weather.skew)
            self._sweep()
        if not dry:
            return [("the run does not come to rest: messages go round for ever", "")]
        stuck = [key for key, document in self.store.all("orders") if _open(document)]
        return [(f"I1: orders stand still: {stuck}", stuck[0] if stuck else "")]

    def _sweep_until(self, end: float, every: float) -> None:
        if self.world.time < end:
            self._sweep()
            self.world.after(every * (0.5 + self.world.random.random()), self._sweep_until, end, every)

    def _sweep(self) -> None:
        process = self.fleet.process("sweeper")
        handlers = [sweeper.sweep(process.shell)]
        Invocation(
            self.fleet, process, "sweeper", handlers, [("", "")], SWEEP_TIMEOUT_S, lambda results: None, lambda: None
        )

    def _operate(self) -> None:
        """An operator empties the dead-letter queues: throws away what may be thrown away, redrives the rest."""
        process = self.fleet.process("operator")
        for service, letters in self.broker.letters.items():
            for letter in list(letters):
                thrown_away = 0.7 if letter.reason == "malformed" else 0.3
                declared = RECEIPTS if service == FILES else process.find(service)
                if self.world.random.random() < thrown_away:
                    handler, ended = deadletters.discard(process.shell, declared, letter), self._thrown_away(letter)
                else:
                    redriving = deadletters.redrive(process.shell, declared, letter)
                    handler, ended = _resent_first(redriving), self._redriven(letter)
                subject = letter.attributes.get("order_id", "")
                Invocation(
                    self.fleet,
                    process,
                    "operator",
                    [handler],
                    [(subject, letter.event_id)],
                    60.0,
                    ended,
                    lambda: None,
                )

    def _redriven(self, letter: DeadLetter) -> Callable[[list[Any]], None]:
        """What must be when the operator is through: the message has all its attempts again, unless somebody else
        counted one meanwhile, or a fault was met."""
        key = safe_key(f"{letter.service}.{letter.event_id}")
        before, faults = self.store.get(ATTEMPTS, key), self.fleet.faults["operator", letter.event_id]

        def ended(results: list[Any]) -> None:
            if isinstance(results[0], Violation):
                self.world.violate(str(results[0]))
            spent = self.store.get(ATTEMPTS, key)
            if results[0] is not None or before is None or spent is None or spent.version != before.version:
                return
            if spent.document["count"] and self.fleet.faults["operator", letter.event_id] == faults:
                self.world.violate(f"R-REL-8: {letter.service} {letter.event_id} was redriven without its attempts")

        return ended

    def _thrown_away(self, letter: DeadLetter) -> Callable[[list[Any]], None]:
        """What must be when the operator is through: a letter that nobody waits for is gone; one that somebody waits
        for is only gone if its event was absorbed and what follows it is published."""

        def ended(results: list[Any]) -> None:
            service, event_id = letter.service, letter.event_id
            if isinstance(results[0], str) and service != FILES and not awaited(service):
                self.world.violate(f"rule 14: nobody waits for {service} {event_id}, but: {results[0]}")
            if results[0] is None and self._needed(letter):
                if not self.watch.absorbed[service, event_id]:
                    self.world.violate(f"rule 14: {service} {event_id} was thrown away, and never absorbed")
                self.watch.let_go(self.broker.published, service, event_id)

        return ended

    def _needed(self, letter: DeadLetter) -> bool:
        """Whether somebody waits for what follows the event of a letter."""
        envelope = self.broker.matched.get((letter.service, letter.event_id))
        if envelope is None or (letter.service, letter.body) in self.workload.forged:
            return False
        return awaited(letter.service) and type(read(envelope)) in find(letter.service).hears


def _resent_first(redriving: Steps[Any]) -> Steps[Any]:
    """The steps of a redrive. A letter that is removed before its message is on its way may be lost."""
    resent, go_on, answer = False, redriving.send, None
    while True:
        try:
            step = go_on(answer)
        except StopIteration as end:
            return end.value
        if type(step) is Remove and not resent:
            raise Violation(f"R-REL-8: the letter of {step.letter.event_id} is removed before it is resent")
        try:
            answer, go_on = (yield step), redriving.send
            resent = resent or type(step) is Resend
        except Exception as error:
            answer, go_on = error, redriving.throw


class _NoClock:
    """The ports' clock: every process has its own, so nobody may ask this one. A pause has passed when its step is
    performed."""

    def now(self) -> float:
        raise AssertionError("a handler asks the clock of its shell")

    def sleep(self, seconds: float) -> None:
        return


def _open(document: dict[str, Any]) -> bool:
    return not document["state"]["closed"]


def _named(violations: list[str], store: SimulatedStore) -> tuple[str, ...]:
    """The orders that violations name."""
    return tuple(key for key, _ in store.all("orders") if any(key in violation for violation in violations))


@contextmanager
def _quiet() -> Iterator[None]:
    """No log lines: the trace says more."""
    before, sys.stdout = sys.stdout, StringIO()
    log.set_level("ERROR")
    try:
        yield
    finally:
        sys.stdout = before
        log.set_level("INFO")
