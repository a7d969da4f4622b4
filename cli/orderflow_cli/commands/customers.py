"""``orderflow export`` and ``orderflow erase``: a customer's rights."""

from __future__ import annotations

from typing import Annotated

import typer

from orderflow_cli.asking import Approve, ask
from orderflow_cli.commands.common import CODES, AsJson, DryRun, note, operation, say, say_json
from orderflow_cli.ops import customers as ops
from orderflow_cli.ops.doors import Doors

Customer = Annotated[str, typer.Option("--customer", help="The customer's id.")]


def add_to(root: typer.Typer) -> None:
    """Add both commands."""
    root.command(epilog=CODES)(export)
    root.command(epilog=CODES)(erase)


@operation
def export(doors: Doors, customer: Customer) -> None:
    """Print everything that is kept about a customer, as JSON: contact data and orders."""
    say_json(ops.export(doors, customer))


@operation
def erase(
    doors: Doors,
    customer: Customer,
    with_open_orders: Annotated[
        bool, typer.Option("--with-open-orders", help="Also while orders are under way: those may end unshipped.")
    ] = False,
    dry_run: DryRun = False,
    approved: Approve = False,
    as_json: AsJson = False,
) -> None:
    """Delete a customer's personal data. Orders, events and the archive hold none, and stay."""
    if not dry_run:
        ask(f"Delete the personal data of {customer} for good?", approved)
    found = ops.erase(doors, customer, dry_run=dry_run, with_open_orders=with_open_orders)
    if dry_run:
        note("nothing was changed")
    if as_json:
        say_json({"customer": customer, "found": found, "erased": found and not dry_run})
    else:
        say(f"{customer}: {'nothing is kept' if not found else 'would be erased' if dry_run else 'erased'}")
