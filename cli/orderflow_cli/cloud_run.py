"""One demo run on one cloud: fill the shelves, place the orders over HTTP, wait until everything is at rest, check."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

import httpx

from orderflow.envelope import Envelope, derived_id, rfc3339
from orderflow.events import OrderPlaced
from orderflow.ports import Ports
from orderflow.services import SERVICES, find
from orderflow_cli.invariants import Verdict, check
from orderflow_cli.shop import fill_shelves, shelves_full
from orderflow_cli.workload import HERMIT, PEOPLE, Wish, Workload
from orderflow_local.cloud import LocalCloud
from orderflow_local.fleet import Fleet

PATIENCE_SECONDS = 120.0
"""A run fails when nothing has moved for so long."""
_POLL_SECONDS = 1.0
_LIST_SECONDS = 3.0
"""Listing the orders is work for the clouds that are watched: it is done no oftener than a person needs it."""
KILL_EVERY_SECONDS = 2.0
_PLACING_AT_ONCE = 3

Advance = Callable[[str, int], None]
"""Takes a phase (``placed``, ``ended``) and how many orders are through it."""


class Stuck(RuntimeError):
    """Nothing moved any more before all was at rest."""


@dataclass(slots=True)
class CloudResult:
    """What a run on one cloud came to. Times are seconds."""

    cloud: str
    placed: int
    refused: Counter[str]
    verdict: Verdict
    unexpected: list[str]
    poisoned: int
    duplicates: int
    took: float

    @property
    def good(self) -> bool:
        """Whether every promise was kept and every order ended as it may."""
        return self.verdict.holds and not self.unexpected

    def percentile(self, percent: int) -> float | None:
        """A percentile of the time from placed to shipped."""
        times = sorted(self.verdict.shipping_seconds)
        if len(times) < 2:
            return times[0] if times else None
        return quantiles(times, n=100, method="inclusive")[percent - 1]


@dataclass
class CloudRun:
    """One cloud's run."""

    fleet: Fleet
    name: str
    workload: Workload
    seed: int
    advance: Advance
    poison: bool = True
    kill_hosts: bool = False
    _orders: dict[str, Wish] = field(default_factory=dict)
    _refused: Counter[str] = field(default_factory=Counter)
    _closed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._cloud: LocalCloud = self.fleet.clouds[self.name]
        self._ports: Ports = self.fleet.ports(self.name)
        people = {person.id for person in (*PEOPLE, HERMIT)} | {wish.customer for wish in self.workload.wishes}
        self._clients = {
            customer: httpx.Client(
                base_url=self._cloud.api_url,
                headers={"authorization": f"Bearer {self.fleet.token(customer)}"},
                timeout=30,
                transport=httpx.HTTPTransport(retries=3),
            )
            for customer in sorted(people)
        }

    def run(self) -> CloudResult:
        """Do it all. Raises `Stuck` where it never comes to rest."""
        self._fill_shelves()
        started = time.monotonic()
        over = threading.Event()
        if self.kill_hosts:
            threading.Thread(target=self._kill_hosts, args=(over,), daemon=True).start()
        poison_ids = frozenset([self._publish_poison()] if self.poison else [])
        with ThreadPoolExecutor(_PLACING_AT_ONCE) as pool:
            list(pool.map(self._place, self.workload.wishes))
        self._wait_for_the_end()
        over.set()
        verdict = self._check_at_rest(poison_ids)
        return CloudResult(
            cloud=self.name,
            placed=len(self._orders),
            refused=self._refused,
            verdict=verdict,
            unexpected=self._unexpected(),
            poisoned=verdict.letters,
            duplicates=sum(line["message"] == "duplicate" for line in self.fleet.log_lines(self.name)),
            took=time.monotonic() - started,
        )

    def _kill_hosts(self, over: threading.Event) -> None:
        choose = random.Random(self.seed)  # noqa: S311  a demo must be repeatable, not secret
        while not over.wait(KILL_EVERY_SECONDS):
            hosts = self._cloud.hosts()
            if hosts:
                self._cloud.kill_host(choose.choice(hosts).name)

    def _fill_shelves(self) -> None:
        """Drop the files into the object store as a supplier would, and let the customers leave their addresses."""
        fill_shelves(self._ports, self.workload, f"demo-{self.seed}")
        for person in (*PEOPLE, HERMIT):
            self._ask(lambda person=person: self._clients[person.id].put("/customers/me", json=person.contact))  # type: ignore[misc]
        self._await("the stock files to be loaded", lambda: shelves_full(self._ports, self.workload.stock))

    def _place(self, wish: Wish) -> None:
        client = self._clients[wish.customer]
        headers = {"idempotency-key": wish.key}
        answers = [
            self._ask(lambda: client.post("/orders", json=wish.body, headers=headers)) for _ in range(1 + wish.again)
        ]
        answer = answers[0]
        if answer.status_code != 202:
            self._refused[f"{answer.status_code} {answer.json().get('detail', '')}"] += 1
            return
        order_id = answer.json()["order_id"]
        if any(again.status_code != 202 or again.json()["order_id"] != order_id for again in answers):
            raise RuntimeError(f"{self.name}: the same idempotency key gave different answers: {answers}")
        self._orders[order_id] = wish
        if wish.cancel:
            self._ask(lambda: client.post(f"/orders/{order_id}/cancel"))
        self.advance("placed", len(self._orders))

    def _publish_poison(self) -> str:
        """Publish an event that says it is an OrderPlaced and is not: everyone who hears it must put it aside."""
        poison_id = derived_id("poison", self.name, str(self.seed), rfc3339(time.time()))
        envelope = Envelope(
            id=poison_id,
            source="/demo/poison",
            type=OrderPlaced.type_name(),
            subject="poison",
            time=rfc3339(time.time()),
            correlationid="poison",
            kind=OrderPlaced.kind(),
            category=OrderPlaced.category,
            data={"order_id": "poison", "lines": "none"},
        )
        for error in self._ports.publisher.publish([envelope]):
            if error is not None:
                raise error
        return poison_id

    def _wait_for_the_end(self) -> None:
        ended = -1
        moved = time.monotonic()
        while True:
            self._closed |= {order["order_id"] for order in self._listed(self._open_customers()) if order["closed"]}
            now_ended = len(self._closed)
            if now_ended != ended:
                ended, moved = now_ended, time.monotonic()
                self.advance("ended", ended)
            if ended == len(self._orders):
                return
            if time.monotonic() - moved > PATIENCE_SECONDS:
                open_orders = [
                    f"{order['order_id']} {order['status']}"
                    for order in self._listed(self._open_customers())
                    if not order["closed"]
                ]
                raise Stuck(f"{self.name}: {len(open_orders)} orders stand still: {', '.join(open_orders[:5])}")
            time.sleep(_LIST_SECONDS)

    def _open_customers(self) -> set[str]:
        return {wish.customer for order_id, wish in self._orders.items() if order_id not in self._closed}

    def _listed(self, customers: set[str]) -> list[dict[str, Any]]:
        """These customers' orders of the run as the API lists them."""
        found: dict[str, dict[str, Any]] = {}
        for customer in sorted(customers):
            cursor: str | None = None
            while True:
                query = {"limit": "100", **({"cursor": cursor} if cursor else {})}
                page = self._ask(lambda c=customer, q=query: self._clients[c].get("/orders", params=q)).json()  # type: ignore[misc]
                found |= {order["order_id"]: order for order in page["orders"]}
                cursor = page["next_cursor"]
                if not cursor:
                    break
        return [order for order_id, order in found.items() if order_id in self._orders]

    def _check_at_rest(self, poison_ids: frozenset[str]) -> Verdict:
        """Check once the queues are empty. What follows an order's end (messages, totals) may still be on its way for a
        moment, so what does not hold yet is looked at again while anything moves; and between two queues a message is
        in neither, so that they count as empty only when they are so twice."""
        verdict: Verdict | None = None
        quiet = 0

        def at_rest() -> bool:
            nonlocal verdict, quiet
            moving = any(depth.waiting or depth.in_flight for depth in self._cloud.depths().values())
            quiet = 0 if moving else quiet + 1
            if quiet < 2:
                return False
            verdict = self._check(poison_ids)
            buried = _hearers_of_poison() if poison_ids else 0
            return verdict.holds and verdict.letters >= buried

        try:
            self._await("the queues to drain", at_rest, seconds=60)
        except Stuck:
            verdict = verdict or self._check(poison_ids)
            for service, depth in self._cloud.depths().items():
                if depth.waiting or depth.in_flight:
                    verdict.broken["I5"].append(f"{service}: {depth.waiting} waiting, {depth.in_flight} in flight")
        assert verdict is not None
        return verdict

    def _check(self, poison_ids: frozenset[str]) -> Verdict:
        return check(
            self._ports,
            self._orders,
            self.workload.stock,
            poison_ids=poison_ids,
            crashes=self.kill_hosts,
            whole=True,
        )

    def _unexpected(self) -> list[str]:
        """Orders that ended in another way than they may."""
        wrong = []
        for order in self._listed({wish.customer for wish in self._orders.values()}):
            wish = self._orders[order["order_id"]]
            code = order["status"] if "reason" not in order else order["reason"].split(":")[0]
            if code not in wish.expect:
                wrong.append(f"{order['order_id']} ({wish.story}) ended as {code}, not {' or '.join(wish.expect)}")
        return wrong

    def _ask(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        """Send, and again while the API says that it is unavailable or its host is just coming back. Every request of
        the demo may safely be repeated. Raises `Stuck` where it stays so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = send()
            except httpx.TransportError as error:
                failure = f"{type(error).__name__} {error}"
            else:
                if answer.status_code < 500:
                    return answer
                failure = f"{answer.status_code} {answer.text[:200]}"
            if time.monotonic() > deadline:
                raise Stuck(f"{self.name}: the API did not serve a request for {PATIENCE_SECONDS:.0f} s: {failure}")
            time.sleep(0.25)

    def _await(self, what: str, ready: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                raise Stuck(f"{self.name}: waited {seconds:.0f} s for {what}")
            time.sleep(_POLL_SECONDS)


def _hearers_of_poison() -> int:
    """How many services the poison message reaches: those that hear an OrderPlaced of no tier."""
    attributes = {"kind": OrderPlaced.kind(), "category": OrderPlaced.category}
    return sum(find(name).lets_through(attributes) for name in SERVICES)
