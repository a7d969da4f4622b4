"""How the operations commands find a cloud, what they say where they cannot, and how they print."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from cli.desk import NoQueues, archive_all, desk, shipped
from orderflow import archive, topology
from orderflow.ports import Unavailable
from orderflow_cli.hints import Exit, sdk_hint
from orderflow_cli.main import app
from orderflow_cli.ops import doctor, selection
from orderflow_cli.ops.doors import CannotDo, Doors, open_deployed, open_local
from orderflow_cli.ops.queues import QueueFigures, services_with_queues
from orderflow_cli.ops.queues_aws import SqsQueues
from orderflow_cli.ops.queues_azure import ServiceBusQueues
from orderflow_cli.ops.queues_gcp import MonitoredQueues
from orderflow_local import running
from unit.support import Lab

AWS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "eu-central-1",
    "ORDERFLOW_PREFIX": "orderflow-dev",
    "ORDERFLOW_TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:orderflow-dev-events",
    "ORDERFLOW_QUEUES_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/",
    "ORDERFLOW_ARCHIVE_BUCKET": "archive",
    "ORDERFLOW_DROP_BUCKET": "drop",
    "ORDERFLOW_SAGA_RETENTION": "86400",
}


def fleet(folder: Path, **clouds: str) -> Any:
    """What a started fleet shows of itself, with the API's address of each cloud."""
    made = {
        name: SimpleNamespace(api_url=url, environment=lambda: {**AWS, "ORDERFLOW_AUDIENCE": "api"})
        for name, url in clouds.items()
    }
    return SimpleNamespace(issuer=SimpleNamespace(url="http://127.0.0.1:2"), workdir=folder / "state", clouds=made)


# Finding a cloud


def test_a_running_cloud_is_found_by_other_processes_as_long_as_it_runs(tmp_path: Path) -> None:
    with running.announced(fleet(tmp_path, aws="http://127.0.0.1:1"), tmp_path):
        found = running.find("aws", tmp_path)
        assert found is not None
        assert (found.api_url, found.issuer) == ("http://127.0.0.1:1", "http://127.0.0.1:2")
        assert found.environment["ORDERFLOW_PREFIX"] == "orderflow-dev"
        assert running.find("gcp", tmp_path) is None

    assert running.find("aws", tmp_path) is None
    assert list((tmp_path / ".orderflow" / "local").iterdir()) == []


def test_only_its_owner_may_read_where_a_cloud_is(tmp_path: Path) -> None:
    with running.announced(fleet(tmp_path, aws="http://127.0.0.1:1"), tmp_path):
        [file] = (tmp_path / ".orderflow" / "local").iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_fleet_that_was_killed_is_not_found_and_one_beside_it_is(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with running.announced(fleet(tmp_path, aws="http://127.0.0.1:1"), tmp_path):
        [file] = (tmp_path / ".orderflow" / "local").iterdir()
        dead = file.with_name(f"{gone.pid}.json")
        dead.write_text(file.read_text().replace(":1", ":9"))
        os.utime(dead, (2**31, 2**31))

        found = running.find("aws", tmp_path)

        assert found is not None
        assert found.api_url == "http://127.0.0.1:1"
        assert not dead.exists()


def test_where_no_cloud_runs_one_is_told_how_to_start_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(app, ["queues", "--cloud", "gcp"])

    assert result.exit_code == Exit.MISSING
    assert "no local gcp is running here" in result.stderr
    assert "-> start it in another terminal: orderflow up --cloud gcp" in result.stderr
    assert result.stdout == ""


def test_a_local_cloud_is_reached_with_its_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with running.announced(fleet(tmp_path, aws="http://127.0.0.1:1"), tmp_path):
        doors = open_local("aws", tmp_path)

    assert doors.api_url == "http://127.0.0.1:1"
    assert doors.settings.saga_retention == 86_400
    assert os.environ["ORDERFLOW_PREFIX"] == "orderflow-dev", "where some SDKs look for emulators"


@pytest.mark.parametrize("wrapped", [True, False], ids=["terraform output -json", "orderflow outputs --json"])
def test_a_deployment_is_reached_by_its_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrapped: bool) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    file = tmp_path / "outputs.json"
    outputs = {"api_url": "https://api.example.com", "environment": AWS, "queues": {}}
    file.write_text(json.dumps({name: {"value": value} for name, value in outputs.items()} if wrapped else outputs))
    token = tmp_path / "token"
    token.write_text("#!/bin/sh\necho token-of-$1\n")
    token.chmod(0o755)
    monkeypatch.setenv("ORDERFLOW_TOKEN_COMMAND", str(token))

    doors = open_deployed("aws", "dev", tmp_path, file)

    assert doors.api_url == "https://api.example.com"
    assert doors.sign_in("ada") == "token-of-ada"
    assert doors.logs is None


