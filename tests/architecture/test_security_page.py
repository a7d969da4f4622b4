"""The threat model leads to tests that are there, and leaves no door out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orderflow import topology
from orderflow.openapi import document

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
LINKS = sorted(set(re.findall(r"\]\((\.\./[^)#]+)\)", PAGE)))
DOORS = {
    "http": "HTTP API",
    "queue": "a service's queue or subscription",
    "object": "the drop bucket",
    "schedule": "clock",
    "sink": "the archive bucket",
}
"""What the page calls the door of each kind of function."""


def test_it_names_tests_of_every_kind() -> None:
    assert {link.split("/")[2] for link in LINKS if link.startswith("../tests/")} >= {
        "unit",
        "conformance",
        "terraform",
    }


@pytest.mark.parametrize("link", LINKS)
def test_every_file_that_it_leads_to_exists(link: str) -> None:
    assert (ROOT / "docs" / link).is_file()


@pytest.mark.parametrize("path", list(document()["paths"]))
def test_every_route_of_the_api_is_a_door_of_it(path: str) -> None:
    assert re.search(rf"`(?:[A-Z]+ )?{re.escape(path)}`", PAGE)


@pytest.mark.parametrize("trigger", sorted({each["trigger"] for each in topology.build()["services"].values()}))
def test_every_kind_of_function_has_its_door_in_it(trigger: str) -> None:
    assert DOORS[trigger] in PAGE


def test_every_door_names_the_test_of_its_answer() -> None:
    doors = PAGE.partition("## Doors")[2].partition("## What has no answer")[0]
    tables = [table for table in re.split(r"\n\n+", doors) if table.startswith("| door |") or "| test |" in table]
    rows = [row for table in tables for row in table.splitlines()[2:]]
    assert len(rows) > 20
    assert [row for row in rows if "](../t" not in row and "| the same" not in row] == []
