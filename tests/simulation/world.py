"""Time, chance and memory of a run: a virtual clock, an agenda, one source of randomness, and the trace.

Nothing happens but what the agenda says, in the order of its times, so that a seed is a whole run."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import Any

from orderflow.processing import Done, Retry
from orderflow.steps import Ask, Bury, Get, Pause, Publish, PublishAll, Put, Query, ReadDrop, WriteArchive

BEGIN = 1_800_000_000.0
"""When every run begins, in seconds since the epoch."""


class Violation(Exception):
    """Something happened that must never happen; raised where it did."""


class World:
    """What everybody in a run shares."""

    def __init__(self, seed: int, *, traced: bool = True) -> None:
        self.random = Random(seed)
        self.time = BEGIN
        self.traced = traced
        """Whether anybody will ask what happened. Who notes something for every step asks first."""
        self._trace: list[tuple[float, str, Any, Any, tuple[str, ...]]] = []
        self.coverage: Counter[tuple[str, str]] = Counter()
        """Faults by (step, fault), as `simulation.coverage` names them."""
        self.violations: list[str] = []
        self.steps = 0
        self._agenda: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._entries = 0

    def after(self, seconds: float, action: Callable[..., None], *arguments: Any) -> None:
        """Put something on the agenda."""
        self._entries += 1
        heappush(self._agenda, (self.time + seconds, self._entries, action, arguments))

    def forget_plans(self) -> None:
        """Take everything from the agenda."""
        self._agenda.clear()

    def run(self, until: float) -> None:
        """Let happen what is on the agenda up to a time."""
        agenda, violations = self._agenda, self.violations
        while agenda and agenda[0][0] <= until and not violations:
            try:
                while agenda and agenda[0][0] <= until:
                    self.time, _, action, arguments = heappop(agenda)
                    action(*arguments)
                    if violations:
                        return
            except Violation as violation:
                self.violate(str(violation))

    def run_dry(self, longest: float) -> bool:
        """Let everything on the agenda happen; false if it did not end within so many seconds."""
        self.run(self.time + longest)
        return not self._agenda

    def violate(self, message: str, *subjects: str) -> None:
        """Note that an invariant is broken."""
        self.violations.append(message)
        self.note("INVARIANT", message, subjects=subjects)

    def note(self, who: str, what: Any, how: Any = "", subjects: tuple[str, ...] = ()) -> None:
        """Add to the trace. What may be a step, and how its answer or an outcome: they are put into words only when
        somebody reads them, but for an error, which would keep the frames that it passes."""
        if not self.traced:
            return
        if isinstance(how, Exception):
            how = told(how)
        self._trace.append((self.time, who, what, how, subjects))

    @property
    def trace(self) -> Iterator[tuple[float, str, Any, str, tuple[str, ...]]]:
        """Everything that happened: (time, who, step or words, what came of it, whom it concerned)."""
        return ((time, who, what, told(how), subjects) for time, who, what, how, subjects in self._trace)

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens. Draws only where it may."""
        return probability > 0.0 and self.random.random() < probability

    def timeline(self, *subjects: str) -> str:
        """The trace for people: everything, or what concerns some orders or documents."""
        lines = []
        for time, who, what, how, about in self.trace:
            text = describe(what)
            if not subjects or any(subject in about or subject in text for subject in subjects):
                lines.append(f"{time - BEGIN:11.4f}  {who:<16} {text}{'  -> ' + how if how else ''}")
        return "\n".join(lines)

    def fingerprint(self) -> str:
        """A hash of the whole trace: two runs with the same one were the same."""
        digest = hashlib.sha256()
        for time, who, what, how, about in self.trace:
            digest.update(f"{time!r} {who} {describe(what)} {how} {about}\n".encode())
        return digest.hexdigest()


class SkewedClock:
    """The clock of one process."""

    def __init__(self, world: World, skew: float) -> None:
        self._world = world
        self.skew = skew

    def now(self) -> float:
        return self._world.time + self.skew

    def sleep(self, seconds: float) -> None:
        raise AssertionError("handlers let time pass by a step only")


def describe(what: Any) -> str:
    """A step in words."""
    match what:
        case str():
            return what
        case Get():
            return f"get {what.collection}/{what.key}"
        case Put():
            return f"{'replace' if what.previous else 'insert'} {what.collection}/{what.key} {_gist(what)}"
        case Query():
            return f"query {what.collection} by {what.index} {what.partition}"
        case Publish():
            return f"publish {_event(what.envelope)}"
        case PublishAll():
            return "publish " + ", ".join(_event(envelope) for envelope in what.envelopes)
        case Bury():
            return f"dead-letter {what.letter.event_id[:8]}: {what.letter.reason}, {what.letter.detail[:120]}"
        case Ask():
            arguments = {name: value for name, value in what.arguments.items() if name in ("key", "order_id")}
            return f"ask {what.dependency}.{what.method} {arguments}"
        case Pause():
            return f"pause {what.seconds:.3f}"
        case ReadDrop() | WriteArchive():
            return f"{type(what).__name__} {what.name}"
    return repr(what)


def told(how: Any) -> str:
    """What a handler was answered, or how a message was settled, in a word."""
    match how:
        case str():
            return how
        case (str(fault), str(answer)):
            return f"{fault}: {answer}"
        case Done():
            return f"done: {how.note}"
        case Retry():
            return f"retry in {how.after:.1f}: {how.reason}"
        case Exception():
            return f"{type(how).__name__}: {how}"
        case dict():
            return str(how.get("status", how))
        case list():
            return ", ".join("None" if each is None else type(each).__name__ for each in how)
        case None:
            return ""
    version = getattr(how, "version", None)
    return f"v{version}" if version else ""


def _event(envelope: Any) -> str:
    return f"{envelope.kind} {envelope.id[:8]} of {envelope.subject}"


def _in_order(value: Any) -> Any:
    """A real store does not keep the order of an object's fields, so the trace must not depend on it."""
    return dict(sorted(value.items())) if isinstance(value, dict) else value


def _gist(put: Put) -> str:
    document = put.document
    state = document.get("state", document)
    names = ("status", "n", "available", "open", "arriving", "closed", "due_at", "charge_id", "count", "open_until")
    told = {name: _in_order(state[name]) for name in names if name in state}
    entries = document.get("absorbed", ())
    absorbed = [f"{entry[0][:8]}>{'+'.join(event['kind'] for event in entry[2])}" for entry in entries]
    return f"rev={document.get('rev')} {told}" + (f" absorbed={absorbed}" if absorbed else "")
