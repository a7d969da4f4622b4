"""What a person sees first."""

from __future__ import annotations

import re

from typer.testing import CliRunner

from orderflow_cli.main import app
from orderflow_cli.panels import PANELS


def test_help_shows_each_command_once_under_the_heading_of_its_use() -> None:
    shown = CliRunner().invoke(app, ["--help"], terminal_width=200)
    assert shown.exit_code == 0
    lines = [line.split() for line in shown.output.splitlines() if re.match(r"│ \S|╭", line)]
    found: dict[str, list[str]] = {}
    heading = ""
    for words in lines:
        if words[0].startswith("╭"):
            heading = " ".join(words).strip("╭─╮ ")
        else:
            found.setdefault(heading, []).append(words[1])
    assert list(found) == ["Options", *PANELS]
    for panel, names in PANELS.items():
        assert sorted(found[panel]) == sorted(names)
