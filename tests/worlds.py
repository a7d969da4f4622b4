"""A running local cloud as a test uses it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import httpx

from orderflow.keys import safe_key
from orderflow.ports import Ports
from orderflow.services.inventory import STOCK, stock_key
from orderflow.settings import Settings
from orderflow_local.fleet import Fleet
from waiting import wait_until


@dataclass
class World:
    """One running cloud, as a test uses it."""

    name: str
    fleet: Fleet
    ports: Ports

    def client(self, customer: str) -> httpx.Client:
        """An HTTP client of the API with a customer's token."""
        return self.anonymous({"authorization": f"Bearer {self.fleet.token(customer)}"})

    def anonymous(self, headers: dict[str, str] | None = None) -> httpx.Client:
        """An HTTP client of the API with headers of one's own."""
        return httpx.Client(base_url=self.fleet.clouds[self.name].api_url, headers=headers, timeout=30)

    def customer(self, country: str = "DE") -> httpx.Client:
        """A new customer with an address, as an HTTP client."""
        client = self.client(f"customer-{uuid.uuid4()}")
        contact = {
            "name": "Zoë Ångström 千代",
            "address": {"street": "Straße 1", "city": "Łódź", "postcode": "10115", "country": country},
            "email": "zoe@example.com",
        }
        assert client.put("/customers/me", json=contact).status_code == 200
        return client

    def stocked(self, units: int, price: int = 1000) -> str:
        """A new SKU with so many units on the shelves."""
        sku = f"SKU-{uuid.uuid4().hex[:12].upper()}"
        self.ports.drop.put(f"catalogue/{sku}.csv", f"sku,name,unit_price,currency\n{sku},Thing,{price},EUR\n".encode())
        self.ports.drop.put(f"stock/{sku}.csv", f"sku,quantity\n{sku},{units}\n".encode())
        wait_until(lambda: self.loaded(sku, units), f"{sku} to be on the shelves of {self.name}")
        return sku

    def ended(self, client: httpx.Client, order_id: str) -> dict[str, Any]:
        """The order once nothing more will happen to it."""
        shown: dict[str, Any] = {}

        def closed() -> bool:
            nonlocal shown
            shown = client.get(f"/orders/{order_id}").json()
            return bool(shown["closed"])

        wait_until(closed, f"order {order_id} to end on {self.name}")
        return shown

    def at_rest(self) -> None:
        """Return when every queue of the cloud was found empty twice: between two queues a message is in neither."""
        depths = self.fleet.clouds[self.name].depths
        quiet = 0

        def empty_again() -> bool:
            nonlocal quiet
            quiet = 0 if any(depth.waiting or depth.in_flight for depth in depths().values()) else quiet + 1
            return quiet == 2

        wait_until(empty_again, f"{self.name} to be at rest")

    def loaded(self, sku: str, units: int) -> bool:
        shelves = [self.ports.store.get(STOCK, stock_key(sku, shard)) for shard in range(Settings().stock_shards)]
        on_shelves = sum(shelf.document["state"]["replenished"] for shelf in shelves if shelf)
        return on_shelves == units and self.ports.store.get("catalogue", safe_key(sku)) is not None
