"""Events of several versions: services see the newest only, and releases that know different ones run side by side."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import pytest
from pydantic import Field

from orderflow import events
from orderflow.envelope import Malformed, canonical, decode
from orderflow.events import CATALOGUE, CORE, Event, Id, UnknownEvent, newest, read
from orderflow.processing import Done
from orderflow.service import Commit, Context, Decision, Service
from orderflow.services import SERVICES, find
from orderflow.state import State
from unit.support import Lab, enveloped

SAMPLES = Path(__file__).parents[2] / "contracts" / "samples"
PUBLISHED = sorted(
    {(event.kind(), event.version) for event in CORE}
    | {(kind, version) for kind, version in CATALOGUE if newest(kind).version > 1}
    | {(kind, version) for kind, version in CATALOGUE if (SAMPLES / f"{kind}.v{version}.json").exists()}
)
"""What needs a sample: the core's events, and those of services that were added from their second version on."""

# What was published


@pytest.mark.parametrize(("kind", "version"), PUBLISHED)
def test_what_was_ever_published_is_read_as_what_it_means_today(kind: str, version: int) -> None:
    """A missing sample is made of an event that the new version's publisher made; a sample never changes, but for what
    it is read as, when there is a newer version."""
    sample = json.loads((SAMPLES / f"{kind}.v{version}.json").read_text(encoding="utf-8"))
    event = read(decode(canonical(sample["envelope"])))
    assert sample["envelope"]["type"] == CATALOGUE[kind, version].type_name()
    assert event.type_name() == newest(kind).type_name() == sample["reads_as"]["type"]
    data, meant = event.model_dump(mode="json", exclude_none=True), sample["reads_as"]["data"]
    assert {name: value for name, value in data.items() if name in meant} == meant  # A new field has its default.


def test_there_is_no_sample_of_an_event_that_nobody_can_read() -> None:
    assert {path.stem for path in SAMPLES.iterdir()} <= {f"{kind}.v{version}" for kind, version in CATALOGUE}


@pytest.mark.parametrize(("kind", "version"), sorted(CATALOGUE))
def test_versions_are_counted_without_a_gap_and_pass_the_same_filters(kind: str, version: int) -> None:
    if version > 1:
        older, newer = CATALOGUE[kind, version - 1], CATALOGUE[kind, version]
        assert (older.category, older.subject_field) == (newer.category, newer.subject_field)


@pytest.mark.parametrize("name", SERVICES)
def test_services_hear_the_newest_versions_only(name: str) -> None:
    assert {event for event in find(name).hears if newest(event.kind()) is event} == set(find(name).hears)


# Three versions of an event that is in no catalogue


