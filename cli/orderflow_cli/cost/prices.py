"""The price table: `prices.json`, each price with where and when it was read. What nobody could be cited for is not in
it, and is shown as unknown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "prices.json"


class NotKnown(Exception):
    """There is no such region, path or cloud."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for ``per`` units. ``region`` is what the source says it is the price of, empty where it says nothing;
    ``free`` units a month are free."""

    usd: float
    per: float
    unit: str
    source: str
    region: str = ""
    free: float = 0
    note: str = ""

    def of(self, quantity: float) -> float:
        """US dollars for a quantity."""
        return quantity / self.per * self.usd


@dataclass(frozen=True, slots=True)
class Prices:
    """All prices, by cloud and name."""

    read: str
    regions: Mapping[str, str]
    by_cloud: Mapping[str, Mapping[str, Price]]


def load(region: str | None = None) -> Prices:
    """Read the table; ``region`` must be one of it. Raises `NotKnown`."""
    table: dict[str, Any] = json.loads(FILE.read_text())
    regions: dict[str, str] = table["regions"]
    if region is not None and region not in regions.values():
        raise NotKnown(f"no prices are known for {region}; they are for {', '.join(sorted(regions.values()))}")
    by_cloud = {
        cloud: {name: Price(**price) for name, price in prices.items()} for cloud, prices in table["prices"].items()
    }
    return Prices(table["read"], regions, by_cloud)
