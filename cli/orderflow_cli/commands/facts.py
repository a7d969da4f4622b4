"""``orderflow publish`` and ``orderflow relay``: facts from outside."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from random import SystemRandom
from typing import Annotated

import typer

from orderflow_cli.commands.common import CODES, AsJson, DryRun, counted, fail, note, operation, progress, say, say_json
from orderflow_cli.hints import Exit
from orderflow_cli.ops import facts as ops
from orderflow_cli.ops import relay as relaying
from orderflow_cli.ops.doors import CannotDo, Doors


def add_to(root: typer.Typer) -> None:
    """Add both commands."""
    root.command(epilog=CODES)(publish)
    root.command(epilog=CODES)(relay)


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


@operation
def relay(
    doors: Doors,
    database: Annotated[str, typer.Option("--database", help="A file of SQLite, or sqlite:///path.")],
    source: Annotated[str, typer.Option("--source", help="Who says so: the CloudEvents source.")] = "/outside",
    keep_on: Annotated[
        bool, typer.Option("--follow/--once", help="Go on until Ctrl-C, or stop when nothing waits.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish the facts that another system wrote into its outbox table, oldest first, and mark them there.

    A crash between the two publishes the same event again, which harms nobody. A row that breaks its contract is parked
    with the reason: mend it and set parked to NULL. Always give the same --source: it is in the events' ids.
    docs/strangler-fig.md has the table's shape."""
    total = relaying.Relayed()

    def told(done: relaying.Relayed) -> None:
        total.published += done.published
        total.parked += done.parked
        if done.refused:
            note(f"the broker did not take {counted(done.refused, 'event')}: {done.error}; tried again later")
        elif done.published or done.parked:
            note(f"{counted(done.published, 'event')} published, {done.parked} parked")

    with relaying.outbox(database) as connection:
        if keep_on:
            try:
                relaying.follow(doors, connection, source, SystemRandom(), told)
            finally:
                _summary(total, as_json)
        with progress("relaying") as advance:
            total = relaying.relay(doors, connection, source, advance)
    _summary(total, as_json)
    if total.refused:
        fail(f"the broker did not take {counted(total.refused, 'event')}: {total.error}", "run the same again")


def _summary(done: relaying.Relayed, as_json: bool) -> None:
    if as_json:
        say_json(asdict(done))
    else:
        say(f"{counted(done.published, 'event')} published, {counted(done.parked, 'row')} parked")
