"""Each runbook is tried: its condition is caused on a local cloud, and the commands that stand in its page are run."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from orderflow.app import App, Request
from orderflow.settings import Settings
from orderflow_cli.main import app
from orderflow_cli.ops.doors import open_local
from waiting import wait_until

pytestmark = pytest.mark.local_cloud

PAGES = Path(__file__).parents[2] / "docs" / "runbooks"
PATIENCE_S = 60
API = Settings(issuer="https://id.example.com/", audience="orders", jwks_url="https://id.example.com/jwks.json")


@dataclass(frozen=True, slots=True)
class Night:
    """Somebody on call, with the control room to break things by and a page to mend them by."""

    room: httpx.Client
    runner: CliRunner

    def breaks(self, path: str, **what: Any) -> None:
        """Press a button of the control room."""
        answer = self.room.post(f"/api/gcp/{path}", json=what)
        assert answer.status_code == 200, answer.text

    def places(self) -> str:
        """Place an order; answers its id."""
        order_id: str = self.does("orderflow orders place --customer ada --line CUP=1 --cloud gcp")["order_id"]
        return order_id

    def reads(self, page: str, command: str, code: int = 0, **names: str) -> Any:
        """Run a command that stands in a page, with its capital letters filled in; answers its JSON."""
        commands = re.findall(r"^\s*\$ (.+)$", (PAGES / f"{page}.md").read_text(encoding="utf-8"), re.MULTILINE)
        assert command in commands, f"{page}.md has {commands}"
        for name, value in names.items():
            command = command.replace(name, value)
        return self.does(command, code)

    def does(self, command: str, code: int = 0) -> Any:
        """Run a command; answers its JSON."""
        result = self.runner.invoke(app, [*shlex.split(command)[1:], "--json"])
        assert result.exit_code == code, f"{command}: {result.stdout[-1500:]} {result.stderr[-1500:]}"
        return json.loads(result.stdout)

    def rests(self, order_id: str) -> bool:
        """Whether an order has come to its end and everybody has heard of it."""
        found = self.does(f"orderflow orders timeline {order_id} --cloud gcp")["entries"]
        return {"ShipmentCreated"} <= {entry["kind"] for entry in found} and not any(e["waits_for"] for e in found)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """A local Google Cloud, as `orderflow up` runs it, and whoever watches it."""
    folder = tmp_path_factory.mktemp("night")
    command = [str(Path(sys.executable).with_name("orderflow")), "up", "--cloud", "gcp", "--state", str(folder / "s")]
    before, environ = Path.cwd(), dict(os.environ)
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        assert up.stdout is not None
        [url, token] = next(
            found.groups() for line in up.stdout if (found := re.search(r"(http://127\S+)/#token=(\S+)", line))
        )
        os.chdir(folder)
        try:
            with httpx.Client(base_url=url, headers={"x-room-token": token}, timeout=60) as room:
                yield Night(room, CliRunner())
        finally:
            os.chdir(before)
            os.environ.clear()
            os.environ.update(environ)
            up.send_signal(signal.SIGINT)
            up.communicate(timeout=60)


def payment(queues: Any) -> int:
    """How many messages payment has not done."""
    [found] = [each for each in queues["queues"] if each["service"] == "payment"]
    return int(found["waiting"] + found["in_flight"])


def found_by_doctor(report: Any) -> dict[str, str]:
    """What the doctor said of each thing."""
    return {each["name"]: each["detail"] for each in report}


def test_dead_letters(night: Night) -> None:
    def letters() -> Any:
        return night.reads("dead-letters", "orderflow dlq list --cloud gcp")

    night.breaks("poison", service="payment")
    wait_until(lambda: bool(letters()), "the poison message to be given up", PATIENCE_S)
    [letter] = letters()
    assert (letter["service"], letter["reason"]) == ("payment", "malformed")
    shown = night.reads("dead-letters", "orderflow dlq show ID --cloud gcp", ID=letter["id"])
    assert "poison from the control room" in json.dumps(shown)

    def came_back(found: Any) -> bool:
        return bool(found and found[0]["last_at"] > letter["last_at"])

    redrive = "orderflow dlq redrive --service payment --reason malformed --cloud gcp"
    night.reads("dead-letters", redrive)
    wait_until(lambda: came_back(letters()), "it to come back", PATIENCE_S)
    night.reads("dead-letters", "orderflow dlq discard --service payment --reason malformed --yes --cloud gcp")

    assert letters() == []
    assert night.reads("dead-letters", "orderflow orders stuck --cloud gcp") == []


def test_oldest_message(night: Night) -> None:
    queues = "orderflow queues --cloud gcp"
    doctor = "orderflow doctor --cloud gcp"
    night.breaks("provider", provider="gateway", mode="down")
    orders = [night.places() for _ in range(3)]

    def breakers() -> str:
        return found_by_doctor(night.reads("oldest-message", doctor))["circuit breakers"]

    wait_until(lambda: "gateway" in breakers(), "the breaker to open", PATIENCE_S)
    wait_until(lambda: payment(night.reads("oldest-message", queues)) > 0, "payment's backlog to show", PATIENCE_S)
    story = night.reads("oldest-message", "orderflow orders timeline ORDER --cloud gcp", ORDER=orders[0])["entries"]
    assert "payment" in story[0]["waits_for"]

    night.breaks("provider", provider="gateway", mode="ok")

    wait_until(lambda: all(map(night.rests, orders)), "the orders to ship", PATIENCE_S)
    assert payment(night.reads("oldest-message", queues)) == 0
    wait_until(lambda: breakers() == "closed", "the breaker to close", PATIENCE_S)


def test_slow(night: Night) -> None:
    night.breaks("provider", provider="gateway", mode="slow")
    order_id = night.places()
    wait_until(lambda: night.rests(order_id), "the order to ship", PATIENCE_S)
    night.breaks("provider", provider="gateway", mode="ok")

    def slowest() -> Any:
        trace = night.reads("slow", "orderflow orders trace ORDER --calls --cloud gcp", ORDER=order_id)
        calls = [each for each in flat(trace["roots"]) if each["kind"] == "client"]
        return max(calls, key=lambda call: call["took_ms"], default=None)

    wait_until(lambda: (slowest() or {"took_ms": 0})["took_ms"] >= 2000, "the span of the slow call", PATIENCE_S)
    assert slowest()["service"] == "payment"
    night.reads("slow", "orderflow doctor --cloud gcp")


def flat(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spans with all that is below them."""
    return [each for node in nodes for each in (node, *flat(node["children"]))]


