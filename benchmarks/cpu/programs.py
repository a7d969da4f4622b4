"""The programs of this benchmark, each in a fresh process of its own environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.peers import ROOT, interpreter

REFERENCE = "json and dicts"


def programs(events: int, passes: int) -> dict[str, Callable[[], float]]:
    """By name; each answers the median of its passes, in microseconds of processor time a record."""
    ours, theirs = Path(sys.executable), interpreter()

    def program(module: str, python: Path, *, log: bool = False, telemetry: bool = False) -> Callable[[], float]:
        return lambda: _run(python, module, log, telemetry, events, passes)

    return {
        REFERENCE: program("floor", ours),
        "orderflow, Lambda entrypoint": program("orderflow_aws", ours),
        "the same, with its log line": program("orderflow_aws", ours, log=True),
        "the same, with traces and metrics": program("orderflow_aws", ours, log=True, telemetry=True),
        "Powertools: batch, parser, idempotency": program("powertools", theirs),
        "the same, with Logger": program("powertools", theirs, log=True),
    }


def _run(python: Path, module: str, log: bool, telemetry: bool, events: int, passes: int) -> float:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BENCH_LOG": "1" if log else "0",
        "BENCH_TELEMETRY": "1" if telemetry else "0",
        "POWERTOOLS_SERVICE_NAME": "benchmark",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [str(python), "-m", f"benchmarks.cpu.{module}", str(events), str(passes), str(answer)]
        run = subprocess.run(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
        )
        if run.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{run.stderr.strip()[-2000:]}")
        figures: list[float] = json.loads(answer.read_text())
        return median(figures)
