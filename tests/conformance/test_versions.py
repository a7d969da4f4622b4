"""Events of other versions of the code: what is newer waits aside, what is more is ignored."""

from __future__ import annotations

import pytest

from conformance.world import World, fact, order, order_placed, placed
from waiting import wait_until


@pytest.mark.case(15, needs="dead letter with a reason")
def test_an_event_of_a_version_not_known_yet_is_put_aside_whole(world: World, sku: str) -> None:
    """A newer deployment publishes; this one must neither guess nor lose it."""
    newer = fact(order_placed(sku))
    newer = newer.replace(type=newer.type.replace(".v1", ".v99"))
    world.publish(newer)

    letter = world.letter(newer.id, "payment")

    assert letter.reason == "unknown-event"
    assert newer.id.encode() in letter.body
    assert world.state("payment", newer.subject) is None


@pytest.mark.case(15, needs="topic")
def test_an_event_of_an_unknown_type_is_nobodys_business(world: World, sku: str) -> None:
    """Filters and guard let it pass by: no service acts, and nothing is dead-lettered by who only hears some kinds."""
    stranger = fact(order_placed(sku)).replace(type="com.example.other.Strange.v1", kind="Strange", category="strange")
    [known] = world.unpublished(sku)
    world.publish(stranger, known)
    wait_until(lambda: world.closed(known.subject), "the known one")

    assert world.state("payment", stranger.subject) is None
    assert world.letters(stranger.id, "order", "inventory", "payment", "shipping", "fraud", "email") == []


@pytest.mark.case(15, needs="topic")
def test_a_field_that_a_newer_version_added_is_ignored(world: World, sku: str) -> None:
    [event] = world.unpublished(sku)
    world.publish(event.replace(data={**event.data, "gift_wrapping": "gold"}))

    wait_until(lambda: world.closed(event.subject), "the order to end")
    assert world.state("order", event.subject).status == "shipped"


@pytest.mark.case(24, needs="topic")
def test_an_order_with_strange_words_in_it_goes_its_way(world: World) -> None:
    """Unicode, quotes and control characters in what customers type: names and addresses reach carrier and mail."""
    client = world.client("strange")
    contact = {
        "name": 'Robert"); DROP TABLE orders; -- \u202e 🐎\u0000'.replace("\u0000", ""),
        "address": {"street": "<b>&amp;\\n</b>", "city": "Ørsted", "postcode": "١٢٣", "country": "DE"},
        "email": "zoe+strange@example.com",
    }
    assert client.put("/customers/me", json=contact).status_code == 200
    sku = world.stocked(1)

    assert world.ended(client, placed(client, order(sku)))["status"] == "shipped"
