"""``orderflow queues`` and ``orderflow doctor``: how it is."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import typer

from orderflow_cli.commands.common import (
    CODES,
    AsJson,
    Cloud,
    Environment,
    Outputs,
    Target,
    note,
    open_doors,
    operation,
    said_plainly,
    say_json,
    say_table,
)
from orderflow_cli.hints import Exit
from orderflow_cli.ops import doctor as ops
from orderflow_cli.ops.doors import Doors
from orderflow_cli.ops.queues import read_queues

_MARKS = {"ok": "✓ ok", "warning": "! look", "broken": "✗ broken"}


def add_to(root: typer.Typer) -> None:
    """Add both commands."""
    root.command(epilog=CODES)(queues)
    root.command(epilog=CODES)(doctor)


@operation
def queues(doors: Doors, as_json: AsJson = False) -> None:
    """Show how full each service's queue is, how old its oldest message, and how many dead letters it has."""
    figures = read_queues(doors.queues)
    if as_json:
        say_json({"queues": figures, "untold": dict(doors.queues.untold)})
        return
    say_table(
        ["service", "waiting", "in flight", "oldest, s", "dead letters"],
        [
            [
                each.service,
                each.waiting,
                each.in_flight,
                None if each.oldest_s is None else round(each.oldest_s),
                each.dead_letters,
            ]
            for each in figures
        ],
    )
    for name, why in doors.queues.untold.items():
        note(f"{name.removesuffix('_s').replace('_', ' ')}: {why}")


def doctor(
    cloud: Cloud,
    target: Target = "local",
    environment: Environment = "dev",
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Look at this machine, at a cloud's doors and at what is deployed there, and say what to do. Changes nothing."""
    with said_plainly(cloud):
        open_them = partial(open_doors, cloud, target, environment, outputs)
        checks = ops.examine(cloud, target, Path.cwd(), open_them)
        if as_json:
            say_json(checks)
        else:
            say_table(
                ["what", "", "found", "what to do"],
                [[check.name, _MARKS[check.state], check.detail, check.remedy] for check in checks],
            )
    if any(check.state == "broken" for check in checks):
        raise typer.Exit(Exit.FAILED)
