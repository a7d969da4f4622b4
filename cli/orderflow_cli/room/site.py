"""One cloud as the control room has it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orderflow_cli.ops.doors import Doors, of_fleet
from orderflow_local.cloud import Host
from orderflow_local.fleet import Fleet


class Machine(Protocol):
    """The function hosts of a cloud on this machine (a part of `orderflow_local.cloud.LocalCloud`)."""

    def hosts(self) -> list[Host]:
        """Those that run now."""

    def kill_host(self, name: str) -> None:
        """Kill one as a crash would; it comes back by itself."""


@dataclass(frozen=True, slots=True)
class Site:
    """One cloud: its doors, its hosts, and the folder with its functions' logs. Some brokers hand a dead letter to one
    who looks at a time, so whoever looks into the queues holds ``looking``."""

    doors: Doors
    title: str
    machine: Machine
    logs: Path
    looking: threading.Lock = field(default_factory=threading.Lock)


def sites_of(fleet: Fleet, titles: Mapping[str, str]) -> dict[str, Site]:
    """The sites of a started fleet, by cloud."""
    return {
        name: Site(of_fleet(fleet, name), titles[name], cloud, fleet.workdir / name)
        for name, cloud in fleet.clouds.items()
    }
