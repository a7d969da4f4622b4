"""What each service uses of the events that it hears: found by watching it, not by asking it.

Orders go through the workflow in this process, some for each way that an order may end, for events may come in any
order, and every read of an event's field is noted for the service that reads it. The shell itself reads the subject;
brokers read what a service's filter is on. An event that no such order brings about, as those of services that were
added, counts as used as a whole: the place is empty.

``contracts/consumers/<service>.json``: ``{"consumer": name, "uses": {"OrderPlaced.v1": ["/lines/[]/sku", ...]}}``, the
newest version of each event, the fields by their places as `orderflow_cli.contracts.compare` writes them."""

from __future__ import annotations

import io
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from random import Random
from typing import Any

from pydantic import BaseModel

from orderflow.driver import run
from orderflow.events import Event
from orderflow.files import load
from orderflow.processing import Shell
from orderflow.services import SERVICES, find
from orderflow.settings import Settings
from orderflow_cli.cost.counting import MORE_PATHS, PATHS, Execution, Workflow


class Unwatchable(RuntimeError):
    """The workflow does not run to its end with the events as they are; the message says what stands in the way."""


Uses = dict[str, dict[str, list[str]]]
"""The places of the fields that are used, by service and by event and version."""

_STOCK = b"sku,quantity\nCUP,1\n"
_ORDERS = 4
"""Orders of each path: twice as many as show everything."""


def observed() -> Uses:
    """Watch the workflow. The same code gives the same answer. Raises `Unwatchable`."""
    watch = _Watch()
    # pydantic warns of values that are of another type than a model says: whoever compares contracts sees that better.
    with watch.watching(), warnings.catch_warnings(action="ignore", category=UserWarning):
        workflow = _Watched(watch)
        try:
            for path in (*PATHS, *MORE_PATHS) * _ORDERS:
                workflow.run(path)
            workflow.load_stock()
        except Exception as error:
            raise Unwatchable(f"the workflow does not run with the events as they are: {error}") from error
    return {name: {_name(event): watch.places(name, event) for event in _heard(name)} for name in SERVICES}


def users(uses: Iterable[Uses], event: str, place: str) -> list[str]:
    """The services, of several releases, that use what is at a place of an event or in it (``/lines/[]``, empty for
    the event itself)."""
    place = re.sub("/(anyOf|oneOf)", "", place)
    return sorted(
        {
            service
            for release in uses
            for service, events in release.items()
            if any(not used or f"{used}/".startswith(f"{place}/") for used in events.get(event, ()))
        }
    )


def _heard(service: str) -> list[type[Event]]:
    return sorted(find(service).hears, key=lambda event: (event.kind(), event.version))


def _name(event: type[Event]) -> str:
    return f"{event.kind()}.v{event.version}"


class _Watch:
    """Notes who reads which field."""

    def __init__(self) -> None:
        self.consumer = ""
        self._read: defaultdict[tuple[str, type[BaseModel]], set[str]] = defaultdict(set)
        self._within: dict[int, tuple[BaseModel, type[BaseModel], str]] = {}
        """What is in an event, by its identity: itself, so that it lives on, the event's type, and its place there."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Every model of pydantic is watched meanwhile."""

        def read(model: Any, name: str) -> Any:
            value = object.__getattribute__(model, name)
            if name in type(model).model_fields:
                self._note(model, name, value)
            return value

        BaseModel.__getattribute__ = read  # type: ignore[method-assign]
        try:
            yield
        finally:
            del BaseModel.__getattribute__

    def places(self, consumer: str, event: type[Event]) -> list[str]:
        """What a service read of an event, and its filter; the whole where it never met one."""
        read = self._read.get((consumer, event))
        if read is None:
            return [""]
        return sorted(read | {f"/{name}" for name in find(consumer).filter or () if name in event.model_fields})

    def _note(self, model: BaseModel, name: str, value: Any) -> None:
        _, event, place = self._within.get(id(model), (model, type(model), ""))
        if not self.consumer or event not in find(self.consumer).hears:
            return
        self._remember(event, f"{place}/{name}", value)

    def _remember(self, event: type[BaseModel], place: str, value: Any) -> None:
        """A model that is in an event is noted when it is read itself, anything else at once."""
        if isinstance(value, BaseModel):
            self._within[id(value)] = (value, event, place)
            return
        self._read[self.consumer, event].add(place)
        if isinstance(value, tuple | list):
            for each in value:
                self._remember(event, f"{place}/[]", each)
        elif isinstance(value, dict):
            for each in value.values():
                self._remember(event, f"{place}/*", each)


class _Watched(Workflow):
    """The workflow, which says who is at work."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch
        # Each service has its own dice, so that one more service does not change the order in which others are served.
        self._dice = {name: Random(name) for name in SERVICES}  # noqa: S311  it must repeat; nothing is secret here
        self._turns = {name: dice.random() for name, dice in self._dice.items()}

    def choose(self, waiting: dict[str, int]) -> str:
        """The service with the lowest turn; each draws another when it was served."""
        return min(waiting, key=lambda service: self._turns[service])

    def deliver(self, service: str) -> Execution:
        """Any message of its queue, under the service's name."""
        queue, dice = self._broker.queues[service], self._dice[service]
        queue.rotate(dice.randrange(len(queue)))
        self._turns[service] = dice.random()
        self._watch.consumer = service
        try:
            return super().deliver(service)
        finally:
            self._watch.consumer = ""

    def load_stock(self) -> None:
        """A file of stock arrives."""
        name = "stock/one.csv"
        self.ports.drop.put(name, _STOCK)
        with redirect_stdout(io.StringIO()):
            run(load(Shell(Settings(), self.ports.clock, Random(0)), name, 1), self.ports)  # noqa: S311  nothing secret
        self.run_to_rest()
