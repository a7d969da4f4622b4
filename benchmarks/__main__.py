"""Measure what orderflow costs beside named peers that do the same work. Figures are of this machine; the ratios, taken
within each round, are what can be compared."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from benchmarks.cold import programs as cold
from benchmarks.cpu import programs as cpu
from benchmarks.growth import benches as growing
from benchmarks.http import programs as http
from benchmarks.rounds import Compared, against, as_json, compare, measure
from benchmarks.size import sizes
from orderflow_local.fleet import CLOUDS

console = Console()
Bench = Callable[[int, bool, Callable[[int], None]], dict[str, Any]]
WIDE = 150
"""Columns of a table that shows several figures."""

_SMALL = 0.02
"""Of a start: what is less is not shown."""

_THROUGHPUT = 200
_MEMORY = 10_000
"""Orders, unless told."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11, help="how often each program is run (default %(default)s)")
    parser.add_argument(
        "--only", choices=_benches(None, None), action="append", help="one benchmark; may be given again"
    )
    parser.add_argument("--cloud", choices=CLOUDS, action="append", help="for throughput: one local cloud, not all")
    parser.add_argument(
        "--orders", type=int, help=f"for throughput (default {_THROUGHPUT}) and memory (default {_MEMORY:,})"
    )
    parser.add_argument("--smoke", action="store_true", help="one short round: does everything run?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    chosen = parser.parse_args(arguments)
    rounds = 1 if chosen.smoke else chosen.rounds
    benches = _benches(chosen.orders, chosen.cloud)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    report: dict[str, Any] = {"machine": machine, "rounds": rounds}
    with Progress(console=Console(stderr=True)) as bar:
        for name in chosen.only or benches:
            task = bar.add_task(name, total=rounds)
            report |= benches[name](rounds, chosen.smoke, partial(_advance, bar, task))
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def _advance(bar: Progress, task: TaskID, done: int) -> None:
    bar.update(task, completed=done)


def _cpu(rounds: int, smoke: bool, progress: Callable[[int], None]) -> dict[str, Any]:
    events, passes = (2, 1) if smoke else (100, 5)
    compared = compare(cpu.programs(events, passes, installed=smoke), cpu.REFERENCE, rounds, progress)
    _print(f"Processor time per event: median, least and most of {rounds} rounds", "us a record", compared)
    console.print(f"The ratio is to {cpu.REFERENCE!r}, round by round.\n")
    return {"cpu_us_a_record": as_json(compared)}


def _steps(rounds: int, smoke: bool, progress: Callable[[int], None]) -> dict[str, Any]:
    events, passes = (2, 1) if smoke else (100, 5)
    answers = measure({"steps": partial(cpu.steps, events, passes)}, rounds, progress)["steps"]
    compared = against(cpu.WHOLE, {name: [answer[name] for answer in answers] for name in answers[0]})
    _print(f"Processor time of each step: median, least and most of {rounds} rounds", "us a record", compared)
    console.print(f"The ratio is to {cpu.WHOLE!r}, round by round.\n")
    return {"steps_us_a_record": as_json(compared)}


def _cold(rounds: int, smoke: bool, progress: Callable[[int], None]) -> dict[str, Any]:
    report: dict[str, Any] = {}
    with cold.programs(installed=smoke) as made:
        every = {f"{cloud}: {name}": run for cloud, programs in made.items() for name, run in programs.items()}
        answers = measure(every, rounds, progress)
        for kind, place in (("cpu", 0), ("wall", 1)):
            for cloud, programs in made.items():
                figures = {name: [answer[place] for answer in answers[f"{cloud}: {name}"]] for name in programs}
                compared = against(cold.REFERENCES[cloud], figures)
                _print(f"Cold start, {cloud}: {kind} time until the first event is handled", "ms", compared)
                report.setdefault(f"cold_{kind}_ms", {})[cloud] = as_json(compared)
    for cloud, reference in cold.REFERENCES.items():
        console.print(f"The ratio of {cloud} is to {reference!r}, round by round.")
    console.print()
    return report


def _imports(rounds: int, smoke: bool, progress: Callable[[int], None]) -> dict[str, Any]:
    with cold.programs(installed=smoke) as made:
        starts = {cloud: next(iter(programs.values())) for cloud, programs in made.items()}
        answers = measure({cloud: start.imports for cloud, start in starts.items()}, rounds, progress)
    report: dict[str, Any] = {}
    for cloud, found in answers.items():
        figures = {part: [answer.get(part, 0.0) for answer in found] for part in found[0]}
        compared = against(cold.WHOLE, figures)
        least = 0 if smoke else _SMALL
        shown = {part: each for part, each in compared.items() if each.ratio.middle >= least}
        _print(f"What orderflow's first event imports, {cloud}", "ms of the clock", shown)
        report[cloud] = as_json(compared)
    console.print(f"By `-X importtime`, which is slower itself; parts of less than {_SMALL:.0%} are left out.\n")
    return {"imports_ms": report}


def _http(rounds: int, smoke: bool, progress: Callable[[int], None]) -> dict[str, Any]:
    with http.programs(20 if smoke else 1_000, installed=smoke) as made:
        every = {f"{function}: {mode}": run for function, modes in made.items() for mode, run in modes.items()}
        answers = measure(every, rounds, progress)
    report: dict[str, Any] = {}
    for connections, end in ((1, ""), (http.MANY, "_many")):
        table = Table(title=f"HTTP by functions-framework, connections: {connections}")
        for column in ("function", "server", "us a request", "ratio", "requests/s", "ratio"):
            table.add_column(column, no_wrap=True)
        for function, modes in made.items():
            texts: dict[str, list[str]] = {mode: [] for mode in modes}
            for figure in (f"cpu_us{end}", f"a_second{end}"):
                of = {mode: [getattr(each, figure) for each in answers[f"{function}: {mode}"]] for mode in modes}
                compared = against(http.DEFAULT, of)
                report.setdefault(function, {})[figure] = as_json(compared)
                for mode, each in compared.items():
                    texts[mode] += [each.figure.text(0), each.ratio.text(2)]
            for mode in modes:
                table.add_row(function, mode, *map(escape, texts[mode]))
        Console(width=WIDE).print(table)
    console.print(f"Of the server's processor time. The ratio is to {http.DEFAULT!r}, round by round.\n")
    return {"http_gcp": report}


def _size(rounds: int, smoke: bool, progress: Callable[[int], None]) -> dict[str, Any]:
    measured = sizes(short=smoke)
    table = Table(title="Package size in KiB (zip and unpacked; then without bytecode)")
    for column in ("cloud", "package"):
        table.add_column(column, no_wrap=True)
    for column in ("zip", "ratio", "unpacked", "zip", "unpacked"):
        table.add_column(column, justify="right", no_wrap=True)
    for cloud, packages in measured.items():
        first = next(iter(packages.values()))
        for name, each in packages.items():
            kib = [f"{figure / 1024:,.0f}" for figure in asdict(each).values()]
            table.add_row(cloud, name, kib[0], f"{each.zipped / first.zipped:.2f}", *kib[1:])
    Console(width=WIDE).print(table)
    console.print("The ratio is that of the zips with bytecode, to the first package of the cloud.\n")
    progress(rounds)
    return {"size_bytes": {cloud: {name: asdict(each) for name, each in of.items()} for cloud, of in measured.items()}}


def _benches(orders: int | None, clouds: Sequence[str] | None) -> dict[str, Bench]:
    """By name, in the order in which they are run; those that take ``orders`` have a number of their own."""
    return {
        "cpu": _cpu,
        "steps": _steps,
        "cold": _cold,
        "imports": _imports,
        "http": _http,
        "size": _size,
        "growth": growing.growth,
        "hot": growing.hot,
        "memory": partial(growing.memory, orders or _MEMORY),
        "simulator": growing.simulator,
        "throughput": partial(growing.throughput, clouds or CLOUDS, orders or _THROUGHPUT),
    }


def _print(title: str, unit: str, compared: dict[str, Compared]) -> None:
    table = Table(title=title)
    table.add_column("program")
    table.add_column(unit, justify="right", no_wrap=True)
    table.add_column("ratio", justify="right", no_wrap=True)
    for name, each in compared.items():
        table.add_row(escape(name), escape(each.figure.text(1)), escape(each.ratio.text(2)))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
