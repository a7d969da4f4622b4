"""``orderflow publish``: a fact from outside."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from orderflow_cli.commands.common import CODES, AsJson, DryRun, note, operation, say, say_json
from orderflow_cli.hints import Exit
from orderflow_cli.ops import facts as ops
from orderflow_cli.ops.doors import CannotDo, Doors


def add_to(root: typer.Typer) -> None:
    """Add the command."""
    root.command(epilog=CODES)(publish)


@operation
def publish(
    doors: Doors,
    file: Annotated[Path, typer.Argument(help="JSON lines, - for standard input.", allow_dash=True)],
    source: Annotated[str, typer.Option("--source", help="Who says so: the CloudEvents source.")] = "/outside",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Publish facts of another system into the workflow. All lines are checked against their contracts before any goes.

    A line is a whole CloudEvent, or {"kind": "PaymentCompleted", "data": {...}} with, if wanted, id, time and
    correlation_id. To publish the same fact again, give it the same id and time."""
    text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    facts, wrong = ops.read_facts(text.splitlines(), source)
    if wrong:
        raise CannotDo("nothing was published: " + "; ".join(wrong[:10]), code=Exit.USAGE)
    if dry_run:
        note("all lines are good; nothing was published")
    else:
        ops.publish(doors, facts)
    if as_json:
        say_json([fact.to_dict() for fact in facts])
        return
    for fact in facts:
        say(f"{fact.id}  {fact.kind}  {fact.subject}  {fact.time}")
