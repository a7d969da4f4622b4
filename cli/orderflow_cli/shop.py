"""The demo's shop on a running cloud: goods on the shelves, prices in the catalogue, customers with addresses."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import httpx

from orderflow.keys import safe_key
from orderflow.ports import Ports
from orderflow_cli.shelves import shards
from orderflow_cli.workload import HERMIT, PEOPLE, Workload

_POLL_SECONDS = 0.5


def fill_shelves(ports: Ports, workload: Workload, name: str) -> None:
    """Drop the files into the object store as a supplier would."""
    ports.drop.put(f"catalogue/{name}.csv", workload.catalogue_csv())
    ports.drop.put(f"stock/{name}.csv", workload.stock_csv())


def shelves_full(ports: Ports, stock: Mapping[str, int]) -> bool:
    """Whether so many units of each SKU have arrived, and have a price."""
    for sku, units in stock.items():
        if sum(shard.replenished for shard in shards(ports.store.get, sku)) < units:
            return False
        if ports.store.get("catalogue", safe_key(sku)) is None:
            return False
    return True


def open_shop(
    ports: Ports, api_url: str, sign_in: Callable[[str], str], workload: Workload, *, patience_s: float = 60.0
) -> bool:
    """Fill the shelves and let the demo's customers leave their addresses: without one nothing is shipped. Answers
    whether all goods had arrived within the patience."""
    fill_shelves(ports, workload, "demo")
    for person in (*PEOPLE, HERMIT):
        headers = {"authorization": f"Bearer {sign_in(person.id)}"}
        httpx.put(f"{api_url}/customers/me", headers=headers, json=person.contact, timeout=30).raise_for_status()
    deadline = time.monotonic() + patience_s
    while not shelves_full(ports, workload.stock):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
