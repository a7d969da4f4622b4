"""What the stream of server-sent events tells a page, and what the looks at the clouds cost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.desk import shipped
from orderflow.ports import Unavailable
from orderflow_cli.room.latest import SHOWN, Latest
from orderflow_cli.room.site import Site
from orderflow_cli.room.today import Today
from orderflow_cli.room.trouble import Tail, providers
from orderflow_cli.room.watch import REST_AFTER_S, Watch
from unit.support import Lab

KINDS = {"orders", "today", "queues", "trouble", "looks"}


def events(client: httpx.Client) -> Iterator[tuple[str, dict[str, Any]]]:
    """The stream's events; fails after a time in which nothing comes at all."""
    with client.stream("GET", "/events", timeout=30) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        kind = ""
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                yield kind, json.loads(value)


def test_a_page_is_told_every_part_of_every_cloud(visitor: httpx.Client) -> None:
    told = set()
    for kind, value in events(visitor):
        assert value["cloud"] == "aws"
        told.add(kind)
        if told == KINDS:
            break
    assert told == KINDS


def test_a_page_sees_an_order_go_through_its_saga(visitor: httpx.Client, lab: Lab) -> None:
    lab.customer("ada")
    lab.load_file("stock/one.csv", b"sku,quantity\nCUP,100\n")
    lab.place("o-1", customer="ada")
    seen = []
    for kind, value in events(visitor):
        if kind == "orders" and value["rows"]:
            [row] = value["rows"]
            seen.append(row["status"])
            if row["status"] == "shipped":
                break
            lab.run_to_rest()
    assert seen == ["pending", "shipped"]


def test_a_page_that_comes_later_is_told_what_is_known_at_once(visitor: httpx.Client, lab: Lab) -> None:
    lab.place("o-1", customer="ada")
    first = next(value for kind, value in events(visitor) if kind == "orders" and value["rows"])
    second = next(value for kind, value in events(visitor) if kind == "orders")

    assert first == second


def test_a_cloud_that_does_not_answer_is_shown_as_such(
    visitor: httpx.Client, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: Any, **__: Any) -> Any:
        raise Unavailable("DynamoDB Query: no answer")

    monkeypatch.setattr(lab.store, "query", unavailable)

    told = next(value for kind, value in events(visitor) if kind == "orders" and "error" in value)

    assert told == {"cloud": "aws", "error": "Unavailable: DynamoDB Query: no answer"}


def test_who_goes_from_page_to_page_keeps_what_was_set_and_who_leaves_ends_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def visit(watch: Watch) -> None:
        page = watch.stream()
        await anext(page)
        await page.aclose()

    async def go() -> None:
        loop, watch = asyncio.get_running_loop(), Watch({"aws": site})
        rests: list[asyncio.TimerHandle] = []
        call_later = loop.call_later

        def noted(delay: float, call: Callable[[], None], *arguments: Any, **options: Any) -> asyncio.TimerHandle:
            handle = call_later(delay, call, *arguments, **options)
            if delay == REST_AFTER_S:
                rests.append(handle)
            return handle

        monkeypatch.setattr(loop, "call_later", noted)
        watch.twice["aws"].set(True)
        await visit(watch)
        await visit(watch)

        assert [each.cancelled() for each in rests] == [True, False]
        assert watch.twice["aws"].on
        rests[-1]._run()
        assert not watch.twice["aws"].on

    asyncio.run(go())


def rows(site: Site, *customers: str) -> list[dict[str, Any]]:
    return looked(Latest(site.doors, customers))


def looked(latest: Latest) -> list[dict[str, Any]]:
    latest.find()
    found: list[dict[str, Any]] = latest.look()["rows"]
    return found


def test_the_newest_orders_come_first_and_strangers_orders_are_found_while_open(lab: Lab, site: Site) -> None:
    lab.place("o-1", customer="ada")
    lab.clock.time += 1
    lab.place("o-2", customer="a stranger")

    assert [row["order_id"] for row in rows(site, "ada")] == ["o-2", "o-1"]


