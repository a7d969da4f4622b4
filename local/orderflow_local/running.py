"""Where the clouds that run on this machine are, for other processes: one small file a fleet,
``.orderflow/local/<process id>.json`` below the folder in which it was started, readable by its owner only, gone when
the fleet ends.

Shape: ``{"issuer": url, "workdir": path, "clouds": {name: {"api_url": url, "environment": {...}}}}``. The environment
is `orderflow_local.cloud.LocalCloud.environment`: addresses, names, and credentials that are good here only.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orderflow_local.fleet import Fleet

_FOLDER = Path(".orderflow") / "local"


@dataclass(frozen=True, slots=True)
class Running:
    """One cloud of a fleet that runs. ``workdir`` holds its state and the logs of its functions."""

    api_url: str
    environment: Mapping[str, str]
    issuer: str
    workdir: Path


@contextlib.contextmanager
def announced(fleet: Fleet, base: Path) -> Iterator[None]:
    """Let other processes find a started fleet for the length of a block."""
    file = base / _FOLDER / f"{os.getpid()}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "issuer": fleet.issuer.url,
        "workdir": str(fleet.workdir.resolve()),
        "clouds": {
            name: {"api_url": cloud.api_url, "environment": cloud.environment()} for name, cloud in fleet.clouds.items()
        },
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(found), encoding="utf-8")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def find(cloud: str, base: Path) -> Running | None:
    """A cloud that runs: of the fleet that was started last below this folder, if several have it."""
    files = sorted((base / _FOLDER).glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files:
        if not _alive(int(file.stem)):
            file.unlink(missing_ok=True)  # It was killed: nobody else takes the file away.
            continue
        found = json.loads(file.read_text(encoding="utf-8"))
        if cloud in found["clouds"]:
            return Running(**found["clouds"][cloud], issuer=found["issuer"], workdir=Path(found["workdir"]) / cloud)
    return None


def _alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
