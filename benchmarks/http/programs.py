"""The servers of this benchmark, each started anew in its own environment, and what requests take of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

from benchmarks.cold.programs import stand_in
from benchmarks.cpu.measure import cloud_event
from benchmarks.cpu.pushes import pushed
from benchmarks.http.client import Refused, ask, connected, post, send
from benchmarks.peers import FUNCTIONS_FRAMEWORK, ROOT, UVICORN_EXTRAS, folder
from orderflow_local.issuer_pages import SigningKeys
from orderflow_local.processes import free_port

DEFAULT, FAST, FASTER = "default", "fast", "fast, uvloop and httptools"
MANY = 8
"""Connections side by side. Where orderflow is deployed, an instance has one request at a time."""

_WARM_UP = 200
_STARTS_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Served:
    """Microseconds of the server's processor time a request, and requests a second, over one connection and over
    `MANY`."""

    cpu_us: float
    a_second: float
    cpu_us_many: float
    a_second_many: float


@dataclass(frozen=True, slots=True)
class _Function:
    """A function's source file, the one for the fast mode, and what both run with; where there are no ``packages``,
    they run in the developer's environment."""

    source: str
    fast: str
    env: Mapping[str, str]
    token: str
    packages: Path | None = None

    def served(self, mode: str, requests: int) -> Served:
        """Start the server, and time it. Raises `RuntimeError` where it does not do its work."""
        name = self.source if mode == DEFAULT else self.fast
        source = str(Path(__file__).with_name(f"{name}.py"))
        python = [sys.executable, "-S"] if self.packages else [sys.executable]
        command = [*python, "-m", "functions_framework", "--target", "reserve", "--source", source]
        if mode != DEFAULT:
            command.append("--asgi")
        path = [self.packages, folder(*UVICORN_EXTRAS) if mode == FASTER else None, ROOT]
        found = os.pathsep.join(str(each) for each in path if each)
        names = {"PYTHONPATH": found, "BENCH_FUNCTION": f"benchmarks.http.{self.source}"}
        return _serve(command, {**os.environ, **self.env, **names}, self.token, requests)


@contextmanager
def programs(requests: int, *, installed: bool = False) -> Iterator[dict[str, dict[str, Callable[[], Served]]]]:
    """By function and by mode of the server, while the stand-in of the cloud's services runs; ``requests`` is how many
    are timed. With ``installed`` the bare function runs in the developer's environment and not in packages of its own,
    and nothing runs with uvicorn's extras."""
    modes = (DEFAULT, FAST) if installed else (DEFAULT, FAST, FASTER)
    peer = None if installed else folder(*FUNCTIONS_FRAMEWORK)
    with stand_in() as environment:
        clients = environment["gcp"]
        functions = {
            "bare function, no token": _Function("bare_function", "bare_function_fast", {}, "none", peer),
            "orderflow, ports in memory": _Function("push_function", "push_function_fast", *_in_memory()),
            "orderflow, with its clients": _Function(
                "client_function", "push_function_fast", clients, clients["BENCH_TOKEN"].removeprefix("Bearer ")
            ),
        }
        yield {
            name: {mode: partial(function.served, mode, requests) for mode in modes}
            for name, function in functions.items()
        }


def _in_memory() -> tuple[dict[str, str], str]:
    """The environment of the function that asks nobody, and a token that it accepts."""
    keys = SigningKeys("https://issuer.example")
    audience, account = "https://benchmark.example", "push@benchmark.example"
    environment = {
        "ORDERFLOW_PUSH_AUDIENCE": audience,
        "ORDERFLOW_PUSH_SERVICE_ACCOUNT": account,
        "ORDERFLOW_PUSH_ISSUER": keys.url,
        "BENCH_KEYS": json.dumps(keys.jwks()),
    }
    return environment, keys.sign("1", audience, account)


def _serve(command: list[str], environment: dict[str, str], token: str, requests: int) -> Served:
    made = (post(pushed(_dear(number), number), token) for number in count())
    with _running(command, environment) as port:
        _timed(port, MANY, list(islice(made, min(requests, _WARM_UP))))
        cpu, took = _timed(port, 1, list(islice(made, requests)))
        cpu_many, took_many = _timed(port, MANY, list(islice(made, requests)))
    return Served(cpu / requests * 1e6, requests / took, cpu_many / requests * 1e6, requests / took_many)


def _dear(number: int) -> dict[str, Any]:
    """An OrderPlaced that is to be screened for fraud."""
    event = cloud_event(number)
    event["tier"] = event["data"]["tier"] = "high"
    return event


def _timed(port: int, many: int, requests: Sequence[bytes]) -> tuple[float, float]:
    """Seconds of the server's processor time, and of the clock. Raises `AssertionError` where not every request was
    worked on."""
    with connected(port, many) as connections:
        before = json.loads(ask(connections[0]))
        began = time.perf_counter()
        send(connections, requests)
        took = time.perf_counter() - began
        after = json.loads(ask(connections[0]))
    published = after["published"] - before["published"]
    if published != len(requests):
        raise AssertionError(f"{published} events were published for {len(requests)}")
    return (after["cpu_ns"] - before["cpu_ns"]) / 1e9, took


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    """Start a server that listens on this machine only; its port."""
    port = free_port()
    with tempfile.TemporaryFile() as said:
        started = [*command, "--host", "127.0.0.1", "--port", str(port)]
        with subprocess.Popen(started, env=environment, stdout=said, stderr=subprocess.STDOUT) as process:
            try:
                _wait_for(port, process)
                yield port
            except (OSError, Refused, AssertionError) as error:
                said.seek(0)
                raise RuntimeError(f"{' '.join(started)} failed:\n{said.read().decode()[-2000:]}") from error
            finally:
                process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while True:
        try:
            with connected(port, 1) as [connection]:
                ask(connection)
                return
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.02)
