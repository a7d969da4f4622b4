"""The local Google Cloud as a whole: real functions-framework, real SDKs, kill and revive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from orderflow import archive
from orderflow.envelope import Envelope
from orderflow.ports import DeadLetter, Ports
from orderflow_gcp.wiring import bootstrap
from orderflow_local.cloud import Missing, Setup
from orderflow_local.gcp import emulators
from orderflow_local.gcp.cloud import GcpCloud
from orderflow_local.issuer import Issuer
from orderflow_local.processes import StartFailed, listens
from waiting import wait_until

pytestmark = pytest.mark.local_cloud

AUDIENCE = "orderflow-api"


@pytest.fixture(scope="module", params=["official", "embedded"])
def cloud(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, issuer: Issuer
) -> Iterator[GcpCloud]:
    try:
        emulators.choose(request.param)
    except Missing as missing:
        pytest.skip(str(missing))
    settings = {
        "ORDERFLOW_GCP_EMULATORS": request.param,
        "ORDERFLOW_ISSUER": issuer.url,
        "ORDERFLOW_JWKS_URL": issuer.jwks_url,
        "ORDERFLOW_AUDIENCE": AUDIENCE,
        "ORDERFLOW_SWEEP_EVERY_S": "1",
        "ORDERFLOW_ARCHIVE_EVERY_S": "1",
        "ORDERFLOW_SWEEP_AFTER": "1",
    }
    cloud = GcpCloud(Setup(tmp_path_factory.mktemp("cloud"), settings, issuer.url))
    cloud.start(lambda _: None)
    yield cloud
    cloud.stop()


@pytest.fixture
def ports(cloud: GcpCloud, monkeypatch: pytest.MonkeyPatch) -> Ports:
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    return bootstrap(cloud.environment())


@pytest.fixture
def shop(cloud: GcpCloud, issuer: Issuer, ports: Ports) -> Iterator[httpx.Client]:
    """A customer with an address, at the API, and stock of one SKU."""
    ports.drop.put("catalogue/a.csv", b"sku,name,unit_price,currency\nA-1,Thing,1250,EUR\n")
    ports.drop.put("stock/a.csv", b"sku,quantity\nA-1,1000\n")
    wait_until(lambda: ports.store.get("catalogue", "A-1") is not None, "the price to be loaded", 60)
    address = {"street": "S 1", "city": "C", "postcode": "1", "country": "DE"}
    token = issuer.token("zoe", audience=AUDIENCE)
    with httpx.Client(base_url=cloud.api_url, headers={"authorization": f"Bearer {token}"}, timeout=30) as shop:
        saved = shop.put("/customers/me", json={"name": "Zoë", "address": address, "email": "zoe@example.com"})
        assert saved.status_code == 200
        yield shop


def order(shop: httpx.Client, key: str) -> str:
    body = {"lines": [{"sku": "A-1", "quantity": 1}], "payment_token": "tok_ok"}
    placed = shop.post("/orders", json=body, headers={"idempotency-key": key})
    assert placed.status_code == 202
    return str(placed.json()["order_id"])


def is_shipped(shop: httpx.Client, order_id: str) -> bool:
    try:
        return bool(shop.get(f"/orders/{order_id}").json()["status"] == "shipped")
    except httpx.TransportError:
        return False


def at_rest(cloud: GcpCloud) -> None:
    wait_until(lambda: not any(d.waiting or d.in_flight for d in cloud.depths().values()), "the cloud to be at rest")


def test_an_order_goes_from_the_api_through_every_function(cloud: GcpCloud, shop: httpx.Client) -> None:
    placed = order(shop, "first")
    wait_until(lambda: is_shipped(shop, placed), "the order to be shipped")
    at_rest(cloud)


def test_every_event_is_archived_as_a_cloud_storage_subscription_would(ports: Ports) -> None:
    sent = [event(number) for number in range(30)]
    assert set(ports.publisher.publish(sent)) == {None}

    def archived() -> list[Envelope]:
        found = [one for one in archive.read(ports.archive, 0, 4e9) if one.source == sent[0].source]
        return sorted(found, key=lambda one: one.id)

    wait_until(lambda: archived() == sent, "all events to be archived", 30)
    names = [name for name in ports.archive.names() if sent[0].source.encode() in ports.archive.get(name)]
    assert len(names) <= 3
    for name in names:
        assert re.fullmatch(r"events/\d{4}/\d\d/\d\d/\d\d_\d\d_\d\dZ_[0-9a-f-]{36}\.jsonl", name)


def event(number: int) -> Envelope:
    """An event that nobody hears but the archive and analytics."""
    return Envelope(
        id=f"archived-{number:02}",
        source="/tests/archive",
        type="com.example.orderflow.StockReplenished.v1",
        subject="A-1",
        time="2026-11-21T12:00:00.000Z",
        correlationid="A-1",
        kind="StockReplenished",
        category="stock",
        data={"sku": "A-1", "quantity": 1, "row_id": f"row-{number}"},
    )


def test_killing_every_host_loses_nothing(cloud: GcpCloud, shop: httpx.Client, ports: Ports) -> None:
    placed = [order(shop, f"kill-{number}") for number in range(10)]
    before = {host.name: host.pid for host in cloud.hosts()}
    assert set(before) == {*cloud.depths(), "api", "sweeper"}
    for name in before:
        cloud.kill_host(name)
    wait_until(
        lambda: not set(before.values()) & {host.pid for host in cloud.hosts()} and len(cloud.hosts()) == len(before),
        "every host to be started again",
    )
    wait_until(lambda: all(is_shipped(shop, each) for each in placed), "all orders to be shipped")
    at_rest(cloud)
    for service in cloud.depths():
        assert ports.dead_letters.browse(service) == []


def test_a_function_listens_to_pubsub_only(cloud: GcpCloud, issuer: Issuer) -> None:
    url = cloud.urls["inventory"]
    assert httpx.post(url, content=b"{}").status_code == 401
    token = issuer.token("me", audience=url, email="me@example.com")
    assert httpx.post(url, content=b"{}", headers={"Authorization": f"Bearer {token}"}).status_code == 403


def test_a_poison_message_is_a_dead_letter_and_can_be_sent_again(cloud: GcpCloud, ports: Ports) -> None:
    poison = DeadLetter("payment", b"\xff poison", {"kind": "OrderPlaced"}, "test", "", 1, "t", "t")
    ports.dead_letters.resend(poison)
    wait_until(lambda: len(ports.dead_letters.browse("payment")) == 1, "the dead letter", 60)
    [letter] = ports.dead_letters.browse("payment")
    assert (letter.reason, letter.body, dict(letter.attributes)) == ("malformed", poison.body, poison.attributes)
    for service in ("order", "inventory"):
        assert ports.dead_letters.browse(service) == []
    ports.dead_letters.remove(letter)
    assert ports.dead_letters.browse("payment") == []


def test_the_sweeper_is_called(cloud: GcpCloud, folder: Path) -> None:
    wait_until(lambda: '"swept"' in (folder / "function-sweeper.log").read_text(), "a sweep", 60)


@pytest.fixture
def folder(cloud: GcpCloud) -> Path:
    return cloud.folder


def test_a_function_that_cannot_run_is_said_at_once_and_nothing_stays(tmp_path: Path, issuer: Issuer) -> None:
    settings = {"ORDERFLOW_GCP_EMULATORS": "embedded", "ORDERFLOW_MAX_BODY": "many"}
    cloud = GcpCloud(Setup(tmp_path, settings, issuer.url))
    with pytest.raises(StartFailed, match="ORDERFLOW_MAX_BODY must be of type int, not 'many'"):
        cloud.start(lambda _: None)
    ports = [int(url.rpartition(":")[2]) for url in cloud.urls.values()]
    wait_until(lambda: not any(listens(port) for port in ports), "all ports to be free", 60)


def test_nothing_listens_after_stop(tmp_path: Path, issuer: Issuer) -> None:
    cloud = GcpCloud(Setup(tmp_path, {"ORDERFLOW_GCP_EMULATORS": "embedded"}, issuer.url))
    cloud.start(lambda _: None)
    addresses = [*cloud.urls.values(), *(v for n, v in cloud.environment().items() if n.endswith("EMULATOR_HOST"))]
    ports = [int(address.rpartition(":")[2]) for address in addresses]
    assert all(listens(port) for port in ports)
    cloud.stop()
    cloud.stop()
    wait_until(lambda: not any(listens(port) for port in ports), "all ports to be free", 60)
