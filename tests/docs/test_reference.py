"""The generated reference has everything that there is, and says of each what it means."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from orderflow.openapi import document
from orderflow.settings import Settings
from orderflow_cli.docs import api, clouds, command, diagrams, settings, terraform

ROOT = Path(__file__).parents[2]


def rows(page: str) -> dict[str, list[str]]:
    """Cells of the tables' lines by what their first cell names."""
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    return {cells[0].split("`")[1]: cells for cells in lines}


def test_every_setting_has_its_variable_its_default_and_a_meaning() -> None:
    said = rows(settings.page(""))
    assert set(said) == {f"ORDERFLOW_{field.name.upper()}" for field in fields(Settings)}
    assert said["ORDERFLOW_MAX_LINES"][1:3] == ["int", "`100`"]
    for name, cells in said.items():
        assert len(cells) == 4, f"{name} has no docstring in settings.py"


@pytest.mark.parametrize("kind", ["variable", "output"])
def test_every_variable_and_output_of_the_roots_is_described(kind: str) -> None:
    said = rows(terraform.page(ROOT / "terraform", ""))
    for path in (ROOT / "terraform").glob(f"*/{kind}s.tf"):
        for name in re.findall(rf'^{kind} "(\w+)"', path.read_text(encoding="utf-8"), re.MULTILINE):
            assert len(said[name][-1]) > 10, name


def test_a_variable_with_a_default_does_not_have_to_be_given() -> None:
    said = rows(terraform.page(ROOT / "terraform", ""))
    assert said["prefix"][2] == '`"orderflow"`'
    assert said["oidc"][2] == "must be given"


def test_every_path_of_the_api_is_described_with_its_answers() -> None:
    page = api.page("")
    for path, methods in document()["paths"].items():
        for method in methods:
            assert f"\n## {method.upper()} {path}\n" in page
    assert "| 202 | Accepted; follow it under the Location | [OrderSummary](#ordersummary) |" in page


def test_every_command_is_described_with_its_options() -> None:
    page = command.page("")
    for heading in ("## orderflow demo", "### orderflow orders timeline", "### orderflow dlq redrive"):
        assert f"\n{heading}\n" in page
    assert "* `--kill-hosts`: Kill a function host of each cloud" in page
    assert "--help`:" not in page


def test_every_capability_is_said_of_every_cloud() -> None:
    page = clouds.page(ROOT, "")
    assert "| compare-and-set | native: DynamoDB condition expressions | native: Tables ETags |" in page
    assert "none: Event Grid delivers in any order" in page


def test_the_picture_shows_who_emits_and_who_hears() -> None:
    picture = diagrams.services()
    for text in (">PaymentCompleted<", ">shipping<", ">tier: high<"):
        assert text in picture