def test_a_deployment_without_a_token_command_says_which_variable_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.delenv("ORDERFLOW_TOKEN_COMMAND", raising=False)
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({"api_url": "https://api.example.com", "environment": AWS}))

    with pytest.raises(CannotDo) as refused:
        open_deployed("aws", "dev", tmp_path, file).client("ada")

    assert refused.value.code == Exit.SIGN_IN
    assert "ORDERFLOW_TOKEN_COMMAND" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}", "nothing is deployed"),
        ("{nonsense", "does not hold Terraform's outputs"),
        (
            '{"api_url": "https://api.example.com", "environment": {}}',
            "the addresses of aws lack 'ORDERFLOW_",
        ),
    ],
)
def test_outputs_that_are_none_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"]})
    file = tmp_path / "outputs.json"
    file.write_text(text)

    with pytest.raises(CannotDo, match=why):
        open_deployed("aws", "dev", tmp_path, file)


# Choosing


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604_800), ("1.5h", 5400)]
)
def test_durations_are_written_as_people_write_them(text: str, seconds: float) -> None:
    assert selection.seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21", 1_795_219_200),
        ("2026-11-21T18:30Z", 1_795_219_200 + 66_600),
        ("2026-11-21t18:30", 1_795_219_200 + 66_600),
        ("2026-11-21T19:30+01:00", 1_795_219_200 + 66_600),
        ("2h", 1_000_000 - 7200),
    ],
)
def test_times_are_a_day_a_moment_or_so_long_ago(text: str, moment: float) -> None:
    assert selection.moment(text, now=1_000_000) == moment


@pytest.mark.parametrize("text", ["yesterday", "5", "-1h", "2026-13-01", ""])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write 2026-11-21"):
        selection.moment(text, now=1_000_000)


# Printing


