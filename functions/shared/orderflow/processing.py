"""The shell: from a delivery to an outcome, with the guarantees that every service gets.

Order of work: decode, read the document, recognise a known event, decide, commit (state + absorbed id + emitted
events in one compare-and-set), publish, and only then let the broker forget the message. A crash anywhere is healed
by redelivery. The rules are explained in docs/guarantees.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from orderflow import log
from orderflow.attempts import Attempts
from orderflow.breaker import Blocked, Breakers
from orderflow.claims import BadClaim, Claim, decode, redeem
from orderflow.envelope import Envelope, Malformed, rfc3339
from orderflow.events import Event, UnknownEvent, read
from orderflow.ports import Clock, Conflict, DeadLetter, Delivery, Stored, Unavailable
from orderflow.recent import Recent
from orderflow.record import Cause, Record, envelopes, load
from orderflow.redact import redact, said, words
from orderflow.service import (
    Answer,
    Applied,
    Call,
    Change,
    Changes,
    Commit,
    Context,
    Decision,
    Declined,
    Effect,
    Fail,
    Fetch,
    Fetched,
    Ignore,
    Intend,
    Keep,
    Look,
    LookFirst,
    Refuse,
    Seen,
    Service,
    Unanswered,
    Wait,
)
from orderflow.service import (
    Outcome as EffectOutcome,
)
from orderflow.settings import Settings
from orderflow.state import State
from orderflow.steps import Ask, Bury, Get, Pause, Publish, Put, ReadDrop, Steps, Verify, WriteArchive

S = TypeVar("S", bound=State)

_DECISIONS = 100
"""More decisions than any event needs: a service that exceeds it goes in circles."""

_STANDS = (Commit, Ignore, LookFirst)
"""Decisions on a guess that stand: a write, which fails if the guess was wrong, nothing whatever there is, or only a
reading of other documents."""


@dataclass(slots=True)
class Done:
    """Acknowledge the message. ``note`` is for the log: handled, duplicate, ignored, dead-lettered."""

    note: str = "handled"


@dataclass(slots=True)
class Retry:
    """Give the message back, to be delivered again after ``after`` seconds at the earliest. ``attempt`` is the number
    of the attempt that failed; None where none did, because the message only has to wait."""

    after: float
    reason: str
    attempt: int | None = None


Outcome = Done | Retry

Looked = dict[tuple[str, str], Stored | None]
"""Other documents as they were just read, by (collection, key)."""


_LONG = 12
"""Deliveries after which a message has waited long."""


class GiveBack(Exception):
    """The message must come again later; nobody failed."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds


class AttemptFailed(Exception):
    """This attempt at the message failed."""


