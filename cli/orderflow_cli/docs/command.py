"""The reference of the command, from its own help: Typer's documentation of it, with our headings."""

from __future__ import annotations

import re
from typing import Any

HEAD = """# Command reference

{made}

`orderflow --help` and `orderflow COMMAND --help` say the same. `make` runs it where a person needs it: `make help`.

Exit codes: 0 done; 1 a promise was broken or a check failed; 2 wrong usage; 3 something is missing on this machine; 130
interrupted. What a deployment's commands exit with besides is in the [deploy guides](../deploy/aws.md#what-goes-wrong).
"""


def page(made: str) -> str:
    """The page as Markdown."""
    import typer
    from typer.cli import get_docs_for_click

    from orderflow_cli.main import app

    root = typer.main.get_command(app)
    context: Any = root.context_class(root, info_name="orderflow")
    text = get_docs_for_click(obj=root, ctx=context, name="orderflow")
    commands = text[text.index("\n## ") :]
    commands = re.sub(r"^## `(.+)`$", r"## \1", commands, flags=re.MULTILINE)
    commands = re.sub(r"^(#+) `(.+)`$", r"\1 \2", commands, flags=re.MULTILINE)
    commands = re.sub(r"^\* `--help`: .*\n", "", commands, flags=re.MULTILINE)
    commands = re.sub(r"\*\*Options\*\*:\n\n(?=\n|$|\*\*|#)", "", commands)
    return f"{HEAD.format(made=made)}{commands.rstrip()}\n"
