"""What the suite runs against: clouds on this machine, or a deployment as its Terraform outputs describe it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from conformance.world import Machine, World
from orderflow_cli.terraform import Root
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
    """A deployment of ``CONFORMANCE_ENV`` (dev unless given). ``CONFORMANCE_OUTPUTS`` names a file with the outputs as
    `terraform output -json` writes them; without it Terraform is asked.

    ``CONFORMANCE_TOKEN_COMMAND`` must print a bearer token for the customer id that is put after it: the suite cannot
    know how your identity provider makes one. Raises `KeyError` where it is missing."""
    outputs = _outputs(cloud)
    command = shlex.split(os.environ["CONFORMANCE_TOKEN_COMMAND"])

    def token(customer: str) -> str:
        return subprocess.run([*command, customer], check=True, capture_output=True, text=True).stdout.strip()

    environ = {**os.environ, **outputs["environment"]}
    os.environ.update(outputs["environment"])  # The SDKs look for some of it themselves.
    bootstrap = import_module(f"orderflow_{cloud}.wiring").bootstrap
    yield World(cloud, outputs["api_url"], bootstrap(environ), token, environ)


def _outputs(cloud: str) -> Mapping[str, Any]:
    if file := os.environ.get("CONFORMANCE_OUTPUTS"):
        found = json.loads(Path(file).read_text(encoding="utf-8"))
        return {name: output["value"] for name, output in found.items()}
    root = Root(Path.cwd(), cloud, os.environ.get("CONFORMANCE_ENV") or "dev")
    root.init()
    return root.outputs()
