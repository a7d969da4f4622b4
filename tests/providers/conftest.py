"""What the tests of the providers share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orderflow.providers import from_environment, web
from orderflow_local.memory import MemorySecrets
from unit.support import Lab
from web_stub import Answer, Seen, WebStub

Serve = Callable[[Callable[[Seen], Answer]], WebStub]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts web servers that are stopped at the end."""
    stubs: list[WebStub] = []

    def start(answer: Callable[[Seen], Answer]) -> WebStub:
        stubs.append(WebStub(answer))
        return stubs[-1]

    yield start
    for stub in stubs:
        stub.stop()


@pytest.fixture
def lab() -> Lab:
    """The workflow in memory, with a customer."""
    lab = Lab.make()
    lab.customer()
    return lab


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that takes a fifth of a second is too late."""
    monkeypatch.setattr(web, "READ_SECONDS", 0.2)


def choose(lab: Lab, system: str, secret: str | None, **environ: str) -> Any:
    """Configure a provider as an operator does, and use it in the laboratory; answers it."""
    assert isinstance(lab.ports.secrets, MemorySecrets)
    if secret is not None:
        lab.ports.secrets.values[system] = secret
    made = from_environment(environ, lab.store, lab.clock, lab.ports.secrets)[system]
    lab.ports.dependencies[system] = made  # type: ignore[index]
    return made
