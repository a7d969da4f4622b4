"""One shift on each cloud, with the commands that an operator has: an order's story, a poison message put away, events
replayed, state rebuilt, the archive asked. `orderflow up` runs the clouds in a process of its own, as for a user."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect
from typer.testing import CliRunner

from orderflow.ports import DeadLetter
from orderflow_cli.main import app
from orderflow_cli.ops.doors import open_local
from orderflow_cli.ops.parquet import QUESTIONS
from orderflow_cli.workload import PEOPLE
from planted import API_TOKEN, PERSONAL
from waiting import wait_until

# Three clouds start and work meanwhile: a slow machine takes its time, and only what hangs is to end.
pytestmark = [pytest.mark.local_cloud, pytest.mark.timeout(900)]

CLOUDS = ("aws", "azure", "gcp")
PATIENCE_MS = 60_000
STORY = ["OrderPlaced", "InventoryReserved", "PaymentCompleted", "OrderConfirmed", "ShipmentCreated"]
HEARERS = {"order", "inventory", "payment", "shipping", "notification", "email", "push", "analytics"}
MODELS = ("orders", "stock", "analytics")
SECRET = ("Plantagenet", "Geheimgasse", "Plantstadt", "ZX9 9QK", "planted", "+4930999", "c2lnbmF0dXJl")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder in which the three clouds were started and are running, and the whole address of their control
    room."""
    folder = tmp_path_factory.mktemp("shift")
    command = [str(Path(sys.executable).with_name("orderflow")), "up", "--state", str(folder / "state")]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        assert up.stdout is not None
        printed = list(takewhile(lambda line: "Ctrl-C stops everything" not in line, up.stdout))
        yield folder, next(line.strip() for line in printed if "/#token=" in line)
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=60)
    assert list((folder / ".orderflow" / "local").iterdir()) == [], "nobody finds clouds that have stopped"


