"""orderflow by its own Lambda entrypoint."""

from __future__ import annotations

import os

from benchmarks.cpu.measure import measure
from benchmarks.cpu.ours import app, published
from orderflow_aws import wiring
from orderflow_aws.entrypoints import consume as consume

os.environ["ORDERFLOW_QUEUES_URL"] = "http://127.0.0.1:9/"
wiring.app = lambda: app  # type: ignore[assignment]

if __name__ == "__main__":
    measure(consume, published)
