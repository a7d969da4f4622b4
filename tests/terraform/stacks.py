"""Copies of the Terraform roots and their plans, made by the real Terraform.

A plan is made with the providers mocked (``terraform test``, which prints it as JSON): their schemas and checks are the
real ones, but nothing signs in and nothing is called, so that the same test runs without an account and cannot change
one. It says what the configuration asks for; what a provider would add by itself is not in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from terraform import ids
from terraform.plan import Plan

P = ParamSpec("P")
T = TypeVar("T")

REPOSITORY = Path(__file__).parents[2]
CLOUDS = ("aws", "azure", "gcp")
ROOTS = (*CLOUDS, *(f"bootstrap/{cloud}" for cloud in CLOUDS))

_MOCKS = {
    "aws": 'mock_provider "aws" {}',
    "azure": """
mock_provider "azapi" {}
mock_provider "azurerm" {
  mock_data "azurerm_client_config" {
    defaults = { tenant_id = "11111111-1111-1111-1111-111111111111" }
  }
  mock_data "azurerm_role_definition" {
    defaults = { role_definition_id = "22222222-2222-2222-2222-222222222222" }
  }
}
""",
    "gcp": """
mock_provider "google" {
  mock_data "google_project" {
    defaults = { billing_account = "000000-000000-000000", number = "123456789012" }
  }
  mock_data "google_storage_project_service_account" {
    defaults = { member = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com" }
  }
}
mock_provider "time" {}
""",
}

_NO_PROVIDERS = ("Failed to query available provider packages", "Failed to install provider")


class NoProviders(RuntimeError):
    """The providers can be had neither from a mirror nor from the registry."""


class TerraformFailed(AssertionError):
    """Terraform ended with an error; its own words."""


def variables(cloud: str, **more: str) -> list[str]:
    """Arguments that set what an account's owner would, CI and a secret too: a plan then has all that there can be."""
    given = {
        "account_id": ids.ACCOUNTS[cloud],
        "github_repository": "acme/orders",
        "package_file": "package.zip",
        "secrets": '["gateway"]',
        **more,
    }
    return [f"-var={name}={value}" for name, value in given.items()]


def terraform(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Terraform in a folder, with a data folder of its own and without the user's variables and arguments; the
    outcome is the caller's to judge."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TF_VAR_", "TF_CLI_ARGS"))}
    environment |= {"TF_DATA_DIR": str(folder / ".terraform"), "TF_IN_AUTOMATION": "1"}
    # The providers' schemas are large and live as long as Terraform does. Collecting garbage when there is five times
    # as much of it instead of twice takes a quarter of its work away, for 150 MB more (go.dev/doc/gc-guide).
    environment.setdefault("GOGC", "400")
    return subprocess.run(
        ["terraform", f"-chdir={folder}", *arguments], env=environment, capture_output=True, text=True, check=False
    )


class Stacks:
    """Plans by cloud, topology and environment, each made once, also where several processes share ``folder``; as many
    at a time as there are processors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pool = ThreadPoolExecutor(os.cpu_count())
        self._lock = Lock()
        self._futures: dict[str, Future[Any]] = {}
        self._plans: dict[Path, Plan] = {}

    def root(self, root: str) -> Path:
        """A copy of a root, initialised without its state store. Raises `NoProviders`."""
        copy = self.folder / "terraform" / root
        with self._holding(f"root-{root.replace('/', '-')}") as done:
            if not done.exists():
                copy_root(root, self.folder)
                init(copy, "-backend=false")
                done.touch()
        return copy

    def begin(self, cloud: str, topology: dict[str, Any] | None = None, environment: str = "dev") -> Future[Path]:
        """Have a plan made; the future's result is its file."""
        text = json.dumps(topology) if topology else (REPOSITORY / "topology.json").read_text()
        key = f"{cloud}-{environment}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        return self.once(f"plan {key}", self._make, cloud, key, text, environment)

    def once(self, key: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have something done in the background, once in this process."""
        with self._lock:
            if key not in self._futures:
                self._futures[key] = self.pool.submit(work, *args, **kwargs)
            return self._futures[key]

    def plan(self, cloud: str, topology: dict[str, Any] | None = None, environment: str = "dev") -> Plan:
        """A plan of everything, as if nothing were deployed yet. Without a topology it is the repository's."""
        file = self.begin(cloud, topology, environment).result()
        if file not in self._plans:
            self._plans[file] = Plan(json.loads(file.read_bytes()))
        return self._plans[file]

    def _make(self, cloud: str, key: str, topology: str, environment: str) -> Path:
        root = self.root(cloud)
        with self._holding(f"plan-{key}") as done:
            if not done.exists():
                folder = root / "plans" / key
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "topology.json").write_text(topology)
                blanks = _plan(cloud, root, folder, environment)
                done.write_text(json.dumps(_plan(cloud, root, folder, environment, ids.overrides(blanks))))
        return done

    @contextmanager
    def _holding(self, name: str) -> Iterator[Path]:
        """A file that says that something is done, held alone by one thread of one process."""
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.folder / f"{name}.done"


def copy_root(root: str, folder: Path) -> Path:
    """A copy of a root, with what it refers to outside of itself in the same places. Returns where it is."""
    copy = folder / "terraform" / root
    left_out = shutil.ignore_patterns(".terraform*", "*.tfstate*", "backend_override.tf")
    shutil.copytree(REPOSITORY / "terraform" / root, copy, ignore=left_out, dirs_exist_ok=True)
    # In one step: another root's Terraform may be reading it.
    Path(shutil.copy(REPOSITORY / "topology.json", copy / "topology.json")).replace(folder / "topology.json")
    for package in ("package.zip", "package-tokens.zip"):
        (copy / package).write_text(f"a stand-in for {package}: no plan looks inside")
    return copy


def init(folder: Path, *arguments: str) -> None:
    """Fetch a root's providers. Raises `NoProviders`."""
    run = terraform(folder, "init", "-input=false", "-no-color", *arguments)
    if run.returncode:
        words = run.stderr.strip() or run.stdout.strip()
        if any(text in words for text in _NO_PROVIDERS):
            raise NoProviders("Terraform's providers cannot be had: neither a mirror nor the registry answers")
        raise TerraformFailed(words)


def _plan(cloud: str, root: Path, folder: Path, environment: str, overrides: str = "") -> dict[str, Any]:
    test = f'{_MOCKS[cloud]}\n{overrides}\nrun "plan" {{\n  command = plan\n}}\n'
    (folder / "plan.tftest.hcl").write_text(test)
    run = terraform(
        root,
        "test",
        "-json",
        "-verbose",
        f"-test-directory={folder.relative_to(root)}",
        f"-var-file=environments/{environment}.tfvars",
        *variables(cloud, topology_file=str(folder / "topology.json")),
    )
    messages = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    plans: list[dict[str, Any]] = [message["test_plan"] for message in messages if "test_plan" in message]
    if run.returncode or len(plans) != 1:
        said = [
            message["diagnostic"] for message in messages if message.get("diagnostic", {}).get("severity") == "error"
        ]
        words = "\n".join(f"{each['summary']}: {each['detail']} ({each.get('address', '')})" for each in said)
        raise TerraformFailed(words or run.stderr or run.stdout[-2000:])
    return {"resource_changes": plans[0]["resource_changes"]}
