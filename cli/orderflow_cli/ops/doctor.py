"""What is wrong with this machine, with a cloud's doors, or between what is declared and what is deployed, and what
to do about it. Every check answers; none changes anything."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from orderflow import topology
from orderflow.breaker import COLLECTION as BREAKERS
from orderflow.ports import Unavailable
from orderflow_cli.hints import sdk_hint
from orderflow_cli.ops.doors import CannotDo, Doors
from orderflow_cli.ops.queues import read_queues, services_with_queues

State = Literal["ok", "warning", "broken"]

TERRAFORM = (1, 11)
NODE = (20,)
PYTHON = (3, 11)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``remedy`` says what to do, empty where nothing is."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def machine(cloud: str, target: str, base: Path) -> Iterator[Check]:
    """This machine: Python, the packages, the programs that a target needs, the generated files."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield _of("Python", sys.version_info[:2] >= PYTHON, version, "install Python 3.11 or newer, then: make clean; make")
    yield _packages(base / "requirements.lock")
    yield _topology_file(base / "topology.json")
    if target == "deployed":
        yield _program("terraform", ["version"], TERRAFORM, "developer.hashicorp.com/terraform/install")
    if cloud == "azure" and target == "deployed":
        yield _program("az", ["version"], (2,), "learn.microsoft.com/cli/azure/install-azure-cli")
    if cloud == "azure" and target == "local":
        yield _program("node", ["--version"], NODE, "nodejs.org/en/download")


def cloud(doors: Doors) -> Iterator[Check]:
    """A cloud: whether its doors open for whoever asks, and whether what is there is what the topology declares."""
    yield _api(doors)
    yield _door(doors, "store", lambda: doors.ports.store.get("orders", "doctor"), "a document was asked for")
    yield _door(doors, "archive", lambda: doors.ports.archive.names("doctor/"), "the bucket was listed")
    yield _door(doors, "drop folder", lambda: doors.ports.drop.names("doctor/"), "the bucket was listed")
    yield from _queues(doors)
    yield from _breakers(doors)
    if doors.outputs is not None:
        yield from drift(doors.outputs, doors.cloud)


def drift(outputs: Mapping[str, Any], cloud_name: str) -> Iterator[Check]:
    """What Terraform deployed against what this checkout's topology declares, by name. A change within a service (a
    limit, a filter) shows in the plan only."""
    declared = topology.build()
    fed = services_with_queues()
    functions = [name for name, one in declared["services"].items() if one["trigger"] != "sink"]
    deploy = f"make deploy CLOUD={cloud_name} ENV=..., from the checkout that is to run"
    for output, wanted in (
        ("functions", functions),
        ("queues", fed),
        ("dead_letter_queues", fed),
        ("stores", list(declared["collections"])),
    ):
        if not isinstance(outputs.get(output), dict):
            continue
        there = set(outputs[output])
        missing, more = sorted(set(wanted) - there), sorted(there - set(wanted) - set(declared["services"]))
        said = [f"not deployed: {', '.join(missing)}"] if missing else []
        said += [f"deployed and not declared: {', '.join(more)}"] if more else []
        detail = "; ".join(said) or f"{len(there)}, as declared"
        yield Check(f"drift: {output}", "broken" if said else "ok", detail, deploy if said else "")


def _of(name: str, good: bool, detail: str, remedy: str) -> Check:
    return Check(name, "ok" if good else "broken", detail, "" if good else remedy)


def _program(name: str, arguments: list[str], least: tuple[int, ...], where: str) -> Check:
    wanted = ".".join(map(str, least))
    if shutil.which(name) is None:
        return Check(name, "broken", "not installed", f"install {name} {wanted} or newer: {where}")
    try:
        said = subprocess.run([name, *arguments], capture_output=True, text=True, check=False, timeout=30).stdout
    except subprocess.TimeoutExpired:
        return Check(name, "broken", "it does not answer", f"install it again: {where}")
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", said)
    version = tuple(int(part) for part in found.groups("0")) if found else ()
    shown = ".".join(map(str, version)) or "of an unknown version"
    return _of(name, version >= least, shown, f"install {name} {wanted} or newer: {where}")


