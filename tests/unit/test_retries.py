"""Attempts, backoff and circuit breakers: what counts as a failure, how long a message waits, and when it is given
up."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from orderflow.breaker import Blocked, Breakers, Pass
from orderflow.driver import run
from orderflow.events import InventoryReserved, OrderCancelled
from orderflow.ports import Conflict, Delivery, Unavailable
from orderflow.processing import Retry, Shell
from orderflow.services import find
from orderflow.settings import Settings
from unit.support import Lab, done, enveloped, order_placed

ANSWER = InventoryReserved(order_id="o-1", customer_id="zoe", lines=())
"""Fails at the order service for as long as its order is not there."""
CANCELLED = OrderCancelled(order_id="o-1", customer_id="zoe", reason="customer: x", total=1, currency="EUR")


def fail(lab: Lab, receives: int = 1) -> Any:
    """One failed attempt."""
    return lab.deliver("order", enveloped(ANSWER), receives=receives)


def test_a_failing_message_has_exactly_its_attempts_and_is_then_put_aside(lab: Lab) -> None:
    limit = find("order").limits.max_attempts
    for number in range(limit - 1):
        outcome = fail(lab)
        assert isinstance(outcome, Retry), number
        assert outcome.reason == "the order is not there (yet)"
        lab.clock.time += 10
    assert lab.letters("order") == []
    assert done(fail(lab)) == "dead-lettered"
    [letter] = lab.letters("order")
    assert letter.reason == "attempts-exhausted"
    assert letter.detail == "the order is not there (yet)"
    assert letter.attempts == limit
    assert letter.first_at == "2027-01-15T08:00:00.000Z"
    assert letter.last_at == "2027-01-15T08:00:40.000Z"
    assert letter.body == enveloped(ANSWER).to_bytes()


def test_attempts_are_counted_by_the_shell_whatever_the_broker_counts(lab: Lab) -> None:
    """A redrive or a re-enqueue starts the broker's count anew; waiting makes it grow."""
    for receives in (1, 90, 1, 50):
        assert isinstance(fail(lab, receives), Retry)
    assert done(fail(lab, 1)) == "dead-lettered"


def test_a_message_that_recovers_is_handled(lab: Lab) -> None:
    assert isinstance(fail(lab), Retry)
    lab.place()
    assert done(fail(lab)) == "handled"
    assert lab.letters("order") == []


def test_a_redriven_message_has_all_its_attempts_again(lab: Lab) -> None:
    for _ in range(5):
        fail(lab)
    assert isinstance(fail(lab), Retry)
    assert len(lab.letters("order")) == 1


def test_attempts_of_two_services_at_one_event_are_counted_apart(lab: Lab) -> None:
    for _ in range(4):
        fail(lab)
    lab.simulate("gateway", "down")
    assert isinstance(lab.deliver("payment", enveloped(order_placed(), "e-1")), Retry)
    assert lab.letters("payment") == []


def test_a_success_writes_no_attempt(lab: Lab) -> None:
    lab.deliver("payment", enveloped(order_placed()))
    assert lab.store.calls["put", "attempts"] == 0
    assert lab.store.calls["get", "attempts"] == 0


def test_the_attempt_document_goes_away_by_itself(lab: Lab) -> None:
    fail(lab)
    document = lab.document("attempts", "order.e-1")
    assert document is not None
    assert document["expires_at"] == int(lab.clock.time) + 14 * 86_400


@pytest.mark.parametrize("error", [Unavailable("down"), Conflict("lost")])
@pytest.mark.parametrize("collection", ["payments", "breakers", "attempts"])
def test_a_store_that_fails_costs_no_attempt(lab: Lab, collection: str, error: Exception) -> None:
    def broken(_method: str, where: str, _key: str) -> None:
        if where == collection:
            raise error

    if collection == "attempts":  # It is only asked after a failure.
        lab.simulate("gateway", "down")
    lab.store.before = broken
    for _ in range(20):
        assert isinstance(lab.deliver("payment", enveloped(order_placed())), Retry)
        lab.clock.time += 100
    lab.store.before = None
    lab.simulate("gateway", "ok")
    assert lab.letters("payment") == []
    assert lab.document("attempts", "payment.e-1") is None
    assert done(lab.deliver("payment", enveloped(order_placed()))) == "handled"


