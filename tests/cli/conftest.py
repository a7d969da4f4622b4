"""A checkout in miniature, and programs in place of Terraform and the Azure CLI."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orderflow_cli import package
from unit.support import Lab

FAKE = """#!/bin/sh
echo "$*" >> "{folder}/calls"
cat "{folder}/$1.err" >&2 2>/dev/null
cat "{folder}/$1.out" 2>/dev/null
exit "$(cat "{folder}/$1.rc" 2>/dev/null || echo 0)"
"""

PLAN = {
    "planned_values": {"outputs": {"functions": {"value": {"order": "orderflow-dev-order"}}}},
    "resource_changes": [
        {"address": 'module.messaging.queue.this["order"]', "change": {"actions": ["create"]}},
        {"address": "module.budget.this", "change": {"actions": ["create"]}},
    ],
}
OUTPUTS: dict[str, Any] = {
    "api_url": {"value": "https://api.example.com"},
    "topic": {"value": "/subscriptions/1234/resourceGroups/orderflow-dev/providers/Microsoft.EventGrid/topics/events"},
    "functions": {"value": {"order": "orderflow-dev-order", "payment": "orderflow-dev-payment"}},
}


@dataclass(frozen=True, slots=True)
class Program:
    """A program that answers what a test tells it to, by its first argument."""

    folder: Path

    def says(self, command: str, out: str = "", err: str = "", code: int = 0) -> None:
        """What the program prints and returns when it is called with a command."""
        (self.folder / f"{command}.out").write_text(out)
        (self.folder / f"{command}.err").write_text(err)
        (self.folder / f"{command}.rc").write_text(str(code))

    def plans(self, document: Mapping[str, Any]) -> None:
        """What Terraform's plan holds."""
        self.says("show", json.dumps(document))

    @property
    def calls(self) -> list[str]:
        """The command lines that it was called with, in their order."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []


def install(name: str, folder: Path, script: str) -> None:
    """Put a program into a folder."""
    path = folder / name
    path.write_text(script)
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the commands read, as the working directory."""
    for cloud, backend in (("aws", "s3"), ("azure", "azurerm"), ("gcp", "gcs")):
        root = tmp_path / "terraform" / cloud
        (root / "backends").mkdir(parents=True)
        (root / "backends" / f"dev.{backend}.hcl").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that programs are looked for in, beside the system's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return folder


def _program(name: str, folder: Path) -> Program:
    answers = folder / f"{name}-answers"
    answers.mkdir()
    install(name, folder, FAKE.format(folder=answers))
    return Program(answers)


@pytest.fixture
def terraform(checkout: Path, no_programs: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A Terraform that plans two resources and applies them; the functions' package is an empty file."""

    def pretend(name: str, root: Path, out: Path, *, telemetry: bool = False) -> package.Package:
        out.parent.mkdir(exist_ok=True)
        out.write_bytes(b"zip")
        return package.Package(name, out, 3, 3, 1, "")

    monkeypatch.setattr(package, "build", pretend)
    program = _program("terraform", no_programs)
    program.plans(PLAN)
    program.says("output", json.dumps(OUTPUTS))
    return program


@pytest.fixture
def az(no_programs: Path) -> Program:
    """A signed-in Azure CLI that knows the apps of OUTPUTS."""
    program = _program("az", no_programs)
    program.says("account", "token\n")
    program.says(
        "functionapp",
        json.dumps(
            [
                {
                    "name": name,
                    "hostNameSslStates": [
                        {"hostType": "Standard", "name": f"{name}.azurewebsites.net"},
                        {"hostType": "Repository", "name": f"{name}.scm.azurewebsites.net"},
                    ],
                }
                for name in OUTPUTS["functions"]["value"].values()
            ]
        ),
    )
    return program


@pytest.fixture
def lab() -> Lab:
    """The workflow in this process, with nothing in it."""
    return Lab.make()
