"""Measure what orderflow costs beside named peers that do the same work. Figures are of this machine; the ratios, taken
within each round, are what can be compared."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from benchmarks.cpu import programs as cpu
from benchmarks.rounds import Compared, as_json, compare


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11, help="how often each program is run (default %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="one short round: does everything run?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    chosen = parser.parse_args(arguments)
    rounds, events, passes = (1, 2, 1) if chosen.smoke else (chosen.rounds, 100, 5)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("processor time per event", total=rounds)
        compared = compare(
            cpu.programs(events, passes), cpu.REFERENCE, rounds, lambda done: bar.update(task, completed=done)
        )
    _print(compared, rounds)
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(_report(compared, rounds), indent=2) + "\n")
    return 0


def _print(compared: dict[str, Compared], rounds: int) -> None:
    table = Table(title=f"Processor time per event: median, least and most of {rounds} rounds")
    table.add_column("program", no_wrap=True)
    table.add_column("us a record", justify="right", no_wrap=True)
    table.add_column("ratio", justify="right", no_wrap=True)
    for name, each in compared.items():
        table.add_row(name, escape(each.figure.text(1)), escape(each.ratio.text(2)))
    console = Console()
    console.print(table)
    console.print(f"The ratio is to {cpu.REFERENCE!r}, round by round.")


def _report(compared: dict[str, Compared], rounds: int) -> dict[str, Any]:
    machine = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    return {"machine": machine, "rounds": rounds, "cpu_us_a_record": as_json(compared)}


if __name__ == "__main__":
    sys.exit(main())
