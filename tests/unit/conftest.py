"""What every unit test has: a laboratory with the ports in memory, and examples that are the same at every run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from orderflow import log
from unit.issuer import Issuer
from unit.support import Lab

settings.register_profile(
    "unit", deadline=None, derandomize=True, database=None, max_examples=40, suppress_health_check=list(HealthCheck)
)
settings.load_profile("unit")


@pytest.fixture
def lab() -> Lab:
    """The workflow in this process, with nothing in it."""
    log.set_level("INFO")  # A process has one level, and another test may have chosen its own.
    return Lab.make()


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """An issuer of tokens."""
    with Issuer() as running:
        yield running
