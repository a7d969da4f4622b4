"""Messages that cannot be handled, providers that do not answer, and the way back: attempts, backoff, dead letters,
redrive, breakers, compensations that fail."""

from __future__ import annotations

from datetime import datetime

import httpx
import pytest

from conformance.world import World, fact, order, order_placed, placed
from orderflow.keys import safe_key
from orderflow.services import find
from orderflow.settings import Settings
from orderflow.stuck import Awaited, Stuck, stuck
from waiting import wait_until


def spoil(world: World, customer: str) -> dict[str, object]:
    """Make a customer's document unreadable to who ships; answers what it was."""
    stored = world.ports.store.get("customers", safe_key(customer))
    assert stored is not None
    document = {**stored.document, "rev": stored.document["rev"] + 1, "state": {"name": "nobody"}}
    world.ports.store.replace("customers", safe_key(customer), document, stored)
    state: dict[str, object] = stored.document["state"]
    return state


def mend(world: World, customer: str, state: dict[str, object]) -> None:
    """Give a customer's document back what it was."""
    stored = world.ports.store.get("customers", safe_key(customer))
    assert stored is not None
    document = {**stored.document, "rev": stored.document["rev"] + 1, "state": state}
    world.ports.store.replace("customers", safe_key(customer), document, stored)


@pytest.mark.case(7, needs="dead letter with a reason")
@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"not json at all", "malformed"), (b"\xff\xfe\x00\x01", "malformed"), (b"{}", "malformed"), (b"", "malformed")],
    ids=["no JSON", "not UTF-8", "no event", "nothing"],
)
def test_what_is_no_event_is_put_aside_as_it_came(world: World, body: bytes, reason: str) -> None:
    """On clouds whose queues carry text only, bytes that are no text cannot come in; the others keep them."""
    before = len(world.ports.dead_letters.browse("payment", 1000))
    try:
        world.deliver("payment", body)
    except Exception as error:
        if (world.name == "aws" and not body.isascii()) or not body:
            return  # SQS takes no message that is empty or no text: nothing of the kind can arrive.
        raise error from None

    wait_until(lambda: len(world.ports.dead_letters.browse("payment", 1000)) > before, "the dead letter")

    found = [each for each in world.ports.dead_letters.browse("payment", 1000) if each.body == body]
    assert found
    assert found[-1].reason == reason
    assert found[-1].detail


@pytest.mark.case(7, needs="attempt count")
def test_a_message_is_tried_so_often_then_put_aside_with_its_reason_and_resumes_when_redriven(world: World) -> None:
    """Attempts, backoff, dead letter and redrive in one story: an address that cannot be read, and is mended."""
    sku = world.stocked(10)
    customer = f"spoilt-{sku}"
    client = world.customer(customer=customer)
    state = spoil(world, customer)
    other = world.customer()

    order_id = placed(client, order(sku))
    neighbour = placed(other, order(sku))
    assert world.ended(other, neighbour)["status"] == "shipped", "neighbours are not held up"
    letter = world.letter(order_id, "shipping")

    limits = find("shipping").limits
    assert letter.reason == "attempts-exhausted"
    assert letter.attempts == limits.max_attempts
    assert seconds(letter.last_at) > seconds(letter.first_at)
    assert letter.detail
    assert order_id.encode() in letter.body
    assert client.get(f"/orders/{order_id}").json()["status"] == "confirmed"

    mend(world, customer, state)
    for each in world.letters(order_id):
        assert world.redrive(each) is None
    assert world.ended(client, order_id)["status"] == "shipped"
    wait_until(lambda: world.letters(order_id) == [], "the letters to be gone")
    world.at_rest([order_id], {})


@pytest.mark.case(8, needs="backoff")
def test_waits_between_attempts_are_drawn_from_growing_bounds(world: World) -> None:
    """Full jitter: each delay lies between a tenth of a second and the doubling bound, and the message comes no
    sooner. Where the cloud chooses, it must still wait."""
    if world.machine is None:
        pytest.skip("the delays are read from the logs of this machine")
    sku = world.stocked(10)
    customer = f"spoilt-{sku}"
    client = world.customer(customer=customer)
    spoil(world, customer)
    order_id = placed(client, order(sku))
    letter = world.letter(order_id, "shipping")

    tries = [line for line in world.log("retry", letter.event_id) if line["service"] == "shipping"]
    limits = find("shipping").limits
    assert len(tries) == limits.max_attempts - 1
    for number, line in enumerate(tries):
        assert 0.1 <= line["after"] <= min(limits.backoff_cap_s, limits.backoff_base_s * 2**number)
    ends = [seconds(line["time"]) for line in tries] + [seconds(letter.last_at)]
    for line, began, ended in zip(tries, ends, ends[1:], strict=False):
        asked = line["after"] if world.name != "gcp" else 0.0
        assert ended - began >= asked - 0.2
    assert ends == sorted(ends)


