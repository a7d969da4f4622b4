"""Circuit breakers around external systems, their state shared by all processes through the store.

A breaker's document holds the times of recent failures; it is written on a failure, when a probe begins and when a
probe succeeds, never on an ordinary success. Closed: calls pass. Open (``open_until`` in the future): messages wait,
which is no attempt. After that one call at a time may probe: its success closes the breaker, its failure opens it
again."""

from __future__ import annotations

from dataclasses import dataclass

from orderflow.ports import Clock, Conflict, Document, Stored
from orderflow.settings import Settings
from orderflow.steps import Get, Put, Steps

COLLECTION = "breakers"


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to call. ``probe`` is a try of an open breaker: its failure is no attempt of the message."""

    probe: bool


@dataclass(frozen=True, slots=True)
class Blocked:
    """The breaker is open for so many seconds more."""

    seconds: float


class Breakers:
    """All breakers as one process sees them."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._cache: dict[str, tuple[float, Stored | None]] = {}

    def closed(self, name: str) -> Steps[bool]:
        """Whether calls pass freely; unlike `ask` it takes no leave."""
        stored = yield from self._look(name)
        return stored is None or not stored.document["open_until"]

    def ask(self, name: str) -> Steps[Pass | Blocked]:
        """Whether the external system may be called now."""
        now = self._clock.now()
        stored = yield from self._look(name)
        if stored is None or not stored.document["open_until"]:
            return Pass(probe=False)
        blocked_until = max(stored.document["open_until"], stored.document["probe_until"])
        if now < blocked_until:
            return Blocked(blocked_until - now)
        document = {**stored.document, "probe_until": now + self._settings.breaker_cooldown}
        if (yield from self._write(name, document, stored)):
            return Pass(probe=True)
        return Blocked(self._settings.breaker_cooldown / 2)

    def failed(self, name: str) -> Steps[None]:
        """Note a failed call; open the breaker if it was a probe or one too many."""
        now = self._clock.now()
        stored = yield from self._read(name)
        past: Document = stored.document if stored else {"failures": [], "open_until": 0.0, "probe_until": 0.0}
        failures = [at for at in past["failures"] if now - at < self._settings.breaker_window]
        failures = [*failures, now][-self._settings.breaker_failures :]
        tripped = bool(past["open_until"]) or len(failures) >= self._settings.breaker_failures
        open_until = now + self._settings.breaker_cooldown if tripped else 0.0
        yield from self._write(name, {"failures": failures, "open_until": open_until, "probe_until": 0.0}, stored)

    def succeeded(self, name: str) -> Steps[None]:
        """Close the breaker after a probe that was answered."""
        stored = yield from self._read(name)
        if stored is not None:
            yield from self._write(name, {"failures": [], "open_until": 0.0, "probe_until": 0.0}, stored)

    def _look(self, name: str) -> Steps[Stored | None]:
        """The breaker as this process saw it lately."""
        read_at, stored = self._cache.get(name, (-1e9, None))
        if self._clock.now() - read_at > self._settings.breaker_cache:
            stored = yield from self._read(name)
        return stored

    def _read(self, name: str) -> Steps[Stored | None]:
        stored: Stored | None = yield Get(COLLECTION, name)
        self._cache[name] = (self._clock.now(), stored)
        return stored

    def _write(self, name: str, document: Document, previous: Stored | None) -> Steps[bool]:
        """Write, or learn that another process was first: its view is as good."""
        document["rev"] = previous.document["rev"] + 1 if previous else 1
        try:
            stored: Stored = yield Put(COLLECTION, name, document, previous)
        except Conflict:
            self._cache.pop(name, None)
            return False
        self._cache[name] = (self._clock.now(), stored)
        return True
