"""One shift on each cloud, with the commands that an operator has: an order's story, a poison message put away, events
replayed, state rebuilt, the archive asked. `orderflow up` runs the clouds in a process of its own, as for a user."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orderflow.ports import DeadLetter
from orderflow_cli.main import app
from orderflow_cli.ops.doors import open_local
from orderflow_cli.ops.parquet import QUESTIONS
from orderflow_cli.workload import PEOPLE
from waiting import wait_until

# Three clouds start and work meanwhile: a slow machine takes its time, and only what hangs is to end.
pytestmark = [pytest.mark.local_cloud, pytest.mark.timeout(900)]

CLOUDS = ("aws", "azure", "gcp")
STORY = ["OrderPlaced", "InventoryReserved", "PaymentCompleted", "OrderConfirmed", "ShipmentCreated"]
HEARERS = {"order", "inventory", "payment", "shipping", "notification", "email", "push", "analytics"}
MODELS = ("orders", "stock", "analytics")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which the three clouds were started and are running."""
    folder = tmp_path_factory.mktemp("shift")
    command = [str(Path(sys.executable).with_name("orderflow")), "up", "--state", str(folder / "state")]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        assert up.stdout is not None
        assert any("Ctrl-C stops everything" in line for line in up.stdout)
        yield folder
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=60)
    assert list((folder / ".orderflow" / "local").iterdir()) == [], "nobody finds clouds that have stopped"


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
        """Look for personal data, payment tokens and API tokens in all that the cloud has written and collected."""
        told = {
            str(path.relative_to(self.folder)): path.read_text(encoding="utf-8", errors="replace")
            for path in (self.folder / "state" / self.cloud).rglob("*.log")
        }
        assert any(self.order_id in text for text in told.values()), "these are the logs"
        told["the trace"] = json.dumps(self.run("orders", "trace", self.order_id), ensure_ascii=False)
        private = [person.contact[name] for person in PEOPLE for name in ("name", "email", "sms", "push")]
        private += [person.contact["address"]["street"] for person in PEOPLE]
        for secret in (*private, "tok_visa", "tok_refused", "Bearer ", "eyJ", "AccountKey="):
            assert [where for where, text in told.items() if secret in text] == [], secret

    def dead_letters(self) -> None:
        """Find a poison message, try it again, throw it away."""
        ports = open_local(self.cloud, self.folder).ports
        ports.dead_letters.resend(DeadLetter("inventory", b'{"poison": true}', {}, "", "", 0, "", ""))
        found = self._letter(after="")
        assert (found["service"], found["reason"]) == ("inventory", "malformed")
        [shown] = self.run("dlq", "show", found["id"])
        assert shown["message"] == {"poison": True}

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