@pytest.mark.case(9, needs="dead letter with a reason")
def test_a_redriven_message_that_is_still_bad_is_one_incident_again(world: World, sku: str) -> None:
    bad = fact(order_placed(sku, tier="high")).replace(data={"order_id": "poison"})
    world.deliver("fraud", bad.to_bytes(), bad.attributes())
    letter = world.letter(bad.id, "fraud")

    assert world.redrive(letter) is None
    wait_until(
        lambda: [each.letter_id for each in world.letters(bad.id, "fraud")] not in ([], [letter.letter_id]),
        "the letter to be back",
    )

    [again] = world.letters(bad.id, "fraud")
    assert (again.reason, again.body) == (letter.reason, letter.body)


@pytest.mark.case(22, needs="circuit breaker")
def test_while_the_gateway_is_down_orders_wait_and_spend_no_attempts(world: World, sku: str) -> None:
    client = world.customer()
    with world.broken("gateway", "down"):
        orders_until_it_is_noticed(world, client, sku, "gateway")
        order_ids = [placed(client, order(sku)) for _ in range(5)]
        wait_until(lambda: all(world.state("inventory", each) for each in order_ids), "the reservations")
        statuses = {client.get(f"/orders/{order_id}").json()["status"] for order_id in order_ids}
        assert statuses == {"pending"}
    for order_id in order_ids:
        assert world.ended(client, order_id)["status"] == "shipped"

    world.at_rest(order_ids)

    assert [order_id for order_id in order_ids if world.letters(order_id)] == []
    assert not opened(world, "gateway")


@pytest.mark.case(23, needs="saga")
def test_a_refund_that_fails_for_a_while_is_made_once_when_it_can_be(world: World, sku: str) -> None:
    client = world.customer("AQ")
    with world.broken("carrier", "down"):
        order_id = placed(client, order(sku))
        wait_until(lambda: client.get(f"/orders/{order_id}").json()["status"] == "confirmed", "the confirmation")
        world.break_provider("gateway", "down")
        others = orders_until_it_is_noticed(world, world.customer(), sku, "gateway")
    try:
        wait_until(lambda: client.get(f"/orders/{order_id}").json()["status"] == "cancelled", "the cancellation")
    finally:
        world.break_provider("gateway", None)
    shown = world.ended(client, order_id)

    verdict = world.at_rest([order_id, *others])

    assert shown["reason"].startswith("shipment-refused")
    assert verdict.refunds == 1


@pytest.mark.case(17, needs="circuit breaker")
@pytest.mark.parametrize("provider", ["gateway", "carrier", "email"])
def test_a_provider_that_was_away_finds_its_backlog_and_nothing_is_lost(world: World, sku: str, provider: str) -> None:
    client = world.customer()
    with world.broken(provider, "down"):
        order_ids = orders_until_it_is_noticed(world, client, sku, provider)
    for order_id in order_ids:
        assert world.ended(client, order_id)["status"] == "shipped"

    verdict = world.at_rest(order_ids)

    assert verdict.outcomes == {"shipped": len(order_ids)}
    assert verdict.sent_again == 0


def orders_until_it_is_noticed(world: World, client: httpx.Client, sku: str, dependency: str) -> list[str]:
    """Place orders until the circuit breaker of a dependency that is down has opened; answers them. A function may
    believe for a second that a provider is still well."""
    order_ids: list[str] = []

    def noticed() -> bool:
        if not opened(world, dependency):
            order_ids.append(placed(client, order(sku)))
        return opened(world, dependency)

    wait_until(noticed, "the breaker to open")
    return order_ids


def opened(world: World, dependency: str) -> bool:
    """Whether a dependency's circuit breaker is open."""
    stored = world.ports.store.get("breakers", dependency)
    return stored is not None and bool(stored.document["open_until"])


def seconds(rfc3339: str) -> float:
    return datetime.fromisoformat(rfc3339).timestamp()


@pytest.mark.case(23, needs="saga")
def test_a_refund_refused_for_ever_is_parked_shown_as_stuck_and_made_when_redriven(world: World, sku: str) -> None:
    client, others = world.customer("AQ"), world.customer()
    with world.broken("gateway", "refuse-refunds"):
        order_id = placed(client, order(sku))
        neighbour = placed(others, order(sku))
        letter = world.letter(order_id, "payment")
        assert world.ended(others, neighbour)["status"] == "shipped", "neighbours are not held up"

    assert (letter.reason, letter.attempts) == ("attempts-exhausted", find("payment").limits.max_attempts)
    assert letter.detail == "the gateway does not refund: refunds are not possible"
    assert client.get(f"/orders/{order_id}").json()["status"] == "cancelled"
    [standing] = [each for each in standing_still(world) if each.order_id == order_id]
    assert standing.awaits == (Awaited("payment", ("PaymentRefunded", "PaymentVoided"), "settling", letter.detail),)

    for each in world.letters(order_id, "payment"):
        assert world.redrive(each) is None
    assert world.ended(client, order_id)["status"] == "cancelled"
    verdict = world.at_rest([order_id, neighbour])
    assert verdict.refunds == 1
    assert [each for each in standing_still(world) if each.order_id == order_id] == []


def standing_still(world: World) -> list[Stuck]:
    """The orders that would be stuck if the deadline of all had passed."""
    settings = Settings()
    return list(stuck(world.ports.store, settings, world.ports.clock.now() + settings.order_deadline))
