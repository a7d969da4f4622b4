"""What a local cloud is to whoever starts one: broker, store and function hosts behind one start and one stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

Through = Callable[[str, int], int]
"""Takes ``store`` or ``topic`` and the port where that is; answers the port at which functions are to look for it."""


def straight(_name: str, port: int) -> int:
    """Nothing stands between the functions and what they use."""
    return port


Report = Callable[[str], None]
"""Takes one short line of progress, such as ``Firestore emulator is up``."""


class Missing(RuntimeError):
    """Something that this cloud needs is not on the machine; the message is one line and ends in the command that
    installs it."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What every local cloud is started with.

    ``workdir`` is the cloud's own folder for state and logs, made by the caller. ``settings`` are environment
    variables for the functions (``ORDERFLOW_*`` of `orderflow.settings`, the issuer's address among them); a cloud
    adds those that its adapters read. ``push_issuer`` is the base URL of the local issuer, whose
    ``/token?aud=...&email=...`` signs broker tokens. ``through`` stands between the functions and their store
    and topic, so that a test can cut them off."""

    workdir: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    push_issuer: str = ""
    through: Through = straight


@dataclass(frozen=True, slots=True)
class Host:
    """A process that runs functions. Killing it must lose nothing; the cloud starts it again by itself."""

    name: str
    pid: int


@dataclass(frozen=True, slots=True)
class Depth:
    """How full a service's queue is: messages waiting (delayed ones included), and handed over but not acknowledged."""

    waiting: int
    in_flight: int


class LocalCloud(Protocol):
    """One cloud on this machine. Everything listens on 127.0.0.1 and on ports that were free at start."""

    name: str
    api_url: str
    """Base URL of the HTTP API, without a slash at its end; valid after `start`."""

    def start(self, report: Report) -> None:
        """Start everything and return when an order can be placed. Raises `Missing`. On any error nothing stays
        running."""

    def stop(self) -> None:
        """Stop everything that `start` started; harmless when called twice or after a failed start."""

    def environment(self) -> dict[str, str]:
        """The environment variables under which ``orderflow_<cloud>.wiring.bootstrap`` reaches this cloud from any
        process of this machine (emulator addresses, dummy credentials, names)."""

    def hosts(self) -> list[Host]:
        """The function hosts that run now."""

    def kill_host(self, name: str) -> None:
        """Kill one function host with SIGKILL, as a crash would. It is started again by itself."""

    def depths(self) -> dict[str, Depth]:
        """How full each service's queue is, by service name."""
