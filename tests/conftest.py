"""What all tests need."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from orderflow import log

SUMMARY = os.environ.pop("TEST_SUMMARY", None)
"""The file that a run's figures are added to. Taken away, so that runs that tests start add nothing to it."""

_BEGAN = time.monotonic()


def pytest_configure() -> None:
    """Let Ctrl-C be heard again: a shell that starts this in the background has it ignored, by every process that is
    started from here too, and some tests press it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Terraform's tests first: they take minutes each, and begun last one of them would keep one core busy, and the
    other waiting for it."""
    items.sort(key=lambda item: item.get_closest_marker("terraform") is None)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """For CI to show at its end: how many passed, were skipped and why, and failed, and how long it all took."""
    if SUMMARY is None:
        return
    stats = terminalreporter.stats
    failed = len(stats.get("failed", [])) + len(stats.get("error", []))
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in stats.get("skipped", []))
    counts = f"{len(stats.get('passed', []))} passed, {reasons.total()} skipped, {failed} failed"
    lines = [f"{' '.join(config.args)}: {counts}, {(time.monotonic() - _BEGAN) / 60:.1f} minutes"]
    lines += [f"  skipped {count}: {reason}" for reason, count in reasons.most_common()]
    with Path(SUMMARY).open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


@pytest.fixture(autouse=True)
def _own_log_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that sets the process's log level sets it for itself only."""
    monkeypatch.setattr(log, "_threshold", log._threshold)
