"""docs/cost.md says what the command says. ``UPDATE_GOLDEN=1`` writes its tables and its plot anew."""

from __future__ import annotations

import json
import os

import pytest
from typer.testing import CliRunner

from costs import page
from orderflow_cli.main import app


@pytest.mark.parametrize("name", list(page.PARTS))
def test_the_page_is_current(name: str) -> None:
    written = page.PAGE.read_text()
    wanted = page.inserted(written, name, page.PARTS[name]())
    if os.environ.get("UPDATE_GOLDEN"):
        page.PAGE.write_text(wanted)
    assert page.PAGE.read_text() == wanted


def test_the_plot_is_current() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        page.PLOT.write_text(page.plot())
    assert page.PLOT.read_text() == page.plot()


def test_the_command_says_the_same_as_json_for_one_cloud() -> None:
    ran = CliRunner().invoke(
        app, ["cost", "--cloud", "azure", "--region", "eastus", "--orders-per-month", "5e5", "--json"]
    )
    assert ran.exit_code == 0, ran.output
    said = json.loads(ran.stdout)
    assert list(said["clouds"]) == ["azure"]
    azure = said["clouds"]["azure"]
    assert azure["usd_a_month"] == pytest.approx(sum(line["usd"] or 0 for line in azure["lines"]))
    assert "Flex executions, the API's too" in azure["unknown"]
    assert all(price["source"].startswith("https://") for price in azure["prices"].values())


@pytest.mark.parametrize("wrong", [["--region", "mars-1"], ["--cloud", "moon"], ["--path", "lost"]])
def test_what_is_not_known_is_refused_with_what_is(wrong: list[str]) -> None:
    ran = CliRunner().invoke(app, ["cost", *wrong])
    assert ran.exit_code == 2
    assert wrong[1] in ran.stderr
