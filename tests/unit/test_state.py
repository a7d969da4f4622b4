"""Documents outlive a release: older ones are migrated when read, newer ones are read, and nothing in them is lost."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from orderflow.events import OrderCancelled
from orderflow.state import Migration, State
from unit.support import Lab, enveloped, order_placed

CANCELLED = OrderCancelled(order_id="o-1", customer_id="zoe", reason="customer: x", total=2_000, currency="EUR")


class First(State):
    """As the first release had it."""

    total: int


class Third(State):
    """Two releases later: a currency came, then a count that is made of older fields."""

    migrations: ClassVar[tuple[Migration, ...]] = (
        lambda state: {"currency": "EUR", **state},
        lambda state: {"count": state["total"] // 10, **state},
    )

    total: int
    currency: str
    count: int


def test_an_old_document_is_migrated_step_by_step() -> None:
    old = First(total=50).write(None)
    assert old == {"schema": 1, "rev": 1, "state": {"total": 50}}
    assert Third.of(old) == Third(total=50, currency="EUR", count=5)


def test_a_document_of_the_release_between_is_migrated_from_there() -> None:
    between = {"schema": 2, "rev": 4, "state": {"total": 50, "currency": "USD"}}
    assert Third.of(between) == Third(total=50, currency="USD", count=5)


def test_what_a_newer_release_wrote_is_kept_by_an_older_one() -> None:
    newer = Third(total=50, currency="USD", count=99).write(None)
    older = First.of(newer).model_copy(update={"total": 60}).write(newer)
    assert older == {"schema": 3, "rev": 2, "state": {"total": 60, "currency": "USD", "count": 99}}
    assert Third.of(older).count == 99


def test_a_document_without_what_it_must_have_is_refused() -> None:
    with pytest.raises(ValidationError):
        Third.of({"schema": 3, "rev": 1, "state": {"total": 1}})


@pytest.mark.parametrize(
    ("service", "collection"), [("payment", "payments"), ("inventory", "reservations"), ("inventory", "stock")]
)
def test_every_service_keeps_what_the_next_release_wrote(lab: Lab, service: str, collection: str) -> None:
    lab.stock("CUP", 10)
    lab.deliver(service, enveloped(order_placed()))

    def by_the_next_release(document: dict[str, Any]) -> None:
        document["schema"] = 2
        document["state"]["gift"] = {"wrap": "gold"}

    for key, _ in list(lab.store.all(collection)):
        lab.store.amend(collection, key, by_the_next_release)
    lab.deliver(service, enveloped(CANCELLED))
    written = [document for _, document in lab.store.all(collection)]
    assert written
    for document in written:
        assert (document["schema"], document["state"]["gift"]) == (2, {"wrap": "gold"})
