"""Sees what handlers do, for traces and metrics: every port call that they yield, when, and how it ended.

A handler that is observed is driven as it would be without; one that is not observed does not meet this module. What
was seen is handed over when the handler ends, and sent (`Observer.flush`) before the function gives back control,
because what a frozen process still holds is late or lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from orderflow import log
from orderflow.claims import decode
from orderflow.envelope import Envelope, Malformed
from orderflow.http import Request, Response
from orderflow.ports import Delivery
from orderflow.processing import Outcome
from orderflow.redact import said
from orderflow.steps import Put, Step, Steps

T = TypeVar("T")

_MOST_CALLS = 1_000
"""Calls that are kept of one handler: a sweep makes some for each order that it looks at."""


@dataclass(slots=True)
class Call:
    """A step that was performed. Times are nanoseconds since the epoch; ``error`` is what it raised."""

    step: Step
    began: int
    ended: int
    error: Exception | None


@dataclass(slots=True)
class Handling:
    """One handler from its first step to its end. ``result`` is None where it did not come to one: ``error`` ended it,
    or its time was up."""

    began: int
    ended: int = 0
    calls: list[Call] = field(default_factory=list)
    result: Any = None
    error: Exception | None = None

    def commits(self) -> Iterator[Put]:
        """The writes of documents that were answered."""
        for call in self.calls:
            if isinstance(call.step, Put) and call.error is None:
                yield call.step


@dataclass(slots=True)
class Commit:
    """What one write of a service's document added to it: events that were not there before. ``first`` is the first
    event that the document ever emitted."""

    new: list[Envelope]
    first: Envelope | None

    @classmethod
    def of(cls, put: Put) -> Commit:
        """Read it from the document (`orderflow.record` has its shape)."""
        absorbed = put.document.get("absorbed", ())
        known = {cause for cause, *_ in put.previous.document.get("absorbed", ())} if put.previous else set()
        first = next((each for _, _, envelopes in absorbed for each in envelopes), None)
        new = [Envelope.trusted(each) for cause, _, envelopes in absorbed if cause not in known for each in envelopes]
        return cls(new, Envelope.trusted(first) if first else None)


class Sink(Protocol):
    """Takes what was seen."""

    def delivered(self, service: str, delivery: Delivery, envelope: Envelope | None, handling: Handling) -> None:
        """A message was processed; ``result`` is an `Outcome`. There is no envelope where the body was none."""

    def answered(self, request: Request, handling: Handling) -> None:
        """A request was answered; ``result`` is a `Response`."""

    def performed(self, service: str, handling: Handling) -> None:
        """Something else was done: a sweep, a file."""

    def flush(self, seconds: float) -> None:
        """Send what there is; take no longer than that."""


class Observer:
    """Hands what it sees to sinks. Nothing that goes wrong with them reaches the handlers."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = sinks

    def delivery(self, service: str, delivery: Delivery, steps: Steps[Outcome]) -> Steps[Outcome]:
        """Observe the processing of a message."""

        def done(handling: Handling) -> None:
            envelope: Envelope | None = None
            with suppress(Malformed):
                envelope = decode(delivery.body)
            for sink in self._sinks:
                sink.delivered(service, delivery, envelope, handling)

        return _watched(steps, done)

    def request(self, request: Request, steps: Steps[Response]) -> Steps[Response]:
        """Observe the answering of a request; a health check is not worth it."""
        if request.path == "/health":
            return steps

        def done(handling: Handling) -> None:
            for sink in self._sinks:
                sink.answered(request, handling)

        return _watched(steps, done)

    def task(self, service: str, steps: Steps[T]) -> Steps[T]:
        """Observe anything else."""

        def done(handling: Handling) -> None:
            for sink in self._sinks:
                sink.performed(service, handling)

        return _watched(steps, done)

    def flush(self, seconds: float = 1.0) -> None:
        """Send what was seen; take no longer than that, nor than a second."""
        bound = max(0.1, min(1.0, seconds))
        for sink in self._sinks:
            _guarded(lambda sink=sink: sink.flush(bound))  # type: ignore[misc]


def _watched(steps: Steps[T], done: Callable[[Handling], None]) -> Steps[T]:
    """The same steps, with the same answers."""
    handling = Handling(time.time_ns())
    try:
        step = next(steps)
        while True:
            error: Exception | None = None
            answer: Any = None
            began = time.time_ns()
            try:
                answer = yield step
            except Exception as raised:
                error = raised
            if len(handling.calls) < _MOST_CALLS:
                handling.calls.append(Call(step, began, time.time_ns(), error))
            step = steps.send(answer) if error is None else steps.throw(error)
    except StopIteration as end:
        handling.result = end.value
        result: T = end.value
        return result
    except GeneratorExit:  # Its time is up.
        steps.close()
        raise
    except Exception as error:
        handling.error = error
        raise
    finally:
        handling.ended = time.time_ns()
        _guarded(lambda: done(handling))


def _guarded(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:
        log.write("WARNING", "telemetry failed", reason=said(error))
