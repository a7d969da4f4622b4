"""The function packages: the same bytes twice, nothing too much, and enough to run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from added import added
from benchmarks.cpu.measure import cloud_event
from benchmarks.peers import HERE
from orderflow_cli.package import PYTHON, RECIPES, Package, build

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the packages' binaries run on Linux only"),
    pytest.mark.skipif(
        ".".join(map(str, sys.version_info[:2])) != PYTHON, reason=f"the packages are compiled by Python {PYTHON} only"
    ),
]


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Package]:
    """Makes a package by name, for this machine's processor, once."""
    folder = tmp_path_factory.mktemp("package")
    return cache(lambda name: build(name, ROOT, folder / f"{name}.zip", platform=HERE))


@pytest.fixture(params=RECIPES)
def package(request: pytest.FixtureRequest, make: Callable[[str], Package]) -> Package:
    """Each package."""
    return make(request.param)


def test_the_same_sources_give_the_same_bytes(package: Package, tmp_path: Path) -> None:
    again = build(package.name, ROOT, tmp_path / "again.zip", platform=HERE)

    assert again.path.read_bytes() == package.path.read_bytes()


def test_only_what_functions_need_is_inside(package: Package) -> None:
    names = zipfile.ZipFile(package.path).namelist()

    assert not [
        name for name in names if name.startswith(("tests/", "local/", "cli/", "orderflow_local", "typer", "rich"))
    ]
    others = {"aws", "azure", "gcp"} - {RECIPES[package.name].cloud}
    assert not [name for name in names if name.startswith(tuple(f"orderflow_{cloud}/" for cloud in others))]
    assert not [name for name in names if name.startswith(("boto3/", "botocore/", "pytest/"))]
    assert "orderflow/processing.py" in names


def test_what_tokens_take_is_in_no_package_of_functions_without_them(package: Package) -> None:
    """On AWS: elsewhere every function needs it, for a push's token or for the SDK."""
    recipe = RECIPES[package.name]
    inside = {name.split("/")[0] for name in zipfile.ZipFile(package.path).namelist()}
    if recipe.cloud == "aws":
        tokens = {"cryptography", "jwt", "cffi"} if recipe.tokens else set()
        assert inside & {"cryptography", "jwt", "cffi"} == tokens


def test_bytecode_is_inside_where_the_platform_uses_it(package: Package) -> None:
    names = set(zipfile.ZipFile(package.path).namelist())

    compiled = "orderflow/__pycache__/processing.cpython-313.pyc" in names
    assert compiled == (RECIPES[package.name].mounted_at is not None)


