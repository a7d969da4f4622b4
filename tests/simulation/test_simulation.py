"""The simulator finds nothing wrong, is deterministic, and has teeth."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from simulation import simulate
from simulation.bugs import BUGS, MOST_RUNS, Bug, hunt
from simulation.profiles import PROFILES
from simulation.weather import Weather

RUNS = 20
CHUNK = 10


@pytest.mark.parametrize("first", range(0, RUNS, CHUNK))
@pytest.mark.parametrize("cloud", PROFILES)
def test_whatever_goes_wrong_every_order_ends_well(cloud: str, first: int) -> None:
    for seed in range(first, first + CHUNK):
        result = simulate(seed, cloud)
        assert not result.violations, result.report()


@pytest.mark.parametrize("cloud", PROFILES)
def test_a_seed_is_a_whole_run(cloud: str) -> None:
    first, again = (simulate(7, cloud, traced=True) for _ in range(2))
    assert first.world.fingerprint() == again.world.fingerprint()
    assert first.world.fingerprint() != simulate(8, cloud, traced=True).world.fingerprint()


def test_shared_documents_are_as_good_as_copies() -> None:
    for seed in range(5):
        shared, copied = (
            simulate(seed, "sqs", through_json=through_json, traced=True) for through_json in (False, True)
        )
        assert shared.world.fingerprint() == copied.world.fingerprint()


def test_a_run_frees_itself_and_leaves_next_to_nothing_to_the_garbage_collector() -> None:
    simulate(0, "sqs")
    gc.collect()
    gc.disable()
    try:
        for seed in range(2, 8):
            simulate(seed, "sqs")
        found = gc.collect()
    finally:
        gc.enable()
    assert found < 1_000, "an error that is kept with its traceback ties a whole run to itself"


def test_in_fair_weather_nothing_is_retried_and_every_order_ends() -> None:
    for seed in range(20):
        result = simulate(seed, "sqs", weather=Weather())
        assert not result.violations, result.report()
        assert sum(result.outcomes.values()) == result.sagas
        assert not result.world.coverage


def test_a_failure_tells_its_story() -> None:
    planted = next(each for each in BUGS if each.name == "a cancellation does not refund")
    _, caught = hunt(planted)
    assert caught is not None
    story = caught.report()
    assert f"make simulate RUNS=1 SEED={caught.seed} PROFILE={caught.profile}" in story
    assert "I2: order" in story
    assert "ask gateway.charge" in story


@pytest.mark.parametrize("planted", BUGS, ids=lambda planted: planted.name)
def test_a_planted_bug_is_caught(planted: Bug, record_property: Any) -> None:
    runs, caught = hunt(planted)
    assert caught is not None, f"{planted.name}: not caught in {MOST_RUNS} runs"
    record_property("planted bug", planted.name)
    record_property("runs", runs)
