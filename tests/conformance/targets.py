"""What the suite runs against: clouds on this machine, or a deployment as its Terraform outputs describe it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from conformance.world import Machine, World
from orderflow_cli.ops.doors import open_deployed
from orderflow_local.cutter import Cutter
from orderflow_local.fleet import Fleet

SETTINGS = {"ORDERFLOW_BREAKER_COOLDOWN": "2", "ORDERFLOW_MAX_LINES": "1500"}
"""A faster breaker than a laptop's own, so that a test of it does not take a minute; orders larger than a message."""


@contextmanager
def local(cloud: str) -> Iterator[World]:
    """A cloud started on this machine for the length of a block."""
    with closing(Cutter()) as cutter, Fleet([cloud], settings=SETTINGS, through=cutter.through) as fleet:
        fleet.start(lambda _cloud, _line: None)
        running = fleet.clouds[cloud]
        machine = Machine(running, cutter, lambda: fleet.log_lines(cloud))
        yield World(cloud, running.api_url, fleet.ports(cloud), fleet.token, running.environment(), machine)


@contextmanager
def deployed(cloud: str) -> Iterator[World]:
    """A deployment of ``CONFORMANCE_ENV`` (dev unless given). ``CONFORMANCE_OUTPUTS`` names a file with its outputs;
    without it Terraform is asked.

    ``ORDERFLOW_TOKEN_COMMAND`` must print a bearer token for the customer id that is put after it: the suite cannot
    know how your identity provider makes one. Raises `orderflow_cli.ops.doors.CannotDo` where it is missing."""
    file = os.environ.get("CONFORMANCE_OUTPUTS")
    environment = os.environ.get("CONFORMANCE_ENV") or "dev"
    doors = open_deployed(cloud, environment, Path.cwd(), Path(file) if file else None)
    yield World(cloud, doors.api_url, doors.ports, doors.sign_in, doors.environ)
