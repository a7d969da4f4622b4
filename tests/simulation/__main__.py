"""Run the whole workflow many times on simulated clouds, with faults at every step, and check what must always hold.
Run n has seed SEED + n; the delivery profiles take turns. Exit code 1 where an invariant was broken, 130 after
Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from simulation.bugs import MOST_RUNS
from simulation.many import Hunted, Tally, find, hunt_all, planted, run_all
from simulation.planted import PLANTED
from simulation.profiles import PROFILES
from simulation.report import as_json, as_markdown, bugs_table, summary
from simulation.shrink import Case, shrink

SHOWN = 20
"""Violations that are named with their seeds."""
STORIES = 1
"""Violations that are made short and told; the others are named with their seeds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for."""
    chosen = _parser().parse_args(arguments)
    profiles = list(PROFILES) if chosen.profile == "all" else [chosen.profile]
    only = None if chosen.only is None else tuple(name for name in chosen.only.split(",") if name != "none")
    everybody = None if chosen.services is None else chosen.services == "all"
    cases = (
        Case(chosen.seed + number, profiles[number % len(profiles)], chosen.orders, only, everybody)
        for number in range(chosen.runs)
    )
    bug = None if chosen.bug is None else find(chosen.bug).name
    with _progress(chosen.runs, "runs") as tell:
        tally = run_all(cases, bug, chosen.jobs, _watching(tell))
    hunted: list[Hunted] = []
    if chosen.bugs and not tally.interrupted:
        hunted, tally.interrupted = _hunt(chosen.jobs)
    with planted(bug):
        stories = [_story(case, chosen.bug) for case, _ in tally.failed[:STORIES]]
    if chosen.report:
        chosen.report.parent.mkdir(parents=True, exist_ok=True)
        chosen.report.write_text(as_markdown(tally, hunted, stories))
    if chosen.json:
        print(json.dumps(as_json(tally, hunted), indent=2))
    else:
        _print(tally, hunted, stories)
    if tally.failed or any(each.violation is None for each in hunted):
        return 1
    return 130 if tally.interrupted else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first run (default %(default)s)")
    parser.add_argument("--profile", choices=[*PROFILES, "all"], default="all", help="whose broker it is")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)")
    parser.add_argument("--orders", type=int, help="orders in a run (default: drawn)")
    parser.add_argument("--only", help="of the faults that are drawn, only these: names with commas, or none")
    parser.add_argument("--services", choices=["core", "all"], help="who takes part (default: drawn)")
    parser.add_argument("--bug", help="plant the bug of this name: see how it is found")
    parser.add_argument("--bugs", action="store_true", help="also hunt every planted bug")
    parser.add_argument("--json", action="store_true", help="the figures as JSON, and nothing else on standard output")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a report in Markdown")
    return parser


def _story(case: Case, bug: str | None) -> str:
    """A violation for people: the shortest run that shows it, as a timeline, and how to see it again."""
    short, result = shrink(case)
    planted_too = f" --bug '{bug}'" if bug else ""
    command = short.command()
    if planted_too:
        command = f'{command[:-1]}{planted_too}"' if command.endswith('"') else f'{command} ARGS="{planted_too[1:]}"'
    found = f"found with seed {case.seed} on {case.profile}; made short, it is"
    return f"{found}\n{result.report(command)}"


def _print(tally: Tally, hunted: list[Hunted], stories: list[str]) -> None:
    if tally.interrupted:
        print("interrupted; what was done so far:")
    print(summary(tally))
    for case, violation in tally.failed[:SHOWN]:
        print(f"seed {case.seed} on {case.profile}: {violation}")
    for story in stories:
        print(f"\n{story}")
    if hunted:
        print(f"\nruns until caught:\n{bugs_table(hunted)}")


def _watching(tell: Callable[[int, str], None]) -> Callable[[Tally], None]:
    """Progress, and at once the first violations: who sees one need not wait for the end."""
    shown = 0

    def watch(tally: Tally) -> None:
        nonlocal shown
        for case, violation in tally.failed[shown:SHOWN]:
            print(f"seed {case.seed} on {case.profile}: {violation}", file=sys.stderr, flush=True)
        shown = len(tally.failed)
        tell(tally.runs, f"{tally.sagas} sagas, {len(tally.failed)} violations")

    return watch


def _hunt(jobs: int) -> tuple[list[Hunted], bool]:
    done: list[Hunted] = []
    with _progress(len(PLANTED), "bugs", len(PLANTED)) as tell:

        def caught(each: Hunted) -> None:
            done.append(each)
            found = "caught" if each.violation else "NOT CAUGHT"
            tell(len(done), f"{each.name[:60]}: {found}, {each.runs} runs, {each.seconds:.0f} s")

        return hunt_all(MOST_RUNS, jobs, caught)


@contextmanager
def _progress(total: int, what: str, lines: int = 10) -> Iterator[Callable[[int, str], None]]:
    """A bar on a terminal, so many lines elsewhere, both on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(total, what, lines)
        return
    columns: tuple[Any, ...] = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, told: bar.update(task, completed=done, description=told)


def _lines(total: int, what: str, lines: int) -> Callable[[int, str], None]:
    said = 0

    def tell(done: int, told: str) -> None:
        nonlocal said
        if lines * done // total > said:
            said = lines * done // total
            print(f"{done}/{total} {what}: {told}", file=sys.stderr, flush=True)

    return tell


if __name__ == "__main__":
    sys.exit(main())
