"""How a program says that its event has been handled."""

from __future__ import annotations

import json
import os
import sys
import time


def done() -> None:
    """Write the clock and the processor time of this process, and end it."""
    figures = {"clock_ns": time.monotonic_ns(), "cpu_ns": time.process_time_ns()}
    with open(os.environ["BENCH_ANSWER"], "w") as answer:  # noqa: PTH123 - pathlib would be imported for it
        answer.write(json.dumps(figures))
    sys.stdout.flush()
    os._exit(0)
