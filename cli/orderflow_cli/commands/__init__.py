"""The operations commands: options, tables and JSON around the functions of `orderflow_cli.ops`."""

from __future__ import annotations

import typer

from orderflow_cli.commands import archive, customers, dlq, facts, health, orders


def add_to(app: typer.Typer) -> None:
    """Add them to the `orderflow` command."""
    app.add_typer(orders.app, name="orders")
    app.add_typer(dlq.app, name="dlq")
    app.add_typer(archive.app, name="archive")
    for module in (archive, customers, facts, health):
        module.add_to(app)
