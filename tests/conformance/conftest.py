"""One suite for every cloud and target.

``CONFORMANCE_CLOUD`` (aws, azure, gcp or all), ``CONFORMANCE_TARGET`` (local or deployed) and, for a deployed one,
``CONFORMANCE_ENV`` choose what it runs against; `make conformance` sets them. A case is a test marked
``@pytest.mark.case(number, needs=capability)``; what a cloud cannot do is in `capabilities`, and is reported.

``CONFORMANCE_PROFILE`` is ``quick``, which leaves out the cases that are marked ``full``, or ``full``, which runs only
these (`make conformance-full`): the same promises with more of everything."""

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
PROFILE = os.environ.get("CONFORMANCE_PROFILE") or "quick"
PATIENCE_S = 2_400
"""What a case of the full profile may take."""


def pytest_configure(config: pytest.Config) -> None:
    """Say what this suite's own mark means."""
    config.addinivalue_line("markers", "full: a case of the conformance suite that takes too long for every commit")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each case on each chosen cloud, all cases of one cloud in one process."""
    if "cloud" in metafunc.fixturenames:
        clouds = CLOUDS if CHOSEN == "all" else (CHOSEN,)
        metafunc.parametrize(
            "cloud", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in clouds], scope="session"
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whoever leaves out what starts clouds leaves out the suite. Of it, only the cases of the profile are run."""
    others = []
    for item in items:
        if "cloud" not in getattr(item, "fixturenames", ()):
            continue
        item.add_marker(pytest.mark.local_cloud)
        full = item.get_closest_marker("full") is not None
        if full:
            item.add_marker(pytest.mark.timeout(PATIENCE_S))
        if full != (PROFILE == "full"):
            others.append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


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
    report.show(terminalreporter, os.environ.get("CONFORMANCE_REPORT"), PROFILE)
