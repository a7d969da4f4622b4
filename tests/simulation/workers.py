"""Function instances of a run: they perform the shell's steps one at a time, each at a moment of its own, so that
everybody else may act in between; and they die at any of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from math import inf
from typing import Any

from orderflow import files
from orderflow.api import Api
from orderflow.app import outcome_of
from orderflow.attempts import COLLECTION as ATTEMPTS
from orderflow.breaker import COLLECTION as BREAKERS
from orderflow.driver import OutOfTime, interleave
from orderflow.ports import Conflict, Delivery, Document, Ports, Unavailable
from orderflow.processing import Done, Retry, Shell
from orderflow.service import Limits
from orderflow.settings import Settings
from orderflow.steps import Ask, Pause, PublishAll, Put, Step, Steps
from simulation.broker import Broker, Message, Receipt
from simulation.coverage import label, rare
from simulation.profiles import Profile
from simulation.releases import Find, releases
from simulation.weather import PUT_FAULTS, SLOWER, STEP_FAULTS, Weather
from simulation.world import SkewedClock, Violation, World, told

MARGIN_S = 2.0
"""How long before its time-out a function stops by itself, as the entrypoints have it."""

FILES = "files"
ADDRESS_GONE = "the customer's address is gone"

OUTSIDE_FAULTS = ("unavailable", "answer lost", "answer lost, done late", "crash after", "crash, done late")
STEP_FAULTS_AT_ONCE = tuple(fault for fault in STEP_FAULTS if not fault.startswith("killed"))
"""Those that are drawn when a step is performed; a time-out kills one that is under way."""


_OUTCOMES = (Done, Retry, OutOfTime)


class Process:
    """One instance of a function: a shell with its caches, until it dies."""

    def __init__(self, world: World, settings: Settings, name: str, skew: float, find: Find) -> None:
        self.name = name
        self.find = find
        """The services as the release has them that this process runs."""
        self.clock = SkewedClock(world, world.random.uniform(-skew, skew) if skew else 0.0)
        self.shell = Shell(settings, self.clock, world.random)
        self.running = 0
        self.alive = True

    @property
    def api(self) -> Api:
        """The API on this shell. No tokens here: the header is the customer."""
        return Api(self.shell, _Trusting())  # type: ignore[arg-type]


class _Trusting:
    """A token verifier that takes the token for the customer's id."""

    def subject(self, authorization: str | None) -> str:
        assert authorization is not None
        return authorization


Driving = Generator[tuple[Sequence[int], Step], Any, list[Any]]


