"""The doors of one cloud: store, topic, dead letters, queues, buckets and API, wherever it runs.

A local cloud is found by the file that `orderflow up` leaves (`orderflow_local.running`), a deployed one by its
Terraform outputs. What is asked with is the operator's own identity, as each cloud's SDK finds it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from random import SystemRandom
from typing import Any

import httpx

from orderflow import services
from orderflow.ports import Ports
from orderflow.processing import Shell
from orderflow.settings import Settings
from orderflow_cli.hints import Exit
from orderflow_cli.ops.queues import QueueDoor
from orderflow_cli.terraform import Root
from orderflow_local.collector import Span, ask_spans
from orderflow_local.fleet import Fleet
from orderflow_local.issuer import ask_token
from orderflow_local.logs import read_lines
from orderflow_local.running import find

TARGETS = ("local", "deployed")
TOKEN_COMMAND = "ORDERFLOW_TOKEN_COMMAND"  # noqa: S105  the name of a variable
"""Names the command that prints a bearer token of the API for the customer id put after it."""

SignIn = Callable[[str], str]
"""Takes a customer's id; answers a bearer token with which that customer uses the API."""


class CannotDo(RuntimeError):
    """An operation cannot be done, and why. ``hint`` says what to do about it, ``code`` is the exit code."""

    def __init__(self, message: str, hint: str = "", code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


@dataclass(frozen=True, slots=True)
class Doors:
    """One cloud as an operator reaches it. ``environ`` is what its wiring read; ``sign_in`` makes a token for a
    customer; ``logs`` answers the lines that its functions logged, where they are on this machine; ``spans`` answers
    those of a trace, where they are collected on this machine; ``outputs`` are Terraform's, empty for a local cloud."""

    cloud: str
    target: str
    api_url: str
    ports: Ports
    environ: Mapping[str, str]
    sign_in: SignIn
    queues: QueueDoor
    logs: Callable[[], Iterable[dict[str, Any]]] | None = None
    outputs: Mapping[str, Any] | None = None
    spans: Callable[[str], list[Span]] | None = None

    @property
    def settings(self) -> Settings:
        """The settings that the cloud's functions run with."""
        return Settings.from_environment(self.environ)

    def shell(self) -> Shell:
        """A shell in this process, for what is done with the shell's own rules."""
        return Shell(self.settings, self.ports.clock, SystemRandom())

    def client(self, customer: str) -> httpx.Client:
        """An HTTP client of the API, signed in as a customer."""
        headers = {"authorization": f"Bearer {self.sign_in(customer)}"}
        return httpx.Client(base_url=self.api_url, headers=headers, timeout=30)


def open_local(cloud: str, base: Path) -> Doors:
    """The cloud that `orderflow up` runs on this machine. Raises `CannotDo` where none does."""
    running = find(cloud, base)
    if running is None:
        raise CannotDo(
            f"no local {cloud} is running here",
            f"start it in another terminal: orderflow up --cloud {cloud} (in this folder), or pass --target deployed",
            Exit.MISSING,
        )
    sign_in = partial(ask_token, running.issuer, audience=running.environment["ORDERFLOW_AUDIENCE"])
    return _doors(
        cloud, "local", running.api_url, running.environment, sign_in, logs=partial(read_lines, running.workdir)
    )


def of_fleet(fleet: Fleet, cloud: str) -> Doors:
    """A cloud of a fleet that this process has started."""
    running = fleet.clouds[cloud]
    logs = partial(fleet.log_lines, cloud)
    return _doors(cloud, "local", running.api_url, running.environment(), fleet.token, logs=logs)


def open_deployed(cloud: str, environment: str, base: Path, outputs: Path | None = None) -> Doors:
    """A deployment, as its Terraform outputs describe it: those in a file, as `terraform output -json` or `orderflow
    outputs --json` write them, or asked from Terraform. Raises `CannotDo`,
    `orderflow_cli.terraform.TerraformFailed`."""
    found = _read_outputs(outputs) if outputs else _ask_outputs(cloud, environment, base)
    missing = {"api_url", "environment"} - set(found)
    if missing:
        raise CannotDo(
            f"nothing is deployed as {cloud} {environment}: the outputs lack {' and '.join(sorted(missing))}",
            f"make deploy CLOUD={cloud} ENV={environment}",
        )
    return _doors(cloud, "deployed", found["api_url"], found["environment"], _token_of_command, outputs=found)


def _doors(
    cloud: str,
    target: str,
    api_url: str,
    environment: Mapping[str, str],
    sign_in: SignIn,
    *,
    logs: Callable[[], Iterable[dict[str, Any]]] | None = None,
    outputs: Mapping[str, Any] | None = None,
) -> Doors:
    os.environ.update(environment)  # Google's SDKs look for emulators there, and nowhere else.
    environ = {**os.environ, **environment}
    try:
        services.add(*services.named(environment.get(services.VARIABLE, "")))
    except services.BadPackage as error:
        raise CannotDo(
            f"what runs on {cloud} has services that are not here: {error}", "is this another checkout?", Exit.MISSING
        ) from None
    try:
        ports: Ports = import_module(f"orderflow_{cloud}.wiring").bootstrap(environ)
        queues: QueueDoor = import_module(f"orderflow_cli.ops.queues_{cloud}").door(environ, local=target == "local")
    except KeyError as error:
        raise CannotDo(
            f"the addresses of {cloud} lack {error}", "is this an older deployment, or of another cloud?"
        ) from None
    collector = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT") if target == "local" else None
    spans = partial(ask_spans, collector) if collector else None
    return Doors(cloud, target, api_url, ports, environ, sign_in, queues, logs, outputs, spans)


def _read_outputs(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {
            name: output["value"] if isinstance(output, dict) and "value" in output else output
            for name, output in found.items()
        }
    except (OSError, ValueError, AttributeError) as error:
        raise CannotDo(
            f"{file} does not hold Terraform's outputs: {error}",
            "write it with: orderflow outputs --cloud ... --json > outputs.json",
            Exit.USAGE,
        ) from None


def _ask_outputs(cloud: str, environment: str, base: Path) -> dict[str, Any]:
    root = Root(base, cloud, environment)
    root.init()
    return root.outputs()


def _token_of_command(customer: str) -> str:
    command = os.environ.get(TOKEN_COMMAND)
    if not command:
        raise CannotDo(
            "the API needs a customer's token",
            f"export {TOKEN_COMMAND}=<a command that prints one for the customer id put after it>",
            Exit.SIGN_IN,
        )
    done = subprocess.run([*shlex.split(command), customer], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotDo(f"{TOKEN_COMMAND} ended with {done.returncode}: {done.stderr.strip()[:500]}", code=Exit.SIGN_IN)
    return done.stdout.strip()
