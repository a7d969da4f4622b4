"""The reference of the settings, from the class that reads them: defaults from the fields, words from the docstrings
that follow them."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields

from orderflow.settings import Settings
from orderflow_cli.docs.text import table

HEAD = """# Settings

{made}

Each is an environment variable of the functions. A deployment sets it in `settings` of its `.tfvars` file
([Terraform reference](terraform.md)), the local clouds take it from the environment of `make up`. A value that a
setting cannot have stops the function when it starts, and the error names the variable. Times are seconds,
amounts minor units of the order's currency. Names of queues, tables and buckets are set by Terraform and not
listed.

"""


def page(made: str) -> str:
    """The page as Markdown."""
    words = _words()
    rows = [
        [f"`ORDERFLOW_{field.name.upper()}`", str(field.type), _value(field.default), words.get(field.name, "")]
        for field in fields(Settings)
    ]
    return HEAD.format(made=made) + table("variable | type | default | meaning", rows)


def _value(default: object) -> str:
    return f"`{str(default).lower() if isinstance(default, bool) else default}`" if default != "" else "none"


def _words() -> dict[str, str]:
    """What is said of each field, by its name."""
    [declared] = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(declared, ast.ClassDef)
    found: dict[str, str] = {}
    for field, said in zip(declared.body, declared.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(said, ast.Expr):
            text = ast.literal_eval(said.value)
            found[field.target.id] = " ".join(str(text).split()).replace("``", "`")
    return found
