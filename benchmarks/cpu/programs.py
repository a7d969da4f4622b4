"""The programs of this benchmark, each in a fresh process with its own packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.peers import AZURE_FUNCTIONS, FUNCTIONS_FRAMEWORK, POWERTOOLS, ROOT, folder

REFERENCE = "json and dicts"
WHOLE = "all, by the Lambda entrypoint"


def programs(events: int, passes: int, *, installed: bool = False) -> dict[str, Callable[[], float]]:
    """By name; each answers the median of its passes, in microseconds of processor time a record. With ``installed``
    the peers of Azure and Google Cloud run in the developer's environment and not in packages of their own."""
    theirs = folder(*POWERTOOLS)
    framework = None if installed else folder(*FUNCTIONS_FRAMEWORK)
    functions = None if installed else folder(*AZURE_FUNCTIONS)

    def program(
        module: str, peer: Path | None = None, *, log: bool = False, telemetry: bool = False
    ) -> Callable[[], float]:
        return lambda: median(_run(module, peer, log, telemetry, events, passes))

    return {
        REFERENCE: program("floor"),
        "orderflow, Lambda entrypoint": program("orderflow_aws"),
        "the same, with its log line": program("orderflow_aws", log=True),
        "the same, with traces and metrics": program("orderflow_aws", log=True, telemetry=True),
        "Powertools: batch, parser, idempotency": program("powertools", theirs),
        "the same, with Logger": program("powertools", theirs, log=True),
        "Google Cloud: bare function, no token": program("framework_gcp", framework),
        "Google Cloud: orderflow, token verified": program("orderflow_gcp"),
        "Azure: bare function app": program("functions_azure", functions),
        "Azure: orderflow, function app": program("orderflow_azure"),
    }


def steps(events: int, passes: int) -> dict[str, float]:
    """Microseconds of processor time a record, by step of the shell's way: `benchmarks.cpu.steps`."""
    figures: dict[str, float] = _run("steps", None, False, False, events, passes)
    return figures


def _run(module: str, peer: Path | None, log: bool, telemetry: bool, events: int, passes: int) -> Any:
    """What a module wrote as its answer."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, [peer, ROOT] if peer else [ROOT, ROOT / "functions" / "azure"])),
        # Lambda's runtime lets go of each line by itself (awslambdaric/bootstrap.py, Unbuffered), as Logger does.
        "PYTHONUNBUFFERED": "1",
        "BENCH_LOG": "1" if log else "0",
        "BENCH_TELEMETRY": "1" if telemetry else "0",
        "POWERTOOLS_SERVICE_NAME": "benchmark",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    with tempfile.TemporaryDirectory() as temporary:
        answer = Path(temporary) / "answer.json"
        # -S: a peer sees its own packages only.
        python = [sys.executable, "-S"] if peer else [sys.executable]
        command = [*python, "-m", f"benchmarks.cpu.{module}", str(events), str(passes), str(answer)]
        run = subprocess.run(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
        )
        if run.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{run.stderr.strip()[-2000:]}")
        return json.loads(answer.read_text())
