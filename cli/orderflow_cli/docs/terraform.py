"""The reference of the Terraform roots, read from their files. ``terraform fmt`` has laid them out, which is what makes
expressions enough."""

from __future__ import annotations

import re
from pathlib import Path

from orderflow_cli.docs.text import table

CLOUDS = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud"}
HEAD = """# Terraform reference

{made}

The three roots, `terraform/aws`, `terraform/azure` and `terraform/gcp`, take the same variables and give the same
outputs. A variable that the clouds say differently is listed with what each says. Values of an environment are in
`terraform/<cloud>/environments/<environment>.tfvars`; `TF_VAR_<name>` in the environment of the command sets one too.
"""


def page(folder: Path, made: str) -> str:
    """The page as Markdown."""
    parts = [HEAD.format(made=made), "## Variables\n", _table(folder, "variables.tf", "variable")]
    parts += ["## Outputs\n", _table(folder, "outputs.tf", "output")]
    parts += ["## What a new account needs first\n", "Variables of `terraform/bootstrap/<cloud>`:\n"]
    parts += [_table(folder / "bootstrap", "variables.tf", "variable")]
    return "\n".join(parts)


def _table(folder: Path, file: str, kind: str) -> str:
    roots = {cloud: _blocks(folder / cloud / file, kind) for cloud in CLOUDS}
    names = sorted({name for root in roots.values() for name in root})
    rows = []
    for name in names:
        said = {cloud: root[name] for cloud, root in roots.items() if name in root}
        where = "" if len(said) == len(CLOUDS) else f" ({', '.join(CLOUDS[cloud] for cloud in said)} only)"
        cells = [f"`{name}`{where}"]
        if kind == "variable":
            cells += [_each(said, "type"), _each(said, "default", "must be given")]
        cells.append(re.sub(r'`"(.*?)"`', r"\1", _each(said, "description")))
        rows.append(cells)
    return table("name | type | default | meaning" if kind == "variable" else "name | meaning", rows)


def _each(said: dict[str, dict[str, str]], attribute: str, missing: str = "") -> str:
    """What the roots say of an attribute: once, if they agree."""
    values = {cloud: block.get(attribute, "") for cloud, block in said.items()}
    shown = {cloud: f"`{value}`" if value else missing for cloud, value in values.items()}
    if len(set(shown.values())) == 1:
        return next(iter(shown.values()))
    return "; ".join(f"{CLOUDS[cloud]}: {value}" for cloud, value in shown.items()).replace('."`;', '"`;')


def _blocks(path: Path, kind: str) -> dict[str, dict[str, str]]:
    """The attributes of each block of a kind, by name, on one line each."""
    text = path.read_text(encoding="utf-8")
    found = re.finditer(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}$', text, re.MULTILINE | re.DOTALL)
    return {match[1]: _attributes(match[2]) for match in found}


def _attributes(body: str) -> dict[str, str]:
    """Top-level attributes; one that is longer than a line ends with the bracket at its own indent."""
    given: dict[str, str] = {}
    for match in re.finditer(
        r"^  (\w+) += (.*(?:\n(?:    .*|  [\])}]+.*|))*?)$(?=\n  \w|\n\n|\n?\Z)", body, re.MULTILINE
    ):
        lines = (re.sub(r"\s+#.*$", "", line).strip() for line in match[2].split("\n"))
        given[match[1]] = " ".join(line for line in lines if line)
    return given
