"""Commands over the archive: export, analytics, replay, rebuild."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from orderflow_cli.asking import Approve, ask
from orderflow_cli.commands.common import (
    CODES,
    AsJson,
    DryRun,
    Rate,
    Since,
    Until,
    note,
    operation,
    progress,
    said_plainly,
    say,
    say_json,
    say_table,
)
from orderflow_cli.hints import Exit
from orderflow_cli.ops import parquet, rebuild, replays
from orderflow_cli.ops.doors import CannotDo, Doors

app = typer.Typer(no_args_is_help=True, help="The archive of every event: export it.")

MODELS = ("analytics", "orders", "stock")


def add_to(root: typer.Typer) -> None:
    """Add the commands that stand by themselves."""
    for command in (analytics, replay, rebuild_):
        root.command(command.__name__.strip("_"), epilog=CODES)(command)


@app.command(epilog=CODES)
@operation
def export(
    doors: Doors,
    folder: Annotated[Path, typer.Option("--parquet", file_okay=False, help="Folder to write to.")],
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Export whole days of the archive (UTC) to Parquet, by date and type. Repeating it replaces those days."""
    now = time.time()
    with progress("events read") as advance:
        made = parquet.export(
            doors, folder, now if since is None else since, now if until is None else until, advance=advance
        )
    if as_json:
        say_json(made)
        return
    say_table(["type", "events"], [[kind, count] for kind, count in sorted(made.by_type.items())])
    say(f"{made.events} events of {', '.join(sorted(made.by_date)) or 'no day'} in {folder}")


def analytics(
    question: Annotated[str, typer.Argument(help="revenue, conversion, failures or time-to-ship.")],
    folder: Annotated[Path, typer.Option("--from", help="Folder that `orderflow archive export` wrote.")],
    as_json: AsJson = False,
) -> None:
    """Ask a question of an exported archive, with DuckDB."""
    with said_plainly(""):
        answer = parquet.ask(question, folder)
        if as_json:
            say_json(answer.as_objects())
        else:
            say_table(list(answer.columns), [list(row) for row in answer.rows])


@operation
def replay(
    doors: Doors,
    service: Annotated[str, typer.Argument(help="The service that is to hear the events again.")],
    since: Since = None,
    until: Until = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--type", help="Only events of this type; may be repeated.")
    ] = None,
    order: Annotated[str | None, typer.Option("--order", help="Only events about this order.")] = None,
    rate: Rate = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Hand events of the archive to one service again. What it has absorbed changes nothing."""
    if since is None and order is None:
        raise CannotDo("which events?", "say from when: --since 2h, --since 2026-11-21; or --order ID", Exit.USAGE)
    wanted = replays.Range(since or 0.0, time.time() if until is None else until, frozenset(kinds or ()), order)
    with progress(f"to {service}") as advance:
        done = replays.replay_to(doors, service, wanted, dry_run=dry_run, per_second=rate, advance=advance)
    if as_json:
        say_json(
            {"dry_run": dry_run, "handed_over": done.handed_over, "not_heard": done.not_heard, "refused": done.refused}
        )
    else:
        for kind, count in sorted(done.handed_over.items()):
            say(f"{kind}: {count}")
        say(f"{'would hand' if dry_run else 'handed'} {done.handed_over.total()} events to {service}")
        for why, count in done.refused.items():
            say(f"{count} left out: {why}")
    if done.not_heard:
        note(f"{done.not_heard} events of that range are not for {service}")


@operation
def rebuild_(
    doors: Doors,
    model: Annotated[str, typer.Argument(help="analytics, orders or stock.")],
    since: Since = None,
    until: Until = None,
    order: Annotated[str | None, typer.Option("--order", help="Of the model orders: this one.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Of the model analytics: put back what differs.")] = False,
    approved: Approve = False,
    as_json: AsJson = False,
) -> None:
    """Make a model again from the archive alone and compare it with what is stored. Without --write it changes nothing.

    analytics: the live aggregates. orders: what order, inventory, payment and shipping keep about each order. stock:
    units by SKU, from the whole archive."""
    if model not in MODELS:
        raise CannotDo(f"{model!r} is no model", f"one of: {', '.join(MODELS)}", Exit.USAGE)
    if write and model != "analytics":
        raise CannotDo(f"{model} is compared only: what leads to effects is never written from events", "", Exit.USAGE)
    now = time.time()
    began, ended = (0.0 if order else now) if since is None else since, now if until is None else until
    if write:
        ask("Put back what differs from the archive?", approved)
    with progress("events read") as advance:
        if model == "analytics":
            result = rebuild.rebuild_analytics(doors, began, ended, write=write, advance=advance)
        elif model == "orders":
            whole_day = began - began % 86_400
            result = rebuild.compare_orders(doors, whole_day, ended + 1, order_id=order, advance=advance)
        else:
            result = rebuild.compare_stock(doors, advance=advance)
    if as_json:
        say_json(result)
    else:
        _tell(result)
    if not result.holds:
        raise CannotDo("the archive and what is stored differ", "again when nothing is on its way: orderflow queues")


def _tell(result: rebuild.Comparison) -> None:
    rows = [[each.key, each.field, each.live, each.rebuilt] for each in result.differences[:50]]
    if rows:
        say_table(["document", "field", "stored", "rebuilt"], rows)
    say(f"{result.model}: {result.events} events read; {result.equal} documents are equal")
    for words, keys in (
        ("differ", sorted({each.key for each in result.differences})),
        ("were put back", result.written),
        ("have not absorbed everything yet", result.under_way),
        ("know events that are not in the archive (yet)", result.behind),
    ):
        if keys:
            say(f"{len(keys)} {words}: {', '.join(keys[:5])}{' ...' if len(keys) > 5 else ''}")
