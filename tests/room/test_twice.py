"""Duplicate everything: what reaches the archive goes to the topic a second time, and changes nothing."""

from __future__ import annotations

from collections import Counter

import httpx

from cli.desk import archive_all, shipped
from orderflow_cli.room.site import Site
from orderflow_cli.room.twice import Twice
from room.test_stream import events
from unit.support import Lab


def archived(lab: Lab) -> None:
    """Archive all that was published since the laboratory was opened, a minute later than the last time."""
    lab.clock.time += 60
    archive_all(lab)


def times(lab: Lab) -> Counter[str]:
    """How often each event was published."""
    return Counter(event.id for event in lab.broker.published)


def test_every_event_comes_a_second_time_once_and_no_order_is_charged_or_shipped_twice(lab: Lab, site: Site) -> None:
    twice = Twice(site.doors)
    twice.set(True)
    twice.step()
    shipped(lab, "o-1")
    for _ in range(3):
        archived(lab)
        twice.step()
        lab.run_to_rest()

    assert min(times(lab).values()) >= 2
    assert twice.shown() == {"on": True, "switched": 1, "repeated": len(times(lab)), "last_error": ""}
    assert lab.state("order").status == "shipped"
    assert (len(lab.entries("gateway", "o-1")), len(lab.entries("carrier", "o-1"))) == (1, 1)


def test_what_was_archived_before_it_was_switched_on_is_left_alone(lab: Lab, site: Site) -> None:
    shipped(lab, "o-1")
    archived(lab)
    twice = Twice(site.doors)
    twice.set(True)
    twice.step()
    twice.step()

    assert set(times(lab).values()) == {1}


def test_a_page_sees_that_it_is_on(operator: httpx.Client) -> None:
    assert operator.post("/api/aws/twice", json={"on": True}).json()["on"] is True

    assert next(value["twice"]["on"] for kind, value in events(operator) if kind == "looks")
    assert operator.post("/api/aws/twice", json={"on": "perhaps"}).status_code == 400
