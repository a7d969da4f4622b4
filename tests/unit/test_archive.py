"""The archive's names, lines and reader."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from orderflow import archive, log
from orderflow.envelope import Envelope, rfc3339
from orderflow_local.memory import MemoryObjects

DAY = 86_400.0
NOON = 1_795_262_400.0
"""2026-11-21T12:00:00Z."""


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def write(objects: MemoryObjects) -> Callable[..., None]:
    """Archives events in one object, begun at a time."""

    def write(at: float, *events: Envelope, name: str = "") -> None:
        bodies = [each.to_bytes() for each in events]
        objects.put(name or archive.object_name(at, f"{len(objects.names())}"), archive.lines(bodies))

    return write


def event(number: int, at: float = NOON, **more: Any) -> Envelope:
    common = {"source": "/orderflow/order", "type": "com.example.orderflow.OrderPlaced.v1", "category": "order"}
    about = {"id": f"event-{number}", "subject": "o-1", "correlationid": "o-1", "time": rfc3339(at)}
    return Envelope(**{**common, **about, "kind": "OrderPlaced", "data": {"note": "ž\u2028"}, **more})


def read(objects: MemoryObjects, since: float = 0.0, until: float = NOON + 400 * DAY) -> list[int]:
    return [int(each.id.removeprefix("event-")) for each in archive.read(objects, since, until)]


def test_a_batch_is_named_by_the_day_and_time_at_which_it_was_begun() -> None:
    assert archive.object_name(NOON + 5, "u") == "events/2026/11/21/12_00_05Z_u.jsonl"


def test_events_are_read_as_they_were_written(objects: MemoryObjects, write: Callable[..., None]) -> None:
    events = [event(1), event(2, tier="high")]
    write(NOON, *events)
    assert list(archive.read(objects, NOON - 1, NOON + 1)) == events


def test_an_event_that_spans_lines_is_archived_on_one(objects: MemoryObjects) -> None:
    pretty = json.dumps(event(1).to_dict(), indent=2).encode()
    objects.put(archive.object_name(NOON, "u"), archive.lines([pretty, pretty.replace(b"event-1", b"event-2")]))
    assert read(objects) == [1, 2]


def test_an_event_that_was_archived_twice_is_read_once(objects: MemoryObjects, write: Callable[..., None]) -> None:
    write(NOON, event(1), event(1), event(2))
    write(NOON + 300, event(2), event(3))
    assert read(objects) == [1, 2, 3]


def test_the_oldest_object_is_read_first(objects: MemoryObjects, write: Callable[..., None]) -> None:
    write(NOON + DAY, event(3))
    write(NOON + 600, event(2))
    write(NOON, event(1))
    assert read(objects) == [1, 2, 3]


def test_the_names_of_all_three_clouds_are_read(objects: MemoryObjects, write: Callable[..., None]) -> None:
    write(NOON, event(1), name="events/2026/11/21/orderflow-dev-archive-1-2026-11-21-12-00-05-0c1d.jsonl")
    write(NOON, event(2), name="events/2026/11/21/12_00_05Z_0c1d.jsonl")
    assert read(objects, NOON - 60) == [2, 1]


def test_only_what_happened_in_the_time_is_read(objects: MemoryObjects, write: Callable[..., None]) -> None:
    write(NOON, event(1, NOON - 0.001), event(2, NOON), event(3, NOON + 9.999), event(4, NOON + 10))
    assert read(objects, NOON, NOON + 10) == [2, 3]


def test_what_was_archived_days_after_it_happened_is_read(objects: MemoryObjects, write: Callable[..., None]) -> None:
    write(NOON + 20 * DAY, event(1, NOON))
    assert read(objects, NOON, NOON + 1) == [1]


def test_what_was_archived_by_a_clock_that_is_behind_is_read(
    objects: MemoryObjects, write: Callable[..., None]
) -> None:
    midnight = NOON + DAY / 2
    write(midnight - 2, event(1, midnight + 1))
    assert read(objects, midnight, midnight + 10) == [1]


def test_days_before_are_not_even_fetched(objects: MemoryObjects, write: Callable[..., None]) -> None:
    write(NOON - 2 * DAY, event(1))
    assert read(objects, NOON - 1) == []


def test_nothing_but_events_is_looked_for(objects: MemoryObjects, write: Callable[..., None]) -> None:
    write(NOON, event(1), name="quarantine/stock/a.csv.jsonl")
    write(NOON, event(2), name="errors/processing-failed/2026/11/21/x.jsonl")
    assert read(objects) == []


def test_a_line_that_is_no_event_is_logged_and_passed_over(
    objects: MemoryObjects, capsys: pytest.CaptureFixture[str]
) -> None:
    log.set_level("INFO")
    name = archive.object_name(NOON, "u")
    objects.put(name, archive.lines([event(1).to_bytes(), b"", b'{"half": ', event(2).to_bytes()]))
    assert read(objects) == [1, 2]
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (line["severity"], line["object"], line["line"]) == ("WARNING", name, 3)


def test_an_object_that_goes_while_it_is_read_is_passed_over(write: Callable[..., None]) -> None:
    class Going(MemoryObjects):
        def names(self, prefix: str = "") -> list[str]:
            return [archive.object_name(NOON - 60, "gone"), *super().names(prefix)]

    going = Going()
    going.put(archive.object_name(NOON, "u"), archive.lines([event(1).to_bytes()]))
    assert read(going) == [1]
