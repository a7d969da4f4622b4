"""The worked examples on the three clouds: one fleet with the services of all of them, each story played on each."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from added import added
from orderflow_cli import examples
from orderflow_cli.main import app
from orderflow_cli.ops.doors import of_fleet
from orderflow_local.fleet import CLOUDS, Fleet

pytestmark = pytest.mark.local_cloud


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """The three clouds with every example's services."""
    packages = [name.replace("-", "_") for name in examples.names()]
    with added(*packages), Fleet(CLOUDS) as fleet:
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


def test_a_story_says_what_did_not_happen(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "PATIENCE_S", 0.5)
    monkeypatch.setattr(examples.Stage, "drop", lambda self, name, data: None)

    with pytest.raises(examples.Broken, match="both images in the search index"):
        list(examples.tell("product-media", of_fleet(fleet, "gcp")))


def test_an_example_that_there_is_not_is_refused_and_those_that_there_are_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["example", "product-medea", "--state", str(tmp_path)])

    assert result.exit_code == 2
    assert all(name in result.output for name in ("product-media", "support-desk"))
