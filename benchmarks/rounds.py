"""Runs programs in rounds, one after the other in an order drawn anew each time, and compares them round by round: a
machine that is slow for a while is slow for all of a round."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spread:
    """Least, middle and most of some figures."""

    least: float
    middle: float
    most: float

    @classmethod
    def of(cls, figures: list[float]) -> Spread:
        """Raises `statistics.StatisticsError` where there are none."""
        return cls(min(figures), median(figures), max(figures))

    def text(self, digits: int) -> str:
        """Middle, with the others in brackets."""
        return f"{self.middle:.{digits}f} [{self.least:.{digits}f}..{self.most:.{digits}f}]"


@dataclass(frozen=True, slots=True)
class Compared:
    """One program's figures, and its ratios to the reference of the same round."""

    figure: Spread
    ratio: Spread


def measure(
    programs: Mapping[str, Callable[[], T]], rounds: int, progress: Callable[[int], None] = lambda done: None
) -> dict[str, list[T]]:
    """Run every program once a round; what each answered, by round."""
    order = list(programs)
    answers: dict[str, list[T]] = {name: [] for name in order}
    chance = random.Random(0)  # noqa: S311  # for the order of the programs
    for done in range(rounds):
        chance.shuffle(order)
        for name in order:
            answers[name].append(programs[name]())
        progress(done + 1)
    return answers


def against(reference: str, figures: Mapping[str, list[float]]) -> dict[str, Compared]:
    """Figures by round, and their ratios to those of the program named ``reference``."""
    ratios = {
        name: [each / base for each, base in zip(figures[name], figures[reference], strict=True)] for name in figures
    }
    return {name: Compared(Spread.of(figures[name]), Spread.of(ratios[name])) for name in figures}


def compare(
    programs: Mapping[str, Callable[[], float]],
    reference: str,
    rounds: int,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Compared]:
    """Run every program once a round; each answers one figure. The ratios are to the one named ``reference``."""
    return against(reference, measure(programs, rounds, progress))


def as_json(compared: Mapping[str, Compared]) -> dict[str, Any]:
    """For `json.dumps`."""
    return {name: asdict(each) for name, each in compared.items()}
