"""How many changes a customer may ask for: so many and no more, whatever number of processes they come to."""

from __future__ import annotations

from typing import Any

import pytest

from orderflow.app import App
from unit.issuer import Issuer
from unit.support import CUSTOMER, Lab
from unit.web import Web, order


def limited(lab: Lab, issuer: Issuer, **settings: Any) -> Web:
    """An API at which a customer may change something twice at once, then once in ten seconds."""
    return Web.make(lab, issuer, **{"rate_per_minute": 6, "rate_burst": 2, **settings})


@pytest.fixture
def web(lab: Lab, issuer: Issuer) -> Web:
    """That API."""
    return limited(lab, issuer)


def test_beyond_the_burst_a_change_is_refused_and_told_when_to_come_again(web: Web) -> None:
    assert [web.place().status for _ in range(2)] == [202, 202]
    refused = web.place()
    assert refused.status == 429
    assert refused.body["type"] == "urn:orderflow:problem:too-many-requests"
    assert refused.headers["retry-after"] == "10"
    assert len(web.lab.published("OrderPlaced")) == 2


def test_who_waits_as_long_as_told_is_let_in_once(web: Web) -> None:
    for _ in range(2):
        web.place()
    web.lab.clock.time += int(web.place().headers["retry-after"]) - 1
    assert web.place().headers["retry-after"] == "1"
    web.lab.clock.time += 1
    assert [web.place().status for _ in range(2)] == [202, 429]


def test_after_a_pause_there_is_the_burst_again_and_not_more(web: Web) -> None:
    for _ in range(3):
        web.place()
    web.lab.clock.time += 3_600
    assert [web.place().status for _ in range(3)] == [202, 202, 429]


def test_every_way_to_change_something_counts(web: Web) -> None:
    path = web.place().headers["location"]
    assert web.call("PUT", "/customers/me", CUSTOMER).status == 200
    assert web.place().status == 429
    assert web.call("PUT", "/customers/me", CUSTOMER).status == 429
    assert web.call("POST", f"{path}/cancel").status == 429


def test_looking_is_not_counted_and_goes_on(web: Web) -> None:
    path = web.place().headers["location"]
    for _ in range(3):
        web.place()
    assert [web.call("GET", where).status for where in (path, "/orders", path, "/orders")] == [200] * 4


def test_a_customer_does_not_use_up_what_another_has(web: Web) -> None:
    for _ in range(3):
        web.place()
    assert web.place(customer="ann").status == 202


def test_processes_share_the_limit(web: Web) -> None:
    """As many processes as there are requests: each is the first that its process sees."""
    statuses = []
    for _ in range(5):
        web.app = App(web.lab.ports, web.lab.settings)
        statuses.append(web.place().status)
    assert statuses == [202, 202, 429, 429, 429]


@pytest.mark.parametrize("seed", range(5))
def test_requests_at_the_same_time_do_not_get_more_than_there_is(lab: Lab, issuer: Issuer, seed: int) -> None:
    from random import Random

    web, chance = limited(lab, issuer, rate_burst=3), Random(seed)
    answers = web.race([web.request("POST", "/orders", order()) for _ in range(8)], chance.randrange)
    assert sorted(answer.status for answer in answers) == [202] * 3 + [429] * 5


def test_who_is_refused_costs_the_store_nothing_until_the_time_has_come(web: Web) -> None:
    for _ in range(3):
        web.place()
    web.lab.store.calls.clear()
    for _ in range(50):
        assert web.place().status == 429
    assert not web.lab.store.calls


def test_a_bucket_that_is_full_again_may_be_forgotten_by_the_store(web: Web) -> None:
    web.place()
    bucket = web.lab.document("rates", "zoe")
    assert bucket is not None
    assert bucket["full_at"] < bucket["expires_at"] <= bucket["full_at"] + 120


def test_without_a_limit_nothing_is_counted(lab: Lab, issuer: Issuer) -> None:
    web = Web.make(lab, issuer)
    assert {web.place().status for _ in range(50)} == {202}
    assert web.lab.document("rates", "zoe") is None


def test_who_is_not_signed_in_uses_up_nobodys_tokens(web: Web, issuer: Issuer) -> None:
    for _ in range(5):
        assert web.place(token=issuer.token("zoe", aud="somebody-else")).status == 401
    assert web.place().status == 202


def test_a_store_that_is_down_lets_nobody_change_anything(web: Web) -> None:
    def down(*_: Any) -> None:
        from orderflow.ports import Unavailable

        raise Unavailable("no answer")

    web.lab.store.before = down
    assert web.place().status == 503
