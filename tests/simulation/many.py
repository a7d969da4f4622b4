"""Many runs on all cores, and what came of them."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from simulation.bugs import Bug, hunt
from simulation.coverage import Pair
from simulation.planted import PLANTED
from simulation.shrink import Case

CHUNK = 20
"""Runs that a process is given at a time."""


@dataclass(slots=True)
class Tally:
    """What came of some runs. ``cpu`` is seconds of processor time, ``simulated`` seconds of the runs' own."""

    runs: int = 0
    sagas: int = 0
    steps: int = 0
    simulated: float = 0.0
    cpu: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    coverage: Counter[Pair] = field(default_factory=Counter)
    failed: list[tuple[Case, str]] = field(default_factory=list)
    interrupted: bool = False

    def add(self, other: Tally) -> None:
        """Take in what came of other runs."""
        self.runs += other.runs
        self.sagas += other.sagas
        self.steps += other.steps
        self.simulated += other.simulated
        self.cpu += other.cpu
        self.outcomes.update(other.outcomes)
        self.coverage.update(other.coverage)
        self.failed += other.failed

    def play(self, case: Case) -> None:
        """Play one more run."""
        began = time.process_time()
        result = case.run()
        self.cpu += time.process_time() - began
        self.runs += 1
        self.sagas += result.sagas
        self.steps += result.steps
        self.simulated += result.seconds
        self.outcomes.update(result.outcomes)
        self.coverage.update(result.world.coverage)
        if result.violations:
            self.failed.append((case, result.violations[0]))


@dataclass(frozen=True, slots=True)
class Hunted:
    """A planted bug, the number of runs and the seconds of processor time that it took to catch it, and what gave it
    away: None where nothing did. ``sought`` is where: in any runs, or in those in which it shows."""

    name: str
    runs: int
    violation: str | None
    seconds: float
    sought: str


def planted(name: str | None) -> AbstractContextManager[Any]:
    """The shared package with a bug in it, or as it is."""
    return nullcontext() if name is None else find(name).plant()


def find(name: str) -> Bug:
    """A planted bug by a part of its name. Raises `KeyError` unless it is one."""
    found = [each for each in PLANTED if name == each.name] or [each for each in PLANTED if name in each.name]
    if len(found) != 1:
        raise KeyError(f"{len(found)} planted bugs are called {name!r}")
    return found[0]


def run_all(cases: Iterator[Case], bug: str | None, jobs: int, progress: Callable[[Tally], None]) -> Tally:
    """Play all cases on ``jobs`` processes; ``progress`` is told now and then. Ctrl-C ends it with what was done."""
    tally = Tally()
    for done in _spread(_run_some, ((chunk, bug) for chunk in _chunks(cases)), jobs):
        if done is None:
            tally.interrupted = True
        else:
            tally.add(done)
            progress(tally)
    tally.failed.sort(key=lambda failure: failure[0].seed)
    return tally


def hunt_all(most: int, jobs: int, progress: Callable[[Hunted], None]) -> tuple[list[Hunted], bool]:
    """Hunt every planted bug; answers them in their order, and whether Ctrl-C ended it early."""
    hunted: list[Hunted] = []
    interrupted = False
    for done in _spread(_hunt_one, ((number, most) for number in range(len(PLANTED))), jobs):
        if done is None:
            interrupted = True
        else:
            hunted.append(done)
            progress(done)
    order = [each.name for each in PLANTED]
    return sorted(hunted, key=lambda each: order.index(each.name)), interrupted


def _spread(work: Callable[..., Any], arguments: Iterator[tuple[Any, ...]], jobs: int) -> Iterator[Any]:
    """The answers of ``work`` in the order in which they come; None after Ctrl-C, before what was under way."""
    stop = multiprocessing.Event()
    with ProcessPoolExecutor(jobs, initializer=_begin, initargs=(stop,)) as pool:
        waiting: set[Future[Any]] = {pool.submit(work, *each) for each in islice(arguments, 2 * jobs)}
        while waiting:
            try:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            except KeyboardInterrupt:
                stop.set()
                arguments = iter(())
                waiting = {future for future in waiting if not future.cancel()}
                yield None
                continue
            for future in done:
                yield future.result()
                waiting |= {pool.submit(work, *each) for each in islice(arguments, 1)}


_stopped: Any = None


def _begin(stop: Any) -> None:
    """A process begins: Ctrl-C goes to all, and only the first one answers it. Garbage is collected between runs: in
    one, the collector would walk the whole trace again and again; and it need not walk what was there before the first.
    """
    global _stopped
    _stopped = stop
    gc.disable()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run_some(cases: list[Case], bug: str | None) -> Tally:
    tally = Tally()
    with planted(bug):
        for case in cases:
            if _stopped.is_set():
                break
            tally.play(case)
    gc.collect()
    return tally


def _hunt_one(number: int, most: int) -> Hunted:
    bug = PLANTED[number]
    began = time.process_time()
    runs, caught = hunt(bug, most, _stopped.is_set)
    seconds = time.process_time() - began
    gc.collect()
    what = caught.violations[0] if caught else None
    return Hunted(bug.name, runs, what, seconds, ", ".join(bug.where) or "any run")


def _chunks(cases: Iterator[Case]) -> Iterator[list[Case]]:
    while chunk := list(islice(cases, CHUNK)):
        yield chunk
