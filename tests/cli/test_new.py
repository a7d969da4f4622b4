"""`orderflow new service`: what it refuses, what it shows, and what it writes beside the core."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from docs.blocks import Block, copy, run
from orderflow_cli.main import app

ROOT = Path(__file__).parents[2]
HEARS = ("--hears", "OrderConfirmed,OrderCancelled")


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def files() -> set[Path]:
    """What is there where a service is written."""
    folders = ("functions/shared/orderflow/services", "tests/unit", "tests/examples", "examples", "contracts")
    return {path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".json")}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("Pigeons", *HEARS), "'pigeons' would do"),
        (("pigeons-points", *HEARS), "'pigeonspoints' would do"),
        (("class", *HEARS), "a word of Python's"),
        (("fraud", *HEARS), "there is a service fraud already"),
        (("sweeper", *HEARS), "a function has it already"),
        (("stock", *HEARS), "a collection of documents has it already"),
        (("answer", *HEARS), "a category of events has it already"),
        (("envelope", *HEARS), "tests/unit/test_envelope.py is there already"),
        (("pigeons", "--hears", "OrderConfirmd"), "did you mean OrderConfirmed"),
        (("pigeons", "--hears", ""), "name an event: FraudCleared"),
        (("pigeons", "--hears", "OrderPlaced,OrderPlaced"), "OrderPlaced is named twice"),
        (("pigeons", *HEARS, "--emits", "FraudCleared"), "FraudCleared is fraud's"),
        (("pigeons", *HEARS, "--emits", "OrderPlaced"), "OrderPlaced is order's"),
        (("pigeons", *HEARS, "--emits", "pigeon_sent"), "'pigeon_sent' cannot be an event's name"),
        (("pigeons", *HEARS, "--emits", "PigeonsState"), "'PigeonsState' cannot be an event's name"),
        (("pigeons", *HEARS, "--emits", "PigeonSentV2"), "the plain name"),
        (("pigeons", *HEARS, "--filter", "teir=high"), "did you mean tier"),
        (("pigeons", *HEARS, "--filter", "total=100"), "brokers filter on kind, category, tier, channel"),
        (("pigeons", *HEARS, "--filter", "tier=high"), "keeps OrderCancelled away, which has no tier"),
        (("pigeons", "--hears", "OrderPlaced", "--filter", "tier=hihg"), "did you mean high"),
        (("pigeons", "--hears", "OrderPlaced", "--filter", "tier="), "as in --filter tier=high,elevated"),
        (("pigeons", *HEARS, "--filter", "category=answer"), "keeps OrderConfirmed away, whose category is order"),
        (("pigeons", *HEARS, "--into", "/nowhere/shop"), "Python does not import from /nowhere"),
        (("pigeons", *HEARS, "--into", "examples/my-shop"), "'my-shop' cannot be a package"),
    ],
)
def test_what_cannot_be_is_refused_with_what_may_be_meant_and_nothing_is_written(
    arguments: tuple[str, ...], why: str
) -> None:
    before = files()
    done = CliRunner().invoke(app, ["new", "service", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert why in done.stderr
    assert files() == before


def test_a_dry_run_shows_the_files_and_writes_none() -> None:
    before = files()
    wanted = ["new", "service", "pigeons", *HEARS, "--emits", "PigeonSent,PigeonRecalled", "--dry-run"]
    done = CliRunner().invoke(app, [*wanted, "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["service"], said["written"]) == ("pigeons", False)
    assert list(said["files"]) == ["functions/shared/orderflow/services/pigeons.py", "tests/unit/test_pigeons.py"]
    assert "class PigeonRecalled(Event)" in next(iter(said["files"].values()))
    assert "would write tests/unit/test_pigeons.py" in CliRunner().invoke(app, wanted).stdout
    assert files() == before


def test_a_package_beside_the_core_takes_service_after_service_and_their_tests_pass(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, so nothing says which files belong to the project")
    folder = copy(tmp_path / "copy")
    topology = (folder / "topology.json").read_bytes()
    typed = """
orderflow new service pigeons --hears OrderConfirmed,OrderCancelled --emits PigeonSent,PigeonBack --into examples/coop
orderflow new service feed --hears PigeonSent --emits PigeonFed --into examples/coop
python -m pytest tests/examples/test_coop_pigeons.py tests/examples/test_coop_feed.py
"""
    done = run(Block("", 0, "sh", typed, ""), folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "topology.json").read_bytes() == topology, "the core does not know them"


@pytest.mark.parametrize(
    ("wanted", "start"),
    [
        (("--hears", "OrderPlaced", "--filter", "tier=high"), "--customer edmond --line TEA-HOUSE=1 --wait"),
        (("--hears", "OrderPlaced", "--filter", "tier=elevated"), '"tier": "elevated"'),
        (("--hears", "StockReplenished"), '{"kind": "StockReplenished", "data": {'),
    ],
)
def test_what_to_do_next_brings_an_event_that_the_new_service_gets(
    wanted: tuple[str, ...], start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    done = CliRunner().invoke(
        app, ["new", "service", "pigeons", *wanted, "--into", str(tmp_path / "coop"), "--dry-run", "--json"]
    )
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)["next"]
    assert start in "\n".join(said)
    assert all(f"PYTHONPATH={tmp_path} " in line for line in said if "orderflow" in line or "make test" in line)
