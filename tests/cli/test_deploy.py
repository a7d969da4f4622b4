"""What an operator sees of plan, deploy and destroy, with a program in Terraform's place."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.conftest import OUTPUTS, PLAN, Program, install
from orderflow_cli import package as packaging
from orderflow_cli import publish as publishing
from orderflow_cli.hints import Exit
from orderflow_cli.main import app

REPOSITORY = Path(__file__).parents[2]


def commands(program: Program) -> list[str]:
    return [call.split()[0] for call in program.calls]


def test_a_plan_is_shown_by_service_and_applies_nothing(terraform: Program) -> None:
    result = CliRunner().invoke(app, ["plan", "--cloud", "aws"])

    assert result.exit_code == 0
    assert "order" in result.stdout
    assert "(shared)" in result.stdout
    assert "apply" not in commands(terraform)


def test_a_collection_is_not_taken_for_the_service_whose_name_begins_like_its_own(terraform: Program) -> None:
    keys = ("order", "order-dlq", "order/write-orders", "orders", "orders-due")
    changes = [{"address": f'this["{key}"]', "change": {"actions": ["create"]}} for key in keys]
    terraform.plans({**PLAN, "resource_changes": changes})

    result = CliRunner().invoke(app, ["plan", "--cloud", "aws"])

    rows = {row[0]: row[1] for line in result.stdout.splitlines() if len(row := line.replace("│", " ").split()) > 1}
    assert (rows["order"], rows["(shared)"], rows["total"]) == ("3", "2", "5")


def test_a_plan_can_be_written_as_json(terraform: Program, checkout: Path) -> None:
    result = CliRunner().invoke(app, ["plan", "--cloud", "aws", "--json", "plan.json"])

    assert result.exit_code == 0
    assert json.loads((checkout / "plan.json").read_text()) == PLAN


def test_what_was_changed_outside_of_terraform_is_named_before_anything_is_asked(terraform: Program) -> None:
    drift = [{"address": 'module.messaging.queue.this["order"]', "change": {"actions": ["update"]}}]
    terraform.plans({**PLAN, "resource_drift": drift})

    result = CliRunner().invoke(app, ["plan", "--cloud", "aws"])

    assert 'Changed outside of Terraform: module.messaging.queue.this["order"]' in " ".join(result.stdout.split())
    assert "A deploy puts it back." in result.stdout


def test_a_deploy_applies_what_was_planned_and_prints_the_addresses_and_what_to_do_next(terraform: Program) -> None:
    result = CliRunner().invoke(app, ["deploy", "--cloud", "gcp", "--yes"])

    assert result.exit_code == 0
    [plan] = [call for call in terraform.calls if call.startswith("plan")]
    [apply] = [call for call in terraform.calls if call.startswith("apply")]
    assert f"-out={apply.split()[-1]}" in plan, "what is applied is the plan that was shown"
    assert "https://api.example.com" in result.stdout
    assert "make destroy CLOUD=gcp ENV=dev" in result.stdout


@pytest.mark.parametrize(
    ("error", "code"), [(packaging.CannotPackage, Exit.MISSING), (packaging.PackageFailed, Exit.FAILED)]
)
def test_without_a_package_nothing_is_planned(
    terraform: Program, monkeypatch: pytest.MonkeyPatch, error: type[Exception], code: Exit
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error("install Python 3.13")

    monkeypatch.setattr(packaging, "build", fail)

    result = CliRunner().invoke(app, ["deploy", "--cloud", "gcp", "--yes"])

    assert result.exit_code == code
    assert "install Python 3.13" in result.stderr
    assert terraform.calls == []


def test_outputs_say_so_where_nothing_is_deployed(terraform: Program) -> None:
    terraform.says("output", "{}")

    result = CliRunner().invoke(app, ["outputs", "--cloud", "gcp"])

    assert result.exit_code == 0
    assert "Nothing is deployed here yet: make deploy CLOUD=gcp ENV=dev" in result.stderr


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_where_nobody_can_answer_nothing_is_applied(terraform: Program, command: str) -> None:
    result = CliRunner().invoke(app, [command, "--cloud", "gcp"])

    assert result.exit_code == Exit.USAGE
    assert "AUTO_APPROVE=1" in result.stderr
    assert "apply" not in commands(terraform)


def test_a_destroy_of_nothing_asks_nothing(terraform: Program) -> None:
    terraform.plans({})

    result = CliRunner().invoke(app, ["destroy", "--cloud", "gcp"])

    assert result.exit_code == 0
    assert "Nothing to change." in result.stdout


def test_a_destroy_is_shown_by_service_although_no_output_is_planned(terraform: Program) -> None:
    """A destroy plans no outputs: the services are those of the state."""
    change = {"address": 'module.messaging.queue.this["order"]', "change": {"actions": ["delete"]}}
    terraform.plans({"prior_state": {"values": PLAN["planned_values"]}, "resource_changes": [change]})

    result = CliRunner().invoke(app, ["destroy", "--cloud", "gcp", "--yes"])

    assert result.exit_code == 0
    assert "(shared)" not in result.stdout
    assert "order" in result.stdout


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_only_azure_needs_the_azure_cli(terraform: Program, cloud: str) -> None:
    assert shutil.which("az") is None
    assert CliRunner().invoke(app, ["deploy", "--cloud", cloud, "--yes"]).exit_code == 0


def test_without_the_azure_cli_azure_is_not_half_deployed(terraform: Program) -> None:
    result = CliRunner().invoke(app, ["deploy", "--cloud", "azure", "--yes"])

    assert result.exit_code == Exit.MISSING
    assert "the Azure CLI (az) is not installed" in result.stderr
    assert terraform.calls == []


def test_a_plan_for_azure_needs_no_azure_cli_of_ours(terraform: Program) -> None:
    assert CliRunner().invoke(app, ["plan", "--cloud", "azure"]).exit_code == 0


def test_on_azure_the_code_is_published_also_where_the_plan_is_empty(
    terraform: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last run may have ended between the apply and the publication."""
    terraform.plans({})
    told = []
    monkeypatch.setattr(publishing, "check_tools", lambda: None)
    monkeypatch.setattr(
        publishing, "publish", lambda group, apps, package, say: told.append((group, set(apps), package))
    )

    result = CliRunner().invoke(app, ["deploy", "--cloud", "azure", "--yes"])

    assert result.exit_code == 0
    assert told == [
        (publishing.Group("1234", "orderflow-dev"), set(OUTPUTS["functions"]["value"].values()), Path("dist/azure.zip"))
    ]


