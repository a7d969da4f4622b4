"""``orderflow contracts``: write the contracts, check that they are current, and compare them with another commit's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from orderflow_cli.contracts.compare import Schema


def add_to(app: typer.Typer) -> None:
    """Add the subcommands."""
    app.add_typer(contracts, name="contracts")


contracts = typer.Typer(help="The events' contracts: JSON Schema and AsyncAPI, generated from the code.")


@contracts.callback(invoke_without_command=True)
def write(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail if a file is not current.")] = False,
) -> None:
    """Write contracts/ from the code, or check that it is current."""
    if context.invoked_subcommand is not None:
        return
    from orderflow_cli.contracts import documents

    wanted = documents.build()
    there = {path.as_posix() for path in Path("contracts").rglob("*.json")}
    stale = sorted(there - wanted.keys()) + [path for path, text in wanted.items() if _text(Path(path)) != text]
    if check:
        for path in stale:
            print(f"{path} is not current: run `orderflow contracts`", file=sys.stderr)
        raise typer.Exit(1 if stale else 0)
    for path in stale:
        if path in wanted:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(wanted[path], encoding="utf-8")
        else:
            Path(path).unlink()


@contracts.command("check")
def check_against(
    against: Annotated[str, typer.Option(help="The commit, branch or tag whose contracts were published.")],
) -> None:
    """Say of every change since then what it breaks. Fails unless all are full: an event that is changed otherwise
    needs a new version, beside the old one."""
    from orderflow_cli.contracts import compare, documents

    try:
        old = _published(against)
    except subprocess.CalledProcessError as error:
        print(f"orderflow: {error.stderr.strip()}", file=sys.stderr)
        raise typer.Exit(2) from None
    new = {f"{model.kind()}.v{model.version}": documents.schema(model) for model in documents.catalogue()}
    differences = compare.contracts(old, json.loads(json.dumps(new)))
    if differences:
        table = Table("change", "where", "why")
        for each in differences:
            table.add_row(each.kind, each.path, each.reason)
        Console().print(table)
    bad = [each for each in differences if each.kind != "full"]
    if bad:
        print(f"{len(bad)} changes are not full: make a new version of the event, beside the old one", file=sys.stderr)
        raise typer.Exit(1)
    print(f"{len(new)} contracts, {len(differences)} changes since {against}, all full")


def _published(ref: str) -> dict[str, Schema]:
    """The contracts of a commit by event and version. Raises `CalledProcessError` for an unknown one."""
    from orderflow_cli.contracts.documents import EVENTS

    listed = _git("ls-tree", "-r", "--name-only", ref, "--", EVENTS).splitlines()
    return {Path(path).name.removesuffix(".json"): json.loads(_git("show", f"{ref}:{path}")) for path in listed}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
