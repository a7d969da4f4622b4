"""The three clouds, started once for all tests of this folder; each test uses its own customers and SKUs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orderflow_local.fleet import CLOUDS, Fleet
from worlds import World


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    """All clouds, running."""
    with Fleet(CLOUDS) as running:
        running.start(lambda _cloud, _line: None)
        yield running


@pytest.fixture(params=CLOUDS)
def world(request: pytest.FixtureRequest, fleet: Fleet) -> World:
    """Each cloud in turn."""
    return World(request.param, fleet, fleet.ports(request.param))


@pytest.fixture
def worlds(fleet: Fleet) -> list[World]:
    """All clouds at once."""
    return [World(name, fleet, fleet.ports(name)) for name in CLOUDS]