@contextmanager
def only(*models: type[Event]) -> Iterator[None]:
    """Code that knows these events and no other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "CATALOGUE", {(each.kind(), each.version): each for each in models})
        patch.setattr(events, "_BY_TYPE", {each.type_name(): each for each in models})
        yield


with only():

    class ParcelWeighedV1(Event):
        """A parcel was weighed."""

        category: ClassVar[str] = "answer"
        order_id: Id
        weight: Annotated[float, Field(gt=0)]

    class ParcelWeighedV2(Event):
        """The weight in whole grams."""

        version: ClassVar[int] = 2
        category: ClassVar[str] = "answer"
        order_id: Id
        grams: Annotated[int, Field(ge=1)]

        @classmethod
        def upcast(cls, older: ParcelWeighedV1) -> Self:
            """Kilograms were meant."""
            return cls(order_id=older.order_id, grams=max(1, round(older.weight * 1000)))

    class ParcelWeighed(Event):
        """With the scale."""

        version: ClassVar[int] = 3
        category: ClassVar[str] = "answer"
        order_id: Id
        grams: Annotated[int, Field(ge=1)]
        scale: Id

        @classmethod
        def upcast(cls, older: ParcelWeighedV2) -> Self:
            """Nobody noted the scale."""
            return cls(order_id=older.order_id, grams=older.grams, scale="unknown")


ALL = (ParcelWeighedV1, ParcelWeighedV2, ParcelWeighed)
OLD = ParcelWeighedV1(order_id="o-1", weight=1.25)


def test_all_versions_have_one_name_and_a_type_each() -> None:
    assert {model.kind() for model in ALL} == {"ParcelWeighed"}
    assert [model.type_name()[-16:] for model in ALL] == [f"ParcelWeighed.v{n}" for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("published", "scale"),
    [
        (OLD, "unknown"),
        (ParcelWeighedV2(order_id="o-1", grams=1250), "unknown"),
        (ParcelWeighed(order_id="o-1", grams=1250, scale="s-7"), "s-7"),
    ],
)
def test_any_version_is_read_as_the_newest_one_step_after_the_other(published: Event, scale: str) -> None:
    with only(*ALL):
        assert read(enveloped(published)) == ParcelWeighed(order_id="o-1", grams=1250, scale=scale)


def test_an_old_event_is_held_to_the_contract_of_its_own_version() -> None:
    with only(*ALL), pytest.raises(Malformed, match=r"data\.weight"):
        read(enveloped(OLD, data={"order_id": "o-1", "grams": 1250}))


def test_code_that_does_not_know_a_version_says_so() -> None:
    with only(ParcelWeighedV1), pytest.raises(UnknownEvent):
        read(enveloped(ParcelWeighedV2(order_id="o-1", grams=1)))


def test_a_version_that_does_not_say_how_it_is_made_of_the_one_before_cannot_be_declared() -> None:
    with only(*ALL), pytest.raises(TypeError, match="version 4 must say how it is made"):

        class ParcelWeighed(Event):
            """Without an upcaster."""

            version: ClassVar[int] = 4
            category: ClassVar[str] = "answer"
            order_id: Id


def test_the_example_of_the_guide_is_one() -> None:
    guide = (SAMPLES.parents[1] / "docs" / "contracts.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    names = {**vars(events), "Self": Self}
    before = json.loads((SAMPLES / "ShipmentCreated.v1.json").read_text(encoding="utf-8"))["envelope"]
    with only():
        exec(f"from __future__ import annotations\n{code}", names)  # noqa: S102  our own guide
        after = read(decode(canonical(before)))
    assert after.model_dump() == {**before["data"], "carrier": "unknown"}


# Releases side by side


class Scale(State):
    """What was weighed last."""

    grams: int


def decide_before(_: Scale | None, event: ParcelWeighedV1, _context: Context) -> Decision[Scale]:
    """As the code was when there was one version."""
    return Commit(Scale(grams=round(event.weight * 1000)))


def decide(_: Scale | None, event: ParcelWeighedV2, _context: Context) -> Decision[Scale]:
    """As it is with two."""
    return Commit(Scale(grams=event.grams))


def hearing(event: type[Event], decision: Any) -> Service[Scale]:
    """A consumer."""
    return Service("scale", (event,), (), "scales", Scale, lambda event, _: event.order_id, decision)


NEW = ParcelWeighedV2(order_id="o-1", grams=1250)
BEFORE = ((ParcelWeighedV1,), hearing(ParcelWeighedV1, decide_before), OLD)
READS = ((ParcelWeighedV1, ParcelWeighedV2), hearing(ParcelWeighedV2, decide), OLD)
WRITES = ((ParcelWeighedV1, ParcelWeighedV2), hearing(ParcelWeighedV2, decide), NEW)
"""Three releases: what each knows, its consumer, and what its producer publishes. First all learn to read the new
version, then it is published."""


@pytest.mark.parametrize(
    ("consumers", "producers"),
    [(BEFORE, BEFORE), (BEFORE, READS), (READS, BEFORE), (READS, READS), (READS, WRITES), (WRITES, READS)],
)
def test_releases_that_follow_each_other_understand_each_other_while_both_run(
    lab: Lab, consumers: Any, producers: Any
) -> None:
    (known, consumer, _), (*_, event) = consumers, producers
    with only(*known):
        [outcome] = lab.deliver_to(consumer, enveloped(event))
    assert outcome == Done("handled")
    assert lab.document("scales", "o-1")["state"] == {"grams": 1250}  # type: ignore[index]


def test_what_a_release_too_early_cannot_read_waits_as_a_dead_letter_for_one_that_can(lab: Lab) -> None:
    """Publishing the new version in the release that first knows it meets consumers that do not, for minutes."""
    event = enveloped(NEW)
    known, consumer, _ = BEFORE
    with only(*known):
        assert lab.deliver_to(consumer, event) == [Done("dead-lettered")]
    [letter] = lab.letters("scale")
    assert (letter.reason, letter.body) == ("unknown-event", event.to_bytes())
    later, consumer, _ = READS
    with only(*later):
        assert lab.deliver_to(consumer, letter.body) == [Done("handled")]
    assert lab.document("scales", "o-1")["state"] == {"grams": 1250}  # type: ignore[index]