class Invocation:
    """One call of a function: a batch of handlers, driven step by step through the weather."""

    def __init__(
        self,
        fleet: Fleet,
        process: Process,
        service: str,
        handlers: list[Steps[Any]],
        tags: list[tuple[str, str]],
        timeout: float,
        ended: Callable[[list[Any]], None],
        died: Callable[[], None],
        *,
        guarded: bool = True,
    ) -> None:
        self._fleet = fleet
        self._world = fleet.world
        self._process = process
        self._service = service
        self._handlers = handlers
        self._tags = tags
        self._killed_at = fleet.world.time + timeout
        weather = fleet.weather
        self._step_s = weather.step_s * (SLOWER if fleet.world.chance(weather.slow) else 1.0)
        self._ended = ended
        self._died = died
        self._probing: set[int] = set()
        """The places of handlers whose next call is a probe of an open circuit breaker: no attempt if it fails."""
        world, clock = fleet.world, process.clock
        deadline = clock.now() + timeout - MARGIN_S if guarded else inf
        self._driving: Driving = interleave(handlers, lambda: world.time + clock.skew >= deadline)
        process.running += 1
        self._next(None)

    def _next(self, answer: Any) -> None:
        """Run the handlers to their next step, and put that on the agenda."""
        try:
            places, step = self._driving.send(answer)
        except StopIteration as end:
            self._process.running -= 1
            _forget_frames(end.value)
            self._ended(end.value)
            return
        finally:
            if type(answer) is list or isinstance(answer, Exception):
                _forget_frames(answer)
        world, weather = self._world, self._fleet.weather
        if type(step) is Pause:
            seconds = step.seconds
        else:
            random = world.random.random
            # From a tenth to ten times: while one handler takes a step, another may come and go.
            seconds = self._step_s * 10.0 ** (2.0 * random() - 1.0)
            if (weather.stall and random() < weather.stall) or (
                weather.rare and rare(step) and random() < weather.rare / 3
            ):
                longest = world.random.choice((1.0, 10.0, 1000.0, 0.0))
                # Some end in the last moment, when the handler may not go on any more.
                left = self._killed_at - world.time - MARGIN_S * world.random.random()
                seconds = seconds + longest * world.random.random() if longest else max(seconds, left)
        if world.time + seconds >= self._killed_at:
            world.after(self._killed_at - world.time, self._kill, places, step)
        else:
            world.after(seconds, self._perform, places, step)

    def _kill(self, places: Sequence[int], step: Step) -> None:
        if self._process.alive:
            late = self._world.random.random() < 0.5
            if type(step) is not Pause:
                self._fleet.count_fault(step, "killed in time-out")
            self._die(places, step, "killed in time-out" + (", done late" if late else ""))
            if late:
                self._do_late(step)
        else:
            self._die_with_others()

    def _perform(self, places: Sequence[int], step: Step) -> None:
        if not self._process.alive:
            self._die_with_others()
            return
        world = self._world
        world.steps += 1
        if type(step) is Put and step.collection == ATTEMPTS and _address_gone(step.document):
            self._fleet.count_failure(self._service, self._tags, places)
        fault = self._draw_fault(step) if self._fleet.stormy and type(step) is not Pause else None
        if fault is None:
            answer = self._do(step)
            if world.traced:
                world.note(self._process.name, step, answer, self._subjects(places))
            if type(step) is Ask:
                if isinstance(answer, Unavailable) or _refused_refund(step, answer):
                    self._count_failure(places)
                self._probing.discard(places[0])
            elif type(step) is Put:
                if step.collection == ATTEMPTS:
                    self._fleet.count_attempt(self._service, self._tags[places[0]][1], step, answer)
                self._look_for_probes(places[0], step, answer)
            self._next(answer)
            return
        self._fleet.count_fault(step, fault)
        self._fleet.count_met(self._service, self._tags, places)
        if type(step) is Ask and step.method == "label" and world.chance(self._fleet.weather.erased):
            self._fleet.erase(step.arguments["order_id"])
        match fault:
            case "crash before":
                self._die(places, step, fault)
            case "crash after":
                self._do(step)
                self._die(places, step, fault)
            case "crash, done late":
                self._die(places, step, fault)
                self._do_late(step)
            case _:
                answer = self._do_wrongly(step, fault)
                if world.traced:
                    world.note(self._process.name, step, (fault, told(answer)), self._subjects(places))
                if type(step) is Ask:
                    self._count_failure(places)
                self._look_for_probes(places[0], step, answer)
                self._next(answer)

    def _count_failure(self, places: Sequence[int]) -> None:
        if places[0] not in self._probing:
            self._fleet.count_failure(self._service, self._tags, places)

    def _look_for_probes(self, place: int, step: Step, answer: Any) -> None:
        """A probe begins with a write of its breaker; it ends with its call, or where the handler must begin anew."""
        if type(step) is Ask or isinstance(answer, Conflict):
            self._probing.discard(place)
        elif type(step) is Put and _begins_probe(step) and not isinstance(answer, Exception):
            self._probing.add(place)

    def _draw_fault(self, step: Step) -> str | None:
        weather, random = self._fleet.weather, self._world.random
        drawn = random.random()
        total, faults = self._fleet.faults_of(type(step))
        if drawn < total:
            for fault, probability in faults:
                drawn -= probability
                if drawn < 0:
                    return fault
        if type(step) is PublishAll and self._world.time < self._fleet.topic_down_until and random.random() < 0.8:
            return random.choice(("unavailable", "unavailable", "answer lost", "some lost"))
        if type(step) is Ask and random.random() < weather.outside:
            return random.choice(OUTSIDE_FAULTS)
        if weather.rare and rare(step) and random.random() < weather.rare:
            return random.choice(STEP_FAULTS_AT_ONCE + PUT_FAULTS if type(step) is Put else STEP_FAULTS_AT_ONCE)
        return None

    def _do(self, step: Step) -> Any:
        try:
            return step.perform(self._fleet.ports)
        except Violation:
            raise
        except Exception as error:
            return error.with_traceback(None)

    def _do_wrongly(self, step: Step, fault: str) -> Any:
        match fault:
            case "unavailable":
                return Unavailable("simulated: nothing was done")
            case "conflict":
                return Conflict("simulated")
            case "written, told conflict":
                self._do(step)
                return Conflict("simulated: it was ours")
            case "some lost":
                assert isinstance(step, PublishAll)
                return [
                    Unavailable("simulated: one of several")
                    if self._world.random.random() < 0.5
                    else self._fleet.ports.publisher.publish([envelope])[0]
                    for envelope in step.envelopes
                ]
            case "answer lost, done late":
                self._do_late(step)
            case _:
                self._do(step)
        return Unavailable(f"simulated: {fault}")

    def _do_late(self, step: Step) -> None:
        seconds = self._world.random.choice((0.1, 5.0, 60.0)) * self._world.random.random()
        self._world.after(seconds, self._arrive, step)

    def _arrive(self, step: Step) -> None:
        answer = self._do(step)
        if self._world.traced:
            self._world.note(f"({self._process.name})", step, ("late", told(answer)))

    def _die(self, places: Sequence[int], step: Step, how: str) -> None:
        """The process dies, and with it every invocation that runs in it."""
        if self._world.traced:
            self._world.note(self._process.name, step, how, self._subjects(places))
        self._fleet.count_death(self._service, self._tags)
        self._process.alive = False
        self._end()

    def _die_with_others(self) -> None:
        """Another invocation took the process with it."""
        self._fleet.count_death(self._service, self._tags)
        self._end()

    def _end(self) -> None:
        """The handlers take no further step. One that was about to go on after an error is tied to itself by it."""
        for handler in self._handlers:
            handler.close()
        self._died()

    def _subjects(self, places: Sequence[int]) -> tuple[str, ...]:
        if len(places) == 1:
            return (self._tags[places[0]][0],)
        return tuple([self._tags[place][0] for place in places])