def _packages(lock: Path) -> Check:
    """Installed packages against the lock. Those for other platforms or Pythons (with a marker) are passed over."""
    if not lock.exists():
        return Check("packages", "warning", "there is no requirements.lock here", "run this in a checkout")
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+) \\$", lock.read_text(encoding="utf-8"), re.MULTILINE)
    wrong = [f"{name} {_installed(name)} instead of {version}" for name, version in pins if _installed(name) != version]
    detail = f"{', '.join(wrong[:5])}{' ...' if len(wrong) > 5 else ''}" if wrong else f"{len(pins)} as locked"
    return _of("packages", not wrong, detail, "make .venv/.ready")


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _topology_file(file: Path) -> Check:
    if not file.exists():
        return Check("topology.json", "warning", "it is not here", "run this in a checkout")
    current = file.read_text(encoding="utf-8") == topology.dumps()
    return _of("topology.json", current, "current" if current else "not what the services declare", "make format")


def _api(doors: Doors) -> Check:
    try:
        answer = httpx.get(f"{doors.api_url}/health", timeout=20)
    except httpx.HTTPError as error:
        detail = f"{doors.api_url}: {type(error).__name__}: {error}"
        remedy = "orderflow up" if doors.target == "local" else "look at the dashboard, and at the function's log"
        return Check("API", "broken", detail, remedy)
    good = answer.status_code == 200
    return _of("API", good, f"{doors.api_url}: {answer.status_code}", "look at the log of the function api")


def _door(doors: Doors, name: str, knock: Callable[[], object], done: str) -> Check:
    try:
        knock()
    except Unavailable as error:
        return Check(name, "broken", str(error)[:300], _remedy(doors, str(error)))
    return Check(name, "ok", done)


def _queues(doors: Doors) -> Iterator[Check]:
    try:
        figures = read_queues(doors.queues)
    except Unavailable as error:
        yield Check("queues", "broken", str(error)[:300], _remedy(doors, str(error)))
        return
    yield Check("queues", "ok", f"{len(figures)}, one for each service that is declared with one")
    dead = {each.service: each.dead_letters for each in figures if each.dead_letters}
    shown = ", ".join(f"{service}: {count}" for service, count in dead.items())
    look = f"orderflow dlq list --cloud {doors.cloud} --target {doors.target}"
    yield Check("dead letters", "warning" if dead else "ok", shown or "none", look if dead else "")


def _breakers(doors: Doors) -> Iterator[Check]:
    now = doors.ports.clock.now()
    try:
        found = {name: doors.ports.store.get(BREAKERS, name) for name in doors.ports.dependencies}
    except Unavailable:
        return  # The store's own check has said so.
    blocked = [name for name, stored in found.items() if stored and stored.document["open_until"] > now]
    remedy = "that provider fails: what needs it waits, and goes on by itself when it answers again"
    yield Check(
        "circuit breakers", "warning" if blocked else "ok", ", ".join(blocked) or "closed", remedy if blocked else ""
    )


def _remedy(doors: Doors, words: str) -> str:
    if doors.target == "local":
        return f"is it still running? orderflow up --cloud {doors.cloud}"
    return sdk_hint(words, doors.cloud) or "see the error's own words"


def examine(cloud_name: str, target: str, base: Path, open_doors: Callable[[], Doors]) -> list[Check]:
    """Every check, also where the doors cannot be opened."""
    checks = list(machine(cloud_name, target, base))
    try:
        doors = open_doors()
    except CannotDo as error:
        return [*checks, Check("cloud", "broken", str(error), error.hint)]
    return [*checks, *cloud(doors)]
