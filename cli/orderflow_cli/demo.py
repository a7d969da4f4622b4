"""The demo: the same varied orders on each cloud, watched to their ends, checked, and shown side by side."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from orderflow_cli.cloud_run import CloudResult, CloudRun
from orderflow_cli.invariants import NAMES
from orderflow_cli.workload import Workload
from orderflow_local.fleet import Fleet

TITLES = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud"}


@dataclass(frozen=True, slots=True)
class Options:
    """What a demo run does. ``kill_hosts`` kills a function host of each cloud every two seconds
    while orders are under way."""

    clouds: Sequence[str]
    workload: Workload
    seed: int
    state: Path | None = None
    poison: bool = True
    kill_hosts: bool = False


class Screen:
    """Progress on the error stream: bars on a terminal, plain lines elsewhere."""

    def __init__(self, clouds: Sequence[str], orders: int) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._orders = orders
        self._live = self.console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description:<13}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self._live,
        )
        self._bars: dict[str, TaskID] = {
            name: self._progress.add_task(TITLES[name], total=2 * orders, note="starting") for name in clouds
        }
        self._counts: dict[str, dict[str, int]] = {name: {"placed": 0, "ended": 0} for name in clouds}
        self._told: dict[str, int] = dict.fromkeys(clouds, 0)

    def __enter__(self) -> Screen:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, cloud: str, line: str) -> None:
        """Show what a cloud is doing."""
        if self._live:
            self._progress.update(self._bars[cloud], note=line)
        else:
            self.console.print(f"{TITLES[cloud]}: {line}")

    def advance(self, cloud: str) -> Callable[[str, int], None]:
        """A callback that shows how many of a cloud's orders are placed and ended."""

        def count(phase: str, number: int) -> None:
            counts = self._counts[cloud]
            counts[phase] = number
            note = f"{counts['placed']} placed, {counts['ended']} ended"
            if self._live:
                self._progress.update(self._bars[cloud], completed=sum(counts.values()), note=note)
            elif sum(counts.values()) >= self._told[cloud] + self._orders // 2:
                self._told[cloud] = sum(counts.values())
                self.console.print(f"{TITLES[cloud]}: {note}")

        return count


def run(options: Options) -> list[CloudResult]:
    """Run the demo and answer what came of it, a result for each cloud. Nothing stays running, whatever happens."""
    with (
        Screen(options.clouds, len(options.workload.wishes)) as screen,
        Fleet(options.clouds, state=options.state) as fleet,
    ):
        fleet.start(screen.tell)

        def on(name: str) -> CloudResult:
            advance = screen.advance(name)
            result = CloudRun(
                fleet, name, options.workload, options.seed, advance, options.poison, options.kill_hosts
            ).run()
            screen.tell(name, f"at rest after {result.took:.0f} s")
            return result

        with ThreadPoolExecutor(len(options.clouds)) as pool:
            return list(pool.map(on, options.clouds))


def as_json(results: Sequence[CloudResult], seed: int) -> dict[str, Any]:
    """The results for a script."""
    return {
        "seed": seed,
        "holds": all(result.good for result in results),
        "clouds": {
            result.cloud: {
                "placed": result.placed,
                "outcomes": dict(result.verdict.outcomes),
                "refused_by_api": dict(result.refused),
                "refunds": result.verdict.refunds,
                "messages_sent_again": result.verdict.sent_again,
                "messages": dict(result.verdict.messages),
                "dead_letters": result.verdict.letters,
                "duplicates_absorbed": result.duplicates,
                "events": result.verdict.events,
                "placed_to_shipped_seconds": {"p50": result.percentile(50), "p95": result.percentile(95)},
                "seconds": round(result.took, 3),
                "broken": {name: broken for name, broken in result.verdict.broken.items() if broken},
                "unexpected": result.unexpected,
            }
            for result in results
        },
    }


def table(results: Sequence[CloudResult]) -> Table:
    """The results for a person, the clouds side by side."""
    shown = Table(title="One workflow, the same orders on each cloud", title_style="bold", header_style="bold")
    shown.add_column("")
    for result in results:
        shown.add_column(TITLES[result.cloud], justify="right")

    def row(title: str, value: Callable[[CloudResult], object], *, section: bool = False) -> None:
        shown.add_row(title, *(str(value(result)) for result in results), end_section=section)

    row("orders placed", lambda r: r.placed)
    row("shipped", lambda r: r.verdict.outcomes["shipped"])
    for code in sorted({code for result in results for code in result.verdict.outcomes} - {"shipped"}):
        row(f"cancelled: {code}", lambda r, code=code: r.verdict.outcomes[code])  # type: ignore[misc]
    row("refused by the API", lambda r: r.refused.total(), section=True)
    row("refunds", lambda r: r.verdict.refunds)
    for channel in ("email", "sms", "push"):
        row(f"notifications: {channel}", lambda r, channel=channel: r.verdict.messages[channel])  # type: ignore[misc]
    if any(result.verdict.sent_again for result in results):
        row("notifications sent again", lambda r: r.verdict.sent_again)
    row("dead letters (poison)", lambda r: r.verdict.letters)
    row("duplicates absorbed", lambda r: r.duplicates, section=True)
    row("placed to shipped, p50", lambda r: _time(r.percentile(50)))
    row("placed to shipped, p95", lambda r: _time(r.percentile(95)))
    row("all at rest after", lambda r: _time(r.took), section=True)
    for name, text in NAMES.items():
        row(f"{name} {text}", lambda r, name=name: "[red]BROKEN[/]" if r.verdict.broken[name] else "[green]holds[/]")  # type: ignore[misc]
    return shown


def show(results: Sequence[CloudResult]) -> None:
    """Print the table, and what is broken, if anything is."""
    console = Console(highlight=False)
    console.print(table(results))
    for result in results:
        for text, number in sorted(result.refused.items()):
            console.print(f"{TITLES[result.cloud]}: {number} refused by the API: {text}")
        complaints = [
            *(f"{name}: {line}" for name, lines in result.verdict.broken.items() for line in lines),
            *result.unexpected,
        ]
        for complaint in complaints[:20]:
            console.print(f"[red]{TITLES[result.cloud]}: {complaint}[/]")
        if len(complaints) > 20:
            console.print(f"[red]{TITLES[result.cloud]}: and {len(complaints) - 20} more[/]")
    sys.stdout.flush()


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f} s"
