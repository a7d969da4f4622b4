"""``python -m simulation``: many runs on all cores, with progress and a summary; a failing run's story at the end."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import islice

from simulation.bugs import BUGS, hunt
from simulation.profiles import PROFILES
from simulation.rules import RULES
from simulation.simulator import simulate

CHUNK = 20


@dataclass(slots=True)
class Tally:
    """What came of some runs."""

    runs: int = 0
    sagas: int = 0
    steps: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    coverage: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    failed: list[tuple[str, int, str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.runs += other.runs
        self.sagas += other.sagas
        self.steps += other.steps
        self.seconds += other.seconds
        self.outcomes += other.outcomes
        self.coverage += other.coverage
        self.failed += other.failed


def run_some(cloud: str, seeds: range) -> Tally:
    """Run some seeds in this process."""
    tally = Tally()
    for seed in seeds:
        result = simulate(seed, cloud)
        tally.runs += 1
        tally.sagas += result.sagas
        tally.steps += result.steps
        tally.seconds += result.seconds
        tally.outcomes += result.outcomes
        tally.coverage += result.world.coverage
        if result.violations:
            tally.failed.append((cloud, seed, result.violations[0]))
    return tally


def main() -> int:
    """Run what the command line asks for. Exit code 1 where an invariant is broken."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="runs on each cloud (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; run n has seed + n (default %(default)s)")
    parser.add_argument("--cloud", choices=[*PROFILES, "all"], default="all", help="delivery profile")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: all cores)")
    parser.add_argument("--bugs", action="store_true", help="hunt planted bugs instead, and show how long each lives")
    parser.add_argument("--coverage", action="store_true", help="show which faults met which steps how often")
    chosen = parser.parse_args()
    if chosen.bugs:
        return _hunt_all(chosen.jobs)
    clouds = list(PROFILES) if chosen.cloud == "all" else [chosen.cloud]
    began = time.monotonic()
    tally = Tally()
    with ProcessPoolExecutor(chosen.jobs) as pool:
        work = _chunks(clouds, chosen.seed, chosen.runs)
        waiting = {pool.submit(run_some, *chunk) for chunk in islice(work, 4 * (chosen.jobs or 1))}
        while waiting:
            done = next(as_completed(waiting))
            waiting.remove(done)
            tally.add(done.result())
            _progress(tally, len(clouds) * chosen.runs, began)
            waiting |= {pool.submit(run_some, *chunk) for chunk in islice(work, 1)}
    print(file=sys.stderr)
    _summary(tally, time.monotonic() - began)
    if chosen.coverage:
        for (service, step, fault), times in sorted(tally.coverage.items()):
            print(f"{times:8}  {service:<12} {step:<24} {fault}")
    for cloud, seed, violation in tally.failed[1:20]:
        print(f"seed {seed} on {cloud}: {violation}")
    if tally.failed:
        cloud, seed, _ = tally.failed[0]
        print(simulate(seed, cloud).report())
    return 1 if tally.failed else 0


def hunt_one(number: int) -> tuple[int, str | None]:
    """Hunt one planted bug in this process; answers after how many runs it was caught, and by what."""
    runs, caught = hunt([*RULES, *BUGS][number])
    return runs, caught.violations[0] if caught else None


def _hunt_all(jobs: int | None) -> int:
    planted = [*RULES, *BUGS]
    free = 0
    with ProcessPoolExecutor(jobs) as pool:
        for bug, (runs, violation) in zip(planted, pool.map(hunt_one, range(len(planted))), strict=True):
            free += violation is None
            print(f"{runs:5}  {bug.name:<84}  {violation or 'NOT CAUGHT'}"[:200], flush=True)
    return 1 if free else 0


def _chunks(clouds: list[str], seed: int, runs: int) -> Iterator[tuple[str, range]]:
    for first in range(seed, seed + runs, CHUNK):
        for cloud in clouds:
            yield cloud, range(first, min(first + CHUNK, seed + runs))


def _progress(tally: Tally, runs: int, began: float) -> None:
    rate = tally.sagas / (time.monotonic() - began)
    if sys.stderr.isatty() or tally.runs == runs:
        told = f"{tally.runs}/{runs} runs, {tally.sagas} sagas, {rate:.0f} sagas/s, {len(tally.failed)} violations"
        print(f"\r{told:<78}", end="", file=sys.stderr, flush=True)


def _summary(tally: Tally, took: float) -> None:
    print(f"{tally.runs} runs, {tally.sagas} sagas, {tally.steps} steps, {sum(tally.coverage.values())} faults")
    print(f"{tally.seconds / 86_400:.0f} days simulated in {took:.0f} s; {tally.sagas / took:.0f} sagas a second")
    print(f"orders: {dict(tally.outcomes.most_common())}; runs with a violation: {len(tally.failed)}")


if __name__ == "__main__":
    sys.exit(main())
