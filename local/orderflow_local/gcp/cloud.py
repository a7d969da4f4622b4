"""Google Cloud on this machine, as `orderflow_local.cloud.LocalCloud`.

Real: functions-framework with one process a function, the SDKs in them, and, where they are installed, Google's own
Pub/Sub and Firestore emulators. Stand-ins of ours: `push_relay` (the push half of Pub/Sub), `storage_subscription`,
`gcs_standin`, `scheduler`, and `pubsub_standin` and `firestore_standin` where Google's emulators are missing."""

from __future__ import annotations

import json
import os
import signal
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from orderflow import services, topology
from orderflow_local.cloud import Depth, Host, Report, Setup
from orderflow_local.gcp import emulators, function_hosts
from orderflow_local.gcp.scheduler import Scheduler
from orderflow_local.processes import Process, free_port
from orderflow_local.sink import Sink

MAIN = Path(__file__).parents[3] / "functions" / "gcp" / "main.py"
PROJECT = "orderflow-local"
PREFIX = "orderflow"
PUSH_ACCOUNT = f"pubsub-push@{PROJECT}.iam.gserviceaccount.com"

RELAY = "ORDERFLOW_LOCAL_RELAY"
"""Names the push relay's address for tools: the emulator cannot say how full a subscription is."""

_FUNCTION_TRIGGERS = ("http", "queue", "object", "schedule")
_THREADS = 8
_GRACE_SECONDS = 1.0
_LOOPBACK = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
"""A proxy of the machine is not asked for what is on the machine."""


