"""Two releases of the services in one run: the one that is in the package, and the next, whose stored states have one
more field. Functions of both run side by side, and the next may be taken back.

The field is a mark that a document gets when the next release first writes it; `simulation.invariants` sees that it is
never lost, whoever writes later."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import create_model

from orderflow.envelope import canonical
from orderflow.service import Change, Changes, Commit, Decision, Fail, Intend, Service
from orderflow.services import find
from orderflow.state import State

MARK = "mark"


class NextRelease:
    """The services as the next release has them."""

    def __init__(self) -> None:
        self._services: dict[str, tuple[Service[Any], Service[Any]]] = {}

    def find(self, name: str) -> Service[Any]:
        """A service by name."""
        service = find(name)
        known, newer = self._services.get(name, (None, None))
        if known is not service or newer is None:  # The declaration may be exchanged: a bug is planted.
            newer = self._next(service)
            self._services[name] = service, newer
        return newer

    def _next(self, service: Service[Any]) -> Service[Any]:
        resume, after = service.resume, service.after

        def decide(*arguments: Any) -> Decision[Any]:
            return self._decided(service.decide(*arguments))

        def go_on(*arguments: Any) -> Decision[Any]:
            assert resume is not None
            return self._decided(resume(*arguments))

        def afterwards(*arguments: Any) -> Changes | None:
            assert after is not None
            changes = after(*arguments)
            return changes and self._changes(changes)

        return replace(
            service,
            state=_next_model(service.state),  # type: ignore[arg-type]  # a model is hashable: it is a class
            decide=decide,
            resume=go_on if resume else None,
            after=afterwards if after else None,
        )

    def _decided(self, decision: Decision[Any]) -> Decision[Any]:
        match decision:
            case Intend(state, Changes() as effect):
                return Intend(self._marked(state), self._changes(effect))
            case Commit() | Intend():
                return replace(decision, state=self._marked(decision.state))
            case Fail(state=State() as state):
                return replace(decision, state=self._marked(state))
        return decision

    def _changes(self, changes: Changes) -> Changes:
        return replace(changes, changes=tuple(self._change(change) for change in changes.changes))

    def _change(self, change: Change) -> Change:
        def apply(state: Any) -> State | None:
            changed = change.apply(state)
            return None if changed is None else self._marked(changed)

        return replace(change, model=_next_model(change.model), apply=apply)

    def _marked(self, state: State) -> State:
        """A state that this release makes has the new field; one that it read has it already."""
        model = _next_model(type(state))
        return state if type(state) is model else model.model_validate(_with_mark(state.model_dump(mode="json")))


def _with_mark(state: dict[str, Any]) -> dict[str, Any]:
    """A mark says what the document held when it got it, so that one that was lost and made anew is another."""
    return state if MARK in state else {**state, MARK: hashlib.sha256(canonical(state)).hexdigest()[:12]}


@cache
def _next_model(model: type[State]) -> type[State]:
    if MARK in model.model_fields:
        return model
    newer = create_model(f"Next{model.__name__}", __base__=model, mark=(str, ...))
    newer.migrations = (_with_mark,)
    return newer


Find = Callable[[str], Service[Any]]


def releases() -> Iterator[Find]:
    """How services are found in one release after the other: this one, the next, this one again, and so on."""
    newer = NextRelease()
    while True:
        yield find
        yield newer.find
