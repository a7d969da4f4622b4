"""Terraform for one cloud and environment, through python-terraform, whose gaps are wrapped here and nowhere else.

python-terraform 0.10.1 still passes flags that Terraform has dropped (``apply()`` and ``destroy()``), and its
``output(name)`` raises; so only its `cmd` is used, which starts the program and answers exit code and texts.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from python_terraform import Terraform

ENVIRONMENTS = ("dev", "staging", "prod")

_HINTS = (
    # (part of Terraform's own words, what to do). The first that is found is shown after the error.
    (
        "Error acquiring the state lock",
        "somebody else is at work on this environment; if not: terraform force-unlock ID",
    ),
    ("No value for required variable", "set it in the environment's tfvars file, or export TF_VAR_<name>"),
    ("Unsupported Terraform Core version", "install the Terraform version that versions.tf asks for"),
    ("No valid credential sources found", "sign in: aws sso login, and export AWS_PROFILE"),
    ("failed to refresh cached credentials", "sign in: aws sso login, and export AWS_PROFILE"),
    ("could not find default credentials", "sign in: gcloud auth application-default login"),
    ("Could not configure AzureCli Authorizer", "sign in: az login"),
    ("unable to build authorizer", "sign in: az login"),
    ("Backend initialization required", "run make init first"),
    ("Failed to query available provider packages", "the provider registry cannot be reached from here"),
    ("NoSuchBucket", "make the state's bucket first: terraform/bootstrap"),
)


class TerraformFailed(RuntimeError):
    """Terraform ended with an error: its own words, and what to do where that is known."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A saved plan. ``changes`` counts actions (create, update, replace, delete) by service, ``""`` for what belongs to
    none; ``drift`` are addresses that were changed outside of Terraform."""

    path: Path
    document: dict[str, Any]
    changes: dict[str, Counter[str]]
    drift: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes


class Root:
    """The Terraform root of a cloud for one environment.

    Each environment has a data folder of its own, so that one may go from one to another without a new init.
    ``local_state`` keeps the state in a file under ``.orderflow/`` instead of the shared state store: to try things
    out."""

    def __init__(self, root: Path, cloud: str, environment: str, *, local_state: bool = False) -> None:
        self.cloud = cloud
        self.environment = environment
        self.folder = root / "terraform" / cloud
        self.work = root / ".orderflow" / f"{cloud}-{environment}"
        self._local_state = local_state
        if shutil.which("terraform") is None:
            raise TerraformFailed("terraform is not installed: developer.hashicorp.com/terraform/install")
        os.environ["TF_DATA_DIR"] = str(self.work.resolve() / "data")
        os.environ["TF_IN_AUTOMATION"] = "1"
        self._terraform = Terraform(working_dir=str(self.folder))

    def init(self) -> None:
        """Fetch the providers and connect to the state."""
        self.work.mkdir(parents=True, exist_ok=True)
        override = self.folder / "backend_override.tf"
        if self._local_state:
            state = self.work.resolve() / "terraform.tfstate"
            override.write_text(f'terraform {{\n  backend "local" {{\n    path = "{state}"\n  }}\n}}\n')
            self._run("init", "-reconfigure")
            return
        override.unlink(missing_ok=True)
        [backend] = (self.folder / "backends").glob(f"{self.environment}.*.hcl")
        self._run("init", "-reconfigure", f"-backend-config={backend.resolve()}")

    def plan(self, *, destroy: bool = False, variables: Mapping[str, str] | None = None) -> Plan:
        """Plan to a file and read it."""
        path = self.work.resolve() / ("destroy.tfplan" if destroy else "deploy.tfplan")
        given = [f"-var={name}={value}" for name, value in (variables or {}).items()]
        flags = ["-destroy"] if destroy else []
        self._run("plan", f"-out={path}", *self._tfvars(), *given, *flags)
        document: dict[str, Any] = json.loads(self._run("show", "-json", str(path), ask=False))
        return Plan(path, document, _by_service(document), _drift(document))

    def apply(self, plan: Plan) -> None:
        """Do what a plan says, its progress shown as Terraform shows it."""
        self._run("apply", str(plan.path), show=True)

    def outputs(self) -> dict[str, Any]:
        """The outputs of what is deployed, by name."""
        found: dict[str, Any] = json.loads(self._run("output", "-json", ask=False))
        return {name: output["value"] for name, output in found.items()}

    def _tfvars(self) -> list[str]:
        return [f"-var-file=environments/{self.environment}.tfvars"]

    def _run(self, command: str, *arguments: str, ask: bool = True, show: bool = False) -> str:
        flags = ["-input=false", "-no-color"] if ask else ["-no-color"] if command == "show" else []
        code, out, err = self._terraform.cmd(command, *flags, *arguments, capture_output=not show)
        if code != 0:
            words = ((err or "") + (out or "")).strip()
            hint = next((f"\n-> {text}" for part, text in _HINTS if part in words), "")
            raise TerraformFailed(f"terraform {command} failed for {self.cloud} {self.environment}:\n{words}{hint}")
        return out or ""


def _by_service(document: dict[str, Any]) -> dict[str, Counter[str]]:
    """Actions by service: the key under which a resource, or the module it is in, stands in a for_each."""
    changes: dict[str, Counter[str]] = {}
    services = _services(document)
    for change in document.get("resource_changes", []):
        actions = change["change"]["actions"]
        if actions in (["no-op"], ["read"]):
            continue
        action = "replace" if len(actions) == 2 else actions[0]
        address = change["address"]
        service = next((name for name in services if f'["{name}' in address), "")
        changes.setdefault(service, Counter())[action] += 1
    return dict(sorted(changes.items()))


def _services(document: dict[str, Any]) -> list[str]:
    """The services' names as the deployment's outputs have them, longest first."""
    functions = document.get("planned_values", {}).get("outputs", {}).get("functions", {})
    return sorted(functions.get("value") or {}, key=len, reverse=True)


def _drift(document: dict[str, Any]) -> tuple[str, ...]:
    return tuple(
        drift["address"] for drift in document.get("resource_drift", []) if drift["change"]["actions"] != ["no-op"]
    )
