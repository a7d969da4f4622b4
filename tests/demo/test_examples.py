"""The worked examples and the guide's service on the three clouds: one fleet with the services of all of them, each
story played on each."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from added import added, write_package
from docs.blocks import LOYALTY, code
from orderflow.services import PACKAGES, SERVICES, VARIABLE
from orderflow_cli import examples
from orderflow_cli.main import app
from orderflow_cli.ops import orders
from orderflow_cli.ops.doors import of_fleet
from orderflow_cli.ops.timeline import Timeline, timeline
from orderflow_cli.shop import fill_shelves, shelves_full
from orderflow_cli.workload import Workload
from orderflow_local.fleet import CLOUDS, Fleet
from waiting import wait_until

pytestmark = pytest.mark.local_cloud


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The three clouds with every example's services, and the guide's in a package that is elsewhere."""
    packages = [name.replace("-", "_") for name in examples.names()]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_package(elsewhere, "guided", loyalty=code(LOYALTY))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(elsewhere)
        guided = () if "loyalty" in SERVICES else ("guided",)
        # As who runs `orderflow up` with such a package has them. A fleet sets the second for its process, too.
        patch.setenv("PYTHONPATH", str(elsewhere))
        patch.setenv(VARIABLE, ",".join((*packages, *guided)))
        with added(*packages, *guided), Fleet(CLOUDS) as fleet:
            fleet.start(lambda _cloud, _line: None)
            yield fleet


@pytest.mark.parametrize("name", examples.names())
def test_what_an_example_promises_happens_on_every_cloud(name: str, fleet: Fleet) -> None:
    doors = {cloud: of_fleet(fleet, cloud) for cloud in CLOUDS}

    with ThreadPoolExecutor(len(CLOUDS)) as pool:
        told = list(pool.map(lambda cloud: list(examples.tell(name, doors[cloud])), CLOUDS))

    assert [len(lines) for lines in told] == [len(told[0])] * len(CLOUDS)
    for cloud in CLOUDS:
        for service in examples.services_of(name):
            assert doors[cloud].ports.dead_letters.browse(service) == [], cloud


def test_points_of_the_guides_service_are_earned_and_taken_back_on_every_cloud(fleet: Fleet) -> None:
    if "guided" not in PACKAGES:
        pytest.skip("the guide has been followed in this tree: there is a service loyalty")

    def cancelled(cloud: str) -> Timeline:
        """The story of an order of somebody without an address, who cannot be sent anything."""
        doors = of_fleet(fleet, cloud)
        stock = {"CUP": 2}
        fill_shelves(doors.ports, Workload((), stock), "guide")
        wait_until(lambda: shelves_full(doors.ports, stock), f"cups on the shelves of {cloud}", 60)
        order = orders.place(doors, "hermit", stock, "tok_visa")["order_id"]
        orders.wait_until_closed(doors, order, 120)
        wait_until(lambda: "PointsTakenBack" in kinds(timeline(doors, order)), f"the points back on {cloud}", 60)
        assert orders.show(doors, order).services["loyalty"] == {"status": "none", "points": 0}
        return timeline(doors, order)

    with ThreadPoolExecutor(len(CLOUDS)) as pool:
        for story in pool.map(cancelled, CLOUDS):
            told = [(entry.kind, entry.compensation) for entry in story.entries if entry.service == "loyalty"]
            assert told == [("PointsEarned", False), ("PointsTakenBack", True)]


def kinds(story: Timeline) -> set[str]:
    return {entry.kind for entry in story.entries}


def test_a_story_says_what_did_not_happen(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "PATIENCE_S", 0.5)
    monkeypatch.setattr(examples.Stage, "drop", lambda self, name, data: None)

    with pytest.raises(examples.Broken, match="both images in the search index"):
        list(examples.tell("product-media", of_fleet(fleet, "gcp")))


def test_an_example_that_there_is_not_is_refused_and_those_that_there_are_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["example", "product-medea", "--state", str(tmp_path)])

    assert result.exit_code == 2
    assert all(name in result.output for name in ("product-media", "support-desk"))