def test_errors_and_crashes(night: Night) -> None:
    night.breaks("kill", host="payment")
    order_id = night.places()
    wait_until(lambda: night.rests(order_id), "the order to ship", PATIENCE_S)

    night.reads("errors", "orderflow doctor --cloud gcp")
    assert payment(night.reads("errors", "orderflow queues --cloud gcp")) == 0
    assert night.reads("errors", "orderflow orders stuck --cloud gcp") == []
    assert night.reads("crashes", "orderflow dlq list --reason broker --cloud gcp") == []


def test_amplification(night: Night) -> None:
    with night.room.stream("GET", "/events"):  # A page is open: without one nothing is repeated.
        night.breaks("twice", on=True)
        order_id = night.places()

        def duplicates() -> int:
            timeline = "orderflow orders timeline ORDER --cloud gcp"
            entries = night.reads("amplification", timeline, ORDER=order_id)["entries"]
            return sum(sum(entry["duplicates"].values()) for entry in entries)

        wait_until(lambda: duplicates() > 0, "duplicates to be absorbed", PATIENCE_S)
        night.breaks("twice", on=False)
    wait_until(lambda: night.rests(order_id), "the order to ship", PATIENCE_S)
    assert night.reads("amplification", "orderflow dlq list --cloud gcp") == []


class Refused:
    """Stripe, which tells that it could not carry out the refund of an order (`orderflow.ports.Webhook`)."""

    def __init__(self, order_id: str) -> None:
        self._order_id = order_id

    def notice(self, **_request: Any) -> dict[str, Any]:
        told = {"fact": "refund-failed", "order_id": self._order_id, "reference": "re_1", "reason": "lost_card"}
        return {"status": "told", **told}


def test_refunds_and_disputes(night: Night, capsys: pytest.CaptureFixture[str]) -> None:
    night.breaks("provider", provider="carrier", mode="refuse")
    order_id = night.places()
    show, stuck = "orderflow orders show ORDER --cloud gcp", "orderflow orders stuck --cloud gcp"

    def view() -> Any:
        return night.reads("refunds-and-disputes", show, ORDER=order_id)

    wait_until(lambda: view()["row"]["closed"], "the order to be cancelled and refunded", PATIENCE_S)
    night.breaks("provider", provider="carrier", mode="ok")
    settle = 'orderflow orders settle ORDER --how "bank transfer" --dry-run --cloud gcp'
    ports = open_local("gcp", Path.cwd()).ports
    hearing = App(replace(ports, dependencies={**ports.dependencies, "webhook": Refused(order_id)}), API)
    capsys.readouterr()
    assert hearing.respond(Request("POST", "/webhooks/stripe", {}, {}, b"{}")).status == 200
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "refund-failed" in line]

    assert (line["severity"], line["message"], line["order_id"]) == ("ERROR", "refund-failed", order_id)
    assert not view()["row"]["closed"]
    night.reads("refunds-and-disputes", settle, ORDER=order_id)
    assert not view()["row"]["closed"], "a dry run changes nothing"
    night.reads("refunds-and-disputes", settle.replace(" --dry-run", ""), ORDER=order_id)

    assert view()["history"][-1]["note"] == "settled: bank transfer"
    assert night.reads("refunds-and-disputes", stuck) == []


def test_archive_late_and_undelivered(night: Night) -> None:
    order_id = night.places()
    wait_until(lambda: night.rests(order_id), "the order to ship", PATIENCE_S)
    compare = "orderflow rebuild orders --order ORDER --cloud gcp"

    def archived() -> bool:
        try:
            return bool(night.reads("archive-late", compare, ORDER=order_id)["equal"] == 4)
        except AssertionError as error:  # It ends with 1 until then.
            assert "it may not have been archived yet" in str(error)
            return False

    wait_until(archived, "all to be archived", PATIENCE_S)
    planned = night.reads("undelivered", "orderflow replay payment --since 1h --dry-run --cloud gcp")
    done = night.reads("undelivered", "orderflow replay payment --since 1h --cloud gcp")
    assert planned["handed_over"] == done["handed_over"] != {}
    queues = "orderflow queues --cloud gcp"
    wait_until(lambda: payment(night.reads("undelivered", queues)) == 0, "the replay to be heard", PATIENCE_S)
    assert archived()