class GcpCloud:
    """One local Google Cloud. ``ORDERFLOW_GCP_EMULATORS`` (official or embedded), ``ORDERFLOW_SWEEP_EVERY_S`` and
    ``ORDERFLOW_ARCHIVE_EVERY_S`` among the settings of its `Setup` are its own; the rest goes to the functions."""

    name = "gcp"

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._topology = topology.build()
        self.folder = setup.workdir
        self.urls = {
            service: f"http://127.0.0.1:{free_port()}"
            for service, declared in self._topology["services"].items()
            if declared["trigger"] in _FUNCTION_TRIGGERS
        }
        self.api_url = self.urls["api"]
        self._processes: list[Process] = []
        self._environment: dict[str, str] = {}
        self._relay_port = free_port()
        self._scheduler: Scheduler | None = None
        self._sinks: list[Sink] = []

    def start(self, report: Report) -> None:
        try:
            self._start(report)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._scheduler is not None:
            self._scheduler.stop()
            self._scheduler = None
        for sink in self._sinks:
            sink.stop()
        self._sinks.clear()
        stopping, self._processes = self._processes, []
        with ThreadPoolExecutor(len(stopping) or 1) as together:
            list(together.map(lambda process: process.stop(_GRACE_SECONDS), stopping))

    def environment(self) -> dict[str, str]:
        return dict(self._environment)

    def hosts(self) -> list[Host]:
        return [Host(name, pid) for name, pid in function_hosts.pids(self.folder).items()]

    def kill_host(self, name: str) -> None:
        with suppress(ProcessLookupError):  # it is being started again already
            os.killpg(function_hosts.pids(self.folder)[name], signal.SIGKILL)

    def depths(self) -> dict[str, Depth]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._relay_port}/depths", timeout=30) as answer:
            return {service: Depth(*counts) for service, counts in json.load(answer).items()}

    def _start(self, report: Report) -> None:
        from orderflow_local.gcp.provision import await_firestore, provision
        from orderflow_local.gcp.push_relay import write_routes

        kind = emulators.choose(self._setup.settings.get("ORDERFLOW_GCP_EMULATORS"))
        pubsub, firestore, storage = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self._environment = {
            **_adapters(pubsub, firestore, storage),
            **self._ordering(),
            **{name: value for name, value in self._setup.settings.items() if name.startswith(("ORDERFLOW_", "OTEL_"))},
            RELAY: f"http://127.0.0.1:{self._relay_port}",
        }
        brokers = [
            self._run("pubsub", emulators.pubsub_command(kind, _port(pubsub))),
            self._run("firestore", emulators.firestore_command(kind, _port(firestore))),
            self._run("storage", _storage_command(pubsub, _port(storage))),
        ]
        functions = self._run("functions", self._functions_command(), revive=True)
        brokers[0].wait_for_port(_port(pubsub))
        routes = self.folder / "routes.json"
        made = provision(pubsub, self._topology, project=PROJECT, prefix=PREFIX, email=PUSH_ACCOUNT, urls=self.urls)
        write_routes(routes, made)
        report(f"Pub/Sub is up and provisioned ({kind})")
        relay = self._run("push-relay", self._relay_command(routes, pubsub), revive=True)
        brokers[1].wait_for_port(_port(firestore))
        await_firestore(firestore, project=PROJECT)
        report(f"Firestore is up ({kind})")
        brokers[2].wait_for_port(_port(storage))
        relay.wait_for_port(self._relay_port)
        for url in self.urls.values():
            functions.wait_for_port(_port(url))
        report(f"{len(self.urls)} functions are up")
        self._scheduler = self._schedule()
        self._archive(pubsub, storage)

    def _run(self, name: str, command: list[str], *, revive: bool = False) -> Process:
        # The function hosts are forked from a process that has found the services by then.
        found = {name: value for name, value in self._setup.settings.items() if name == services.VARIABLE}
        process = Process(name, command, self.folder / f"{name}.log", env=_LOOPBACK | found, revive=revive)
        self._processes.append(process)
        return process

    def _functions_command(self) -> list[str]:
        shared = {**self._setup.settings, **self._environment, **self._routed(), **self._push_settings()}
        functions = [
            function_hosts.Function(
                target=service,
                port=_port(url),
                log=str(self.folder / f"function-{service}.log"),
                env={**shared, "ORDERFLOW_PUSH_AUDIENCE": url, "K_SERVICE": f"{PREFIX}-{service}"},
            )
            for service, url in self.urls.items()
        ]
        return function_hosts.command(functions, MAIN, self.folder)

    def _routed(self) -> dict[str, str]:
        """Where the functions find the store and the topic."""
        fronts = (("FIRESTORE_EMULATOR_HOST", "store"), ("PUBSUB_EMULATOR_HOST", "topic"))
        ports = {variable: self._setup.through(name, _port(self._environment[variable])) for variable, name in fronts}
        return {variable: f"127.0.0.1:{port}" for variable, port in ports.items()}

    def _ordering(self) -> dict[str, str]:
        """What a service that is ordered asks of whoever publishes."""
        ordered = any(declared.get("ordered") for declared in self._topology["services"].values())
        return {"ORDERFLOW_ORDERING_REGION": "local"} if ordered else {}

    def _push_settings(self) -> dict[str, str]:
        return {
            "ORDERFLOW_PUSH_ISSUER": self._setup.push_issuer,
            "ORDERFLOW_PUSH_JWKS_URL": f"{self._setup.push_issuer}/jwks.json",
            "ORDERFLOW_PUSH_SERVICE_ACCOUNT": PUSH_ACCOUNT,
            "THREADS": str(_THREADS),
        }

    def _relay_command(self, routes: Path, pubsub: str) -> list[str]:
        options = ["--routes", str(routes), "--broker", pubsub, "--issuer", self._setup.push_issuer]
        return [sys.executable, "-m", "orderflow_local.gcp.push_relay", *options, "--port", str(self._relay_port)]

    def _schedule(self) -> Scheduler:
        declared = self._topology["services"]["sweeper"]["every_s"]
        every_s = float(self._setup.settings.get("ORDERFLOW_SWEEP_EVERY_S", declared))
        url = self.urls["sweeper"]
        return Scheduler(url, issuer=self._setup.push_issuer, email=PUSH_ACCOUNT, every_s=every_s)

    def _archive(self, pubsub: str, storage: str) -> None:
        from orderflow_local.gcp.storage_subscription import deliver

        for name, declared in self._topology["services"].items():
            if declared["trigger"] == "sink":
                every_s = float(self._setup.settings.get("ORDERFLOW_ARCHIVE_EVERY_S", declared["every_s"]))
                subscription = f"projects/{PROJECT}/subscriptions/{PREFIX}-{name}"
                bucket = f"{PREFIX}-{declared['bucket']}"
                self._sinks.append(
                    deliver(pubsub, subscription, storage_url=f"http://{storage}", bucket=bucket, every_s=every_s)
                )


def _adapters(pubsub: str, firestore: str, storage: str) -> dict[str, str]:
    return {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "PUBSUB_EMULATOR_HOST": pubsub,
        "FIRESTORE_EMULATOR_HOST": firestore,
        "STORAGE_EMULATOR_HOST": f"http://{storage}",
        "ORDERFLOW_PREFIX": PREFIX,
        "ORDERFLOW_ARCHIVE_BUCKET": f"{PREFIX}-archive",
        "ORDERFLOW_DROP_BUCKET": f"{PREFIX}-drop",
    }


def _storage_command(pubsub: str, port: int) -> list[str]:
    heard = f"{PREFIX}-drop=projects/{PROJECT}/topics/{PREFIX}-files"
    options = ["--port", str(port), "--broker", pubsub, "--bucket", f"{PREFIX}-archive", "--bucket", heard]
    return [sys.executable, "-m", "orderflow_local.gcp.gcs_standin", *options]


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
