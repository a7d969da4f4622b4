"""The benchmarks of growth, each run, shown as a table and answered for the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from io import StringIO
from statistics import median
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.growth import hot as hot_sku
from benchmarks.growth import orders
from benchmarks.growth.memory import load
from benchmarks.rounds import Compared, against, as_json, compare, measure
from benchmarks.simulator import programs as simulators
from benchmarks.throughput import run_on
from orderflow import log

Progress = Callable[[int], None]

console = Console(width=110)


def growth(rounds: int, smoke: bool, progress: Progress) -> dict[str, Any]:
    """Cost of an order by orders stored, and by lines."""
    report: dict[str, Any] = {}
    stored = (10, 20) if smoke else orders.STORED
    lines = (1, 50) if smoke else orders.LINES
    made = {
        "orders stored": {f"{number:,}": orders.stored(number) for number in stored},
        "lines an order": {f"{number:,}": orders.lines(number) for number in lines},
    }
    every = {f"{by}: {name}": run for by, programs in made.items() for name, run in programs.items()}
    answers = measure(every, rounds, progress)
    for by, programs in made.items():
        of = {name: answers[f"{by}: {name}"] for name in programs}
        cpu = against(next(iter(of)), {name: [each.cpu_ms for each in figures] for name, figures in of.items()})
        exact = {
            name: (round(median(each.calls for each in figures)), round(median(each.written for each in figures)))
            for name, figures in of.items()
        }
        _show(
            f"An order, by {by}",
            (by, "CPU ms", "ratio", "store calls", "bytes written"),
            ((name, *_texts(cpu[name]), f"{exact[name][0]:,}", f"{exact[name][1]:,}") for name in of),
        )
        report[f"by_{by.replace(' ', '_')}"] = {
            name: {**figures, "calls": exact[name][0], "bytes_written": exact[name][1]}
            for name, figures in as_json(cpu).items()
        }
    return {"growth": report}


def hot(rounds: int, smoke: bool, progress: Progress) -> dict[str, Any]:
    """Goodput by the share of orders that want one SKU. Virtual time: three seeds tell all."""
    seeds, served, shares = min(rounds, 3), 40 if smoke else 600, (1.0,) if smoke else hot_sku.SHARES
    report: dict[str, Any] = {}
    with redirect_stdout(StringIO()):
        found = {
            (share, name): [hot_sku.serve(shards, share, served, seed) for seed in range(seeds)]
            for share in shares
            for name, shards in hot_sku.designs().items()
        }
    progress(rounds)
    rows = []
    for share in shares:
        figures = {name: [each.goodput for each in found[share, name]] for name in hot_sku.designs()}
        compared = against(hot_sku.NAIVE, figures)
        lost = {name: median(each.lost for each in found[share, name]) for name in figures}
        rows += [(f"{share:.0%}", name, *_texts(each, 0, 1), f"{lost[name]:.1f}") for name, each in compared.items()]
        report[f"{share:.0%}"] = {
            name: {**each, "lost_an_order": lost[name]} for name, each in as_json(compared).items()
        }
    _show(
        f"One SKU that everybody wants, {hot_sku.HANDLERS} handlers, virtual time",
        ("orders for it", "design", "orders/s", "ratio", "lost/order"),
        rows,
        names=2,
    )
    return {"hot_sku": report}


def memory(number: int, rounds: int, smoke: bool, progress: Progress) -> dict[str, Any]:
    """Resident memory and processor time over a long load, after each tenth of it."""
    moments = []
    for moment in load(*((20, 10) if smoke else (number, max(number // 10, 1)))):
        moments.append(moment)
        progress(rounds * len(moments) // 10)
    progress(rounds)
    _show(
        "A long load on one process, what belongs to single orders dropped",
        ("orders", "MiB resident", "CPU ms an order"),
        ((f"{each.orders:,}", f"{each.rss_mib:.1f}", f"{each.cpu_ms:.1f}") for each in moments),
    )
    return {"memory": [asdict(each) for each in moments]}


def simulator(rounds: int, smoke: bool, progress: Progress) -> dict[str, Any]:
    """Messages and sagas a second of the simulator, beside plain choreographies."""
    speeds = simulators.Speeds()
    log.set_level("ERROR")
    with redirect_stdout(StringIO()):
        compared = compare(speeds.programs(5 if smoke else 200), simulators.REFERENCE, rounds, progress)
    sagas = {name: median(each) for name, each in speeds.sagas.items()}
    _show(
        "Messages handled a second of processor time",
        ("program", "messages/s", "ratio", "sagas/s"),
        ((name, *_texts(each, 0, 3), f"{sagas[name]:,.0f}") for name, each in compared.items()),
    )
    return {"simulator_messages_a_second": as_json(compared), "simulator_sagas_a_second": sagas}


def throughput(clouds: Sequence[str], number: int, rounds: int, smoke: bool, progress: Progress) -> dict[str, Any]:
    """Orders a second and latency on the local clouds."""
    found = run_on(clouds[:1] if smoke else clouds, 3 if smoke else number)
    progress(rounds)
    _show(
        f"Local clouds, one after the other, {3 if smoke else number} orders",
        ("cloud", "orders/s", "placed to shipped: p50", "p95", "p99"),
        (
            (cloud, f"{each.orders_s:.2f}", *map(_seconds, (each.p50, each.p95, each.p99)))
            for cloud, each in found.items()
        ),
    )
    return {"throughput": {cloud: asdict(each) for cloud, each in found.items()}}


def _texts(each: Compared, digits: int = 1, ratio: int = 2) -> tuple[str, str]:
    return each.figure.text(digits), each.ratio.text(ratio)


def _seconds(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.2f} s"


def _show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], names: int = 1) -> None:
    table = Table(title=title)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < names else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
