"""Under which heading `orderflow --help` shows each command."""

from __future__ import annotations

import typer
from typer.models import CommandInfo, TyperInfo

PANELS = {
    "Run it on this machine": ("demo", "up", "example"),
    "Operate it, here or deployed": (
        "orders",
        "queues",
        "dlq",
        "replay",
        "rebuild",
        "archive",
        "analytics",
        "publish",
        "relay",
        "export",
        "erase",
        "doctor",
    ),
    "Deploy it": ("cost", "package", "init", "plan", "deploy", "outputs", "destroy"),
    "Grow on it": ("new", "topology", "contracts", "docs"),
}


def arrange(app: typer.Typer) -> None:
    """Put each of the app's commands under its heading, in the order of the table; a group after those that are none.
    Raises `KeyError` for a command that has none."""
    heading = {name: panel for panel, names in PANELS.items() for name in names}
    order = list(heading)
    for command in app.registered_commands:
        command.rich_help_panel = heading[_name(command)]
    for group in app.registered_groups:
        group.rich_help_panel = heading[_name(group)]
    app.registered_commands.sort(key=lambda each: order.index(_name(each)))
    app.registered_groups.sort(key=lambda each: order.index(_name(each)))


def _name(command: CommandInfo | TyperInfo) -> str:
    """What a person types."""
    return str(command.name or getattr(command.callback, "__name__", ""))
