"""What a service is: a declaration (what it hears, its document, its limits) and pure decisions.

`Service.decide` takes the state of one document and an event and says what to do; `Service.resume` says how to go on
when an effect that it asked for has an outcome. Neither does any I/O: the shell (`orderflow.processing`) does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from orderflow.events import Event, FileArrived
from orderflow.settings import Settings
from orderflow.state import State

S = TypeVar("S", bound=State)


@dataclass(slots=True)
class Context:
    """What a decision may know beside state and event: the time now, in seconds since the epoch, and when the event
    happened, as RFC 3339."""

    now: float
    settings: Settings
    event_time: str


# Effects: what a decision asks the shell to do before it can be finished.


@dataclass(frozen=True, slots=True)
class Call:
    """Call an external system behind its circuit breaker. Outcome: `Answer` or `Unanswered`."""

    dependency: str
    method: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """Read other documents' states by (collection, key), once the intent is written. Outcome: `Seen`."""

    keys: tuple[tuple[str, str], ...]


class Declined(Exception):
    """Raised by `Change.apply`: the other document cannot take the change. Also the outcome of `Changes` then."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Change:
    """One compare-and-set on another document.

    ``apply`` takes its state (None: it does not exist) and answers the new one, or None where nothing is to be written.
    It must be idempotent: it runs again after a lost conflict, a crash or a redelivery.
    """

    collection: str
    key: str
    model: type[State]
    apply: Callable[[Any], State | None]


@dataclass(frozen=True, slots=True)
class Changes:
    """Change other documents one after the other, stopping at the first that declines. Outcome: `Applied` or
    `Declined`.

    ``fence`` must hold for this service's own state, read after the other document and before it is written: a handler
    that was overtaken then changes nothing more.
    """

    changes: tuple[Change, ...]
    fence: Callable[[Any], bool] | None = None


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read a file that was dropped, of a folder of which the service hears (`orderflow.events.FileArrived`). Outcome:
    `Fetched`."""

    name: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Write an object into the archive bucket, below a prefix that the service ``keeps``, over one of the same name.
    Outcome: `Applied`."""

    name: str
    data: bytes


Effect = Call | Look | Changes | Fetch | Keep


@dataclass(frozen=True, slots=True)
class Answer:
    """What an external system answered."""

    call: Call
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The external system gave no answer: the call may or may not have had its effect."""

    call: Call
    error: str


@dataclass(frozen=True, slots=True)
class Seen:
    """States of other documents as JSON objects, None where there is none, in the order asked for."""

    states: tuple[dict[str, Any] | None, ...]


@dataclass(frozen=True, slots=True)
class Fetched:
    """The content of a file, None where it is gone."""

    data: bytes | None


@dataclass(frozen=True, slots=True)
class Applied:
    """Every change was made; what was to be kept is."""


Outcome = Answer | Unanswered | Seen | Fetched | Applied | Declined


# Decisions


@dataclass(slots=True)
class Commit(Generic[S]):
    """Write the state, absorb the event and emit events, all in one compare-and-set."""

    state: S
    emit: tuple[Event, ...] = ()


@dataclass(slots=True)
class Intend(Generic[S]):
    """Write the state as an intent, without absorbing the event; then do the effect and `Service.resume` with its
    outcome. A redelivery finds the intent and goes on from it."""

    state: S
    effect: Effect


@dataclass(frozen=True, slots=True)
class LookFirst(Generic[S]):
    """Read other documents' states by (collection, key) before anything is written; ``then`` decides on them, in the
    order asked for, None where there is none.

    Where it decides to write an intent whose `Changes` are of these documents, each of them is first tried as it was
    read: the fence holds of what was written after that reading.
    """

    keys: tuple[tuple[str, str], ...]
    then: Callable[[tuple[dict[str, Any] | None, ...]], Decision[S]]