def test_a_broker_that_fails_costs_no_attempt(lab: Lab) -> None:
    lab.broker.refuses = lambda _: Unavailable("throttled")
    for _ in range(20):
        assert isinstance(lab.deliver("payment", enveloped(order_placed())), Retry)
    assert lab.store.calls["put", "attempts"] == 0


def test_an_error_in_our_own_code_is_an_attempt_and_names_itself(lab: Lab) -> None:
    def bug(_method: str, collection: str, _key: str) -> None:
        if collection == "payments":
            raise ZeroDivisionError("oops")

    lab.store.before = bug
    outcomes = [lab.deliver("payment", enveloped(order_placed())) for _ in range(5)]
    assert isinstance(outcomes[0], Retry)
    assert done(outcomes[4]) == "dead-lettered"
    assert lab.letters("payment")[0].detail == "ZeroDivisionError: oops"


def waits(seed: int, times: int, receives: int = 1) -> list[float]:
    """How long a failing message waits after each attempt, for a service with many attempts."""
    lab = Lab.make(seed=seed)
    found = []
    for _ in range(times):
        outcome = lab.deliver("patient", enveloped(ANSWER), receives=receives)
        assert isinstance(outcome, Retry)
        found.append(outcome.after)
    return found


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service like order that never gives up."""
    from dataclasses import replace

    from unit import support

    order = find("order")
    service = replace(order, name="patient", limits=replace(order.limits, max_attempts=10_000))
    monkeypatch.setattr(support, "find", lambda name: service if name == "patient" else find(name))


@pytest.mark.usefixtures("patient")
def test_backoff_grows_up_to_its_cap_and_never_above() -> None:
    runs = [waits(seed, 12) for seed in range(40)]
    limits = find("order").limits
    for number in range(12):
        bound = min(limits.backoff_cap_s, limits.backoff_base_s * 2**number)
        longest = max(run[number] for run in runs)
        assert bound * 0.8 < longest <= bound
        assert min(run[number] for run in runs) >= 0.1


@pytest.mark.usefixtures("patient")
def test_backoff_is_full_jitter_so_that_messages_do_not_come_back_together() -> None:
    sixth = sorted(waits(seed, 7)[6] for seed in range(60))
    assert sixth[0] < 6
    assert sixth[-1] > 54
    assert len({round(wait, 3) for wait in sixth}) > 55


@pytest.mark.usefixtures("patient")
def test_the_deliveries_that_a_broker_allows_outlast_an_outage_of_two_hours() -> None:
    allowed = find("order").limits.broker_max_deliveries
    assert min(sum(waits(seed, allowed)) for seed in range(20)) > 2 * 3_600
    assert max(max(waits(seed, allowed)) for seed in range(20)) < 600


def test_the_wait_after_a_failing_store_grows_with_the_brokers_count(lab: Lab) -> None:
    def broken(_method: str, _where: str, _key: str) -> None:
        raise Unavailable("down")

    lab.store.before = broken
    first = [fail(lab, 1).after for _ in range(50)]
    tenth = [fail(lab, 10).after for _ in range(50)]
    millionth = [fail(lab, 1_000_000).after for _ in range(50)]
    assert max(first) <= 1
    assert max(tenth) > 30
    assert 60 < max(millionth) < 600


# Circuit breakers


def ask(lab: Lab, breakers: Breakers) -> Pass | Blocked:
    """Ask one process's breaker of the gateway."""
    return run(breakers.ask("gateway"), lab.ports)


def test_a_breaker_opens_after_its_failures_and_closes_after_a_good_probe(lab: Lab) -> None:
    settings, breakers = lab.settings, Breakers(lab.settings, lab.clock)
    for _ in range(settings.breaker_failures):
        assert ask(lab, breakers) == Pass(probe=False)
        run(breakers.failed("gateway"), lab.ports)
        lab.clock.time += 1
    assert ask(lab, breakers) == Blocked(settings.breaker_cooldown - 1)
    lab.clock.time += settings.breaker_cooldown - 1
    assert ask(lab, breakers) == Pass(probe=True)
    assert isinstance(ask(lab, breakers), Blocked), "one probe at a time"
    run(breakers.succeeded("gateway"), lab.ports)
    assert ask(lab, breakers) == Pass(probe=False)
    run(breakers.failed("gateway"), lab.ports)
    assert ask(lab, breakers) == Pass(probe=False), "old failures are forgotten"