class Refused(Exception):
    """The message will never be accepted."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Shell:
    """Processes messages for any service. One per process; it keeps only caches."""

    def __init__(self, settings: Settings, clock: Clock, random: Random) -> None:
        self.settings = settings
        self.clock = clock
        self.random = random
        self._breakers = Breakers(settings, clock)
        self._attempts = Attempts(clock)
        self._recent = Recent()

    def deliver(self, service: Service[Any], delivery: Delivery) -> Steps[Outcome]:
        """Process one delivery to its outcome. Whatever the message holds, this answers and does not raise."""
        try:
            envelope = decode(delivery.body)
        except Malformed as error:
            return (yield from self._bury(service, delivery, None, "malformed", str(error)))
        try:
            outcome = yield from self._process(service, envelope)
        except Refused as error:
            outcome = yield from self._bury(service, delivery, envelope, error.reason, str(error))
        except GiveBack as error:
            # Not sooner than the backoff: waiting must not use up what the broker itself has of deliveries.
            outcome = Retry(max(error.seconds, self.backoff(service, delivery.receives)), error.reason)
        except (Unavailable, Conflict) as error:
            outcome = Retry(self.backoff(service, delivery.receives), said(error))
        except Exception as error:
            reason = words(error) if isinstance(error, AttemptFailed) else said(error)
            outcome = yield from self._count_attempt(service, delivery, envelope, reason)
        log.delivery(service.name, delivery, envelope, outcome)
        return outcome

    def handle(self, service: Service[S], cause: Cause, event: Any, time: str) -> Steps[Done]:
        """Let a service absorb one event or command. Raises what `deliver` turns into outcomes."""
        key = service.key(event, time)
        guess = self._guess(service, key, event)
        for tried in range(self.settings.conflict_tries):
            try:
                return (yield from self._absorb(service, key, cause, event, time, guess))
            except Conflict:
                if guess is None:
                    yield from self._yield_way(tried)
                elif guess.stored is not None:
                    self._recent.lost(service.collection, key)
                guess = None
        raise GiveBack("too many conflicts", self.random.uniform(0.1, 1.0))

    def doubt(self, envelope: Envelope) -> Steps[str | None]:
        """Why an event is not believed to be one of ours; None where it is, or nobody asks for signatures."""
        if self.settings.signatures != "require":
            return None
        fault: str | None = yield Verify(envelope)
        return fault

    def publish(self, emitted: Sequence[Envelope]) -> Steps[None]:
        """Publish in order, stopping at the first that the broker does not take."""
        for envelope in emitted:
            yield Publish(envelope)

    def repeat(self, service: Service[Any], cause: Cause, event: Event, time: str) -> Steps[bool]:
        """Do again what follows an event that was absorbed: publish what it emitted. Answers whether it was; another
        event under the same id counts as absorbed, for it never will be."""
        key = service.key(event, time)
        record = load(service, (yield Get(service.collection, key)))
        if record.contradicts(cause):
            return True
        if cause.id not in record.absorbed:
            return False
        yield from self._finish(service, key, record, cause, event)
        return True

    def commit(self, service: Service[S], key: str, record: Record[S]) -> Steps[Record[S]]:
        """Write a record over what it was read from. Raises `Conflict`."""
        stored: Stored = yield Put(service.collection, key, record.to_document(service), record.stored)
        self._recent.wrote(service.collection, key, stored)
        return Record(record.state, record.absorbed, record.pending, stored)

    def _process(self, service: Service[Any], envelope: Envelope) -> Steps[Outcome]:
        # A broker may deliver what its subscription's filter should have kept back (the Pub/Sub emulator does).
        if not service.lets_through(envelope.to_dict()):
            return Done("ignored")
        if (fault := (yield from self.doubt(envelope))) is not None:
            raise Refused("unsigned" if envelope.extension("signature") is None else "bad-signature", fault)
        try:
            if isinstance(envelope, Claim):
                envelope = yield from redeem(envelope)
            event = read(envelope)
        except UnknownEvent as error:
            raise Refused("unknown-event", str(error)) from None
        except BadClaim as error:
            raise Refused("bad-claim", str(error)) from None
        except Malformed as error:
            raise Refused("malformed", str(error)) from None
        if type(event) not in service.hears:
            return Done("ignored")
        return (yield from self.handle(service, Cause.of(envelope), event, envelope.time))

    def _guess(self, service: Service[S], key: str, event: Event) -> Record[S] | None:
        """What the document holds, as far as that can be said without reading it; None where it must be read."""
        remembered = self._recent.guess(service.collection, key)
        if remembered is not None:
            return load(service, remembered)
        return Record() if isinstance(event, service.unread) else None

    def _read(self, service: Service[S], key: str) -> Steps[Record[S]]:
        stored: Stored | None = yield Get(service.collection, key)
        self._recent.read(service.collection, key, stored)
        return load(service, stored)

    def _absorb(
        self, service: Service[S], key: str, cause: Cause, event: Event, time: str, guess: Record[S] | None
    ) -> Steps[Done]:
        """One try at an event, on the document as it is now. Raises `Conflict` where the document moved meanwhile.

        With a ``guess`` the document is not read: the first write is a compare-and-set over it, which fails where it
        is wrong. What would not begin with such a write is decided again on the document.
        """
        record: Record[S] = guess or (yield from self._read(service, key))
        if guess and (cause.id in record.absorbed or record.contradicts(cause)):
            return (yield from self._absorb(service, key, cause, event, time, None))
        if record.contradicts(cause):
            raise Refused("id-reused", f"event {cause.id} was seen before with other content")
        if cause.id in record.absorbed:
            yield from self._finish(service, key, record, cause, event)
            return Done("duplicate")
        context = Context(self.clock.now(), self.settings, time)
        decision = service.decide(record.state, event, context)
        looked: Looked = {}
        for _ in range(_DECISIONS):
            unread = guess and not isinstance(decision, _STANDS)
            if unread and not (yield from self._needs_no_reading(record, decision)):
                return (yield from self._absorb(service, key, cause, event, time, None))
            match decision:
                case Commit():
                    emitted = envelopes(service.name, cause, decision.emit, self.clock.now())
                    record = yield from self.commit(service, key, record.absorbing(decision.state, cause, emitted))
                    yield from self._finish(service, key, record, cause, event)
                    return Done()
                case Intend():
                    probe = yield from self._leave_to_call(decision.effect)
                    if decision.state != record.state:
                        record = yield from self.commit(service, key, record.intending(decision.state, cause))
                        guess = None
                    else:
                        looked = {}
                    outcome = yield from self._effect(service, key, decision.effect, probe, looked)
                    looked = {}
                    assert service.resume is not None and record.state is not None
                    context = Context(self.clock.now(), self.settings, time)
                    decision = service.resume(record.state, event, outcome, context)
                    if isinstance(decision, Fail) and probe:
                        decision = Wait(decision.reason, self.settings.breaker_cooldown)
                case LookFirst():
                    found: list[dict[str, Any] | None] = []
                    for collection, other in decision.keys:
                        stored: Stored | None = yield Get(collection, other)
                        looked[collection, other] = stored
                        found.append(stored.document["state"] if stored else None)
                    decision = decision.then(tuple(found))
                case Ignore():
                    return Done("ignored")
                case Wait():
                    raise GiveBack(decision.reason, decision.seconds)
                case Fail():
                    if decision.state is not None and decision.state != record.state:
                        yield from self.commit(service, key, record.intending(decision.state, cause))
                    raise AttemptFailed(decision.reason)
                case Refuse():
                    raise Refused("refused", decision.reason)
        raise AttemptFailed(f"{service.name} took more than {_DECISIONS} decisions")

    def _finish(self, service: Service[S], key: str, record: Record[S], cause: Cause, event: Event) -> Steps[None]:
        """What follows an absorbed event, the first time and at every redelivery: publish, then the afterwork."""
        for envelope in record.emitted_for(cause.id):
            yield Publish(envelope)
        if service.after is not None and record.state is not None:
            changes = service.after(record.state, event)
            if changes is not None:
                yield from self._change_all(service, key, changes, {})

    def _needs_no_reading(self, guess: Record[S], decision: Decision[S]) -> Steps[bool]:
        """Whether another decision on a guess than those of `_STANDS` may stand: an intent whose first step is a write.
        The only probe of an open breaker is not spent on it."""
        if not isinstance(decision, Intend) or decision.state == guess.state:
            return False
        if isinstance(decision.effect, Call):
            return (yield from self._breakers.closed(decision.effect.dependency))
        return True

    def _leave_to_call(self, effect: Effect) -> Steps[bool]:
        """Ask the circuit breaker before an intent is committed. Answers whether the call is a probe."""
        if not isinstance(effect, Call):
            return False
        leave = yield from self._breakers.ask(effect.dependency)
        if isinstance(leave, Blocked):
            raise GiveBack(f"{effect.dependency}: circuit breaker is open", leave.seconds + self.random.uniform(0, 1))
        return leave.probe

    def _effect(
        self, service: Service[S], key: str, effect: Effect, probe: bool, looked: Looked
    ) -> Steps[EffectOutcome]:
        match effect:
            case Call():
                return (yield from self._call(effect, probe))
            case Look():
                found: list[dict[str, Any] | None] = []
                for collection, other in effect.keys:
                    stored: Stored | None = yield Get(collection, other)
                    found.append(stored.document["state"] if stored else None)
                return Seen(tuple(found))
            case Changes():
                return (yield from self._change_all(service, key, effect, looked))
            case Fetch():
                _check(service, "fetches", effect.name, service.fetches())
                return Fetched((yield ReadDrop(effect.name)))
            case Keep():
                _check(service, "keeps", effect.name, service.keeps)
                yield WriteArchive(effect.name, effect.data)
                return Applied()

    def _call(self, call: Call, probe: bool) -> Steps[Answer | Unanswered]:
        try:
            value: dict[str, Any] = yield Ask(call.dependency, call.method, call.arguments)
        except Unavailable as error:
            yield from self._breakers.failed(call.dependency)
            return Unanswered(call, f"{call.dependency} gave no answer: {error}")
        if probe:
            yield from self._breakers.succeeded(call.dependency)
        return Answer(call, value)

    def _change_all(self, service: Service[S], key: str, changes: Changes, looked: Looked) -> Steps[Applied | Declined]:
        for change in changes.changes:
            try:
                yield from self._change(service, key, change, changes, looked)
            except Declined as declined:
                return declined.with_traceback(None)  # The frames that it passed would hold it, and it them.
        return Applied()

    def _change(self, service: Service[S], key: str, change: Change, changes: Changes, looked: Looked) -> Steps[None]:
        """One compare-and-set on another document. Raises `Conflict` if the fence fell or others always won. What was
        ``looked`` at before the intent was written is not read again for the first try, nor is the fence: the write
        of the intent was one."""
        for tried in range(self.settings.conflict_tries):
            stored: Stored | None
            if not tried and (change.collection, change.key) in looked:
                stored = looked[change.collection, change.key]
            else:
                stored = yield Get(change.collection, change.key)
                if changes.fence is not None:
                    own = load(service, (yield Get(service.collection, key)))
                    if own.state is None or not changes.fence(own.state):
                        raise Conflict(f"{service.name} {key} moved on")
            found = stored.document if stored else None
            state = change.apply(change.model.of(found) if found else None)
            if state is None:
                return
            try:
                yield Put(change.collection, change.key, state.write(found), stored)
                return
            except Conflict:
                yield from self._yield_way(tried)
        raise GiveBack(f"too many conflicts on {change.collection} {change.key}", self.random.uniform(0.1, 1.0))

    def _yield_way(self, tried: int) -> Steps[None]:
        """Full-jitter pause after a lost compare-and-set: 10 ms doubling to 320 ms at most."""
        yield Pause(self.random.uniform(0, 0.01 * 2 ** min(tried, 5)))

    def backoff(self, service: Service[Any], times: int) -> float:
        """Seconds until a message comes again that came ``times`` times. Full jitter
        (aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter): anything up to the doubling bound, and at
        least a tenth of a second. The cap rises with what has waited long, so that the deliveries that a
        broker allows outlast an outage of hours."""
        limits = service.limits
        cap = limits.backoff_cap_s * max(1.0, min(times, limits.broker_max_deliveries) / _LONG)
        bound = min(cap, limits.backoff_base_s * 2.0 ** min(times - 1, 16))
        return max(0.1, self.random.uniform(0, bound))

    def _count_attempt(
        self, service: Service[Any], delivery: Delivery, envelope: Envelope, reason: str
    ) -> Steps[Outcome]:
        try:
            count, first_at = yield from self._attempts.add(service, envelope.id, reason)
            if count < service.limits.max_attempts:
                return Retry(self.backoff(service, count), reason, count)
            done = yield from self._bury(
                service, delivery, envelope, "attempts-exhausted", reason, attempts=count, first_at=first_at
            )
            if isinstance(done, Done):
                yield from self._attempts.forget(service, envelope.id)
            return done
        except (Unavailable, Conflict) as error:
            return Retry(self.backoff(service, delivery.receives), said(error))

    def _bury(
        self,
        service: Service[Any],
        delivery: Delivery,
        envelope: Envelope | None,
        reason: str,
        detail: str,
        *,
        attempts: int = 1,
        first_at: float | None = None,
    ) -> Steps[Outcome]:
        """Put the message, unchanged, into the service's dead-letter queue with the reason."""
        now = self.clock.now()
        letter = DeadLetter(
            service=service.name,
            body=delivery.body,
            attributes=dict(delivery.attributes),
            reason=reason,
            detail=redact(detail)[:1000],
            attempts=attempts,
            first_at=rfc3339(now if first_at is None else first_at),
            last_at=rfc3339(now),
            event_id=envelope.id if envelope else "",
        )
        try:
            yield Bury(letter)
        except Unavailable as error:
            return Retry(self.backoff(service, delivery.receives), f"dead-letter queue: {error}")
        log.dead_letter(letter, envelope)
        return Done("dead-lettered")


def _check(service: Service[Any], verb: str, name: str, prefixes: tuple[str, ...]) -> None:
    """On a cloud the service's identity would be refused: here it is, too."""
    if not name.startswith(prefixes):
        raise PermissionError(f"{service.name} {verb} {', '.join(prefixes) or 'no object'}; {name} is none of these")
