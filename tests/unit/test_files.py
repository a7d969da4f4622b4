"""Files dropped in the object store: good rows count once, bad ones are put aside with their reasons."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from orderflow.app import App
from orderflow.files import RECEIPTS, load
from orderflow.ports import Conflict, Unavailable
from orderflow.processing import Done, Retry, Shell
from orderflow.settings import Settings
from orderflow_cli.shelves import shards
from unit.support import Lab, done

STOCK = b"sku,quantity\nCUP,10\nPOT,3\n"
CATALOGUE = b"sku,name,unit_price,currency\nCUP,Cup,1200,EUR\nPOT,Teapot,4900,EUR\n"


def units(lab: Lab, sku: str) -> int:
    """How many units of a SKU are on all its shelves; they must add up, with nothing still arriving."""
    total = 0
    for stock in shards(lab.store.get, sku):
        assert stock.available == stock.replenished
        assert not stock.arriving
        total += stock.available
    return total


def price(lab: Lab, sku: str) -> Any:
    """What the catalogue says of a SKU."""
    document = lab.document("catalogue", sku)
    return document and document["state"]


def quarantined(lab: Lab) -> list[dict[str, Any]]:
    """Every row that was put aside."""
    lines = [line for name in lab.archive.names("quarantine/") for line in lab.archive.get(name).splitlines()]
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("stock/a.csv", STOCK),
        ("stock/deep/er/a.csv", STOCK),
        ("stock/a.csv", b"\xef\xbb\xbf" + STOCK),
        ("stock/a.csv", STOCK.replace(b"\n", b"\r\n")),
        ("stock/a.csv", STOCK.replace(b"\n", b"\r")),
        ("stock/a.csv", b'"sku","quantity"\n"CUP","10"\n\nPOT,3'),
        ("stock/a.csv", b"quantity,sku\n10,CUP\n3,POT\n"),
        ("stock/no-extension", STOCK),
        ("stock/a.jsonl", b'{"sku": "CUP", "quantity": 10}\n{"sku": "POT", "quantity": 3}\n'),
        ("stock/a.ndjson", b'\r\n{"sku": "CUP", "quantity": 10}\r\n\r\n{"quantity": 3, "sku": "POT"}'),
    ],
)
def test_a_stock_file_fills_the_shelves_and_says_so(lab: Lab, name: str, data: bytes) -> None:
    assert done(lab.load_file(name, data)) == "loaded"
    assert (units(lab, "CUP"), units(lab, "POT")) == (10, 3)
    assert quarantined(lab) == []
    assert [(each.kind, each.data["sku"], each.data["quantity"]) for each in lab.published()] == [
        ("StockReplenished", "CUP", 10),
        ("StockReplenished", "POT", 3),
    ]


@pytest.mark.parametrize(
    ("rows", "shelves"),
    [
        ([39], [39]),
        ([40], [20, 20]),
        ([107], [22, 22, 21, 21, 21]),
        ([16, 28], [30, 14]),
        ([30, 1], [31]),
    ],
)
def test_a_sku_has_a_shard_for_every_twenty_units_and_those_that_come_later_fill_the_new_ones(
    lab: Lab, rows: list[int], shelves: list[int]
) -> None:
    for number, row in enumerate(rows):
        lab.load_file(f"stock/{number}.csv", f"sku,quantity\nCUP,{row}\n".encode())
    assert [shard.available for shard in shards(lab.store.get, "CUP")] == shelves


def test_a_skus_shards_have_a_limit_and_a_small_row_touches_few_of_them(lab: Lab) -> None:
    lab.load_file("stock/a.csv", b"sku,quantity\nCUP,3200\n")
    assert [shard.available for shard in shards(lab.store.get, "CUP")] == [100] * 32
    lab.load_file("stock/b.csv", b"sku,quantity\nCUP,39\n")
    lab.load_file("stock/c.csv", b"sku,quantity\nCUP,60\n")
    assert sorted(shard.available for shard in shards(lab.store.get, "CUP"))[27:] == [100, 120, 120, 120, 139]
    assert units(lab, "CUP") == 3_299


def test_shards_stay_when_an_operator_wants_fewer(lab: Lab) -> None:
    lab.load_file("stock/a.csv", b"sku,quantity\nCUP,80\n")
    lab.shell = Shell(Settings(stock_shards=1), lab.clock, Random(1))
    lab.load_file("stock/b.csv", b"sku,quantity\nCUP,100\n")
    assert len(shards(lab.store.get, "CUP")) == 4
    assert units(lab, "CUP") == 180


def test_a_catalogue_file_sets_prices_and_a_newer_one_replaces_them(lab: Lab) -> None:
    lab.load_file("catalogue/a.csv", CATALOGUE)
    assert price(lab, "CUP") == {"sku": "CUP", "name": "Cup", "unit_price": 1200, "currency": "EUR"}
    new = '{"sku": "CUP", "name": "Tässchen \u2028 千代", "unit_price": 900, "currency": "EUR"}'
    lab.load_file("catalogue/b.jsonl", new.encode())
    assert price(lab, "CUP")["unit_price"] == 900
    assert price(lab, "CUP")["name"] == "Tässchen \u2028 千代"
    assert price(lab, "POT")["unit_price"] == 4900


def test_an_old_catalogue_file_that_is_told_of_again_brings_no_old_price_back(lab: Lab) -> None:
    lab.load_file("catalogue/a.csv", CATALOGUE)
    lab.load_file("catalogue/b.csv", CATALOGUE.replace(b"1200", b"900"))
    lab.load_file("catalogue/a.csv", CATALOGUE)
    assert price(lab, "CUP")["unit_price"] == 900
    lab.load_file("catalogue/c.csv", CATALOGUE)
    assert price(lab, "CUP")["unit_price"] == 1200, "a new file does"


@pytest.mark.parametrize(
    ("row", "place"),
    [
        (b"CUP,0", "quantity"),
        (b"CUP,-5", "quantity"),
        (b"CUP,1.5", "quantity"),
        (b"CUP,ten", "quantity"),
        (b"CUP,1000001", "quantity"),
        (b"CUP," + b"9" * 5_000, "quantity"),
        (b"CUP,", "quantity"),
        (b"CUP", "quantity"),
        (b"cup,1", "sku"),
        (b",1", "sku"),
        (b"CUP,1,surplus", ""),
        ("Tässchen,1".encode(), "sku"),
    ],
)
def test_a_bad_row_is_put_aside_with_its_number_and_reason_and_the_others_count(
    lab: Lab, row: bytes, place: str
) -> None:
    assert done(lab.load_file("stock/a.csv", b"sku,quantity\nCUP,10\n" + row + b"\nPOT,3\n")) == "loaded"
    assert (units(lab, "CUP"), units(lab, "POT")) == (10, 3)
    [bad] = quarantined(lab)
    assert bad["row"] == 2
    assert bad["reason"].startswith(place)
    assert bad["content"]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"5",
        b"null",
        b"[]",
        b'"CUP"',
        b"{}",
        b"CUP,5",
        b'{"sku": "CUP"}',
        b'{"sku": "CUP", "quantity": 1, "more": 1}',
        b'{"sku": "\\ud800", "quantity": 1}',
        b"[" * 100_000,
        b"[" * 500 + b"]" * 500,
        b"9" * 10_000,
        b"NaN",
    ],
    ids=lambda line: repr(line[:30]),
)
def test_a_bad_line_is_put_aside_and_the_others_count(lab: Lab, line: bytes) -> None:
    good = b'{"sku": "CUP", "quantity": 10}'
    assert done(lab.load_file("stock/a.jsonl", good + b"\n" + line + b"\n" + good + b"\n")) == "loaded"
    assert units(lab, "CUP") == 20
    [bad] = quarantined(lab)
    assert bad["row"] == 2
    assert bad["reason"]


@pytest.mark.parametrize(
    ("row", "place"),
    [
        (b"CUP,,1,EUR", "name"),
        (b"CUP,Cup,-1,EUR", "unit_price"),
        (b"CUP,Cup,12.50,EUR", "unit_price"),
        (b"CUP,Cup,100000001,EUR", "unit_price"),
        (b"CUP,Cup,1,euro", "currency"),
    ],
)
def test_a_bad_price_is_put_aside_and_the_old_one_stays(lab: Lab, row: bytes, place: str) -> None:
    lab.load_file("catalogue/a.csv", CATALOGUE)
    lab.load_file("catalogue/b.csv", b"sku,name,unit_price,currency\n" + row + b"\n")
    assert price(lab, "CUP")["unit_price"] == 1200
    [bad] = quarantined(lab)
    assert bad["reason"].startswith(place)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("stock/a.csv", b"sku,quantity\nCUP,\xff\n", "not-utf-8"),
        ("stock/a.csv", STOCK.decode().encode("utf-16"), "not-utf-8"),
        ("stock/a.csv", b"sku,quantity\n" + b"CUP,1\n" * 2_800_000, "too-large"),
        ("invoices/a.csv", STOCK, "unknown-folder"),
        ("a.csv", STOCK, "unknown-folder"),
        ("Stock/a.csv", STOCK, "unknown-folder"),
        ("stock/a.csv", b'sku,quantity\n"' + b"x" * 200_000, "malformed"),
    ],
)
def test_a_file_that_cannot_be_read_is_put_aside_whole_and_is_done(
    lab: Lab, name: str, data: bytes, reason: str
) -> None:
    assert done(lab.load_file(name, data)) == "loaded"
    [bad] = quarantined(lab)
    assert bad["row"] == 0
    assert bad["reason"].startswith(f"{reason}: ")
    assert units(lab, "CUP") == 0


@pytest.mark.parametrize("data", [b"", b"\n\n", b"sku,quantity\n"])
def test_a_file_without_rows_is_nothing(lab: Lab, data: bytes) -> None:
    assert done(lab.load_file("stock/a.csv", data)) == "loaded"
    assert quarantined(lab) == []


def test_a_file_that_is_gone_is_done(lab: Lab) -> None:
    outcome = App(lab.ports, lab.settings).load_file("stock/gone.csv", receives=1, deadline=lab.clock.time + 10)
    assert outcome == Done("gone")


def test_the_same_file_twice_counts_once_and_publishes_the_same_events(lab: Lab) -> None:
    for _ in range(3):
        assert done(lab.load_file("stock/a.csv", STOCK)) == "loaded"
    assert (units(lab, "CUP"), units(lab, "POT")) == (10, 3)
    assert len({each.to_bytes() for each in lab.published()}) == 2


def test_another_name_or_other_content_is_another_file(lab: Lab) -> None:
    lab.load_file("stock/a.csv", STOCK)
    lab.load_file("stock/b.csv", STOCK)
    lab.load_file("stock/a.csv", STOCK + b"CUP,1\n")
    assert units(lab, "CUP") == 31


def test_two_equal_rows_of_a_file_both_count(lab: Lab) -> None:
    lab.load_file("stock/a.csv", STOCK + b"CUP,10\n")
    assert units(lab, "CUP") == 20


def steps_of(lab: Lab, most: int | None = None) -> int:
    """Load the file step by step; stop dead after so many. Answers how many steps there were."""
    steps = load(lab.shell, "stock/a.csv", 1)
    answer: Any = None
    performed = 0
    try:
        while most is None or performed < most:
            step = steps.throw(answer) if isinstance(answer, Exception) else steps.send(answer)
            try:
                answer = step.perform(lab.ports)
            except Conflict as lost:
                answer = lost
            performed += 1
    except StopIteration:
        pass
    steps.close()
    return performed


def test_a_crash_between_any_two_steps_counts_nothing_twice_and_loses_nothing() -> None:
    data = b"sku,quantity\nCUP,5\nbad row\nCUP,2\nPOT,1\n"

    def fresh() -> Lab:
        lab = Lab.make(Settings(shard_units=1))
        lab.drop.put("stock/a.csv", data)
        return lab

    whole = steps_of(fresh())
    assert whole > 40
    for crashes_after in range(whole + 1):
        lab = fresh()
        steps_of(lab, crashes_after)
        steps_of(lab, whole - crashes_after)  # and once more, elsewhere
        steps_of(lab)
        assert (units(lab, "CUP"), units(lab, "POT")) == (7, 1), crashes_after
        assert len({each.id for each in lab.published()}) == 3
        assert len({each.to_bytes() for each in lab.published()}) == 3
        assert len(quarantined(lab)) == 1


@pytest.mark.parametrize("seed", range(15))
def test_two_notifications_of_one_file_at_once_count_once(seed: int) -> None:
    lab, random = Lab.make(), Random(seed)
    lab.drop.put("stock/a.csv", STOCK)
    running: list[list[Any]] = [[load(lab.shell, "stock/a.csv", 1), None] for _ in range(2)]
    while running:
        mine = random.choice(running)
        try:
            step = mine[0].throw(mine[1]) if isinstance(mine[1], Exception) else mine[0].send(mine[1])
        except StopIteration:
            running.remove(mine)
            continue
        try:
            mine[1] = step.perform(lab.ports)
        except Exception as error:
            mine[1] = error
    assert (units(lab, "CUP"), units(lab, "POT")) == (10, 3)
    assert len({each.to_bytes() for each in lab.published()}) == 2


def test_a_deadline_gives_the_notification_back_and_the_next_goes_on(lab: Lab) -> None:
    lab.drop.put("stock/a.csv", STOCK)
    app = App(lab.ports, lab.settings)
    assert isinstance(app.load_file("stock/a.csv", receives=1, deadline=lab.clock.time), Retry)
    assert app.load_file("stock/a.csv", receives=1, deadline=lab.clock.time + 60) == Done("loaded")
    assert units(lab, "CUP") == 10


def test_the_deliveries_that_a_broker_allows_outlast_an_outage_of_two_hours(lab: Lab) -> None:
    def away(_method: str, _where: str, _key: str) -> None:
        raise Unavailable("the store is away")

    lab.store.before = away
    waits = []
    for receives in range(1, RECEIPTS.limits.broker_max_deliveries + 1):
        outcome = lab.load_file("stock/a.csv", STOCK, receives)
        assert isinstance(outcome, Retry)
        assert outcome.reason == "Unavailable: the store is away"
        waits.append(outcome.after)
    assert sum(waits) > 2 * 3_600
    assert max(waits[:3]) < 5


def test_a_file_that_makes_the_loader_fail_comes_again_later_and_later(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orderflow.files._rows", lambda _name, _data: 1 / 0)
    waits = [lab.load_file("stock/a.csv", STOCK, 20) for _ in range(20)]
    assert max(wait.after for wait in waits if isinstance(wait, Retry)) > 10
    assert {wait.reason for wait in waits if isinstance(wait, Retry)} == {"ZeroDivisionError: division by zero"}
