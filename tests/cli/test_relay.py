"""The relay of another system's outbox, and the guide whose monolith has one."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli.desk import archive_all, desk
from monolith.__main__ import app as steps
from monolith.handover import QuietShop
from monolith.outbox import TellingShop
from monolith.shadow import compare
from monolith.shop import SoldOut
from orderflow.api import Api
from orderflow.auth import TokenVerifier
from orderflow.driver import run
from orderflow.envelope import Envelope
from orderflow.http import Request
from orderflow.ports import Unavailable
from orderflow_cli.commands import common
from orderflow_cli.main import app
from orderflow_cli.ops.doors import Doors
from orderflow_cli.ops.relay import TABLE, follow, outbox, relay
from unit.support import Lab

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "strangler-fig.md").read_text(encoding="utf-8")
WHEN = "2026-11-21T10:00:00.000Z"
CLEARED = "FraudCleared"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """An empty outbox."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(TABLE)
    return path


def write(database: Path, *rows: tuple[str, str]) -> None:
    """Facts of the monolith, each with its kind and data."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO orderflow_outbox (kind, data, happened_at) VALUES (?, ?, ?)", [(*row, WHEN) for row in rows]
        )


def cleared(order: str) -> tuple[str, str]:
    """A fact that is short."""
    return CLEARED, json.dumps({"order_id": order})


def marks(database: Path) -> list[tuple[bool, str | None]]:
    """Of each row, whether it was relayed and why it was parked."""
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute("SELECT relayed_at, parked FROM orderflow_outbox ORDER BY position")
        return [(relayed is not None, parked) for relayed, parked in found]


def relayed(lab: Lab, database: Path) -> Any:
    """One run of the relay."""
    with outbox(str(database)) as connection:
        return relay(desk(lab), connection, "/monolith", lambda _: None)


def ids(lab: Lab) -> list[str]:
    return [envelope.id for envelope in lab.published()]


def test_facts_are_published_in_their_order_and_once(lab: Lab, database: Path) -> None:
    write(database, *(cleared(f"o-{number}") for number in range(250)))
    done = relayed(lab, database)
    assert (done.published, done.parked, done.refused) == (250, 0, 0)
    assert [envelope.subject for envelope in lab.published()] == [f"o-{number}" for number in range(250)]
    assert {(envelope.source, envelope.time) for envelope in lab.published()} == {("/monolith", WHEN)}
    write(database, cleared("o-new"))
    assert relayed(lab, database).published == 1
    assert len(set(ids(lab))) == 251


class Killed(BaseException):
    """The process is gone."""


def test_a_relay_that_dies_after_publishing_publishes_the_same_events_again(lab: Lab, database: Path) -> None:
    write(database, cleared("o-1"), cleared("o-2"))
    publish = lab.broker.publish

    def die(envelopes: Sequence[Envelope]) -> Any:
        publish(envelopes)
        raise Killed

    lab.broker.publish = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        relayed(lab, database)
    assert marks(database) == [(False, None)] * 2
    lab.broker.publish = publish  # type: ignore[method-assign]
    assert relayed(lab, database).published == 2
    first, second, *again = lab.published()
    assert [each.digest() for each in again] == [first.digest(), second.digest()]


def test_rows_of_a_database_that_was_set_up_again_are_other_events(lab: Lab, database: Path) -> None:
    write(database, cleared("o-1"))
    relayed(lab, database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE orderflow_outbox SET relayed_at = NULL, happened_at = '2026-11-22T10:00:00Z'")
    relayed(lab, database)
    assert len(set(ids(lab))) == 2


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (("OrderEaten", "{}"), "kind: 'OrderEaten' is none of"),
        ((CLEARED, "{nonsense"), "data: no JSON"),
        ((CLEARED, "{}"), "data.order_id: Field required"),
        ((CLEARED, "[]"), "data."),
    ],
)
def test_a_row_that_breaks_its_contract_is_parked_with_the_reason_and_the_others_go(
    lab: Lab, database: Path, bad: tuple[str, str], why: str
) -> None:
    write(database, cleared("o-1"), bad, cleared("o-2"))
    done = relayed(lab, database)
    assert (done.published, done.parked) == (2, 1)
    [_, (sent, parked), _] = marks(database)
    assert not sent
    assert parked is not None
    assert why in parked
    assert relayed(lab, database).parked == 0, "it is not looked at again"


def test_what_the_broker_does_not_take_waits_and_goes_the_next_time(lab: Lab, database: Path) -> None:
    write(database, cleared("o-1"), cleared("o-2"), cleared("o-3"))
    lab.broker.refuses = lambda envelope: Unavailable("busy") if envelope.subject == "o-2" else None
    done = relayed(lab, database)
    assert (done.published, done.refused, done.error) == (2, 1, "busy")
    assert marks(database) == [(True, None), (False, None), (True, None)]
    lab.broker.refuses = None
    assert relayed(lab, database).published == 1


def test_following_waits_longer_and_longer_while_the_broker_is_away(lab: Lab, database: Path) -> None:
    write(database, cleared("o-1"))
    lab.broker.refuses = lambda _: Unavailable("away")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 30:
            lab.broker.refuses = None
        if len(pauses) == 33:
            raise KeyboardInterrupt

    lab.clock.sleep = pause  # type: ignore[method-assign]
    told: list[int] = []
    with outbox(str(database)) as connection, pytest.raises(KeyboardInterrupt):
        follow(desk(lab), connection, "/monolith", Random(1), lambda done: told.append(done.published))
    assert pauses[0] <= 2
    assert max(pauses[:30]) > 30
    assert max(pauses) <= 60
    assert pauses[-2:] == [1.0, 1.0]
    assert told == [0] * 30 + [1, 0, 0]


# The command, and the guide


class Trusting(TokenVerifier):
    """Takes the header for the customer's id."""

    def __init__(self) -> None:
        return

    def subject(self, authorization: str | None) -> str:
        assert authorization is not None
        return authorization.removeprefix("Bearer token of ")