@dataclass(frozen=True, slots=True)
class Ignore:
    """The event changes nothing and leaves no trace. Must depend on the event alone, not on the state."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Give the message back for ``seconds``; that is no attempt."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Fail(Generic[S]):
    """This attempt failed: back off and try again, or dead-letter after the last one. ``state``, where given, is
    written first, without absorbing the event."""

    reason: str
    state: S | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Trying again cannot help: dead-letter at once."""

    reason: str


Decision = Commit[S] | Intend[S] | LookFirst[S] | Ignore | Wait | Fail[S] | Refuse


@dataclass(frozen=True, slots=True)
class Limits:
    """A service's figures. All clouds take them from the topology; the ranges are the narrowest of the three."""

    timeout_s: int = 30
    """Function timeout."""
    lock_s: int = 180
    """How long a delivery is hidden from others: six times the timeout, as AWS asks
    (docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html), and at most Service Bus's 300."""
    batch_size: int = 10
    batch_window_s: int = 0
    max_concurrency: int = 10
    memory_mb: int = 256
    max_attempts: int = 5
    """Attempts that the shell counts before it dead-letters."""
    broker_max_deliveries: int = 100
    """The broker's own limit, a backstop for crashes; 5 to 100 is Pub/Sub's range
    (cloud.google.com/pubsub/docs/handling-failures)."""
    backoff_base_s: float = 1.0
    backoff_cap_s: float = 60.0
    oldest_message_alarm_s: int = 300


UNHURRIED = Limits(lock_s=185, batch_window_s=5)
"""Of a service that no order waits for: up to ten messages in one execution of its function, gathered for five seconds,
where a broker hands over batches. Google Cloud pushes one at a time. A message is hidden for the window longer, as AWS
asks. docs/cost.md says what it saves."""


@dataclass(frozen=True, slots=True)
class Service(Generic[S]):
    """A business capability with its own documents, its own queue and its own dead-letter queue.

    ``filter`` is what its subscription lets through: allowed values by filterable attribute, all of which must match;
    without one, the kinds that it hears. ``key`` names the document that decides about an event, ``index`` its index
    entries. ``unread`` are events that are tried without reading the document first: those that usually find none,
    and those that change nothing whatever it holds. ``after`` is done once the event is absorbed and published; it
    must be idempotent. ``writes`` are further collections that its effects change, ``reads`` those that they look at,
    ``uses`` the external systems that it calls, ``keeps`` the prefixes below which it writes objects into the archive
    bucket. ``ordered`` asks for the events of one order one after the other, as
    they were published: while one is given back the later ones of that order wait. It costs throughput, the services
    here do without, and Azure has no such thing."""

    name: str
    hears: tuple[type[Event], ...]
    emits: tuple[type[Event], ...]
    collection: str
    state: type[S]
    key: Callable[[Any, str], str]
    """(event, RFC 3339 time of the event) -> document key."""
    decide: Callable[[S | None, Any, Context], Decision[S]]
    resume: Callable[[S, Any, Outcome, Context], Decision[S]] | None = None
    after: Callable[[S, Any], Changes | None] | None = None
    index: Callable[[S], dict[str, list[str]]] | None = None
    indexes: tuple[str, ...] = ()
    unread: tuple[type[Event], ...] = ()
    filter: Mapping[str, tuple[str, ...]] | None = None
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    ordered: bool = False
    limits: Limits = field(default_factory=Limits)
    _kinds: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_kinds", frozenset(event.kind() for event in self.hears))

    def fetches(self) -> tuple[str, ...]:
        """The prefixes of the dropped files that it may read."""
        return tuple(sorted(f"{event.folder}/" for event in self.hears if issubclass(event, FileArrived)))

    def subscription_filter(self) -> dict[str, list[str]]:
        """The filter as the topology has it."""
        if self.filter is None:
            return {"kind": sorted(self._kinds)}
        return {name: list(values) for name, values in self.filter.items()}

    def lets_through(self, attributes: Mapping[str, str]) -> bool:
        """Whether an event with these attributes passes the subscription's filter."""
        if self.filter is None:
            return attributes.get("kind") in self._kinds
        return all(attributes.get(name) in values for name, values in self.filter.items())