@pytest.fixture
def opened(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A laboratory that the commands find as a local cloud."""
    monkeypatch.setattr("orderflow_cli.commands.common.open_local", lambda *_: desk(lab))
    return lab


def run(*arguments: str, stdin: str | None = None) -> Any:
    return CliRunner().invoke(app, [*arguments, "--cloud", "aws"], input=stdin)


def test_json_is_all_that_is_on_standard_output_whatever_is_logged(opened: Lab) -> None:
    shipped(opened)
    archive_all(opened)
    opened.archive.put(archive.object_name(opened.clock.now(), "bad"), b"no event\n")

    result = run("replay", "payment", "--since", "2020-01-01", "--until", "2030-01-01", "--dry-run", "--json")

    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["handed_over"] == {"OrderPlaced": 1}
    assert "no event in the archive" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["orders", "list"],
        ["orders", "show", "o-1"],
        ["orders", "timeline", "o-1", "--archive"],
        ["orders", "stuck"],
        ["orders", "cancel", "o-2", "--reason", "because"],
        ["dlq", "list"],
        ["dlq", "show", "body-"],
        ["dlq", "redrive", "--all"],
        ["queues"],
        ["rebuild", "orders", "--since", "2020-01-01"],
        ["rebuild", "stock"],
        ["rebuild", "analytics", "--since", "2027-01-01", "--until", "2027-02-01"],
        ["erase", "--customer", "nobody", "--yes"],
    ],
    ids=" ".join,
)
def test_every_command_answers_in_words_and_as_json(opened: Lab, arguments: list[str]) -> None:
    shipped(opened)
    opened.place("o-2", publish=False)
    opened.deliver("payment", b"no event")
    archive_all(opened)

    told = run(*arguments, "--json")
    said = run(*arguments)

    assert told.exit_code in (0, 1), told.stderr
    json.loads(told.stdout)
    assert said.exit_code in (0, 1), said.stderr
    assert "Traceback" not in said.stderr


def test_a_dry_run_changes_nothing(opened: Lab) -> None:
    shipped(opened)
    opened.place("o-2", publish=False)
    opened.deliver("payment", b"no event")
    archive_all(opened)
    before = (dict(opened.store._documents), len(opened.broker.published), opened.broker.sent)
    fact = json.dumps({"kind": "StockReplenished", "data": {"sku": "CUP", "quantity": 1, "row_id": "r-1"}})

    for arguments, stdin in (
        (["orders", "place", "--customer", "zoe", "--line", "CUP=1"], None),
        (["orders", "cancel", "o-2", "--reason", "because"], None),
        (["dlq", "redrive", "--all"], None),
        (["dlq", "discard", "--all"], None),
        (["replay", "payment", "--since", "2020-01-01", "--until", "2030-01-01"], None),
        (["publish", "-"], fact),
        (["erase", "--customer", "zoe", "--with-open-orders"], None),
    ):
        result = run(*arguments, "--dry-run", stdin=stdin)
        assert result.exit_code == 0, (arguments, result.stderr)

    assert (dict(opened.store._documents), len(opened.broker.published), opened.broker.sent) == before
    assert not any(opened.broker.queues.values())
    assert len(opened.letters("payment")) == 1


def test_what_cannot_be_taken_back_is_not_done_where_nobody_can_agree(opened: Lab) -> None:
    opened.customer()
    opened.deliver("payment", b"no event")

    for arguments in (["dlq", "discard", "--all"], ["erase", "--customer", "zoe"]):
        assert run(*arguments).exit_code == Exit.USAGE

    assert len(opened.letters("payment")) == 1
    assert opened.document("customers", "zoe") is not None
    assert run("dlq", "discard", "--all", "--yes").exit_code == 0
    assert opened.letters("payment") == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["dlq", "redrive"], "choose by --service"),
        (["replay", "payment"], "say from when"),
        (["rebuild", "orders", "--write", "--yes"], "orders is compared only"),
        (["orders", "place", "--customer", "zoe", "--line", "CUP"], "write --line CUP=2"),
        (["dlq", "list", "--older-than", "long"], "write 90s, 15m, 2h or 7d"),
    ],
)
def test_wrong_usage_is_said_with_what_to_write(opened: Lab, arguments: list[str], told: str) -> None:
    result = run(*arguments)

    assert result.exit_code == Exit.USAGE
    assert told in " ".join(result.stderr.replace("│", " ").split())


def test_what_was_done_before_ctrl_c_is_told(opened: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    opened.deliver("inventory", b"first")
    opened.clock.time += 1
    opened.deliver("payment", b"second")
    resend = opened.broker.resend

    def interrupted(letter: Any) -> None:
        if letter.service == "payment":
            raise KeyboardInterrupt
        resend(letter)

    monkeypatch.setattr(opened.broker, "resend", interrupted)

    result = run("dlq", "redrive", "--all")

    assert result.exit_code == Exit.INTERRUPTED
    assert result.stdout.strip() == "inventory: redrive 1 (malformed)"
    assert len(opened.letters("payment")) == 1


def test_an_error_of_the_sdk_is_said_in_a_line_with_what_to_do(opened: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise Unavailable("DynamoDB GetItem: NoCredentialsError")

    monkeypatch.setattr(opened.store, "get", refuse)

    result = run("orders", "show", "o-1")

    assert result.exit_code == Exit.SIGN_IN
    assert result.stderr.splitlines() == [
        "orderflow: DynamoDB GetItem: NoCredentialsError",
        "-> sign in: aws sso login, and export AWS_PROFILE=<profile>",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("DynamoDB GetItem: ExpiredTokenException", "aws sso login"),
        ("Tables get: ClientAuthenticationError: DefaultAzureCredential failed to retrieve a token", "az login"),
        ("firestore get: DefaultCredentialsError: Your default credentials were not found.", "gcloud auth"),
        ("SQS ReceiveMessage: AccessDenied", "lacks a right"),
        ("pubsub pull: PermissionDenied: 403 User not authorized to perform this action.", "lacks a right"),
        ("SQS GetQueueAttributes: AWS.SimpleQueueService.NonExistentQueue", "is this the right environment"),
        ("S3 ListObjectsV2: EndpointConnectionError", "look at the network"),
        ("ConnectError: [Errno 111] Connection refused", "whether orderflow up still runs"),
    ],
)
def test_the_words_of_an_sdk_lead_to_what_to_do(words: str, told: str) -> None:
    assert told in sdk_hint(words, "aws")


# Queues: the SDKs' answers are those of the clouds' documentation; no emulator here gives them.


def test_sqs_counts_and_cloudwatch_knows_the_age() -> None:
    with mock_aws():
        sqs = boto3.client("sqs", region_name="eu-central-1")
        for name in ("orderflow-dev-payment", "orderflow-dev-payment-dlq"):
            url = sqs.create_queue(QueueName=name)["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody="one")
        sqs.send_message(QueueUrl=url.removesuffix("-dlq"), MessageBody="two", DelaySeconds=60)
        sqs.receive_message(QueueUrl=url.removesuffix("-dlq"))
        queues = SqsQueues({**AWS, "ORDERFLOW_QUEUES_URL": url.removesuffix("orderflow-dev-payment-dlq")}, local=False)
        points = [{"Timestamp": 1, "Maximum": 5.0}, {"Timestamp": 2, "Maximum": 65.0}]
        queues.__dict__["_metrics"] = SimpleNamespace(get_metric_statistics=lambda **_: {"Datapoints": points})

        assert queues.figures("payment") == QueueFigures("payment", 1, 1, 65.0, 1)


def test_service_bus_counts_scheduled_and_dead_messages_too() -> None:
    @dataclass
    class Properties:
        active_message_count: int
        scheduled_message_count: int = 0
        dead_letter_message_count: int = 0

    answers = {"orderflow-dev-payment": Properties(3, 2, 1), "orderflow-dev-payment-dlq": Properties(4)}
    queues = ServiceBusQueues({"ORDERFLOW_PREFIX": "orderflow-dev"})
    queues.__dict__["_admin"] = SimpleNamespace(get_queue_runtime_properties=answers.__getitem__)
    queues.__dict__["_clients"] = SimpleNamespace(new_receiver=_EmptyReceiver)

    assert queues.figures("payment") == QueueFigures("payment", 5, None, 0.0, 5)


def test_pubsubs_figures_are_cloud_monitorings() -> None:
    points = {
        ("num_undelivered_messages", "orderflow-dev-payment"): 7,
        ("num_outstanding_messages", "orderflow-dev-payment"): 2,
        ("num_undelivered_messages", "orderflow-dev-payment-redrive"): 1,
        ("oldest_unacked_message_age", "orderflow-dev-payment"): 40,
        ("oldest_unacked_message_age", "orderflow-dev-payment-redrive"): 90,
    }

    def get(url: str, *, params: dict[str, str], timeout: float) -> Any:
        assert url == "https://monitoring.googleapis.com/v3/projects/shop/timeSeries"
        [value] = [
            value
            for (metric, name), value in points.items()
            if f'/{metric}"' in params["filter"] and f'"{name}"' in params["filter"]
        ] or [None]  # type: ignore[list-item]
        newest_first = [{"value": {"int64Value": str(value)}}, {"value": {"int64Value": "999"}}]
        series = {} if value is None else {"timeSeries": [{"points": newest_first}]}
        return SimpleNamespace(raise_for_status=lambda: None, json=lambda: series)

    queues = MonitoredQueues({"GOOGLE_CLOUD_PROJECT": "shop", "ORDERFLOW_PREFIX": "orderflow-dev"})
    queues.__dict__["_session"] = SimpleNamespace(get=get)

    assert queues.figures("payment") == QueueFigures("payment", 6, 2, 90.0, None)


class _EmptyReceiver:
    def __init__(self, _queue: str) -> None: ...

    def __enter__(self) -> _EmptyReceiver:
        return self

    def __exit__(self, *_: object) -> None: ...

    def peek_messages(self, _most: int) -> list[Any]:
        return []


# Doctor


def states(checks: list[doctor.Check]) -> dict[str, str]:
    return {check.name: check.state for check in checks}


def test_a_healthy_cloud_has_only_its_api_to_answer(lab: Lab) -> None:
    """The laboratory has no API: nothing listens at its address."""
    assert states(list(doctor.cloud(desk(lab)))) == {
        "API": "broken",
        "store": "ok",
        "archive": "ok",
        "drop folder": "ok",
        "queues": "ok",
        "dead letters": "ok",
        "circuit breakers": "ok",
    }


def test_the_doctor_says_what_to_do_about_what_is_broken(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise Unavailable("DynamoDB GetItem: AccessDeniedException")

    lab.store.insert("breakers", "gateway", {"rev": 1, "open_until": lab.clock.now() + 10})
    found = desk(lab)
    sick = Doors("aws", "deployed", found.api_url, found.ports, {}, found.sign_in, NoQueues(dead={"payment": 3}))
    checks = {check.name: check for check in doctor.cloud(sick)}
    monkeypatch.setattr(lab.store, "get", refuse)
    denied = {check.name: check for check in doctor.cloud(sick)}

    assert (checks["dead letters"].state, checks["dead letters"].detail) == ("warning", "payment: 3")
    assert checks["dead letters"].remedy == "orderflow dlq list --cloud aws --target deployed"
    assert (checks["circuit breakers"].state, checks["circuit breakers"].detail) == ("warning", "gateway")
    assert denied["store"].state == "broken"
    assert "docs/operations.md" in denied["store"].remedy


def test_drift_between_the_topology_and_what_is_deployed_is_named() -> None:
    declared = topology.build()
    functions = {name: "" for name, one in declared["services"].items() if one["trigger"] != "sink"}
    queues = dict.fromkeys(services_with_queues(), "")
    good = {
        "functions": functions,
        "queues": queues,
        "dead_letter_queues": queues,
        "stores": dict.fromkeys(declared["collections"], ""),
    }
    assert {check.state for check in doctor.drift(good, "gcp")} == {"ok"}
    del functions["fraud"]
    drifted = {**good, "functions": functions, "queues": {**queues, "loyalty": ""}}

    found = {check.name: check for check in doctor.drift(drifted, "gcp")}

    assert found["drift: functions"].detail == "not deployed: fraud"
    assert found["drift: queues"].detail == "deployed and not declared: loyalty"
    assert "make deploy CLOUD=gcp" in found["drift: queues"].remedy
    assert (found["drift: functions"].state, found["drift: stores"].state) == ("broken", "ok")


def test_packages_that_are_not_as_locked_and_an_old_topology_are_found(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("httpx==0.0.1 \\\n    --hash=x\nno-such-package==1 \\\n")
    (tmp_path / "topology.json").write_text("{}")

    found = {check.name: check for check in doctor.machine("gcp", "local", tmp_path)}

    assert found["packages"].state == "broken"
    assert "httpx" in found["packages"].detail
    assert "no-such-package missing instead of 1" in found["packages"].detail
    assert (found["topology.json"].state, found["topology.json"].remedy) == ("broken", "make format")
    assert found["Python"].state == "ok"


def test_programs_that_are_missing_or_too_old_are_found(no_programs: Path, tmp_path: Path) -> None:
    old = no_programs / "terraform"
    old.write_text("#!/bin/sh\necho Terraform v1.9.8\n")
    old.chmod(0o755)

    found = {check.name: check for check in doctor.machine("azure", "deployed", tmp_path)}

    assert (found["terraform"].state, found["terraform"].detail) == ("broken", "1.9.8")
    assert "1.11 or newer" in found["terraform"].remedy
    assert (found["az"].state, found["az"].detail) == ("broken", "not installed")


def test_the_doctor_answers_without_a_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(app, ["doctor", "--cloud", "gcp", "--json"])

    assert result.exit_code == Exit.FAILED
    checks = {check["name"]: check for check in json.loads(result.stdout)}
    assert checks["cloud"]["state"] == "broken"
    assert "orderflow up --cloud gcp" in checks["cloud"]["remedy"]


# What the pages and the rooms promise

GUIDE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", sorted(set(re.findall(r"orderflow ((?:orders|dlq|archive) [a-z]+|[a-z]+)", GUIDE))))
def test_every_command_that_the_guide_names_exists(line: str) -> None:
    result = CliRunner().invoke(app, [*line.split(), "--help"])

    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize("line", re.findall(r"^\$ (?:.*\| )?orderflow (.+)$", GUIDE, re.MULTILINE))
def test_every_option_of_the_guides_examples_exists(line: str) -> None:
    words = line.split()
    command = words[:2] if words[0] in ("orders", "dlq", "archive") else words[:1]
    told = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*command, "--help"]).stdout

    assert [word for word in words if word.startswith("--") and word not in told] == []


def test_the_operations_answer_data_and_print_nothing() -> None:
    """A web page is to stand on them too."""
    for path in (Path(__file__).parents[2] / "cli" / "orderflow_cli" / "ops").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*print\(|^\s*(?:import|from) (?:typer|rich)\b", text, re.MULTILINE), path.name
