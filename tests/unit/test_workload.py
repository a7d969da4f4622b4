"""The demo's orders: the same for the same seed, of every story, and those of a user's file."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from orderflow_cli.workload import CATALOGUE, HERMIT, PEOPLE, SCARCE, generate, read_file
from unit.issuer import Issuer
from unit.support import Lab
from unit.web import Web

STORIES = {
    "ordinary",
    "refused",
    "scarce",
    "cancelled",
    "valuable",
    "repeated",
    "hermit",
    "suspicious",
    "lost-answer",
}


def test_one_seed_makes_one_workload() -> None:
    assert generate(60, 7) == generate(60, 7)
    assert generate(60, 7).wishes != generate(60, 8).wishes


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    assert generate(100, 3).wishes[:30] == generate(30, 3).wishes


@pytest.mark.parametrize("seed", range(5))
def test_the_first_ten_orders_tell_every_story(seed: int) -> None:
    assert {wish.story for wish in generate(10, seed).wishes} == STORIES


def test_every_order_has_a_key_of_its_own() -> None:
    wishes = [*generate(100, 1).wishes, *generate(100, 2).wishes]
    assert len({wish.key for wish in wishes}) == 200


def test_the_scarce_pieces_are_too_few_for_those_who_want_them() -> None:
    workload = generate(100, 5)
    wanted = sum(line["quantity"] for wish in workload.wishes for line in wish.body["lines"] if line["sku"] == SCARCE)
    assert 0 < workload.stock[SCARCE] < wanted
    assert set(workload.stock) == set(CATALOGUE)


@pytest.mark.parametrize("orders", [1, 3, 10])
def test_there_is_always_something_on_the_shelves(orders: int) -> None:
    assert min(generate(orders, 1).stock.values()) >= 1


def test_the_files_are_such_as_are_loaded_whole(lab: Lab) -> None:
    workload = generate(20, 1)
    lab.load_file("catalogue/demo.csv", workload.catalogue_csv())
    lab.load_file("stock/demo.csv", workload.stock_csv())
    assert lab.archive.names() == []
    assert len(list(lab.store.all("catalogue"))) == len(CATALOGUE)
    assert [row["sku"] for row in csv.DictReader(io.StringIO(workload.stock_csv().decode()))] == list(CATALOGUE)


def test_the_api_takes_every_order_and_every_customer(lab: Lab, issuer: Issuer) -> None:
    web = Web.make(lab, issuer)
    workload = generate(60, 11)
    lab.store.delete("catalogue", "CUP", lab.store.get("catalogue", "CUP"))  # type: ignore[arg-type]
    lab.load_file("catalogue/demo.csv", workload.catalogue_csv())
    for person in (*PEOPLE, HERMIT):
        assert web.call("PUT", "/customers/me", person.contact, customer=person.id).status == 200
    for wish in workload.wishes:
        assert web.call("POST", "/orders", wish.body, customer=wish.customer, key=wish.key).status == 202


GOOD = {"lines": [{"sku": "CUP", "quantity": 1}], "payment_token": "tok_visa"}


def test_orders_are_read_from_a_file_of_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    lines = [GOOD, {**GOOD, "customer": "Zoë \u2028 千代"}]
    text = "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    file.write_text("\ufeff" + text + "\r\n", encoding="utf-8")
    workload, refused = read_file(file, 1)
    assert refused == []
    assert [wish.body for wish in workload.wishes] == [GOOD, GOOD]
    assert [wish.customer for wish in workload.wishes] == [PEOPLE[0].id, "Zoë \u2028 千代"]
    assert len({wish.key for wish in workload.wishes}) == 2


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"5",
        b"[]",
        b"null",
        b'"text"',
        b'{"customer": 7}',
        b'{"customer": null}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"not json",
    ],
    ids=lambda line: repr(line[:20]),
)
def test_a_line_that_is_no_order_is_reported_by_its_number_and_the_others_are_kept(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "orders.jsonl"
    good = json.dumps(GOOD).encode()
    file.write_bytes(good + b"\n" + line + b"\n" + good)
    workload, refused = read_file(file, 1)
    assert len(workload.wishes) == 2
    [reason] = refused
    assert reason.startswith("line 2: ")


def test_an_empty_file_is_an_empty_workload(tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_bytes(b"\n \n")
    workload, refused = read_file(file, 1)
    assert (workload.wishes, refused) == ((), [])
