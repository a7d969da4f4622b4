"""The worked examples in ``examples/``: packages of services that are added to the core workflow, each with a story
that drives it through the public doors of a cloud and says what must be seen."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from orderflow import services
from orderflow.envelope import rfc3339
from orderflow.events import Event
from orderflow.keys import safe_key
from orderflow.ports import Ports
from orderflow_cli.ops import facts
from orderflow_cli.ops.doors import Doors

FOLDER = Path(__file__).parents[2] / "examples"
PATIENCE_S = 120.0


class UnknownExample(ValueError):
    """There is no example of that name; the message lists those that there are."""


class Broken(RuntimeError):
    """What the story says did not happen."""


def names() -> list[str]:
    """The examples, as people write them."""
    return sorted(story.parent.name.replace("_", "-") for story in FOLDER.glob("*/_story.py"))


def add(*chosen: str) -> None:
    """Add the services of examples to this process, and to what it starts. Raises `UnknownExample`."""
    for name in chosen:
        if name not in names():
            raise UnknownExample(f"{name!r} is none of {', '.join(names())}")
        services.add(name.replace("-", "_"))


def services_of(name: str) -> list[str]:
    """The services of an example that was added."""
    package = name.replace("-", "_")
    return [service for service, module in services.SERVICES.items() if module.rpartition(".")[0] == package]


def tell(name: str, doors: Doors) -> Iterator[str]:
    """Play an example's story on a cloud that has its services; yields what is seen, line by line. Raises `Broken`."""
    story: Callable[[Stage], Iterator[str]] = import_module(f"{name.replace('-', '_')}._story").tell
    yield from story(Stage(doors))


def chosen(values: list[str] | None) -> list[str]:
    """The examples that an option or argument names, added before anything asks which services there are."""
    try:
        add(*(values or []))
    except UnknownExample as error:
        raise typer.BadParameter(str(error), param_hint="example") from None
    return values or []


Examples = Annotated[
    list[str] | None,
    typer.Option("--example", callback=chosen, help="Add the services of a worked example (examples/); repeat it."),
]


@dataclass
class Stage:
    """One cloud, as a story uses it."""

    doors: Doors
    run: str = field(default_factory=lambda: secrets.token_hex(3))

    @property
    def ports(self) -> Ports:
        """The cloud's ports."""
        return self.doors.ports

    def fresh(self, name: str) -> str:
        """A name that no other run of the story has."""
        return f"{name}-{self.run}"

    def now(self) -> str:
        """The time as events say it."""
        return rfc3339(self.ports.clock.now())

    def publish(self, event: Event, *, times: int = 1) -> None:
        """Publish a fact from outside, as `orderflow publish` does; several times is the same event again."""
        line = json.dumps({"kind": event.kind(), "data": event.model_dump(mode="json")})
        envelopes, wrong = facts.read_facts([line.encode()], "/examples")
        if wrong:
            raise Broken(wrong[0])
        for _ in range(times):
            facts.publish(self.doors, envelopes)

    def drop(self, name: str, data: bytes) -> None:
        """Drop a file in the object store."""
        self.ports.drop.put(name, data)

    def request(self, method: str, path: str, customer: str, body: Any) -> None:
        """Send a request to the API. Raises `Broken` where it is refused."""
        with self.doors.client(customer) as client:
            answer = client.request(method, path, json=body)
        self.expect(answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:200]}")

    def state(self, service: str, key: str) -> dict[str, Any] | None:
        """What a service has stored under a key."""
        stored = self.ports.store.get(services.find(service).collection, safe_key(key))
        return stored.document["state"] if stored else None

    def field(self, service: str, key: str, name: str) -> Any:
        """One field of it, None where there is none."""
        return (self.state(service, key) or {}).get(name)

    def until(self, service: str, key: str, name: str, value: Any) -> None:
        """Return when a field of what a service has stored has this value. Raises `Broken` after two minutes."""
        self.wait(lambda: bool(self.field(service, key, name) == value), f"{service} {key} to have {name} {value}")

    def sent(self, key: str) -> int:
        """How often the simulated provider was asked to send a message."""
        stored = self.ports.store.get("messages", safe_key(key))
        return len(stored.document["entries"]) if stored else 0

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        """Return when it holds. Raises `Broken` after two minutes."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > end:
                raise Broken(f"waited {PATIENCE_S:.0f} s for {what}")
            time.sleep(0.2)

    def expect(self, holds: bool, otherwise: str) -> None:
        """Raises `Broken` where it does not hold."""
        if not holds:
            raise Broken(otherwise)
