"""The examples' services in one process: what they decide, and that neither a broken step nor a message that comes
again changes what is there in the end."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from PIL import Image

from added import added
from orderflow.events import Event, FileArrived, OrderConfirmed
from protocol.hands import Scene
from protocol.test_every_step import Begin, Play, breaks, hears

PACKAGES = ("customer_registration", "device_telemetry", "product_media", "support_desk")
AT = "2026-11-21T12:00:00Z"


@pytest.fixture(autouse=True)
def _services() -> Iterator[None]:
    with added(*PACKAGES):
        yield


def png(width: int = 400, height: int = 200) -> bytes:
    """An image."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def dropped(model: type[FileArrived], service: str, name: str, data: bytes, *before: tuple[str, Event]) -> Play:
    """A file that was dropped, of which a service hears after others have heard other events."""

    def prepare(scene: Scene) -> Begin:
        for other, event in before:
            scene.hears(other, event)
        scene.ports.drop.put(name, data)
        event = model(file=name, size=len(data), sha256=sha256(data).hexdigest())
        return lambda: scene.deliver(service, event)

    return prepare


def mailed(service: str, event: Event) -> Play:
    """An event about the customer ``c``, who has an address."""

    def prepare(scene: Scene) -> Begin:
        scene.write("customers", "c", {**scene.state("customers", "c"), "email": "c@example.com"})
        return lambda: scene.deliver(service, event)

    return prepare


def after(service: str, first: Event, then: Event) -> Play:
    """Another event of the same kind about the same thing."""

    def prepare(scene: Scene) -> Begin:
        scene.hears(service, scene.envelope(first).replace(id="first"))
        return lambda: scene.deliver(service, then)

    return prepare


def plays() -> dict[tuple[str, str], Play]:
    """What happens to each service. The services are found when a test runs, so their events are, too."""
    from customer_registration._events import CustomerRegistered
    from device_telemetry.readings import ReadingsArrived
    from device_telemetry.sites import DeviceRegistered
    from product_media.thumbnails import ImageUploaded, ThumbnailMade
    from support_desk.enrichment import CallCompleted, CaseEnriched, TicketCreated

    wants = CustomerRegistered(customer_id="c", newsletter=True)
    device = DeviceRegistered(device="t-1", site="plant", unit="C", lowest=0, highest=80)
    line = json.dumps({"device": "t-1", "at": AT, "value": 21.5}).encode()
    confirmed = OrderConfirmed(order_id="o", customer_id="c", total=9, currency="EUR", tier="high", placed_at=AT)
    ticket = TicketCreated(case_id="k", customer_id="c", topic="payment")
    call = CallCompleted(case_id="k", customer_id="c", topic="payment", seconds=9)
    case: dict[str, Any] = {"case_id": "k", "customer_id": "c", "topic": "delivery", "by_phone": False}
    low, high = CaseEnriched(**case, tier="standard"), CaseEnriched(**case, tier="high")
    made = ThumbnailMade(file="images/A/1.png", thumbnail="media/1.jpg", width=9, height=9, format="PNG")
    return {
        ("welcome", "sends"): mailed("welcome", wants),
        ("welcome", "has no address"): hears("welcome", wants),
        ("newsletter", "subscribes"): hears("newsletter", wants),
        ("thumbnails", "draws"): dropped(ImageUploaded, "thumbnails", "images/A/1.png", png()),
        ("thumbnails", "refuses"): dropped(ImageUploaded, "thumbnails", "images/A/1.png", b"no image"),
        ("search", "finds"): hears("search", made),
        ("tiers", "remembers"): hears("tiers", confirmed),
        ("enrichment", "enriches a ticket"): hears("enrichment", ticket),
        ("enrichment", "enriches a call"): hears("enrichment", ticket, call),
        ("routing", "routes"): hears("routing", low),
        ("routing", "raises"): after("routing", low, high),
        ("sites", "adds"): hears("sites", device),
        ("readings", "loads"): dropped(ReadingsArrived, "readings", "telemetry/plant/1.jsonl", line, ("sites", device)),
        ("readings", "of an unknown site"): dropped(ReadingsArrived, "readings", "telemetry/x/1.jsonl", line),
    }


NAMES = [
    *(("welcome", what) for what in ("sends", "has no address")),
    ("newsletter", "subscribes"),
    *(("thumbnails", what) for what in ("draws", "refuses")),
    ("search", "finds"),
    ("tiers", "remembers"),
    *(("enrichment", what) for what in ("enriches a ticket", "enriches a call")),
    *(("routing", what) for what in ("routes", "raises")),
    ("sites", "adds"),
    *(("readings", what) for what in ("loads", "of an unknown site")),
]


@pytest.mark.parametrize(("service", "what"), NAMES, ids=[" ".join(each) for each in NAMES])
def test_a_step_that_breaks_and_a_message_that_comes_again_change_nothing(service: str, what: str) -> None:
    found = list(breaks(service, what, plays()[service, what]))
    assert not found, "\n".join(found)


def test_every_service_of_the_examples_is_played() -> None:
    from orderflow.services import SERVICES

    own = {name for name, module in SERVICES.items() if module.split(".")[0] in PACKAGES}
    assert {service for service, _ in NAMES} == own
    assert set(NAMES) == set(plays())


def test_a_service_keeps_objects_only_below_what_it_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a cloud its identity could not: here neither, so that a forgotten prefix shows before it is deployed."""
    from orderflow import services

    declared = replace(services.find("thumbnails"), keeps=("elsewhere/",))
    monkeypatch.setattr("protocol.hands.find", lambda _name: declared)
    scene = Scene()
    begin = plays()["thumbnails", "draws"](scene)
    for _ in range(declared.limits.max_attempts):
        begin().finish()

    [letter] = scene.letters
    assert "thumbnails keeps elsewhere/; media/" in letter.detail
    assert scene.ports.archive.names() == []


@pytest.mark.parametrize("package", ["no_such_package", "../services", "json.decoder", ""])
def test_a_package_that_there_is_not_is_refused_by_name(package: str) -> None:
    from orderflow import services

    with pytest.raises(services.BadPackage, match="is no package of services"):
        services.add(package)
