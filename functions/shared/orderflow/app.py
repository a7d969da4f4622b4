"""What an entrypoint calls: one object per process, made by a cloud's wiring. Each method imports only what it
needs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from random import SystemRandom
from typing import TYPE_CHECKING, TypeVar

from orderflow import log
from orderflow.driver import OutOfTime, run, run_batch
from orderflow.http import Request, Response
from orderflow.ports import Delivery, Ports
from orderflow.processing import Done, Outcome, Retry, Shell
from orderflow.redact import said
from orderflow.services import find
from orderflow.settings import Settings
from orderflow.steps import Steps
from orderflow.turns import turns

if TYPE_CHECKING:
    from orderflow.api import Api
    from orderflow.observer import Observer
    from orderflow.sweeper import Swept

__all__ = ["App", "Request", "Response"]

T = TypeVar("T")


class App:
    """The workflow on one cloud's ports. ``observer`` sees what the handlers do, where telemetry is on."""

    def __init__(self, ports: Ports, settings: Settings, observer: Observer | None = None) -> None:
        self.ports = ports
        self.settings = settings
        self._observer = observer
        self._shell = Shell(settings, ports.clock, SystemRandom())
        log.set_level(settings.log_level)

    def consume(self, service: str, deliveries: Sequence[Delivery], *, deadline: float) -> list[Outcome]:
        """Process a batch of a service's messages; answers an outcome for each, in their order.

        ``deadline``, in seconds since the epoch, is when this must be back: what is not through by then is given back.
        Messages of one group are processed one after the other; once one of them is given back, so are those after it,
        untouched, for as long.
        """
        declared = find(service)
        late = self._late(deadline)
        outcomes: dict[int, Outcome] = {}
        held: dict[str, Retry] = {}
        for turn in turns([delivery.group for delivery in deliveries]):
            going = [place for place in turn if deliveries[place].group not in held]
            steps = [self._shell.deliver(declared, deliveries[place]) for place in going]
            if observer := self._observer:
                steps = [
                    observer.delivery(service, deliveries[place], each)
                    for place, each in zip(going, steps, strict=True)
                ]
            for place, result in zip(going, run_batch(steps, self.ports, late), strict=True):
                outcome = outcomes[place] = outcome_of(result)
                if isinstance(outcome, Retry) and (group := deliveries[place].group):
                    held[group] = Retry(outcome.after, "an earlier message of its group was given back")
            outcomes |= {place: held[deliveries[place].group] for place in turn if place not in outcomes}
        self._flush(deadline)
        return [outcomes[place] for place in range(len(deliveries))]

    def respond(self, request: Request) -> Response:
        """Answer an HTTP request."""
        steps = self._api.respond(request)
        response = run(self._observer.request(request, steps) if self._observer else steps, self.ports)
        self._flush()
        return response

    def sweep(self, *, deadline: float) -> Swept | None:
        """Look at every due order; None where the deadline came first (the next sweep goes on)."""
        from orderflow.sweeper import sweep

        result = self._perform("sweeper", sweep(self._shell), deadline)
        if isinstance(result, OutOfTime):
            return None
        if isinstance(result, Exception):
            raise result
        return result

    def load_file(self, name: str, *, receives: int, deadline: float) -> Outcome:
        """Load a file that was dropped in the object store and that the broker told of ``receives`` times."""
        from orderflow.files import load

        return outcome_of(self._perform("files", load(self._shell, name, receives), deadline))

    @cached_property
    def _api(self) -> Api:
        from orderflow.api import Api
        from orderflow.auth import TokenVerifier

        return Api(self._shell, TokenVerifier(self.settings), webhook="webhook" in self.ports.dependencies)

    def _perform(self, service: str, steps: Steps[T], deadline: float) -> T | Exception:
        """Drive a handler that no message is behind."""
        if self._observer:
            steps = self._observer.task(service, steps)
        result = run_batch([steps], self.ports, self._late(deadline))[0]
        self._flush(deadline)
        return result

    def _flush(self, deadline: float | None = None) -> None:
        """Send what was observed: a platform may freeze the process once it has its answer."""
        if self._observer:
            self._observer.flush(1.0 if deadline is None else deadline - self.ports.clock.now())

    def _late(self, deadline: float) -> Late:
        return Late(self.ports, deadline)


class Late:
    """Says whether a deadline has come."""

    def __init__(self, ports: Ports, deadline: float) -> None:
        self._clock = ports.clock
        self._deadline = deadline

    def __call__(self) -> bool:
        return self._clock.now() >= self._deadline


def outcome_of(result: Outcome | Exception) -> Outcome:
    """A handler that did not end by itself, because its time was over or itself is wrong, gives its message back; that
    is no attempt."""
    if isinstance(result, Done | Retry):
        return result
    if not isinstance(result, OutOfTime):
        log.write("ERROR", "handler failed", reason=said(result))
    return Retry(1.0, said(result))
