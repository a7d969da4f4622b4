"""The plans of the three roots, and what is needed to make them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from terraform.plan import Plan
from terraform.stacks import CLOUDS, REPOSITORY, NoProviders, Stacks


def pytest_itemcollected(item: pytest.Item) -> None:
    """Everything in this folder is marked, to be chosen or left out by ``-m terraform``. Its tests wait for minutes of
    Terraform's work, which they share."""
    if item.path.is_relative_to(Path(__file__).parent):
        item.add_marker("terraform")
        item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="session")
def stacks(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stacks]:
    """Terraform at work in a folder of its own, which the processes of a parallel run share. Plans that are needed for
    sure are begun at once."""
    if shutil.which("terraform") is None:
        _cannot("terraform is not installed")
    alone = not hasattr(request.config, "workerinput")
    base = tmp_path_factory.getbasetemp()
    folder = (base if alone else base.parent) / "terraform-stacks"
    folder.mkdir(exist_ok=True)
    made = Stacks(folder)
    try:
        made.root("aws")
    except NoProviders as error:
        _cannot(str(error))
    if alone:
        for cloud in CLOUDS:
            if any(cloud == _cloud_of(item) for item in request.session.items):
                made.begin(cloud)
    yield made
    made.pool.shutdown(cancel_futures=True)


@pytest.fixture(params=CLOUDS)
def cloud(request: pytest.FixtureRequest) -> str:
    """Each cloud."""
    name: str = request.param
    return name


@pytest.fixture
def plan(cloud: str, stacks: Stacks) -> Plan:
    """The cloud's plan of a first deployment of dev."""
    return stacks.plan(cloud)


@pytest.fixture(scope="session")
def topology() -> dict[str, Any]:
    """The declaration, as the roots read it."""
    declared: dict[str, Any] = json.loads((REPOSITORY / "topology.json").read_text())
    return declared


def _cloud_of(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("cloud") if callspec else None


def _cannot(reason: str) -> None:
    """No silent gap: where CI runs, what cannot be tested is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI=true", pytrace=False)
    pytest.skip(reason)
