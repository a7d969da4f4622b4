"""Orders a second and their latency on the local clouds, from end to end: the demo's workload against the clouds' own
entrypoints, every promise checked at the end. All of it, emulators included, shares one machine: the figures say how
the whole behaves under load there, not what a cloud would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orderflow_cli.demo import Options, run
from orderflow_cli.workload import generate


@dataclass(frozen=True, slots=True)
class Throughput:
    """What a cloud came to: orders a second from the first POST to rest, and seconds from placed to shipped."""

    orders: int
    orders_s: float
    p50: float | None
    p95: float | None
    p99: float | None


def run_on(clouds: Sequence[str], orders: int) -> dict[str, Throughput]:
    """By cloud, one after the other. Raises `RuntimeError` where a promise was broken."""
    found = {}
    for cloud in clouds:
        (result,) = run(Options([cloud], generate(orders, seed=1), seed=1, poison=False))
        if not result.good:
            broken = [line for lines in result.verdict.broken.values() for line in lines]
            raise RuntimeError(f"{cloud}: {'; '.join([*broken, *result.unexpected][:5])}")
        times = (result.percentile(percent) for percent in (50, 95, 99))
        found[cloud] = Throughput(result.placed, result.placed / result.took, *times)
    return found
