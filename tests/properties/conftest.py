"""Properties are tried on the same examples at every run: a red run is red again, in CI and at home."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from orderflow import log

settings.register_profile(
    "properties",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=40,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("properties")


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Thousands of messages would be logged."""
    log.set_level("ERROR")