@dataclass(frozen=True, slots=True)
class LabDoors(Doors):
    """Doors whose API is the laboratory's."""

    def client(self, customer: str) -> httpx.Client:
        def answer(request: httpx.Request) -> httpx.Response:
            wanted = Request(request.method, request.url.path, {}, dict(request.headers), request.content)
            response = run(Api(self.shell(), Trusting()).respond(wanted), self.ports)
            return httpx.Response(response.status, content=response.body)

        headers = {"authorization": f"Bearer {self.sign_in(customer)}"}
        return httpx.Client(base_url="http://lab", headers=headers, transport=httpx.MockTransport(answer))


@pytest.fixture
def at_desk(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[int, str, str]]:
    """Runs a command line on the laboratory, in an empty folder; what comes of it happens, and is archived."""
    doors = desk(lab)
    monkeypatch.chdir(tmp_path)
    opened = LabDoors(**{each.name: getattr(doors, each.name) for each in fields(doors)})
    monkeypatch.setattr(common, "open_doors", lambda *_: opened)

    def call(line: str) -> tuple[int, str, str]:
        program, *arguments = shlex.split(line)
        if program == "python":
            assert arguments[:2] == ["-m", "examples.monolith"]
            result = CliRunner().invoke(steps, arguments[2:])
        else:
            assert program == "orderflow"
            result = CliRunner().invoke(app, arguments)
        lab.run_to_rest()
        archive_all(lab)
        return result.exit_code, result.stdout, result.stderr

    return call


def commands() -> Iterator[tuple[str, str]]:
    """The command lines of the guide, each with what it prints."""
    for block in re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL):
        for part in block.split("$ ")[1:]:
            line, _, output = part.partition("\n")
            yield line, output


def test_the_guide_says_what_its_commands_do(lab: Lab, at_desk: Any) -> None:
    lines = list(commands())
    assert len(lines) == 9
    for line, output in lines:
        code, said, complaint = at_desk(line)
        assert (code, said) == (0, output), (line, complaint)
        if "compare" in line:
            assert list(lab.store.all("messages")) == [], "the shadow sends nothing"
    assert list(lab.store.all("messages")) != []
    sent = [lab.document("email", key) for key, _ in lab.store.all("email")]
    assert [each["state"]["status"] for each in sent if each].count("sent") == 3
    assert not [name for name, letters in lab.broker.letters.items() if letters]


