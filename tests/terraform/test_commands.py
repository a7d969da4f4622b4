"""What Terraform itself says about the roots: their format, their validity, their own tests; and a whole life of each
deployment, from nothing to nothing, where stand-ins of the providers are there to bear it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from terraform.stacks import CLOUDS, REPOSITORY, ROOTS, Stacks, copy_root, init, terraform, variables

Together = Callable[[Callable[[str], Any]], Any]

SLOWEST_FIRST = ("gcp", "azure", "aws", *(root for root in ROOTS if root not in CLOUDS))


@pytest.fixture
def together(stacks: Stacks, request: pytest.FixtureRequest) -> Together:
    """Does a thing for the test's root, and in the background for the other roots that the same test is chosen for."""
    test = request.node.originalname
    mine = request.node.callspec.params["root"]
    alone = not hasattr(request.config, "workerinput")
    chosen = {mine} | {root for item in request.session.items if alone and (root := _root(item, test))}

    def begin(do: Callable[[str], Any]) -> Any:
        for root in sorted(chosen, key=SLOWEST_FIRST.index):
            stacks.once(f"{test} {root}", do, root)
        return stacks.once(f"{test} {mine}", do, mine).result()

    return begin


@pytest.mark.usefixtures("stacks")
def test_every_file_is_formatted() -> None:
    run = terraform(REPOSITORY / "terraform", "fmt", "-check", "-diff", "-recursive")

    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("root", ROOTS)
def test_the_root_is_valid(root: str, stacks: Stacks) -> None:
    run = terraform(stacks.root(root), "validate", "-json")

    said = json.loads(run.stdout)
    assert said["valid"], said["diagnostics"]
    assert not said["diagnostics"], "a warning is a change that a provider has announced"


@pytest.mark.parametrize("root", ROOTS)
def test_the_root_s_own_tests_pass(root: str, stacks: Stacks, together: Together) -> None:
    run = together(lambda name: terraform(stacks.root(name), "test", "-no-color"))

    assert run.returncode == 0, run.stdout + run.stderr
    passed = re.search(r"Success! (\d+) passed, 0 failed", run.stdout)
    assert passed, run.stdout[-500:]
    assert int(passed.group(1)) > 0


@pytest.mark.parametrize("root", CLOUDS)
def test_a_deployment_ends_with_its_outputs_changes_no_more_and_can_be_taken_down(
    root: str, stacks: Stacks, together: Together
) -> None:
    """Only against stand-ins of the providers, which make nothing anywhere: it applies and destroys."""
    home = os.environ.get("TF_MIRROR_HOME")
    if home is None:
        pytest.skip("an apply needs stand-ins of the providers: TF_MIRROR_HOME says where they are")

    ended = together(lambda name: _whole_life(name, stacks.folder, Path(home)))

    declared = re.findall(
        r'^output "(\w+)"', (REPOSITORY / "terraform" / root / "outputs.tf").read_text(), re.MULTILINE
    )
    assert ended["outputs"].keys() == set(declared)
    assert all(ended["outputs"].values()), "an output with nothing in it"
    assert ended["second plan"] == 0, "a plan right after an apply wants to change something"
    assert ended["left"] == []


def _whole_life(cloud: str, folder: Path, home: Path) -> dict[str, Any]:
    root = copy_root(cloud, folder / "life")
    (root / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    init(root)
    providers = [path.resolve() for path in (root / ".terraform" / "providers").glob("*/*/*/*/*")]
    assert providers and all(path.is_relative_to(home.resolve()) for path in providers), "these providers are real"
    given = ["-input=false", "-no-color", "-var-file=environments/dev.tfvars", *variables(cloud)]

    _succeed(terraform(root, "apply", "-auto-approve", *given))
    outputs = json.loads(_succeed(terraform(root, "output", "-json")))
    again = terraform(root, "plan", "-detailed-exitcode", "-refresh=false", *given)
    _succeed(terraform(root, "destroy", "-auto-approve", "-refresh=false", *given))
    left = _succeed(terraform(root, "state", "list"))

    return {
        "outputs": {name: output["value"] for name, output in outputs.items()},
        "second plan": again.returncode,
        "left": left.split(),
    }


def _succeed(run: subprocess.CompletedProcess[str]) -> str:
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr
    return run.stdout


def _root(item: pytest.Item, test: str) -> str | None:
    """The root that an item is for, if it is of this test."""
    root: str | None = None
    if isinstance(item, pytest.Function) and item.originalname == test:
        root = str(item.callspec.params["root"])
    return root
