"""`AzureCloud`: Azure on this machine behind one start and one stop.

What differs from Azure: state is in memory and ends with the cloud; locks last `LOCK_S` seconds instead of minutes, so
that what a killed host held comes again soon; Event Grid's waits between deliveries are divided by `SPEEDUP`.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orderflow_azure
from orderflow_azure.store import table_name
from orderflow_local.azure.blob_events import BlobEvents
from orderflow_local.azure.nodejs import Installed, install
from orderflow_local.cloud import Depth, Host, Report, Setup
from orderflow_local.processes import Process, free_port

Topology = Mapping[str, Any]

PREFIX = "orderflow"
LOCK_S = 20
SPEEDUP = 100
_ACCOUNT = "orderflow"


class AzureCloud:
    """`orderflow_local.cloud.LocalCloud` for Azure.

    Two function hosts, as the Flex Consumption plan scales HTTP functions apart from others
    (learn.microsoft.com/azure/azure-functions/flex-consumption-plan#per-function-scaling): ``http`` and ``events``.
    """

    name = "azure"

    def __init__(self, setup: Setup, topology: Topology | None = None, app_folder: Path | None = None) -> None:
        """``topology`` and ``app_folder`` (``function_app.py``, ``host.json``) are orderflow's own unless given."""
        self._setup = setup
        self._given = topology
        self._app_folder = app_folder or Path(orderflow_azure.__file__).parent.parent
        self._services: list[Process] = []
        self._hosts: dict[str, Process] = {}
        self._blob_events: list[BlobEvents] = []
        self._queues: dict[str, str] = {}
        self._environment: dict[str, str] = {}
        self._http_port = 0
        self._tables_port = 0
        self.api_url = ""

    def start(self, report: Report) -> None:
        topology = self._topology()
        ordered = [name for name, declared in topology["services"].items() if declared.get("ordered")]
        if ordered:
            raise ValueError(f"Azure has no order: Event Grid delivers in any. Ordered are declared: {ordered}")
        installed = install(report)
        try:
            self._start_azurite(installed)
            self._start_stand_ins(installed, topology)
            self._provision(topology)
            self._watch_blobs(topology)
            report("Azurite (Tables, Blob Storage), Service Bus and Event Grid stand-ins are up")
            self._start_hosts(topology)
            report(f"function host stand-in is up: {len(topology['services'])} functions")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        for events in self._blob_events:
            events.stop()
        self._blob_events.clear()
        for process in [*self._hosts.values(), *self._services]:
            process.stop()
        self._hosts.clear()
        self._services.clear()

    def environment(self) -> dict[str, str]:
        return dict(self._environment)

    def hosts(self) -> list[Host]:
        return [Host(name, process.pid) for name, process in self._hosts.items() if process.alive]

    def kill_host(self, name: str) -> None:
        self._hosts[name].kill()

    def depths(self) -> dict[str, Depth]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._http_port}/queues", timeout=5) as answer:
            found = json.load(answer)
        return {service: Depth(**found[queue]) for service, queue in self._queues.items()}

    def _topology(self) -> Topology:
        if self._given is not None:
            return self._given
        from orderflow import topology

        return topology.build()

    def _start_azurite(self, installed: Installed) -> None:
        blobs, queues, tables = free_port(), free_port(), free_port()
        self._tables_port = tables
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        command = [installed.node, str(installed.azurite), "--silent", "--inMemoryPersistence", "--disableTelemetry"]
        # SDKs are newer than the API versions that Azurite knows.
        command.append("--skipApiVersionCheck")
        for service, port in (("blob", blobs), ("queue", queues), ("table", tables)):
            command += [f"--{service}Host", "127.0.0.1", f"--{service}Port", str(port)]
        process = Process(
            "azurite",
            command,
            self._setup.workdir / "azurite.log",
            env={"AZURITE_ACCOUNTS": f"{_ACCOUNT}:{key}"},
            cwd=self._setup.workdir,
        )
        self._services.append(process)
        self._environment = {
            **self._setup.settings,
            "ORDERFLOW_PREFIX": PREFIX,
            "ORDERFLOW_STORAGE": (
                f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={key};"
                f"BlobEndpoint=http://127.0.0.1:{blobs}/{_ACCOUNT};TableEndpoint=http://127.0.0.1:{tables}/{_ACCOUNT};"
            ),
        }
        for port in (blobs, tables):
            process.wait_for_port(port)

    def _start_stand_ins(self, installed: Installed, topology: Topology) -> None:
        ports = amqp_port, self._http_port = free_port(), free_port()
        key = secrets.token_urlsafe(24)
        self._queues = {name: f"{PREFIX}-{name}" for name in _with(topology, "queue", "object")}
        config = self._stand_ins(topology, ports, key)
        file = self._setup.workdir / "stand-ins.json"
        file.write_text(json.dumps(config, indent=2))
        process = Process(
            "stand-ins",
            [installed.node, str(installed.stand_ins), str(file)],
            self._setup.workdir / "stand-ins.log",
            cwd=self._setup.workdir,
        )
        self._services.append(process)
        self._environment |= {
            "ORDERFLOW_SERVICEBUS": (
                f"Endpoint=sb://127.0.0.1:{amqp_port};SharedAccessKeyName=local;SharedAccessKey=local;"
                "UseDevelopmentEmulator=true;"
            ),
            "ORDERFLOW_EVENTGRID_ENDPOINT": f"http://127.0.0.1:{self._http_port}/api/events",
            "ORDERFLOW_EVENTGRID_KEY": key,
        }
        for port in ports:
            process.wait_for_port(port)

    def _stand_ins(self, topology: Topology, ports: tuple[int, int], key: str) -> dict[str, Any]:
        """What the stand-ins are told, as ``node/main.js`` reads it."""
        return {
            "servicebus_port": ports[0],
            "http_port": ports[1],
            "queues": [queue for name, one in topology["services"].items() for queue in _queues(name, one)],
            "topic": {
                "key": key,
                "subscriptions": [_subscription(*one) for one in _with(topology, "queue", "sink").items()],
                "speedup": SPEEDUP,
                "max_attempts": 30,
                "dead_letter_folder": str(self._setup.workdir / "undelivered"),
            },
        }

    def _provision(self, topology: Topology) -> None:
        from azure.data.tables import TableServiceClient
        from azure.storage.blob import BlobServiceClient

        connection = self._environment["ORDERFLOW_STORAGE"]
        with TableServiceClient.from_connection_string(connection) as tables:
            for collection in topology["collections"]:
                tables.create_table(table_name(PREFIX, collection))
        with BlobServiceClient.from_connection_string(connection) as blobs:
            for bucket in topology["buckets"]:
                container = f"{PREFIX}-{bucket}"
                blobs.create_container(container)
                self._environment[f"ORDERFLOW_{bucket.upper()}_CONTAINER"] = container

    def _watch_blobs(self, topology: Topology) -> None:
        for name, watcher in _with(topology, "object").items():
            container = self._environment[f"ORDERFLOW_{watcher['bucket'].upper()}_CONTAINER"]
            self._blob_events.append(BlobEvents(self._environment, name, container, self._queues[name]))

    def _routed(self) -> dict[str, str]:
        """Where the functions find the store and the topic."""
        tables = self._setup.through("store", self._tables_port)
        topic = self._setup.through("topic", self._http_port)
        given = self._environment
        return {
            "ORDERFLOW_STORAGE": given["ORDERFLOW_STORAGE"].replace(f":{self._tables_port}/", f":{tables}/"),
            "ORDERFLOW_EVENTGRID_ENDPOINT": given["ORDERFLOW_EVENTGRID_ENDPOINT"].replace(
                f":{self._http_port}/", f":{topic}/"
            ),
        }

    def _start_hosts(self, topology: Topology) -> None:
        http = list(_with(topology, "http"))
        events = list(_with(topology, "queue", "schedule", "object", "sink"))
        ports = {"http": free_port(), "events": free_port()}
        routed = self._routed()
        for host, functions in (("http", http), ("events", events)):
            self._hosts[host] = Process(
                f"functions-{host}",
                [
                    *(sys.executable, "-m", "orderflow_local.azure.host"),
                    *("--app", str(self._app_folder), "--port", str(ports[host])),
                    *("--functions", ",".join(functions)),
                ],
                self._setup.workdir / f"functions-{host}.log",
                env={**self._environment, **routed, "PYTHONPATH": _python_path()},
                cwd=self._setup.workdir,
                revive=True,
            )
        for host, process in self._hosts.items():
            process.wait_for_port(ports[host])
        self.api_url = f"http://127.0.0.1:{ports['http']}"


def _with(topology: Topology, *triggers: str) -> dict[str, Any]:
    return {name: one for name, one in topology["services"].items() if one["trigger"] in triggers}


def _subscription(service: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": service, "queue": f"{PREFIX}-{service}", "filter": declared.get("filter", {})}


def _queues(service: str, declared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The queues of a service. Whatever has dead letters of ours has a queue for them, which gives nothing up."""
    name = f"{PREFIX}-{service}"
    queues: list[dict[str, Any]] = []
    if declared["trigger"] in ("queue", "object", "sink"):
        most = declared["limits"]["broker_max_deliveries"]
        queues.append({"name": name, "lock_ms": LOCK_S * 1000, "max_deliveries": most})
    if declared["trigger"] != "sink":
        queues.append({"name": f"{name}-dlq", "lock_ms": LOCK_S * 1000, "max_deliveries": 1_000_000})
    return queues


def _python_path() -> str:
    """Where this process finds its packages: the hosts are to find the same."""
    return os.pathsep.join(path for path in sys.path if path)