def test_the_guide_shows_the_table_that_the_relay_reads() -> None:
    assert f"```sql\n{TABLE}\n```" in GUIDE


def test_an_order_that_is_rolled_back_is_not_told_of(tmp_path: Path) -> None:
    shop = TellingShop(tmp_path / "shop.db")
    with pytest.raises(SoldOut):
        shop.place("o-1", "ada", {"CUP": 1_000})
    shop.place("o-2", "ada", {"CUP": 1})
    assert marks(tmp_path / "shop.db") == [(False, None)]
    assert {order for order, _, _ in shop.messages()} == {"o-2"}


def test_a_comparison_names_what_one_alone_would_have_said(lab: Lab, at_desk: Any, tmp_path: Path) -> None:
    at_desk("python -m examples.monolith step1 shop.db")
    at_desk("orderflow relay --database shop.db --cloud gcp")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("UPDATE messages SET channel = 'fax' WHERE order_id = 'step1-1'")
    code, said, _ = at_desk("python -m examples.monolith compare shop.db --cloud gcp")
    assert code == 1
    assert "monolith only: step1-1  confirmation  fax\norderflow only: step1-1  confirmation  email\n" in said
    assert len(compare(TellingShop(tmp_path / "shop.db"), desk(lab)).both) == 3


def test_what_is_heard_again_counts_once_and_others_orders_are_passed_over(lab: Lab, tmp_path: Path) -> None:
    lab.customer()
    lab.load_file("stock/one.csv", b"sku,quantity\nCUP,100\n")
    lab.place("theirs")
    lab.run_to_rest()
    shop = QuietShop(tmp_path / "shop.db")
    assert shop.hear(lab.published()) == 0
    shop.place("theirs", "zoe", {"CUP": 1})
    assert shop.hear([*lab.published(), *lab.published()]) == len(
        {each.id for each in lab.published("NotificationRequested")}
    )


@pytest.mark.parametrize(
    ("database", "code", "said"),
    [
        ("nowhere.db", 2, "there is no database nowhere.db"),
        ("sqlite:///nowhere.db", 2, "there is no database nowhere.db"),
        ("postgresql://shop", 2, "postgresql databases cannot be read"),
        ("empty.db", 1, "empty.db: no such table: orderflow_outbox"),
        ("text.db", 1, "text.db: file is not a database"),
    ],
)
def test_a_database_that_is_none_is_named(at_desk: Any, tmp_path: Path, database: str, code: int, said: str) -> None:
    (tmp_path / "empty.db").touch()
    (tmp_path / "text.db").write_text("no database " * 100)
    found, _, complaint = at_desk(f"orderflow relay --database {database} --cloud aws")
    assert (found, said in complaint) == (code, True), complaint


def test_the_command_says_how_many_and_fails_where_the_broker_did_not_take_all(
    lab: Lab, at_desk: Any, database: Path
) -> None:
    write(database, cleared("o-1"), (CLEARED, "{}"), cleared("o-2"))
    lab.broker.refuses = lambda envelope: Unavailable("busy") if envelope.subject == "o-2" else None
    code, said, complaint = at_desk(f"orderflow relay --database sqlite:////{database} --cloud aws --json")
    assert json.loads(said) == {"published": 1, "parked": 1, "refused": 1, "error": "busy"}
    assert (code, "the broker did not take 1 event: busy" in complaint) == (1, True)


def test_ctrl_c_ends_following_with_what_was_done(lab: Lab, at_desk: Any, database: Path) -> None:
    write(database, cleared("o-1"))

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    lab.clock.sleep = interrupt  # type: ignore[method-assign]
    code, said, complaint = at_desk(f"orderflow relay --database {database} --follow --cloud aws")
    assert (code, said) == (130, "1 event published, 0 rows parked\n")
    assert complaint.endswith("orderflow: stopped\n")
