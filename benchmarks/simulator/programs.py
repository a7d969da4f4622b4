"""The programs, each timed in this process: the plain choreography, the real shell on documents in memory, and the
simulator with its faults. One figure each: messages handled a second of processor time."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.simulator.choreography import Choreography
from orderflow_cli.cost.counting import Workflow

sys.path.append(str(Path(__file__).parents[2] / "tests"))

REFERENCE = "plain choreography"


@dataclass(slots=True)
class Speeds:
    """Sagas a second of processor time of each program, one figure a round, beside the messages that are compared."""

    sagas: dict[str, list[float]] = field(default_factory=dict)

    def programs(self, sagas: int) -> dict[str, Callable[[], float]]:
        """By name; each answers messages a second, for about so many sagas. The simulator starts at another seed in
        each round."""
        rounds: dict[str, Callable[[int], tuple[int, int]]] = {
            REFERENCE: _plain,
            "the real shell, in memory": _shell,
            "the simulator, without faults": _Simulator(fair=True),
            "the simulator, with faults": _Simulator(fair=False),
        }

        def program(name: str) -> Callable[[], float]:
            def run() -> float:
                gc.collect()
                gc.disable()
                try:
                    began = time.process_time()
                    done, messages = rounds[name](sagas)
                    took = time.process_time() - began
                finally:
                    gc.enable()
                self.sagas.setdefault(name, []).append(done / took)
                return messages / took

            return run

        return {name: program(name) for name in rounds}


def _plain(sagas: int) -> tuple[int, int]:
    choreography = Choreography()
    for number in range(sagas):
        choreography.place(number)
    choreography.run()
    if set(choreography.status.values()) != {"shipped"}:
        raise AssertionError("an order was not shipped")
    return sagas, choreography.delivered


def _shell(sagas: int) -> tuple[int, int]:
    workflow = Workflow(together=True)
    orders = [workflow.run("shipped") for _ in range(sagas)]
    return sagas, sum(order.totals()["deliveries"] for order in orders)


class _Simulator:
    def __init__(self, fair: bool) -> None:
        self._seed = 0
        self._fair = fair

    def __call__(self, sagas: int) -> tuple[int, int]:
        from simulation import simulate
        from simulation.profiles import PROFILES
        from simulation.weather import Weather

        done = messages = 0
        while done < sagas:
            for profile in PROFILES:
                result = simulate(self._seed, profile, weather=Weather() if self._fair else None)
                if result.violations:
                    raise AssertionError(result.report())
                done += result.sagas
                messages += result.messages
            self._seed += 1
        return done, messages
