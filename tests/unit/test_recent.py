"""What a process wrote last spares it the next read, and can never spare it the truth."""

from __future__ import annotations

from random import Random

from orderflow.events import PaymentCompleted
from orderflow.ports import Stored
from orderflow.processing import Shell
from orderflow.recent import MOST, PENALTY, TRUSTED, Recent
from unit.support import Lab, done, enveloped, order_placed


def paid(number: int) -> PaymentCompleted:
    """A payment; analytics counts it in the document of the order's shard."""
    return PaymentCompleted(order_id="o-1", customer_id="zoe", charge_id=f"ch-{number}", amount=1, currency="EUR")


def count(lab: Lab, numbers: range) -> None:
    for number in numbers:
        assert done(lab.deliver("analytics", enveloped(paid(number), f"e-{number}"))) == "handled"


def reads(lab: Lab) -> int:
    return lab.store.calls["get", "analytics"]


def counted(lab: Lab) -> int:
    [(_, document)] = lab.store.all("analytics")
    total: int = document["state"]["events"]["PaymentCompleted"]
    return total


def another_process(lab: Lab) -> Shell:
    """A shell over the same store that remembers nothing."""
    return Shell(lab.settings, lab.clock, Random(7))


def test_what_was_current_so_often_is_read_no_more(lab: Lab) -> None:
    count(lab, range(1 + TRUSTED))
    before = reads(lab)
    count(lab, range(100, 120))
    assert reads(lab) == before
    assert counted(lab) == 1 + TRUSTED + 20


def test_what_another_process_wrote_meanwhile_is_found_and_reading_begins_again(lab: Lab) -> None:
    count(lab, range(1 + TRUSTED))
    mine, lab.shell = lab.shell, another_process(lab)
    count(lab, range(200, 201))
    lab.shell = mine
    before = reads(lab)
    count(lab, range(300, 301 + PENALTY))
    assert reads(lab) == before + 1 + PENALTY
    assert counted(lab) == 1 + TRUSTED + 2 + PENALTY
    count(lab, range(400, 410))
    assert reads(lab) == before + 1 + PENALTY, "it trusts again what was current so often"


def test_two_processes_that_take_turns_go_on_reading(lab: Lab) -> None:
    shells = [lab.shell, another_process(lab)]
    for number in range(40):
        lab.shell = shells[number % 2]
        count(lab, range(number, number + 1))
    assert reads(lab) == 40
    assert counted(lab) == 40


def test_a_known_event_is_known_to_a_process_that_reads_no_more(lab: Lab) -> None:
    count(lab, range(1 + TRUSTED))
    assert done(lab.deliver("analytics", enveloped(paid(0), "e-0"))) == "duplicate"
    assert counted(lab) == 1 + TRUSTED


def test_an_intent_that_stands_is_read_before_anything_is_done_for_it(lab: Lab) -> None:
    """A process that remembers `charging` must not charge: another one may have settled it since."""
    for number in range(1 + TRUSTED):
        lab.deliver("payment", enveloped(order_placed(order_id=f"t-{number}"), f"t-{number}"))
        lab.deliver("payment", enveloped(order_placed(order_id=f"t-{number}"), f"u-{number}"))
    lab.simulate("gateway", "down")
    placed = enveloped(order_placed())
    lab.deliver("payment", placed)
    assert lab.state("payment").status == "charging"
    before = lab.store.calls["get", "payments"]
    lab.deliver("payment", placed)
    assert lab.store.calls["get", "payments"] == before + 1


def test_a_process_remembers_a_bounded_number_of_documents() -> None:
    recent, stored = Recent(), Stored({}, "1")
    for number in range(MOST + 1):
        recent.wrote("orders", str(number), stored)
    for _ in range(TRUSTED):
        recent.read("orders", str(MOST), stored)
    assert recent.guess("orders", str(MOST)) == stored
    assert recent.guess("orders", "0") is None
