"""A control room over a laboratory, and somebody who uses it as the page does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from cli.desk import desk
from orderflow_cli.room.guard import TOKEN_HEADER
from orderflow_cli.room.serve import serving
from orderflow_cli.room.site import Site
from orderflow_local.cloud import Host
from unit.support import Lab


@dataclass
class Hosts:
    """Function hosts that are only names."""

    names: list[str] = field(default_factory=lambda: ["payment-1", "order-1"])
    killed: list[str] = field(default_factory=list)

    def hosts(self) -> list[Host]:
        """Those that run."""
        return [Host(name, 1) for name in self.names]

    def kill_host(self, name: str) -> None:
        """Note that it was killed."""
        self.killed.append(name)


@pytest.fixture
def lab() -> Lab:
    """The workflow in this process, with nothing in it."""
    return Lab.make()


@pytest.fixture
def hosts() -> Hosts:
    """The hosts of the site."""
    return Hosts()


@pytest.fixture
def site(lab: Lab, hosts: Hosts, tmp_path: Path) -> Site:
    """The laboratory as a site called aws."""
    return Site(replace(desk(lab), logs=list), "AWS", hosts, tmp_path)


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    """Where the room is served, with the token behind the ``#``."""
    with serving({"aws": site}) as address:
        yield address


@pytest.fixture
def visitor(address: str) -> Iterator[httpx.Client]:
    """Somebody at the room's address who has no token."""
    with httpx.Client(base_url=address.partition("/#")[0]) as client:
        yield client


@pytest.fixture
def operator(visitor: httpx.Client, address: str) -> httpx.Client:
    """Somebody who has the token."""
    visitor.headers[TOKEN_HEADER] = address.partition("token=")[2]
    return visitor
