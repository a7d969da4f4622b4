"""Terraform for one cloud and environment, through python-terraform, whose gaps are wrapped here and nowhere else.

python-terraform 0.10.1 still passes flags that Terraform has dropped (``apply()`` and ``destroy()``), its
``output(name)`` raises, ``cmd(synchronous=False)`` hands that word on to Terraform, and ``cmd`` either shows or
captures, and leaves Terraform alone on Ctrl-C. So it makes the command lines, and they are run here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from python_terraform import Terraform

from orderflow_cli.hints import Exit, Place, hint, unlock

ENVIRONMENTS = ("dev", "staging", "prod")


class TerraformFailed(RuntimeError):
    """Terraform ended with an error: its own words, and what to do where that is known."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


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
            raise TerraformFailed("terraform is not installed: developer.hashicorp.com/terraform/install", Exit.MISSING)
        self._data = self.work.resolve() / "data"
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

    def variable(self, name: str) -> str | None:
        """The text that an environment's file, else the shell, gives a variable; None where neither does."""
        file = self.folder / "environments" / f"{self.environment}.tfvars"
        text = file.read_text(encoding="utf-8") if file.is_file() else ""  # Terraform says what it misses.
        given = re.search(rf'^{name} *= *"([^"]*)"', text, re.MULTILINE)
        return given[1] if given else os.environ.get(f"TF_VAR_{name}")

    def _tfvars(self) -> list[str]:
        return [f"-var-file=environments/{self.environment}.tfvars"]

    def _run(self, command: str, *arguments: str, ask: bool = True, show: bool = False) -> str:
        flags = ["-input=false", "-no-color"] if ask else ["-no-color"] if command == "show" else []
        with _interrupts() as interrupts:
            process = subprocess.Popen(
                self._terraform.generate_cmd_string(command, *flags, *arguments),
                cwd=self.folder,
                env={**os.environ, "TF_DATA_DIR": str(self._data), "TF_IN_AUTOMATION": "1"},
                stdout=None if show else subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            out, err = process.communicate()
        if process.returncode == 0:
            return out or ""
        raise self._failure(command, err.strip() or (out or "").strip(), interrupts)

    def _failure(self, command: str, words: str, interrupts: list[int]) -> TerraformFailed:
        place = Place(self.cloud, self.environment, str(self._data))
        code, text = hint(words, place)
        message = f"terraform {command} failed for {self.cloud} {self.environment}:\n{words}"
        if interrupts:
            code = Exit.INTERRUPTED
            text = "interrupted: Terraform ended in order, saved the state and unlocked it. Run this again."
            if len(interrupts) > 1 or "Error releasing the state lock" in words:
                text = (
                    f"interrupted at once, so the state may be locked. If the next run says so: {unlock(words, place)}"
                )
        return TerraformFailed(f"{message}\n-> {text}" if text else message, code)


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Count Ctrl-C instead of dying of it: Terraform hears it too, and must be waited for, or its lock stays."""
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return

    def hear(number: int, _frame: object) -> None:
        heard.append(number)
        if len(heard) == 1:
            print("orderflow: stopping; Terraform finishes what it began and unlocks the state. Wait.", file=sys.stderr)

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


def _by_service(document: dict[str, Any]) -> dict[str, Counter[str]]:
    """Actions by service: what the for_each key of a resource is or begins with, as ``order``, ``order-dlq``."""
    changes: dict[str, Counter[str]] = {}
    services = _services(document)
    for change in document.get("resource_changes", []):
        actions = change["change"]["actions"]
        if actions in (["no-op"], ["read"]):
            continue
        action = "replace" if len(actions) == 2 else actions[0]
        address = change["address"]
        service = next((name for name in services if re.search(rf'\["{name}["/-]', address)), "")
        changes.setdefault(service, Counter())[action] += 1
    return dict(sorted(changes.items()))


def _services(document: dict[str, Any]) -> list[str]:
    """The services' names as the deployment's outputs have them, longest first."""
    for values in ("planned_values", "prior_state"):
        found = document.get(values, {})
        functions = found.get("values", found).get("outputs", {}).get("functions", {})
        if functions.get("value"):
            return sorted(functions["value"], key=len, reverse=True)
    return []


def _drift(document: dict[str, Any]) -> tuple[str, ...]:
    return tuple(
        drift["address"] for drift in document.get("resource_drift", []) if drift["change"]["actions"] != ["no-op"]
    )