def test_a_failed_probe_opens_the_breaker_again(lab: Lab) -> None:
    breakers = Breakers(lab.settings, lab.clock)
    for _ in range(3):
        run(breakers.failed("gateway"), lab.ports)
    lab.clock.time += lab.settings.breaker_cooldown
    assert ask(lab, breakers) == Pass(probe=True)
    run(breakers.failed("gateway"), lab.ports)
    assert ask(lab, breakers) == Blocked(lab.settings.breaker_cooldown)


def test_a_probe_that_never_came_back_is_followed_by_another(lab: Lab) -> None:
    breakers = Breakers(lab.settings, lab.clock)
    for _ in range(3):
        run(breakers.failed("gateway"), lab.ports)
    lab.clock.time += lab.settings.breaker_cooldown
    assert ask(lab, breakers) == Pass(probe=True)
    lab.clock.time += lab.settings.breaker_cooldown
    assert ask(lab, breakers) == Pass(probe=True)


def test_failures_that_are_far_apart_do_not_open_a_breaker(lab: Lab) -> None:
    breakers = Breakers(lab.settings, lab.clock)
    for _ in range(10):
        run(breakers.failed("gateway"), lab.ports)
        lab.clock.time += lab.settings.breaker_window / 2
    assert ask(lab, breakers) == Pass(probe=False)


def test_all_processes_see_one_breaker(lab: Lab) -> None:
    here, there = Breakers(lab.settings, lab.clock), Breakers(lab.settings, lab.clock)
    run(here.failed("gateway"), lab.ports)
    run(there.failed("gateway"), lab.ports)
    run(here.failed("gateway"), lab.ports)
    lab.clock.time += lab.settings.breaker_cache + 0.1
    assert isinstance(ask(lab, here), Blocked)
    assert isinstance(ask(lab, there), Blocked)
    assert ask(lab, Breakers(lab.settings, lab.clock)) != Pass(probe=False), "a process that just started too"


def test_of_all_processes_one_probes(lab: Lab) -> None:
    processes = [Breakers(lab.settings, lab.clock) for _ in range(4)]
    for _ in range(3):
        run(processes[0].failed("gateway"), lab.ports)
    for each in processes:
        ask(lab, each)
    lab.clock.time += lab.settings.breaker_cooldown
    assert [ask(lab, each) for each in processes].count(Pass(probe=True)) == 1


def tripped(lab: Lab, breakers: Breakers) -> None:
    """Let a breaker open, and wait until it may be probed."""
    for _ in range(3):
        run(breakers.failed("gateway"), lab.ports)
    lab.clock.time += lab.settings.breaker_cooldown


def test_who_lost_the_race_to_probe_waits_a_while_and_then_looks_again(lab: Lab) -> None:
    here, there = Breakers(lab.settings, lab.clock), Breakers(lab.settings, lab.clock)
    tripped(lab, here)
    lost = iter([True])

    def first(method: str, collection: str, _key: str) -> None:
        if (method, collection) == ("put", "breakers") and next(lost, False):
            assert ask(lab, there) == Pass(probe=True)

    lab.store.before = first
    answer = ask(lab, here)
    assert isinstance(answer, Blocked)
    assert 0 < answer.seconds < lab.settings.breaker_cooldown
    assert ask(lab, here) == Blocked(lab.settings.breaker_cooldown), "what the other process wrote is seen at once"


def test_every_write_of_a_breaker_changes_its_rev(lab: Lab) -> None:
    """A store may keep the version of a document that a write does not change, and two would seem to be the same."""
    breakers = Breakers(lab.settings, lab.clock)
    revs = []
    for number in range(4):
        run(breakers.failed("gateway") if number else breakers.succeeded("gateway"), lab.ports)
        document = lab.document("breakers", "gateway")
        revs.append(document and document["rev"])
    assert revs == [None, 1, 2, 3], "nothing is written of a success where there was no failure"


def test_the_only_probe_is_not_spent_on_an_order_that_needs_no_call(lab: Lab) -> None:
    """OrderPlaced is tried without reading the document, and would call the gateway if there were none."""
    lab.deliver("payment", enveloped(CANCELLED, "e-c"))
    tripped(lab, Breakers(lab.settings, lab.clock))
    before = lab.document("breakers", "gateway")
    process = Shell(lab.settings, lab.clock, Random(2))
    message = Delivery(enveloped(order_placed()).to_bytes())
    assert done(run(process.deliver(find("payment"), message), lab.ports)) == "handled"
    assert lab.document("breakers", "gateway") == before