class Fleet:
    """All instances of all functions."""

    def __init__(
        self,
        world: World,
        ports: Ports,
        broker: Broker,
        settings: Settings,
        weather: Weather,
        profile: Profile,
        limits: dict[str, Limits],
    ) -> None:
        self.world = world
        self.ports = ports
        self.weather = weather
        self.stormy = True
        self.settled = 0
        """Deliveries that were handled to an outcome."""
        self.topic_down_until = 0.0
        """Until when most publishes fail."""
        self.acknowledged: dict[tuple[str, str], str] = {}
        """The last note with which a service let go of an event."""
        self.failures: Counter[tuple[str, str]] = Counter()
        """Calls without answer, by (service, event id)."""
        self.attempts: Counter[tuple[str, str]] = Counter()
        """Attempts that were counted since the count last began, by (service, event id)."""
        self.erase: Callable[[str], None] = lambda order_id: None
        self.let_go: Callable[[str, str], None] = lambda service, event_id: None
        """Told when a service acknowledges an event that it has handled."""
        self.faults: Counter[tuple[str, str]] = Counter()
        """Faults of any kind that met an event, by (service, event id)."""
        self._broker = broker
        self._settings = settings
        self._profile = profile
        self._limits = limits
        self._processes: dict[str, list[Process]] = {}
        self._pumping: set[str] = set()
        self._releases = releases()
        self._release = next(self._releases)
        self._deployed: dict[str, Find] = {}
        self._made = 0
        self._most = {service: world.random.choice((1, 2, 4, 8)) for service in limits}
        self._probabilities: dict[type, tuple[float, list[tuple[str, float]]]] = {}
        broker.receive = self._receive

    def calm_down(self, weather: Weather) -> None:
        """From now on nothing goes wrong."""
        self.stormy = False
        self.weather = self._broker.weather = self.ports.dependencies["gateway"].weather = weather
        for dependency in self.ports.dependencies.values():
            dependency.come_back()

    def process(self, service: str) -> Process:
        """An instance that has room, a new one if there is none."""
        find = self._deployed.get(service, self._release)
        most = self._profile.handlers_per_process
        for process in self._processes.get(service, ()):
            if process.alive and process.running < most and process.find == find:
                return process
        alive = [each for each in self._processes.get(service, ()) if each.alive]
        self._made += 1
        process = Process(self.world, self._settings, f"{service}#{self._made}", self.weather.skew, find)
        self._processes[service] = [*alive, process]
        return process

    def redeploy(self) -> None:
        """Roll out the next release, or take it back: every function at a moment of its own. What an instance has begun
        it ends."""
        self._release = next(self._releases)
        self.world.note("weather", "a redeployment begins")
        for service in self._most:
            self.world.after(self.world.random.random() * 10, self._deploy, service, self._release)

    def _deploy(self, service: str, release: Find) -> None:
        self._deployed[service] = release

    def set_a_clock(self) -> None:
        """Set the clock of one process, as far off as clocks may be."""
        alive = [each for processes in self._processes.values() for each in processes if each.alive]
        if alive:
            process = self.world.random.choice(alive)
            most = self.weather.skew or 1.0
            process.clock.skew = self.world.random.uniform(-most, most)
            self.world.note("weather", f"the clock of {process.name} is set to {process.clock.skew:+.3f} s")

    def _receive(self, service: str) -> None:
        if service not in self._pumping and self._broker.ready[service]:
            self._pumping.add(service)
            self.world.after(self.world.random.random() * self.weather.step_s * 2, self._pump, service)

    def _pump(self, service: str) -> None:
        """Hand messages to instances as long as there is room."""
        self._pumping.discard(service)
        while self._broker.ready[service] and self._has_room(service):
            most = self.world.random.randint(1, self._limits[service].batch_size) if self._profile.batched else 1
            receipts = self._broker.take(service, most)
            if receipts:
                self._consume(service, receipts)

    def _has_room(self, service: str) -> bool:
        """Whether one more invocation may run beside those that do."""
        running = 0
        for process in self._processes.get(service, ()):
            if process.alive:
                running += process.running
        return running < self._most[service]

    def _consume(self, service: str, receipts: list[Receipt]) -> None:
        process = self.process(service)
        handlers = [self._handler(process, service, message) for message, _ in receipts]

        def ended(results: list[Any]) -> None:
            for receipt, result in zip(receipts, results, strict=True):
                self._settle(process, receipt, result)
            self._receive(service)

        def died() -> None:
            for receipt in receipts:
                self._broker.abandon(receipt)
            self._receive(service)

        tags = [(message.subject, message.event_id) for message, _ in receipts]
        Invocation(self, process, service, handlers, tags, self._limits[service].timeout_s, ended, died)

    def _handler(self, process: Process, service: str, message: Message) -> Steps[Any]:
        if service == FILES:
            return files.load(process.shell, message.body.decode(), self._broker.receives(message))
        delivery = Delivery(message.body, message.attributes, message.transport_id, self._broker.receives(message))
        return process.shell.deliver(process.find(service), delivery)

    def _settle(self, process: Process, receipt: Receipt, result: Any) -> None:
        message, _ = receipt
        if not isinstance(result, _OUTCOMES):
            raise Violation(f"{message.service} raised {type(result).__name__}: {result}")
        outcome = outcome_of(result)
        if self.world.traced:
            settling = f"settle {message.transport_id} {message.event_id[:8]}"
            self.world.note(process.name, settling, outcome, (message.subject,))
        if isinstance(outcome, Done):
            self.acknowledged[message.service, message.event_id] = outcome.note
            if outcome.note in ("handled", "duplicate"):
                self.let_go(message.service, message.event_id)
        self.settled += 1
        self._broker.settle(receipt, outcome)

    # What the report and the invariants need to know.

    def faults_of(self, kind: type) -> tuple[float, list[tuple[str, float]]]:
        """The faults that a kind of step may meet, with their probabilities, and the probability of any."""
        if kind not in self._probabilities:
            weather = self.weather
            faults = [
                ("crash before", weather.crash_before),
                ("crash after", weather.crash_after),
                ("crash, done late", weather.crash_done_late),
                ("unavailable", weather.lost),
                ("answer lost", weather.answer_lost),
                ("answer lost, done late", weather.answer_lost_done_late),
            ]
            if kind is Put:
                faults += [("conflict", weather.conflict), ("written, told conflict", weather.told_conflict)]
            if kind is PublishAll:
                faults += [("some lost", weather.some_lost)]
            likely = [fault for fault in faults if fault[1]]
            self._probabilities[kind] = (sum(probability for _, probability in likely), likely)
        return self._probabilities[kind]

    def count_failure(self, service: str, tags: list[tuple[str, str]], places: Sequence[int]) -> None:
        for place in places:
            self.failures[service, tags[place][1]] += 1

    def count_fault(self, step: Step, fault: str) -> None:
        self.world.coverage[label(step), fault] += 1

    def count_attempt(self, service: str, event_id: str, put: Put, answer: Any) -> None:
        """An attempt was counted, or the count begins anew."""
        if isinstance(answer, Exception):
            return
        if put.document["count"] == 0:
            self.attempts[service, event_id] = 0
            return
        self.attempts[service, event_id] += 1
        most = 2 * self._limits[service].max_attempts + self.faults[service, event_id]
        if self.attempts[service, event_id] > most:
            times = self.attempts[service, event_id]
            raise Violation(f"R-REL-3: {service} failed {times} times at {event_id}, and does not give it up")

    def count_met(self, service: str, tags: list[tuple[str, str]], places: Sequence[int]) -> None:
        for place in places:
            self.faults[service, tags[place][1]] += 1

    def count_death(self, service: str, tags: list[tuple[str, str]]) -> None:
        for _, event_id in tags:
            self.faults[service, event_id] += 1


def _begins_probe(step: Put) -> bool:
    return step.collection == BREAKERS and bool(step.document["probe_until"])


def _address_gone(document: Document) -> bool:
    """Whether a counted attempt found an erased customer: a failure that no external system had a part in."""
    return bool(document["last_error"].startswith(ADDRESS_GONE))


def _refused_refund(step: Ask, answer: Any) -> bool:
    return step.method == "refund" and isinstance(answer, dict) and answer["status"] == "refused"


def _forget_frames(answer: Any) -> None:
    """Cut what ties an error to the frames that it passed: millions of them would wait for the garbage collector."""
    for each in answer if type(answer) is list else (answer,):
        if isinstance(each, Exception):
            each.__traceback__ = each.__context__ = each.__cause__ = None
