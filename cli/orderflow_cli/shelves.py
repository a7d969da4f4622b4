"""What is in stock, as it is stored."""

from __future__ import annotations

from collections.abc import Callable

from orderflow.ports import Stored
from orderflow.services.inventory import STOCK, Stock, stock_key


def shards(get: Callable[[str, str], Stored | None], sku: str) -> list[Stock]:
    """All shards of a SKU, read by ``get(collection, key)``: the first one says how many there are."""

    def shard(number: int) -> Stock:
        stored = get(STOCK, stock_key(sku, number))
        return Stock.of(stored.document) if stored else Stock()

    first = shard(0)
    return [first, *(shard(number) for number in range(1, first.spread))]
