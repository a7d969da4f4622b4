"""Trouble: made on purpose, and what there is of it. What breaks is what breaks in life (a provider, a host, a
message); nothing of the workflow is told that it is a trial."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from orderflow import topology
from orderflow.breaker import COLLECTION as BREAKERS
from orderflow.ports import Conflict, DeadLetter
from orderflow.providers import simulated
from orderflow_cli.hints import Exit
from orderflow_cli.ops.doors import CannotDo, Doors
from orderflow_cli.room.site import Site

MODES = {
    "gateway": ("ok", "down", "slow", "refuse", "refuse-refunds"),
    "carrier": ("ok", "down", "slow", "refuse"),
    "email": ("ok", "down", "slow"),
    "sms": ("ok", "down", "slow"),
    "push": ("ok", "down", "slow"),
}
"""How each simulated provider can behave (`orderflow.providers.simulated`)."""

_COUNTED = {"retry": "retries", "duplicate": "duplicates"}


def hearing_services() -> list[str]:
    """The services that hear messages from a queue: a poison message can be put there."""
    return [name for name, one in topology.build()["services"].items() if one["trigger"] == "queue"]


def set_mode(doors: Doors, provider: str, mode: str) -> None:
    """Let a simulated provider behave so; the functions notice within
    `orderflow.providers.simulated.MODE_LIFE_SECONDS`. Raises `CannotDo`."""
    if mode not in MODES.get(provider, ()):
        raise CannotDo(f"{provider!r} cannot be {mode!r}", f"one of: {', '.join(MODES)}", Exit.USAGE)
    try:
        simulated.set_mode(doors.ports.store, provider, mode)
    except Conflict:
        raise CannotDo("somebody else was just changing this provider", "try again") from None


def poison(doors: Doors, service: str) -> None:
    """Put a message that nobody can read into a service's queue, past the topic. Raises `CannotDo`, `Unavailable`."""
    if service not in hearing_services():
        raise CannotDo(f"{service!r} hears no messages", f"one of: {', '.join(hearing_services())}", Exit.USAGE)
    body = f'{{"poison from the control room": "{uuid.uuid4()}"'.encode()  # no JSON: its end is missing
    doors.ports.dead_letters.resend(DeadLetter(service, body, {}, "poison", "", 0, "", ""))


def kill(site: Site, host: str | None) -> str:
    """Kill a function host, the first that runs if none is named; answers its name. Raises `CannotDo`."""
    names = [each.name for each in site.machine.hosts()]
    if not names:
        raise CannotDo("no function host runs right now", "place an order: then one is started")
    if host is not None and host not in names:
        raise CannotDo(f"no function host is called {host}", f"one of: {', '.join(names)}")
    chosen = host or names[0]
    site.machine.kill_host(chosen)
    return chosen


class Tail:
    """Counts the functions' log lines of some kinds by service, reading only what was written since."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._counts = {name: Counter[str]() for name in _COUNTED.values()}

    def look(self) -> dict[str, dict[str, int]]:
        """Retries and duplicates by service, since the clouds were started."""
        for path in self._folder.rglob("*.log"):
            for line in self._new_lines(path):
                self._count(line)
        return {name: dict(counts) for name, counts in self._counts.items()}

    def _new_lines(self, path: Path) -> list[bytes]:
        with path.open("rb") as log:
            log.seek(self._read.get(path, 0))
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read[path] = self._read.get(path, 0) + len(whole)
        return whole.splitlines()

    def _count(self, line: bytes) -> None:
        start = line.find(b'{"severity"')
        if start < 0 or not any(f'"message":"{word}"'.encode() in line for word in _COUNTED):
            return
        try:
            entry = json.loads(line[start:])
            self._counts[_COUNTED[entry["message"]]][entry["service"]] += 1
        except (ValueError, LookupError):
            return


def providers(doors: Doors) -> list[dict[str, Any]]:
    """Each external system: how the simulation lets it behave, and its circuit breaker (``closed``, ``open``, or
    ``probing``: open, but the next call may try). Raises `orderflow.ports.Unavailable`."""
    now = doors.ports.clock.now()
    found = []
    for name in doors.ports.dependencies:
        order, breaker = doors.ports.store.get("simulation", name), doors.ports.store.get(BREAKERS, name)
        open_until = breaker.document["open_until"] if breaker else 0.0
        state = "closed" if not open_until else "open" if open_until > now else "probing"
        found.append({"name": name, "mode": order.document["mode"] if order else "ok", "breaker": state})
    return found
