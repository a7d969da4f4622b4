"""Facts that another system publishes, and what a customer may ask for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.desk import archive_all, desk, shipped
from orderflow_cli.ops import customers, facts
from orderflow_cli.ops.doors import CannotDo
from unit.support import Lab, enveloped, order_placed

PAID = {"order_id": "o-1", "customer_id": "zoe", "charge_id": "ch-1", "amount": 2000, "currency": "EUR"}


def line(**content: Any) -> bytes:
    return json.dumps(content).encode()


def test_a_fact_in_the_short_form_is_heard_like_one_of_the_workflow(lab: Lab) -> None:
    lab.place("o-1")
    lab.broker.queues["payment"].clear()  # A monolith takes the payments.
    [fact], wrong = facts.read_facts([line(kind="PaymentCompleted", data=PAID)], "/monolith")

    facts.publish(desk(lab), [fact])
    lab.run_to_rest()

    assert wrong == []
    assert fact.source == "/monolith"
    assert lab.state("order").paid
    assert lab.state("shipping").paid


def test_a_whole_cloudevent_goes_as_it_is() -> None:
    event = enveloped(order_placed("o-1"))

    [fact], wrong = facts.read_facts([event.to_bytes()], "/monolith")

    assert wrong == []
    assert fact.to_dict() == event.to_dict()


def test_the_same_id_and_time_make_the_same_fact() -> None:
    again = line(kind="PaymentCompleted", data=PAID, id="paid-1", time="2026-11-21T10:00:00Z")

    [first, second], _ = facts.read_facts([again, b"", again], "/monolith")

    assert first.digest() == second.digest()


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"{nonsense", "no JSON"),
        (b"[]", "no JSON object"),
        (line(kind="Paid", data={}), "kind: 'Paid' is none of"),
        (line(kind="PaymentCompleted", data={**PAID, "amount": -1}), "data.amount"),
        (line(kind="PaymentCompleted"), "data."),
        (line(kind="PaymentCompleted", data=PAID, when="now"), "when: not known"),
        (line(kind="PaymentCompleted", data=PAID, time="yesterday"), "time: "),
        (enveloped(order_placed("o-1")).replace(kind="OrderConfirmed").to_bytes(), "kind, category and subject"),
    ],
)
def test_what_breaks_its_contract_is_refused_with_the_line_and_the_reason(bad: bytes, why: str) -> None:
    good = line(kind="PaymentCompleted", data=PAID)

    _, wrong = facts.read_facts([good, bad], "/monolith")

    assert len(wrong) == 1
    assert wrong[0].startswith("line 2: ")
    assert why in wrong[0]


def test_a_customer_gets_everything_that_is_kept(lab: Lab) -> None:
    shipped(lab)

    data = customers.export(desk(lab), "zoe")

    assert data.contact is not None
    assert data.contact["email"] == "zoe@example.com"
    assert [order["order_id"] for order in data.orders] == ["o-1"]


def test_after_an_erasure_no_document_no_event_and_no_archive_has_personal_data(lab: Lab) -> None:
    shipped(lab)
    archive_all(lab)
    personal = ("Zoë", "Ångström", "zoe@example.com", "+4930123456", "device-1", "Straße")

    assert customers.erase(desk(lab), "zoe", dry_run=True)
    assert lab.document("customers", "zoe") is not None
    assert customers.erase(desk(lab), "zoe")

    everything = [
        *(text for text, _ in lab.store._documents.values()),
        *(event.to_bytes().decode() for event in lab.broker.published),
        *(lab.archive.get(name).decode() for name in lab.archive.names()),
    ]
    assert [word for word in personal if any(word in text for text in everything)] == []
    assert not customers.erase(desk(lab), "zoe"), "there is nothing left"
    assert lab.state("order").status == "shipped", "the books stay"


def test_an_erasure_waits_for_open_orders_unless_it_is_insisted_on(lab: Lab) -> None:
    lab.customer()
    lab.place("o-1")

    with pytest.raises(CannotDo, match="1 orders of this customer are still under way: o-1"):
        customers.erase(desk(lab), "zoe")
    assert lab.document("customers", "zoe") is not None

    assert customers.erase(desk(lab), "zoe", with_open_orders=True)
