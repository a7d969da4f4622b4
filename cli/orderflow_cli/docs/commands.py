"""``orderflow docs``: write the generated pages, check that they are current, build and serve the site."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Add the subcommands."""
    app.add_typer(docs, name="docs")


docs = typer.Typer(help="The documentation: pages and pictures made from the code, and the site made from all pages.")


@docs.callback(invoke_without_command=True)
def write(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail if a file is not current.")] = False,
) -> None:
    """Write the reference pages and the diagrams from the code, or check that they are current."""
    if context.invoked_subcommand is not None:
        return
    from orderflow_cli.docs import pages

    stale = [path for path, text in pages.build(Path.cwd()).items() if _text(Path(path)) != text]
    if check:
        for path in stale:
            print(f"{path} is not current: run `orderflow docs`", file=sys.stderr)
        raise typer.Exit(1 if stale else 0)
    for path, text in pages.build(Path.cwd()).items():
        if path in stale:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(text, encoding="utf-8")


@docs.command()
def build() -> None:
    """Build the site in build/site and follow every link in it. Fails on any warning."""
    from orderflow_cli.docs import site

    try:
        site.build(Path.cwd())
    except site.BadPages as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    print(f"{site.SITE}/index.html")


@docs.command()
def serve() -> None:
    """Serve the site on this machine until Ctrl-C. Shows the pages as they were when it was started."""
    from orderflow_cli.docs import site

    try:
        site.build(Path.cwd(), serve=True)
    except site.BadPages as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
