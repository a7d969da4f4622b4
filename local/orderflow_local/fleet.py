"""Some of the three clouds, started side by side on one machine, with the issuer that signs everybody's tokens."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

from orderflow import services
from orderflow.ports import Ports
from orderflow_local.cloud import LocalCloud, Setup, Through, straight
from orderflow_local.collector import Collector
from orderflow_local.issuer import Issuer
from orderflow_local.logs import read_lines

CLOUDS = ("aws", "azure", "gcp")
AUDIENCE = "orderflow-api"
LOCAL_SETTINGS = {
    # On one machine people wait for what happens: the breakers look sooner than in production, and the sweeper more
    # often (not at younger orders: on a slow machine that would publish everything again while it is still at work).
    "ORDERFLOW_SWEEP_EVERY_S": "5",
    "ORDERFLOW_ARCHIVE_EVERY_S": "5",
    "ORDERFLOW_BREAKER_COOLDOWN": "5",
}

Tell = Callable[[str, str], None]
"""Takes a cloud's name and one short line about it."""


class Fleet:
    """Local clouds by name. Use it as a context manager: whatever happens, nothing stays running.

    ``state`` is where state and logs are kept; without one a temporary folder is made and removed again. ``through`` is
    `orderflow_local.cloud.Setup`'s, for every cloud. With ``traces`` the functions' spans are collected.
    """

    def __init__(
        self,
        clouds: Iterable[str],
        *,
        state: Path | None = None,
        settings: Mapping[str, str] | None = None,
        through: Through = straight,
        traces: bool = False,
    ) -> None:
        self.names = tuple(clouds)
        self.workdir = state or Path(tempfile.mkdtemp(prefix="orderflow-"))
        self._temporary = state is None
        self._settings = {**LOCAL_SETTINGS, **(settings or {})}
        self._through = through
        self.issuer = Issuer(self.workdir)
        self.collector = Collector(self.workdir) if traces else None
        self.clouds: dict[str, LocalCloud] = {}

    def __enter__(self) -> Fleet:
        self.workdir.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, tell: Tell) -> None:
        """Start every cloud at the same time. Raises what the first that failed raised, with none left running."""
        self.issuer.start()
        if self.collector is not None:
            self.collector.start()
        self.clouds = {name: _make(name, self._setup(name)) for name in self.names}
        try:
            with ThreadPoolExecutor(len(self.names)) as pool:
                list(pool.map(lambda name: self._start(name, tell), self.names))
        except BaseException:
            self.stop()
            raise
        for cloud in self.clouds.values():
            os.environ.update(cloud.environment())

    def stop(self) -> None:
        """Stop everything; harmless when nothing runs."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda cloud: cloud.stop(), self.clouds.values()))
        self.clouds = {}
        self.issuer.stop()
        if self.collector is not None:
            self.collector.stop()
        if self._temporary:
            shutil.rmtree(self.workdir, ignore_errors=True)

    def ports(self, name: str) -> Ports:
        """The ports of a running cloud, through the real SDKs, for tools and checks in this process."""
        bootstrap = import_module(f"orderflow_{name}.wiring").bootstrap
        ports: Ports = bootstrap({**os.environ, **self.clouds[name].environment()})
        return ports

    def token(self, customer: str) -> str:
        """A bearer token with which a customer uses the API of any of the clouds."""
        return self.issuer.token(customer, audience=AUDIENCE)

    def log_lines(self, name: str) -> Iterator[dict[str, Any]]:
        """What a cloud's functions have logged so far, as JSON objects."""
        return read_lines(self.workdir / name)

    def _start(self, name: str, tell: Tell) -> None:
        self.clouds[name].start(lambda line: tell(name, line))

    def _setup(self, name: str) -> Setup:
        workdir = self.workdir / name
        workdir.mkdir(parents=True, exist_ok=True)
        settings = {
            **self._settings,
            "ORDERFLOW_ISSUER": self.issuer.url,
            "ORDERFLOW_AUDIENCE": AUDIENCE,
            "ORDERFLOW_JWKS_URL": self.issuer.jwks_url,
            **(self.collector.settings(name) if self.collector else {}),
        }
        if services.PACKAGES:
            settings[services.VARIABLE] = ",".join(services.PACKAGES)
        return Setup(workdir=workdir, settings=settings, push_issuer=self.issuer.url, through=self._through)


def _make(name: str, setup: Setup) -> LocalCloud:
    module = import_module(f"orderflow_local.{name}.cloud")
    cloud: LocalCloud = getattr(module, f"{name.capitalize()}Cloud")(setup)
    return cloud


@contextlib.contextmanager
def running(clouds: Iterable[str], tell: Tell, **options: Any) -> Iterator[Fleet]:
    """A started fleet for the length of a block."""
    with Fleet(clouds, **options) as fleet:
        fleet.start(tell)
        yield fleet
