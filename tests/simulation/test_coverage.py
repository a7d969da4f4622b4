"""No step of the core is spared any fault."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from random import Random
from typing import Any

import pytest

from added import CORE
from orderflow.services import SERVICES, find
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
            weather = aimed(weather, missing(hit))
        signatures = "require" if seed % 3 == 0 else "off"
        settings = replace(draw_settings(random), breaker_failures=20, signatures=signatures)
        profile = profiles[seed % len(profiles)]
        result = simulate(seed, profile, weather=weather, settings=settings, everybody=True, orders=4)
        assert not result.violations, result.report()
        hit += result.world.coverage
        if not missing(hit):
            break
    assert not missing(hit)
    assert not unknown(hit)
    assert hit.keys() | {*left(hit)} == pairs()


def missing(hit: Counter[Pair]) -> list[Pair]:
    """The pairs that were not met yet, but for writes of services that stand beside the core's: some of theirs may be
    as rare as a parcel that is refused."""
    beside = {find(name).collection for name in SERVICES if name not in CORE}
    return [(step, fault) for step, fault in left(hit) if step.split()[-1] not in beside]


def aimed(weather: Weather, missing: list[Pair]) -> Weather:
    """The weather with more of the faults of these pairs, as far as it knows them by name."""
    faults = {fault.replace(",", "").replace(" ", "_") for _, fault in missing}
    if any(fault == "killed in time-out" for _, fault in missing):
        faults.add("stall")
    more: dict[str, Any] = {each.name: 0.1 for each in fields(Weather) if each.name in faults}
    return replace(weather, **more)
