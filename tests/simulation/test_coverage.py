"""No step is spared any fault."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from random import Random
from typing import Any

import pytest

from simulation import simulate
from simulation.coverage import Pair, left, pairs, unknown
from simulation.profiles import PROFILES
from simulation.weather import Weather, draw_settings

MOST_RUNS = 400
"""Within how many runs of the worst weather every fault must have met every step."""
AIMED_AFTER = 200
"""After how many runs the weather brings more of those faults that have not met some step yet: the last few pairs would
else take as long as all others."""


@pytest.mark.timeout(900)  # 231 runs: half a minute of processor time
def test_every_fault_meets_every_step() -> None:
    hit: Counter[Pair] = Counter()
    profiles = list(PROFILES)
    for seed in range(MOST_RUNS):
        # What is drawn is seldom the worst: here all services take part, faults are many where few handlers come,
        # and a breaker opens so late that messages use up their attempts.
        random = Random(seed)
        weather = Weather.draw(random).worst()
        if seed >= AIMED_AFTER:
            weather = aimed(weather, left(hit))
        settings = replace(draw_settings(random), breaker_failures=20)
        profile = profiles[seed % len(profiles)]
        result = simulate(seed, profile, weather=weather, settings=settings, everybody=True, orders=4)
        assert not result.violations, result.report()
        hit += result.world.coverage
        if not left(hit):
            break
    assert not left(hit)
    assert not unknown(hit)
    assert hit.keys() == pairs()


def aimed(weather: Weather, missing: list[Pair]) -> Weather:
    """The weather with more of the faults of these pairs, as far as it knows them by name."""
    faults = {fault.replace(",", "").replace(" ", "_") for _, fault in missing}
    if any(fault == "killed in time-out" for _, fault in missing):
        faults.add("stall")
    more: dict[str, Any] = {each.name: 0.1 for each in fields(Weather) if each.name in faults}
    return replace(weather, **more)