def test_breakers_of_two_systems_are_apart(lab: Lab) -> None:
    breakers = Breakers(lab.settings, lab.clock)
    for _ in range(3):
        run(breakers.failed("gateway"), lab.ports)
    assert run(breakers.ask("carrier"), lab.ports) == Pass(probe=False)


def test_a_breaker_is_read_once_in_a_while_not_for_every_message(lab: Lab) -> None:
    for number in range(30):
        lab.deliver("payment", enveloped(order_placed(f"o-{number}"), f"e-{number}"))
    assert lab.store.calls["get", "breakers"] == 1
    assert lab.store.calls["put", "breakers"] == 0
    lab.clock.time += lab.settings.breaker_cache + 0.1
    lab.deliver("payment", enveloped(order_placed("o-99"), "e-99"))
    assert lab.store.calls["get", "breakers"] == 2


def test_messages_wait_while_a_breaker_is_open_and_that_is_no_attempt(lab: Lab) -> None:
    lab.simulate("gateway", "down")
    for number in range(3):
        lab.deliver("payment", enveloped(order_placed(f"o-{number}"), f"e-{number}"))
    waiting = enveloped(order_placed("o-9"), "e-9")
    for _ in range(30):
        outcome = lab.deliver("payment", waiting)
        assert isinstance(outcome, Retry)
        assert "circuit breaker is open" in outcome.reason
        assert 0 < outcome.after <= lab.settings.breaker_cooldown + 1
    assert lab.document("attempts", "payment.e-9") is None
    assert lab.state("payment", "o-9") is None, "no intent without leave to call"


def test_a_system_that_is_down_for_hours_dead_letters_nobody(lab: Lab) -> None:
    """A few attempts are spent until the breaker opens; probes that fail are no attempts."""
    lab.simulate("gateway", "down")
    messages = [enveloped(order_placed(f"o-{number}"), f"e-{number}") for number in range(5)]
    for _ in range(100):
        for message in messages:
            assert isinstance(lab.deliver("payment", message), Retry)
        lab.clock.time += 100
    lab.simulate("gateway", "ok")
    lab.clock.time += 60
    notes = [done(lab.deliver("payment", message)) for message in messages]
    assert notes == ["handled"] * 5
    assert lab.letters("payment") == []


def test_a_breaker_opened_by_one_shell_holds_back_another(lab: Lab) -> None:
    lab.simulate("gateway", "down")
    for number in range(3):
        lab.deliver("payment", enveloped(order_placed(f"o-{number}"), f"e-{number}"))
    lab.simulate("gateway", "ok")
    lab.shell = Shell(lab.settings, lab.clock, Random(2))
    outcome = lab.deliver("payment", enveloped(order_placed("o-9"), "e-9"))
    assert isinstance(outcome, Retry)
    assert lab.entries("gateway", "o-9") == []
    lab.clock.time += lab.settings.breaker_cooldown
    assert done(lab.deliver("payment", enveloped(order_placed("o-9"), "e-9"))) == "handled"
    breaker = lab.document("breakers", "gateway")
    assert breaker is not None
    assert breaker["open_until"] == 0.0


def test_conflicting_writes_of_a_breaker_are_nobodys_failure(lab: Lab) -> None:
    def lose(method: str, collection: str, _key: str) -> None:
        if (method, collection) == ("put", "breakers"):
            raise Conflict("another was first")

    lab.store.before = lose
    lab.simulate("gateway", "down")
    assert isinstance(lab.deliver("payment", enveloped(order_placed())), Retry)
    lab.simulate("gateway", "ok")
    assert done(lab.deliver("payment", enveloped(order_placed()))) == "handled"


def test_settings_decide_when_a_breaker_opens() -> None:
    lab = Lab.make(Settings(breaker_failures=1, breaker_cooldown=100.0))
    lab.simulate("gateway", "down")
    lab.deliver("payment", enveloped(order_placed()))
    outcome = lab.deliver("payment", enveloped(order_placed("o-2"), "e-2"))
    assert isinstance(outcome, Retry)
    assert outcome.after >= 100
