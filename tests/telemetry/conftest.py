"""What every telemetry test has: an observed workflow in memory."""

from __future__ import annotations

import pytest

from telemetry.world import Observed


@pytest.fixture
def observed() -> Observed:
    """The workflow with a customer and goods."""
    world = Observed()
    world.customer()
    world.exporter.spans.clear()
    world.figures.measures.clear()
    return world
