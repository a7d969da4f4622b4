"""One suite for every cloud and target.

``CONFORMANCE_CLOUD`` (aws, azure, gcp or all), ``CONFORMANCE_TARGET`` (local or deployed) and, for a deployed one,
``CONFORMANCE_ENV`` choose what it runs against; `make conformance` sets them. A case is a test marked
``@pytest.mark.case(number, needs=capability)``; what a cloud cannot do is in `capabilities`, and is reported."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from conformance import report
from conformance.capabilities import CLOUDS, cell
from conformance.probes import Broker, open_broker
from conformance.targets import deployed, local
from conformance.world import World

CHOSEN = os.environ.get("CONFORMANCE_CLOUD") or "all"
TARGET = os.environ.get("CONFORMANCE_TARGET") or "local"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each case on each chosen cloud, all cases of one cloud in one process."""
    if "cloud" in metafunc.fixturenames:
        clouds = CLOUDS if CHOSEN == "all" else (CHOSEN,)
        metafunc.parametrize(
            "cloud", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in clouds], scope="session"
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever leaves out what starts clouds leaves out the suite."""
    for item in items:
        if "cloud" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.local_cloud)


@pytest.fixture(autouse=True)
def _case(request: pytest.FixtureRequest, record_property: Any) -> None:
    """Note for the report which case this is, and leave out what the cloud cannot do."""
    marker = request.node.get_closest_marker("case")
    if marker is None or "cloud" not in request.fixturenames:
        return
    cloud = request.getfixturevalue("cloud")
    how = cell(marker.kwargs["needs"], cloud, TARGET)
    note = report.Note(marker.args[0], report.title(request.node), cloud, how.how, how.by)
    record_property("conformance", note.dump())
    if how.how == "unsupported":
        pytest.skip(how.by)


@pytest.fixture(scope="session")
def world(cloud: str) -> Iterator[World]:
    """The running cloud."""
    start = {"local": local, "deployed": deployed}[TARGET]
    with start(cloud) as running:
        yield running


@pytest.fixture
def broker(world: World) -> Iterator[Broker]:
    """The cloud's own broker; what a test makes in it goes when the test ends."""
    with ExitStack() as stack:
        yield open_broker(world, stack)


@pytest.fixture(scope="session")
def sku(world: World) -> str:
    """Goods of which there are always enough."""
    return world.stocked(10_000)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table of cases and clouds, and write it where ``CONFORMANCE_REPORT`` says."""
    report.show(terminalreporter, os.environ.get("CONFORMANCE_REPORT"))