def test_an_order_stays_shown_until_newer_ones_take_its_place(lab: Lab, site: Site) -> None:
    latest = Latest(site.doors, ["ada"])
    for number in range(20):
        lab.place(f"o-{number}", customer="ada")
        lab.clock.time += 1
        looked(latest)

    assert [row["order_id"] for row in looked(latest)] == [f"o-{number}" for number in reversed(range(20))]


def test_an_order_that_the_room_placed_is_shown_before_any_index_has_it(lab: Lab, site: Site) -> None:
    latest = Latest(site.doors, [])
    lab.place("o-1", customer="ada")
    latest.add("o-1")
    latest.add("o-2")

    assert [row["order_id"] for row in latest.look()["rows"]] == ["o-1"]
    assert lab.store.calls["query", "orders"] == 0


def test_steps_and_times_are_those_of_the_order(lab: Lab, site: Site) -> None:
    lab.customer("ada")
    for order_id, token in (("o-1", "tok_visa"), ("o-2", "tok_refused"), ("o-3", "tok_visa")):
        shipped(lab, order_id, customer="ada", token=token)

    latest = Latest(site.doors, ["ada"])
    latest.find()
    look = latest.look()

    steps = {row["order_id"]: dict(row["steps"]) for row in look["rows"]}
    assert steps["o-1"] == {"reserved": True, "paid": True, "confirmed": True, "shipped": True}
    assert steps["o-2"] == {"cancelled": True, "inventory answered": True, "payment answered": True}
    assert look["shipping"]["orders"] == 2


def test_a_look_costs_the_same_however_many_orders_are_stored(lab: Lab, site: Site) -> None:
    cost = []
    for stored in (100, 600):
        for number in range(len(lab.store._documents), stored):
            lab.place(f"o-{number}", customer="ada", publish=False)
        latest = Latest(site.doors, ["ada"])
        lab.store.calls.clear()
        assert 0 < len(looked(latest)) <= SHOWN
        cost.append(lab.store.calls.total())

    assert cost[0] == cost[1]
    assert lab.store.calls["query", "orders"] == lab.settings.sweep_shards + 1


def test_today_counts_what_analytics_has_counted(lab: Lab, site: Site) -> None:
    today = Today(site.doors)
    assert today.look()["placed"] == 0
    lab.customer("ada")
    shipped(lab, "o-1")
    shipped(lab, "o-2", token="tok_refused")

    found = today.look()

    assert (found["placed"], found["shipped"], found["cancelled"], found["under_way"]) == (2, 1, 1, 0)
    assert found["reasons"] == {"payment-failed": 1}
    assert (found["payments"], found["refunds"], list(found["revenue"])) == (1, 0, ["EUR"])
    assert sum(count for _, count in found["shipping"]["within"]) == 1
    assert found["shipping"]["mean_ms"] is not None


def test_a_providers_breaker_is_shown_open_and_then_probing(lab: Lab, site: Site) -> None:
    lab.customer()
    lab.load_file("stock/one.csv", b"sku,quantity\nCUP,100\n")
    lab.simulate("gateway", "down")
    for number in range(3):
        lab.deliver("payment", lab.place(f"o-{number}"))

    gateway = providers(site.doors)[0]
    lab.clock.time += 60
    later = providers(site.doors)[0]

    assert gateway == {"name": "gateway", "mode": "down", "breaker": "open"}
    assert later["breaker"] == "probing"


def test_retries_and_duplicates_are_counted_from_what_is_new_in_the_logs(tmp_path: Path) -> None:
    log = tmp_path / "function-payment.log"
    retry = '{"severity":"WARNING","time":"t","message":"retry","service":"payment"}\n'
    log.write_text(
        f'listening\n{retry}10:00 {{"severity":"INFO","message":"duplicate","service":"order"}}\n{retry[:40]}'
    )
    tail = Tail(tmp_path)

    assert tail.look() == {"retries": {"payment": 1}, "duplicates": {"order": 1}}
    with log.open("a") as more:
        more.write(retry[40:] + '{"severity":"INFO","message":"duplicate"}\nno JSON "message":"retry" {"severity"\n')
    assert tail.look() == {"retries": {"payment": 2}, "duplicates": {"order": 1}}
