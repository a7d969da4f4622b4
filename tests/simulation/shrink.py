"""Makes a failing run short: fewer orders, fewer faults, fewer services, as long as the same kind of thing goes wrong.

A run is drawn from one stream of chance, so to take something out of it changes all that comes after. So a smaller
run is looked for, with the same seed and with some others, until nothing smaller is found or the effort is spent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from simulation.simulator import Result, simulate

EFFORT = 400
"""Runs that may be spent on one failure. Smaller runs take less time than the one that failed."""
SEEDS = 6
"""How many seeds each smaller run is tried with."""


@dataclass(frozen=True, slots=True)
class Case:
    """What says a run: its seed, and what is not left to the draw."""

    seed: int
    profile: str
    orders: int | None = None
    only: tuple[str, ...] | None = None
    """The faults that there are, of those that the seed draws; None: all of them."""
    everybody: bool | None = None

    def run(self) -> Result:
        """Play it."""
        return simulate(self.seed, self.profile, orders=self.orders, only=self.only, everybody=self.everybody)

    def command(self) -> str:
        """What a person types to see it again."""
        parts = [f"--orders {self.orders}"] if self.orders is not None else []
        if self.only is not None:
            parts.append(f"--only {','.join(self.only) or 'none'}")
        if self.everybody is not None:
            parts.append(f"--services {'all' if self.everybody else 'core'}")
        arguments = f' ARGS="{" ".join(parts)}"' if parts else ""
        return f"make simulate RUNS=1 SEED={self.seed} PROFILE={self.profile}{arguments}"


def kind(violation: str) -> str:
    """What was broken, without whom it concerns: ``I2``, ``rule 4``, or the first words."""
    head, colon, _ = violation.partition(":")
    return head if colon and len(head) < 12 else " ".join(word for word in violation.split()[:3] if word.isalpha())


def shrink(case: Case, effort: int = EFFORT) -> tuple[Case, Result]:
    """The smallest run found that breaks the same thing as this one, which must break something."""
    result = case.run()
    broken = kind(result.violations[0])
    case = replace(case, orders=result.orders, only=tuple(result.weather.faults()), everybody=result.everybody)
    result = case.run()
    found = True
    while found:
        found = False
        for smaller in _smaller(case):
            for number in range(SEEDS):
                effort -= 1
                if effort < 0:
                    return case, result
                tried = replace(smaller, seed=case.seed + number)
                outcome = tried.run()
                if outcome.violations and kind(outcome.violations[0]) == broken:
                    case, result, found = tried, outcome, True
                    break
            if found:
                break
    return case, result


def _smaller(case: Case) -> Iterator[Case]:
    """Cases with something taken out, the largest pieces first."""
    assert case.orders is not None and case.only is not None
    if case.everybody:
        yield replace(case, everybody=False)
    for orders in sorted({1, case.orders // 2, case.orders - 1}):
        if 0 < orders < case.orders:
            yield replace(case, orders=orders)
    half = len(case.only) // 2
    if half > 1:
        yield replace(case, only=case.only[:half])
        yield replace(case, only=case.only[half:])
    for name in case.only:
        yield replace(case, only=tuple(other for other in case.only if other != name))
