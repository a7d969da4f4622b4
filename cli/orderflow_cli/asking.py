"""Asking the person at the terminal before something is changed that cannot be taken back."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from orderflow_cli.hints import Exit

Approve = Annotated[bool, typer.Option("--yes", envvar="AUTO_APPROVE", help="Do not ask (also: AUTO_APPROVE=1).")]


def ask(question: str, approved: bool) -> None:
    """Go on only if somebody agrees, or has already."""
    if approved:
        return
    if not sys.stdin.isatty():
        print(f"orderflow: {question} Nobody is here to answer: pass --yes, or AUTO_APPROVE=1", file=sys.stderr)
        raise typer.Exit(Exit.USAGE)
    typer.confirm(question, abort=True, err=True)
