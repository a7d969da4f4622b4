"""Shows after the tests how many runs it took to catch each planted bug."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def garbage_afterwards() -> Iterator[None]:
    """Collect garbage between tests only: within a run the collector would walk the whole trace again and again."""
    gc.disable()
    yield
    gc.enable()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table, from what the tests noted."""
    caught = [
        properties
        for report in terminalreporter.getreports("passed")
        if report.when == "call" and "planted bug" in (properties := dict(report.user_properties))
    ]
    if caught:
        terminalreporter.write_line("runs until caught:")
    for properties in caught:
        terminalreporter.write_line(f"{properties['runs']:5}  {properties['planted bug']}")
