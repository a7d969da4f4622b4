"""The function packages: the same bytes twice, nothing too much, and enough to run."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from orderflow.events import CATALOGUE, OrderPlaced
from orderflow_cli.package import PYTHON, RECIPES, Package, build

ROOT = Path(__file__).parents[2]
HERE = f"{platform.machine()}-manylinux2014"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the packages' binaries run on Linux only"),
    pytest.mark.skipif(
        ".".join(map(str, sys.version_info[:2])) != PYTHON, reason=f"the packages are compiled by Python {PYTHON} only"
    ),
]


@pytest.fixture(scope="session", params=RECIPES)
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Each cloud's package, for this machine's processor."""
    out = tmp_path_factory.mktemp("package") / f"{request.param}.zip"
    return build(request.param, ROOT, out, platform=HERE)


def test_the_same_sources_give_the_same_bytes(package: Package, tmp_path: Path) -> None:
    again = build(package.cloud, ROOT, tmp_path / "again.zip", platform=HERE)

    assert again.path.read_bytes() == package.path.read_bytes()


def test_only_what_functions_need_is_inside(package: Package) -> None:
    names = zipfile.ZipFile(package.path).namelist()

    assert not [
        name for name in names if name.startswith(("tests/", "local/", "cli/", "orderflow_local", "typer", "rich"))
    ]
    others = {"aws", "azure", "gcp"} - {package.cloud}
    assert not [name for name in names if name.startswith(tuple(f"orderflow_{cloud}/" for cloud in others))]
    assert not [name for name in names if name.startswith(("boto3/", "botocore/", "pytest/"))]
    assert "orderflow/processing.py" in names


def test_bytecode_is_inside_where_the_platform_uses_it(package: Package) -> None:
    names = set(zipfile.ZipFile(package.path).namelist())

    compiled = "orderflow/__pycache__/processing.cpython-313.pyc" in names
    assert compiled == (RECIPES[package.cloud].mounted_at is not None)


def test_an_event_runs_from_the_unpacked_zip_with_nothing_else_on_the_path(package: Package, tmp_path: Path) -> None:
    """An event that its service does not hear is acknowledged without any cloud being there."""
    zipfile.ZipFile(package.path).extractall(tmp_path / "function")
    path = [str(tmp_path / "function"), *_installed_by_the_platform(package, tmp_path)]
    recipe = RECIPES[package.cloud]
    if recipe.dependencies:
        path.append(str(tmp_path / "function" / recipe.dependencies))
    script = f"import sys, json; sys.path[:0] = {path!r}; event = {_event()!r}\n{_SCRIPTS[package.cloud]}"

    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script],
        env=_ENVIRONMENT,
        cwd=tmp_path / "function",
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.splitlines()[-1] == "acknowledged"
    assert '"message":"ignored"' in run.stdout


_ENVIRONMENT = {
    "ORDERFLOW_SERVICE": "email",
    "ORDERFLOW_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:orderflow-events",
    "ORDERFLOW_QUEUES_URL": "http://127.0.0.1:9/123456789012/",
    "ORDERFLOW_ARCHIVE_BUCKET": "archive",
    "ORDERFLOW_DROP_BUCKET": "drop",
    "ORDERFLOW_ARCHIVE_CONTAINER": "archive",
    "ORDERFLOW_DROP_CONTAINER": "drop",
    "ORDERFLOW_EVENTGRID_ENDPOINT": "http://127.0.0.1:9/api/events",
    "ORDERFLOW_EVENTGRID_KEY": "none",
    "ORDERFLOW_SERVICEBUS": "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=none;SharedAccessKey=none",
    "ORDERFLOW_STORAGE": "UseDevelopmentStorage=true",
    "GOOGLE_CLOUD_PROJECT": "project",
    "AWS_REGION": "eu-west-1",
}

_SCRIPTS = {
    "aws": """
from orderflow_aws.entrypoints import consume
class Context:
    def get_remaining_time_in_millis(self): return 30_000
record = {"messageId": "m", "receiptHandle": "r", "body": event, "attributes": {"ApproximateReceiveCount": "1"},
          "messageAttributes": {}}
answer = consume({"Records": [record]}, Context())
assert answer == {"batchItemFailures": []}, answer
print("acknowledged")
""",
    "azure": """
import function_app
assert function_app.app.get_functions()
from orderflow_azure import wiring
from orderflow.ports import Delivery
from orderflow.processing import Done
[outcome] = wiring.app().consume("email", [Delivery(event.encode())], deadline=9e9)
assert isinstance(outcome, Done), outcome
print("acknowledged")
""",
    "gcp": """
import main
from orderflow_gcp import entrypoints
body, status, headers = entrypoints.consume("email", event.encode(), 9e9)
assert status == 204, (status, body)
print("acknowledged")
""",
}


def _event() -> str:
    assert CATALOGUE
    event = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/orderflow/order",
        "type": OrderPlaced.type_name(),
        "subject": "o-1",
        "time": "2026-01-01T00:00:00Z",
        "correlationid": "o-1",
        "kind": "OrderPlaced",
        "category": "order",
        "data": {},
    }
    return json.dumps(event)


def _installed_by_the_platform(package: Package, tmp_path: Path) -> list[str]:
    """What the platform itself puts beside the package: the Lambda runtime its SDK, Cloud Build the requirements."""
    if package.cloud == "azure":
        return []
    target = tmp_path / "platform"
    wanted = (
        ["boto3"] if package.cloud == "aws" else ["--requirements", str(tmp_path / "function" / "requirements.txt")]
    )
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(target), *wanted]
    subprocess.run(command, check=True)
    return [str(target)]