@pytest.fixture
def folder(running: tuple[Path, str]) -> Path:
    """Where the clouds are found."""
    return running[0]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_shift_of_an_operator(cloud: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    shift = Shift(cloud, folder)
    shift.orders()
    shift.trace()
    shift.dead_letters()
    shift.archive()
    shift.customer()
    shift.discretion()


def test_the_page_shows_redrives_and_checks_the_three_clouds_side_by_side(
    running: tuple[Path, str], browser: Browser
) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(running[1])
    said = page.locator("#said")
    page.locator("#poison [name=service]").select_option("shipping")
    page.get_by_role("button", name="Send").click()
    expect(said).to_have_text("Poison for shipping. AWS: sent; Azure: sent; Google Cloud: sent", timeout=PATIENCE_MS)
    page.get_by_role("link", name="Dead letters").click()
    boxes = page.locator("#boxes section")
    expect(boxes).to_have_count(len(CLOUDS), timeout=PATIENCE_MS)

    for verb in ("Redrive", "Discard"):  # Poison stays poison: it comes back, and is thrown away.
        for box in boxes.all():
            letter = box.locator(".letters li")
            expect(letter).to_contain_text("malformed", timeout=PATIENCE_MS)
            page.evaluate("document.getElementById('said').textContent = ''")
            letter.get_by_role("button", name=verb).click()
            expect(said).to_contain_text(f"{verb.lower()}: 1 done", timeout=PATIENCE_MS)

    page.get_by_role("link", name="Figures").click()
    verdicts = page.locator("#figures section").filter(has_text="I6 dead letters only with a reason")

    def holds() -> bool:
        page.get_by_role("button", name="Check the invariants").click()
        expect(said).to_contain_text(re.compile("hold$"), timeout=PATIENCE_MS)
        return said.inner_text() == "AWS: all hold; Azure: all hold; Google Cloud: all hold"

    wait_until(holds, "all invariants to hold on all three clouds", 90)
    expect(verdicts).to_have_count(len(CLOUDS))
    page.close()


def flat(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spans with all that is below them."""
    return [each for node in nodes for each in (node, *flat(node["children"]))]


class Shift:
    """What is done on one cloud."""

    def __init__(self, cloud: str, folder: Path) -> None:
        self.cloud = cloud
        self.folder = folder

    def run(self, *arguments: str, code: int = 0, stdin: str | None = None) -> Any:
        """Run a command; answers its JSON."""
        result = CliRunner().invoke(app, [*arguments, "--cloud", self.cloud, "--json"], input=stdin)
        assert result.exit_code == code, f"{arguments}: {result.stdout[-2000:]} {result.stderr[-2000:]}"
        return json.loads(result.stdout)

    def orders(self) -> None:
        """Place orders, and see what became of them."""
        place = ("orders", "place", "--customer", "ada", "--wait", "--line", "CUP=2")
        self.order_id = self.run(*place)["order_id"]
        refused = self.run(*place, "--payment-token", "tok_refused")

        assert refused["status"] == "cancelled"
        listed = {row["order_id"]: row["status"] for row in self.run("orders", "list", "--customer", "ada")}
        assert listed == {self.order_id: "shipped", refused["order_id"]: "cancelled"}
        assert self.run("orders", "show", self.order_id)["services"]["payment"]["status"] == "charged"
        assert self.run("orders", "stuck") == []

        def told() -> bool:
            self.story = self.run("orders", "timeline", self.order_id)["entries"]
            return not any(entry["waits_for"] for entry in self.story)

        wait_until(told, f"{self.cloud}: everybody to have heard of the order", 60)
        happened = [entry["kind"] for entry in self.story if entry["kind"] in STORY]
        assert sorted(happened) == sorted(STORY)
        assert happened[0] == "OrderPlaced"
        assert all(entry["causation_id"] for entry in self.story[1:])

    def trace(self) -> None:
        """See the order's trace: one tree under the request, in which everybody who acted is."""

        def whole() -> bool:
            self.found = self.run("orders", "trace", self.order_id)
            heard = [node for node in flat(self.found["roots"]) if node["kind"] == "consumer"]
            return {node["service"] for node in heard} >= HEARERS and len(heard) >= len(self.story)

        wait_until(whole, f"{self.cloud}: the spans of everybody who acted", 60)
        [root] = self.found["roots"]
        assert (root["name"], root["service"], root["kind"]) == ("POST /orders", "api", "server")
        nodes = flat([root])
        assert len({node["span_id"] for node in nodes}) == len(nodes)
        kinds = {entry["event_id"]: entry["kind"] for entry in self.story}
        causes = {entry["event_id"]: entry["causation_id"] for entry in self.story}
        published = {}
        for node in nodes:
            event = node["attributes"].get("messaging.message.id")
            for child in node["children"]:
                if child["name"].startswith("publish "):
                    made = child["attributes"]["messaging.message.id"]
                    published[made] = child["name"].removeprefix("publish ")
                    assert causes[made] == event, "what caused an event is what its publication stands under"
                if child["kind"] == "consumer":
                    assert (node["kind"], child["attributes"]["messaging.message.id"]) == ("producer", event)
        assert published == kinds
        effects = [node["service"] for node in nodes if node["name"] in ("gateway charge", "carrier label")]
        assert sorted(effects) == ["payment", "shipping"], "however often they were delivered to"

    def discretion(self) -> None:
        """Hand the cloud personal data, payment tokens, API tokens and secrets, good and bad; look for them in all that
        it has written and collected."""
        doors = open_local(self.cloud, self.folder)
        with doors.client("zoe") as client:
            assert client.put("/customers/me", json=PERSONAL).status_code == 200
            assert client.put("/customers/me", json={**PERSONAL, "email": "planted.zoe"}).status_code == 422
            refused = client.post(
                "/orders", json={"lines": "Geheimgasse 7", "payment_token": "tok_planted", **PERSONAL}
            )
            assert refused.status_code == 422
        stranger = {"authorization": f"Bearer {API_TOKEN}", "stripe-signature": "t=1,v1=planted"}
        assert httpx.get(f"{doors.api_url}/orders", headers=stranger, timeout=30).status_code == 401
        hook = httpx.post(f"{doors.api_url}/webhooks/stripe", content=b"whsec_planted", headers=stranger, timeout=30)
        assert hook.status_code == 404
        place = ("orders", "place", "--customer", "zoe", "--line", "CUP=1", "--payment-token", "tok_planted", "--wait")
        assert self.run(*place)["status"] == "shipped"
        told = {
            str(path.relative_to(self.folder)): path.read_text(encoding="utf-8", errors="replace")
            for path in (self.folder / "state" / self.cloud).rglob("*.log")
        }
        assert any(self.order_id in text for text in told.values()), "these are the logs"
        told["the trace"] = json.dumps(self.run("orders", "trace", self.order_id), ensure_ascii=False)
        private = [person.contact[name] for person in PEOPLE for name in ("name", "email", "sms", "push")]
        private += [person.contact["address"]["street"] for person in PEOPLE]
        for secret in (*private, *SECRET, "tok_visa", "tok_refused", "Bearer ", "eyJ", "AccountKey="):
            assert [where for where, text in told.items() if secret in text] == [], secret

    def dead_letters(self) -> None:
        """Find a poison message, try it again, throw it away."""
        ports = open_local(self.cloud, self.folder).ports
        poison = json.dumps({"poison": PERSONAL}).encode()
        ports.dead_letters.resend(DeadLetter("inventory", poison, {}, "", "", 0, "", ""))
        found = self._letter(after="")
        assert (found["service"], found["reason"]) == ("inventory", "malformed")
        [shown] = self.run("dlq", "show", found["id"])
        assert shown["message"] == {"poison": PERSONAL}

        [handled] = self.run("dlq", "redrive", "--reason", "malformed", "--rate", "10")
        assert handled["id"] == found["id"]
        again = self._letter(after=found["last_at"])
        assert again["id"] == found["id"], "poison stays poison: it is back, known by the same id"
        figures = {each["service"]: each["dead_letters"] for each in self.run("queues")["queues"]}
        assert figures["inventory"] == 1

        self.run("dlq", "discard", "--id", found["id"], "--yes")
        wait_until(lambda: self.run("dlq", "list") == [], f"{self.cloud}: no dead letters", 60)
        assert all(check["state"] != "broken" for check in self.run("doctor"))

    def archive(self) -> None:
        """Rebuild, replay, export, ask."""
        wait_until(self._rebuilt, f"{self.cloud}: the archive to tell what is stored", 90)
        before = self._charges()

        replayed = self.run("replay", "payment", "--order", self.order_id)

        assert replayed["handed_over"] == {"OrderPlaced": 1}
        wait_until(self._idle, f"{self.cloud}: payment to have heard it again", 60)
        assert self._charges() == before
        assert len(before) == 1
        out = self.folder / f"parquet-{self.cloud}"
        exported = self.run("archive", "export", "--parquet", str(out), "--since", "1d")
        assert {kind: exported["by_type"][kind] for kind in ("OrderPlaced", "ShipmentCreated", "OrderCancelled")} == {
            "OrderPlaced": 2,
            "ShipmentCreated": 1,
            "OrderCancelled": 1,
        }
        answers = {question: _ask(question, out) for question in QUESTIONS}
        assert sum(row["revenue"] for row in answers["revenue"]) == 2 * 1_200
        assert sum(row["shipped"] for row in answers["conversion"]) == 1
        assert answers["failures"] == [{"reason": "payment-failed", "orders": 1, "percent": 100.0}]
        assert sum(row["orders"] for row in answers["time-to-ship"]) == 1

    def customer(self) -> None:
        """Hear a fact from outside, and forget a customer."""
        fact = {"kind": "StockReplenished", "data": {"sku": "CUP", "quantity": 1, "row_id": "outside"}}
        [published] = self.run("publish", "-", "--source", "/monolith", stdin=json.dumps(fact))
        assert published["source"] == "/monolith"

        assert self.run("erase", "--customer", "ada", "--yes")["erased"]

        kept = json.loads(CliRunner().invoke(app, ["export", "--customer", "ada", "--cloud", self.cloud]).stdout)
        assert kept["contact"] is None
        assert len(kept["orders"]) == 2

    def _letter(self, after: str) -> Any:
        """The one dead letter there is, once it was put there after a time."""
        letters: list[Any] = []

        def there() -> bool:
            letters[:] = [letter for letter in self.run("dlq", "list") if letter["last_at"] > after]
            return bool(letters)

        wait_until(there, f"{self.cloud}: a dead letter", 60)
        [letter] = letters
        return letter

    def _rebuilt(self) -> bool:
        results = [CliRunner().invoke(app, ["rebuild", model, "--cloud", self.cloud, "--json"]) for model in MODELS]
        told = [json.loads(result.stdout) for result in results]
        return all(
            result.exit_code == 0 and one["equal"] and not one["under_way"] and not one["behind"]
            for result, one in zip(results, told, strict=True)
        )

    def _idle(self) -> bool:
        figures = self.run("queues")["queues"]
        return not any(each["waiting"] or each["in_flight"] for each in figures)

    def _charges(self) -> dict[str, Any]:
        stored = open_local(self.cloud, self.folder).ports.store.get("gateway", self.order_id)
        assert stored is not None
        entries: dict[str, Any] = stored.document["entries"]
        return entries


def _ask(question: str, folder: Path) -> Any:
    result = CliRunner().invoke(app, ["analytics", question, "--from", str(folder), "--json"])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)
