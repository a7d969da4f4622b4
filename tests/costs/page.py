"""The generated parts of docs/cost.md, and its plot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from orderflow_cli.cost import counting, text
from orderflow_cli.cost.counting import PATHS, Counted
from orderflow_cli.cost.curves import NAMES, crossings, curves, svg
from orderflow_cli.cost.model import CLOUDS, Inputs, estimate
from orderflow_cli.cost.prices import load

PAGE = Path(__file__).parents[2] / "docs" / "cost.md"
PLOT = PAGE.with_suffix(".svg")
VOLUMES = (1e3, 1e4, 1e5, 1e6, 1e7, 1e8)
FIGURES = ("http", "deliveries", "events", "publish calls", "writes", "reads")
INPUTS = Inputs(1e6)


@cache
def count(path: str, *, together: bool = False) -> Counted:
    """An order's calls, counted once."""
    return counting.count(path, together=together)


def plot() -> str:
    """The plot of the defaults."""
    return svg(curves(count("shipped"), INPUTS, load()))


def inserted(page: str, name: str, part: str) -> str:
    """A page with a part between its markers."""
    begin, end = f"<!-- {name}: generated -->\n", f"<!-- {name}: end -->"
    before, rest = page.split(begin)
    return f"{before}{begin}{part}{end}{rest.split(end, 1)[1]}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _calls() -> str:
    rows = []
    for path in PATHS:
        apart, together = count(path).totals(), count(path, together=True).totals()
        reads = f"{together['reads']} to {apart['reads']}"
        writes = (
            str(apart["writes"])
            if apart["writes"] == together["writes"]
            else f"{together['writes']} to {apart['writes']}"
        )
        counted = {**{name: str(figure) for name, figure in apart.items()}, "reads": reads, "writes": writes}
        rows.append([path, *(counted[figure] for figure in FIGURES)])
    return _table(["an order that ends", *FIGURES], rows)


def _bill() -> str:
    prices = load()
    bills = [estimate(cloud, count("shipped"), INPUTS, prices) for cloud in CLOUDS]
    return _table(["", *(f"{NAMES[cloud]}, {prices.regions[cloud]}" for cloud in CLOUDS)], text.rows(bills))


def _remarks() -> str:
    prices, counted = load(), count("shipped")
    bills = [estimate(cloud, counted, INPUTS, prices) for cloud in CLOUDS]
    return "```text\n" + "\n".join(text.remarks(bills, counted, INPUTS, prices)) + "\n```\n"


def _paths() -> str:
    prices = load()
    rows = []
    for path in PATHS:
        counted = count(path)
        rows.append([path, *(text.money(estimate(cloud, counted, INPUTS, prices).total) for cloud in CLOUDS)])
    return _table(["a million orders that end", *(NAMES[cloud] for cloud in CLOUDS)], rows)


def _volumes() -> str:
    prices, counted = load(), count("shipped")
    rows = []
    for orders in VOLUMES:
        inputs = replace(INPUTS, orders=orders)
        rows.append([f"{orders:,.0f}", *(text.money(estimate(c, counted, inputs, prices).total) for c in CLOUDS)])
    lines = [
        f"- From about {crossing.orders:,.0f} orders a month {NAMES[crossing.then]} costs less than"
        f" {NAMES[crossing.before]} (by what has a price).\n"
        for crossing in crossings(curves(counted, INPUTS, prices))
    ]
    return _table(["orders a month", *(NAMES[cloud] for cloud in CLOUDS)], rows) + "\n" + "".join(lines)


PARTS: dict[str, Callable[[], str]] = {
    "calls": _calls,
    "bill": _bill,
    "remarks": _remarks,
    "paths": _paths,
    "volumes": _volumes,
}
"""By the name of their marker."""
