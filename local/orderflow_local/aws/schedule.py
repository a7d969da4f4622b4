"""`LocalSchedule`, a stand-in of ours for EventBridge Scheduler, whose shortest interval is a minute."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4


class LocalSchedule:
    """Calls ``invoke`` with Scheduler's event every ``every_s`` seconds, the first time after one interval."""

    def __init__(self, every_s: float, invoke: Callable[[Mapping[str, Any]], None]) -> None:
        self._stopped = threading.Event()
        self._every_s = every_s
        self._invoke = invoke
        threading.Thread(target=self._run, name="aws-schedule", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._every_s):
            with contextlib.suppress(Exception):  # the next call comes whatever became of this one
                self._invoke(_event())


def _event() -> dict[str, Any]:
    """The event of a schedule without an input of its own."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "000000000000",
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": ["arn:aws:scheduler:us-east-1:000000000000:schedule/default/orderflow-sweeper"],
        "detail": "{}",
    }
