"""``orderflow contracts``: write the contracts, check that they are current, and compare them with another commit's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table


def add_to(app: typer.Typer) -> None:
    """Add the subcommands."""
    app.add_typer(contracts, name="contracts")


contracts = typer.Typer(help="The events' contracts: JSON Schema, AsyncAPI, who uses what, and their page.")

FOLDER = Path("contracts")


@contracts.callback(invoke_without_command=True)
def write(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail if a file is not current.")] = False,
) -> None:
    """Write contracts/ and docs/events.md from the code, or check that they are current. contracts/samples, which are
    what was published once, stay as they are."""
    if context.invoked_subcommand is not None:
        return
    from orderflow_cli.contracts import consumers, documents

    try:
        wanted = documents.build()
    except consumers.Unwatchable as error:
        print(f"orderflow: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    there = {path.as_posix() for path in FOLDER.rglob("*.json") if FOLDER / "samples" not in path.parents}
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
    from orderflow_cli.contracts import compare, consumers, documents

    try:
        old, samples, before = (_published(against, folder) for folder in ("events", "samples", "consumers"))
    except subprocess.CalledProcessError as error:
        print(f"orderflow: {error.stderr.strip()}", file=sys.stderr)
        raise typer.Exit(2) from None
    new = documents.schemas_by_name()
    differences = compare.contracts(old, json.loads(json.dumps(new)))
    if differences:
        releases = [{name: each["uses"] for name, each in before.items()}]
        try:
            releases.append(consumers.observed())
        except consumers.Unwatchable as error:
            print(f"orderflow: {error}; so the last column says only who used it in {against}", file=sys.stderr)
        table = Table("change", "where", "why", "used by")
        for each in differences:
            event, _, place = each.path.partition(" ")
            table.add_row(each.kind, each.path, each.reason, ", ".join(consumers.users(releases, event, place)))
        Console().print(table)
    bad = [each for each in differences if each.kind != "full"]
    if bad:
        print(
            f"{_changes(len(bad))} not full: make a new version of the event, beside the old one (docs/contracts.md)",
            file=sys.stderr,
        )
    lost = sorted(name for name, sample in samples.items() if _sample(name).get("envelope") != sample["envelope"])
    for name in lost:
        print(f"contracts/samples/{name}.json is another or gone: what was published once stays", file=sys.stderr)
    if bad or lost:
        raise typer.Exit(1)
    print(f"{len(new)} contracts, {_changes(len(differences))} full since {against}")


def _changes(number: int) -> str:
    return "1 change is" if number == 1 else f"{number} changes are"


def _published(ref: str, folder: str) -> dict[str, dict[str, Any]]:
    """The files of a folder of contracts/ in a commit, by their names. Raises `CalledProcessError` for an unknown
    commit."""
    listed = _git("ls-tree", "-r", "--name-only", ref, "--", f"contracts/{folder}").splitlines()
    return {Path(path).name.removesuffix(".json"): json.loads(_git("show", f"{ref}:{path}")) for path in listed}


def _sample(name: str) -> dict[str, Any]:
    text = _text(FOLDER / "samples" / f"{name}.json")
    sample: dict[str, Any] = json.loads(text) if text else {}
    return sample


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