def test_what_google_compiles_is_used_though_its_files_are_given_another_time(
    make: Callable[[str], Package], tmp_path: Path
) -> None:
    """As the build does it (buildpacks: cmd/python/functions_framework/lib) and then the image's exporter
    (github.com/buildpacks/lifecycle/issues/1358); the environment is Terraform's."""
    zipfile.ZipFile(make("gcp").path).extractall(tmp_path)
    terraform = (ROOT / "terraform" / "gcp" / "modules" / "functions" / "main.tf").read_text()
    environment = dict(re.findall(r'environment_variables = { (\w+) = "(\d+)" }', terraform))
    command = [sys.executable, "-m", "compileall", "-f", "-q", "."]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    for source in tmp_path.rglob("*.py"):
        os.utime(source, (1, 1))
    run = subprocess.run(
        [sys.executable, "-B", "-v", "-c", "import orderflow.clock"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"# code object from '{tmp_path}/orderflow/__pycache__/clock.cpython-313.pyc'" in run.stderr


def test_an_event_runs_from_the_unpacked_zip_with_nothing_else_on_the_path(package: Package, tmp_path: Path) -> None:
    """An event that its service does not hear is acknowledged without any cloud being there."""
    run = _run(package, _SCRIPTS[RECIPES[package.name].cloud], tmp_path, {"ORDERFLOW_SERVICE": "email"})

    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.splitlines()[-1] == "acknowledged"
    assert '"message":"ignored"' in run.stdout


def _run(
    package: Package, script: str, tmp_path: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh interpreter that sees the unpacked package and what the platform adds, nothing else."""
    zipfile.ZipFile(package.path).extractall(tmp_path / "function")
    path = [str(tmp_path / "function"), *_installed_by_the_platform(package, tmp_path)]
    recipe = RECIPES[package.name]
    if recipe.dependencies:
        path.append(str(tmp_path / "function" / recipe.dependencies))
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {path!r}; event = {_event()!r}\n{script}"],
        env=_ENVIRONMENT | environment,
        cwd=tmp_path / "function",
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_worked_examples_service_runs_from_the_unpacked_zip_with_what_only_it_needs(tmp_path: Path) -> None:
    with added("product_media"):
        package = build("aws", ROOT, tmp_path / "aws.zip", platform=HERE)
    settings = {"ORDERFLOW_SERVICE": "thumbnails", "ORDERFLOW_SERVICES_PACKAGES": "product_media"}
    run = _run(package, f"from PIL import Image\n{_SCRIPTS['aws']}", tmp_path, settings)

    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.splitlines()[-1] == "acknowledged"
    assert '"service":"thumbnails"' in run.stdout


@pytest.mark.parametrize("lock", sorted(ROOT.glob("examples/*/requirements.lock")), ids=lambda path: path.parent.name)
@pytest.mark.parametrize("platform", sorted({recipe.platform for recipe in RECIPES.values()}))
def test_what_an_example_needs_can_be_had_for_the_clouds_platforms(lock: Path, platform: str, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--no-deps", "--only-binary", ":all:"),
        *("--python-version", PYTHON, "--python-platform", platform, "--target", str(tmp_path), "-r", str(lock)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def stand_in() -> Iterator[dict[str, str]]:
    """Where a stand-in of AWS's services and of an issuer of tokens listens, and a token of that issuer."""
    command = [sys.executable, "-m", "benchmarks.cold.stand_in"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()


def test_a_consumer_on_aws_handles_an_event_by_the_package_without_tokens(
    make: Callable[[str], Package], stand_in: dict[str, str], tmp_path: Path
) -> None:
    run = _run(
        make("aws"),
        _SCRIPTS["aws"].replace("import consume", "import consume; import importlib.util")
        + "assert not importlib.util.find_spec('cryptography') and not importlib.util.find_spec('jwt')",
        tmp_path,
        {"ORDERFLOW_SERVICE": "fraud", **_at(stand_in)},
    )

    assert run.returncode == 0, run.stderr[-2000:]
    assert '"message":"handled"' in run.stdout


@pytest.mark.parametrize(("spoilt", "status"), [("", 404), ("x", 401)])
def test_the_api_on_aws_checks_a_token_by_the_package_that_has_what_it_takes(
    make: Callable[[str], Package], stand_in: dict[str, str], tmp_path: Path, spoilt: str, status: int
) -> None:
    """With a good token a customer is told that there is no such order."""
    settings = {
        "ORDERFLOW_ISSUER": stand_in["http"],
        "ORDERFLOW_AUDIENCE": stand_in["audience"],
        "ORDERFLOW_JWKS_URL": f"{stand_in['http']}/jwks.json",
    }
    header, claims, signature = stand_in["token"].split(".")
    token = ".".join((header, claims, spoilt + signature[len(spoilt) :]))
    run = _run(make("aws-tokens"), _ASK.format(token=token), tmp_path, {**settings, **_at(stand_in)})

    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.splitlines()[-1] == str(status)


def _at(stand_in: dict[str, str]) -> dict[str, str]:
    """What makes the SDK call the stand-in."""
    return {
        "AWS_ENDPOINT_URL": stand_in["http"],
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }


_ASK = """
from orderflow_aws.entrypoints import api
request = {{"requestContext": {{"http": {{"method": "GET"}}}}, "rawPath": "/orders/o-1",
            "headers": {{"authorization": "{token}"}}}}
print(api(request, None)["statusCode"])
"""

_ENVIRONMENT = {
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
    """An order that is worth screening."""
    event = cloud_event(1)
    event["tier"] = event["data"]["tier"] = "high"
    return json.dumps(event)


def _installed_by_the_platform(package: Package, tmp_path: Path) -> list[str]:
    """What the platform itself puts beside the package: the Lambda runtime its SDK, Cloud Build the requirements."""
    cloud = RECIPES[package.name].cloud
    if cloud == "azure":
        return []
    target = tmp_path / "platform"
    wanted = ["boto3"] if cloud == "aws" else ["--requirements", str(tmp_path / "function" / "requirements.txt")]
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(target), *wanted]
    subprocess.run(command, check=True)
    return [str(target)]
