"""``orderflow new``: begin a service with its test and its contracts."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from orderflow.topology import BadDeclaration
from orderflow_cli.contracts import samples
from orderflow_cli.hints import Exit
from orderflow_cli.new import draft as drafts
from orderflow_cli.new import text
from orderflow_cli.new.draft import Draft

_OF_AN_ORDER = {
    *("OrderPlaced", "OrderConfirmed", "OrderCancelled", "InventoryReserved", "InventoryReleased", "FraudCleared"),
    *("PaymentCompleted", "PaymentRefunded", "ShipmentRefused", "NotificationRequested"),
}
"""What an expensive order brings of a customer to whom no carrier goes: it is paid, confirmed and cancelled."""

new = typer.Typer(help="Begin something new, in files of its own.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the subcommands."""
    app.add_typer(new, name="new")


@new.callback()
def _group() -> None:
    """Keeps `service` a subcommand of its own."""


@new.command()
def service(
    name: Annotated[str, typer.Argument(help="A word of 2 to 20 small letters and digits, such as loyalty.")],
    hears: Annotated[
        str, typer.Option("--hears", metavar="EVENT,...", help="Events that start it, such as OrderConfirmed.")
    ],
    emits: Annotated[
        str,
        typer.Option("--emits", metavar="EVENT,...", help="New events: the first after the first that is heard, ..."),
    ] = "",
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="ATTRIBUTE=VALUE,...", help="Only these, such as tier=high; repeat it."),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="FOLDER", help="A package beside the core, such as examples/shop. [the core]"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Write a service, its test, and what is generated of it: topology.json, contracts, pictures and pages.

    It runs as it is: it notes what it hears and says what it is to say. Then its `decide` is yours. Nothing that exists
    is overwritten, and nothing is written where something is wrong. Run it in the project's folder.

    Exit codes: 0 done; 1 what is generated could not be; 2 refused."""
    root = Path.cwd()
    try:
        draft = drafts.draft(name, _words(hears), _words(emits), filters or [], into, root)
        files = text.files(draft, root)
    except (drafts.Refused, samples.NoSample, BadDeclaration) as error:
        _refuse(str(error))
    if there := [path for path in files if (root / path).exists()]:
        _refuse(f"{there[0]} is there already")
    if not dry_run:
        _write(draft, files, root)
    after = _next(draft, root)
    if as_json:
        written = {path.as_posix(): content for path, content in files.items()}
        print(json.dumps({"service": name, "written": not dry_run, "files": written, "next": after}, indent=2))
        return
    for path, content in files.items():
        print(f"{'would write' if dry_run else 'wrote'} {path}")
        if dry_run:
            print(content)
    if not dry_run:
        print("next:")
        for line in after:
            print(f"  {line}")


def _write(draft: Draft, files: dict[Path, str], root: Path) -> None:
    """Write the files and what is generated of them; all or nothing of the files."""
    folders = [parent for parent in (root / draft.folder,) if not parent.exists()]
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    environment = {**os.environ}
    if not draft.in_core:
        from orderflow.services import PACKAGES, VARIABLE

        environment[VARIABLE] = ",".join(dict.fromkeys([*PACKAGES, draft.package]))
    commands = [["topology"], ["contracts"], ["docs"]] if draft.in_core else [["topology", "--path", os.devnull]]
    for command in commands:
        # Another process finds the service as all others will.
        done = subprocess.run(
            [sys.executable, "-m", "orderflow_cli.main", *command],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            for path in files:
                (root / path).unlink()
            for folder in folders:
                folder.rmdir()
            print(done.stderr.strip(), file=sys.stderr)
            print("orderflow: nothing was written", file=sys.stderr)
            raise typer.Exit(Exit.FAILED)


def _next(draft: Draft, root: Path) -> list[str]:
    """What to do now, line by line."""
    folder = shlex.quote(str(draft.folder.parent))
    found = f"PYTHONPATH={folder} " if draft.folder.is_absolute() else ""
    packages = "" if draft.in_core else f"{found}ORDERFLOW_SERVICES_PACKAGES={draft.package} "
    return [
        f"edit decide in {draft.folder / draft.name}.py, and its test; then make format",
        f"{found}make test ARGS={draft.test}",
        f'{packages}make up ARGS="--cloud gcp", and when it runs, in another terminal:',
        *(f"  {line}" for line in _start(draft, packages, root)),
        *(["make golden; then review the difference: rights, and counts in docs/deploy"] if draft.in_core else []),
    ]


def _start(draft: Draft, packages: str, root: Path) -> list[str]:
    """What makes its first event come: an order, where that brings it, else the event itself."""
    command, heard = f"{packages}.venv/bin/orderflow", draft.hears[0]
    if heard.kind() in _OF_AN_ORDER and "high" in draft.filter.get("tier", ("high",)):
        return [
            f"{command} orders place --cloud gcp --customer edmond --line TEA-HOUSE=1 --wait",
            f"{command} orders timeline ORDER --cloud gcp     # the id that was printed",
        ]
    data = samples.data(heard, root, **draft.chosen(heard))
    return [f"echo {shlex.quote(json.dumps({'kind': heard.kind(), 'data': data}))} | {command} publish --cloud gcp -"]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _refuse(message: str) -> NoReturn:
    print(f"orderflow: {message}; nothing was written", file=sys.stderr)
    raise typer.Exit(Exit.USAGE)
