"""The Lambda functions in ministack: one per service, each run by the real awslambdaric from the code as it lies here.

ministack's runtime ``provided.al2023`` starts the ``bootstrap`` of a function's package and serves the Lambda Runtime
API to it. Ours starts awslambdaric in orderflow's interpreter: handler, event and answer take AWS's own path. SQS
reaches the functions through ministack's event source mappings.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import signal
import sys
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orderflow
import orderflow_aws
from orderflow import services
from orderflow_local.aws.provision import Resources, Topology
from orderflow_local.cloud import Host

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

VISIBILITY_S = 15
"""How long a message stays hidden that a killed function held, and so a consumer's time: shorter than deployed, so that
a crash is healed within seconds here as well."""

HANDLERS = {"http": "api", "queue": "consume", "schedule": "sweep", "object": "load_files"}
"""Names in ``orderflow_aws.entrypoints`` by a service's trigger."""

NO_RECORDS = b'{"Records": []}'


@dataclass(frozen=True, slots=True)
class Code:
    """Where the handlers are: a module that has the names of `HANDLERS`, and the folders it is imported from."""

    module: str = "orderflow_aws.entrypoints"
    folders: tuple[Path, ...] = tuple(
        Path(next(iter(package.__path__))).parent for package in (orderflow, orderflow_aws)
    )


class Functions:
    """The functions of one topology."""

    def __init__(self, client: LambdaClient, topology: Topology, prefix: str, pids: Path, group: int) -> None:
        """``pids`` is a folder for the runtimes' process ids, ``group`` ministack's process group: theirs as well."""
        self._client = client
        self._topology = topology
        self._prefix = prefix
        self._pids = pids
        self._group = group

    def deploy(self, code: Code, resources: Resources, environment: Mapping[str, str]) -> None:
        """Make every function, start a runtime of each that has a queue, and let the queues feed them."""
        self._pids.mkdir(parents=True, exist_ok=True)
        package = _package(self._pids)
        beside = (Path(next(iter(import_module(name).__path__))).parent for name in services.PACKAGES)
        path = os.pathsep.join(dict.fromkeys(map(str, (*code.folders, *beside))))
        for name, service in self._topology["services"].items():
            if service["trigger"] not in HANDLERS:
                continue
            self._client.create_function(
                FunctionName=f"{self._prefix}-{name}",
                Runtime="provided.al2023",
                Role="arn:aws:iam::000000000000:role/orderflow",
                Handler=f"{code.module}.{HANDLERS[service['trigger']]}",
                Code={"ZipFile": package},
                Timeout=VISIBILITY_S if name in resources.queue_arns else service["limits"]["timeout_s"],
                MemorySize=512,
                Environment={
                    "Variables": {
                        **environment,
                        "ORDERFLOW_SERVICE": name,
                        "PYTHONPATH": path,
                    }
                },
            )
            if service["trigger"] != "http":
                # One runtime each: it takes half a second of CPU to start, and two cores have three clouds to run.
                self._client.put_function_concurrency(
                    FunctionName=f"{self._prefix}-{name}", ReservedConcurrentExecutions=1
                )
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            list(pool.map(self._warm, resources.queue_arns))
        for name, arn in resources.queue_arns.items():
            self._client.create_event_source_mapping(
                FunctionName=f"{self._prefix}-{name}",
                EventSourceArn=arn,
                BatchSize=self._topology["services"][name]["limits"]["batch_size"],
                MaximumBatchingWindowInSeconds=0,
                FunctionResponseTypes=["ReportBatchItemFailures"],
            )

    def invoke_later(self, name: str, event: Mapping[str, Any]) -> None:
        """Invoke a function as a service of AWS does: asynchronously, the answer goes nowhere."""
        self._client.invoke(
            FunctionName=f"{self._prefix}-{name}", InvocationType="Event", Payload=json.dumps(event).encode()
        )

    def hosts(self) -> list[Host]:
        """The runtimes that live. ministack starts one at the first invocation, and another while all are busy."""
        found = [path.name.rpartition(".") for path in sorted(self._pids.iterdir())]
        return [
            Host(function.removeprefix(f"{self._prefix}-"), int(pid))
            for function, _, pid in found
            if self._lives(int(pid))
        ]

    def kill(self, name: str) -> None:
        """Kill every runtime of a function. As on AWS, its next invocation starts a new one."""
        for host in self.hosts():
            if host.name == name:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(host.pid, signal.SIGKILL)

    def _warm(self, name: str) -> None:
        """Invoke a queue's function with no messages, so that a runtime is there. Raises what went wrong in it."""
        answer = self._client.invoke(FunctionName=f"{self._prefix}-{name}", Payload=NO_RECORDS)
        if "FunctionError" in answer:
            raise RuntimeError(f"function {name} does not start: {answer['Payload'].read().decode()}")

    def _lives(self, pid: int) -> bool:
        """Whether a process of ministack's group has this id and is no zombie (where /proc tells)."""
        try:
            if os.getpgid(pid) != self._group:
                return False
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except ProcessLookupError:
            return False
        except FileNotFoundError:
            return not Path("/proc/self").exists()


def _package(pids: Path) -> bytes:
    """A function's package: the bootstrap alone, the code is imported from where it lies."""
    bootstrap = (
        "#!/bin/sh\n"
        f': > {shlex.quote(str(pids))}/"$AWS_LAMBDA_FUNCTION_NAME.$$"\n'
        f'exec {shlex.quote(sys.executable)} -m awslambdaric "$_HANDLER"\n'
    )
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o100755 << 16
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as package:
            package.writestr(entry, bootstrap)
        return buffer.getvalue()
