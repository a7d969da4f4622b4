"""The programs of this benchmark, each in a fresh interpreter that has its own package on its path and nothing else."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from compileall import compile_dir
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cpu.measure import cloud_event, lambda_event
from benchmarks.peers import AZURE_FUNCTIONS, FUNCTIONS_FRAMEWORK, POWERTOOLS, ROOT, folder
from benchmarks.shipped import unpacked

REFERENCES = {
    "aws": "Powertools, Logger, boto3",
    "azure": "SDKs alone (azure-functions, eventgrid, tables)",
    "gcp": "SDKs alone (functions-framework, pubsub, firestore)",
}

WHOLE = "the whole start"

_IMPORTED = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
"""A module's own microseconds, and its name (docs.python.org/3/using/cmdline.html#cmdoption-X)."""

_SHARED_NAMESPACES = {"azure": 1, "google": 2}
"""Namespaces that several packages share, and how many more names tell them apart."""


@contextmanager
def programs(*, installed: bool = False) -> Iterator[dict[str, dict[str, Start]]]:
    """By cloud and name, while the stand-in of the clouds' services runs. With ``installed`` they run in the
    developer's environment and not in packages of their own: that is quick to make, and good for no figures."""
    compile_dir(ROOT / "benchmarks", quiet=1)
    with stand_in() as environment:
        made: dict[str, dict[str, Start]] = {}
        for cloud, ours, theirs, module, bare in (
            ("aws", "orderflow, Lambda entrypoint", REFERENCES["aws"], "powertools", "SDK alone (boto3)"),
            ("azure", "orderflow, function app", "bare function app", "functions_azure", REFERENCES["azure"]),
            ("gcp", "orderflow, functions-framework", "bare function", "framework_gcp", REFERENCES["gcp"]),
        ):
            source = [ROOT / "functions" / each for each in ("shared", cloud)]
            here = [Path(each) for each in sys.path if each.endswith("site-packages")]
            own = [*source, *here] if installed else unpacked(cloud)
            others = [*here, *([folder(*POWERTOOLS)] if cloud == "aws" else [])] if installed else [_peer(cloud)]
            main = {"BENCH_SOURCE": str((source[1] if installed else own[0]) / "main.py")}
            every = environment[cloud]
            made[cloud] = {
                ours: Start(f"orderflow_{cloud}", own, every | main),
                theirs: Start(module, others, every),
                bare: Start(f"sdk_{cloud}", others, every),
            }
        yield made


def _peer(cloud: str) -> Path:
    return folder(*{"aws": POWERTOOLS, "azure": AZURE_FUNCTIONS, "gcp": FUNCTIONS_FRAMEWORK}[cloud])


@dataclass(frozen=True, slots=True)
class Start:
    """A program: the module of this package that it is, the folders on its path, and its environment."""

    module: str
    path: Sequence[Path]
    environment: Mapping[str, str]

    def __call__(self) -> tuple[float, float]:
        """Run once. Answers milliseconds of processor time, and of the clock."""
        began = time.monotonic_ns()
        told, _ = self._run()
        return told["cpu_ns"] / 1e6, (told["clock_ns"] - began) / 1e6

    def imports(self) -> dict[str, float]:
        """Run once under ``-X importtime``. Answers milliseconds of the clock by what was imported, with `WHOLE`."""
        began = time.monotonic_ns()
        told, output = self._run("-X", "importtime")
        parts: Counter[str] = Counter()
        for line in output.splitlines():
            if found := _IMPORTED.match(line):
                parts[part_of(found[2])] += int(found[1])
        whole = (told["clock_ns"] - began) / 1e6
        imported = {part: microseconds / 1e3 for part, microseconds in parts.most_common()}
        return {WHOLE: whole, "everything imported": sum(imported.values()), **imported}

    def _run(self, *options: str) -> tuple[dict[str, int], str]:
        with tempfile.TemporaryDirectory() as temporary:
            answer = Path(temporary) / "answer.json"
            # -S: what is installed beside this interpreter is not seen.
            command = [sys.executable, "-S", "-P", *options, "-m", f"benchmarks.cold.{self.module}"]
            found = os.pathsep.join(map(str, [*self.path, ROOT]))
            variables = {**self.environment, "PYTHONPATH": found, "BENCH_ANSWER": str(answer)}
            run = subprocess.run(
                command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            if run.returncode or not answer.exists():
                raise RuntimeError(f"{' '.join(command)} failed:\n{run.stdout.strip()[-3000:]}")
            return json.loads(answer.read_text()), run.stdout


def part_of(module: str) -> str:
    """What a module belongs to: Python itself, orderflow, or a package (of a namespace that many share, one in it)."""
    first, *rest = module.split(".")
    if first in sys.stdlib_module_names:
        return "Python's own modules"
    if first.startswith("orderflow"):
        return "orderflow"
    return ".".join([first, *rest[: _SHARED_NAMESPACES.get(first, 0)]])


@contextmanager
def stand_in() -> Iterator[dict[str, dict[str, str]]]:
    """Start the stand-in, and say by cloud what the environment of a program is."""
    command = [sys.executable, "-m", "benchmarks.cold.stand_in"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        try:
            yield _environment(json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()


def _environment(where: dict[str, str]) -> dict[str, dict[str, str]]:
    event = cloud_event(1)
    event["tier"] = event["data"]["tier"] = "high"
    message = {"data": base64.b64encode(json.dumps(event).encode()).decode(), "attributes": {}, "messageId": "m"}
    every = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "ORDERFLOW_SERVICE": "fraud",
        "ORDERFLOW_ARCHIVE_BUCKET": "archive",
        "ORDERFLOW_DROP_BUCKET": "drop",
    }
    account = f"AccountName=account;AccountKey={base64.b64encode(b'none').decode()}"
    return {
        "aws": every
        | {
            "BENCH_EVENT": json.dumps(lambda_event([event])),
            "ORDERFLOW_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:orderflow-events",
            "ORDERFLOW_QUEUES_URL": f"{where['http']}/123456789012/",
            "AWS_ENDPOINT_URL": where["http"],
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",  # As where Lambda runs it; nobody calls.
        },
        "azure": every
        | {
            "BENCH_EVENT": json.dumps(event),
            "ORDERFLOW_ARCHIVE_CONTAINER": "archive",
            "ORDERFLOW_DROP_CONTAINER": "drop",
            "ORDERFLOW_STORAGE": f"DefaultEndpointsProtocol=http;{account};TableEndpoint={where['http']}/account;"
            f"BlobEndpoint={where['http']}/account;",
            "ORDERFLOW_SERVICEBUS": "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=none;SharedAccessKey=none",
            "ORDERFLOW_EVENTGRID_ENDPOINT": f"{where['http']}/api/events",
            "ORDERFLOW_EVENTGRID_KEY": "none",
        },
        "gcp": every
        | {
            "BENCH_EVENT": json.dumps({"message": message, "subscription": "fraud"}),
            "BENCH_TOKEN": where["token"],
            "GOOGLE_CLOUD_PROJECT": "project",
            "K_SERVICE": "fraud",  # As where Cloud Run runs it.
            "FIRESTORE_EMULATOR_HOST": where["grpc"],
            "PUBSUB_EMULATOR_HOST": where["grpc"],
            "ORDERFLOW_PUSH_AUDIENCE": where["audience"],
            "ORDERFLOW_PUSH_SERVICE_ACCOUNT": where["account"],
            "ORDERFLOW_PUSH_ISSUER": where["http"],
            "ORDERFLOW_PUSH_JWKS_URL": f"{where['http']}/jwks.json",
        },
    }