PATIENT = """#!{python}
import signal, sys
if sys.argv[1] == "show":
    print('{{"resource_changes": [{{"address": "a", "change": {{"actions": ["create"]}}}}]}}')
elif sys.argv[1] == "apply":
    signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGINT}})
    print("applying", flush=True)
    for _ in range({times}):
        signal.sigwait({{signal.SIGINT}})
        print("heard", flush=True)
    sys.exit("Error: execution halted")
"""


@pytest.mark.parametrize(
    ("times", "told", "told_not"),
    [
        (1, "Terraform ended in order, saved the state and unlocked it.", "force-unlock"),
        (2, "terraform -chdir=terraform/gcp force-unlock <the lock's ID>", "ended in order"),
    ],
)
def test_ctrl_c_waits_for_terraform_and_says_what_became_of_the_lock(
    checkout: Path, times: int, told: str, told_not: str
) -> None:
    shutil.copytree(REPOSITORY / "functions", checkout / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    (checkout / "bin").mkdir()
    install("terraform", checkout / "bin", PATIENT.format(python=sys.executable, times=times))
    process = subprocess.Popen(
        [Path(sys.executable).with_name("orderflow"), "deploy", "--cloud", "gcp", "--yes"],
        env={**os.environ, "PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert "applying\n" in iter(process.stdout.readline, "")
    for time in range(times):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the command and to Terraform
        assert process.stdout.readline().strip() == "heard", process.communicate(timeout=60)
        if time == 0:  # Until both have heard it: two signals that arrive before one is handled are one.
            assert any(line.startswith("orderflow: stopping") for line in process.stderr)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == Exit.INTERRUPTED, errors
    assert told in errors
    assert told_not not in errors
