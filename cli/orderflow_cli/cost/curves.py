"""The bills over orders a month, and their plot: an SVG written by hand, for three lines on two logarithmic axes need
no plotting library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from orderflow_cli.cost.counting import Counted
from orderflow_cli.cost.model import CLOUDS, Inputs, estimate
from orderflow_cli.cost.prices import Prices

DECADES = (3, 8)
STEPS = 8
"""Points in a decade."""

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 90, 30, 50
COLOURS = {"aws": "#b45309", "azure": "#1d4ed8", "gcp": "#15803d"}
NAMES = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud"}

Curve = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Crossing:
    """Above ``orders`` a month ``then`` costs less than ``before``."""

    orders: float
    before: str
    then: str


def curves(counted: Counted, inputs: Inputs, prices: Prices) -> dict[str, Curve]:
    """For each cloud (orders a month, US dollars a month)."""
    first, last = DECADES
    volumes = [10 ** (first + step / STEPS) for step in range((last - first) * STEPS + 1)]
    return {
        cloud: [(orders, estimate(cloud, counted, replace(inputs, orders=orders), prices).total) for orders in volumes]
        for cloud in CLOUDS
    }


def crossings(found: Mapping[str, Curve]) -> list[Crossing]:
    """Where two clouds break even, by orders a month; between two points the curves are taken as straight."""
    crossed = []
    names = list(found)
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            gaps = [(x, math.log(a) - math.log(b)) for (x, a), (_, b) in zip(found[one], found[other], strict=True)]
            for (x0, gap0), (x1, gap1) in pairwise(gaps):
                if gap0 * gap1 < 0:
                    at = x0 * (x1 / x0) ** (gap0 / (gap0 - gap1))
                    crossed.append(Crossing(at, one, other) if gap0 < 0 else Crossing(at, other, one))
    return sorted(crossed, key=lambda crossing: crossing.orders)


def svg(found: Mapping[str, Curve]) -> str:
    """The plot."""
    costs = [usd for curve in found.values() for _, usd in curve]
    low, high = math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)))

    def x(orders: float) -> float:
        first, last = DECADES
        return LEFT + (math.log10(orders) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(usd: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(usd) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="sans-serif" font-size="12">',
        "<title>US dollars a month over orders a month</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for decade in range(DECADES[0], DECADES[1] + 1):
        at = x(10**decade)
        parts.append(f'<path d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{10**decade:,}</text>')
    for decade in range(low, high + 1):
        at = y(10**decade)
        parts.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">${10**decade:,}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">orders a month</text>'
    )
    for cloud, curve in found.items():
        points = " ".join(f"{x(orders):.1f},{y(usd):.1f}" for orders, usd in curve)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[cloud]}" stroke-width="2"/>')
        end = y(curve[-1][1]) + 4
        parts.append(f'<text x="{WIDTH - RIGHT + 6}" y="{end:.1f}" fill="{COLOURS[cloud]}">{NAMES[cloud]}</text>')
    return "\n".join([*parts, "</svg>", ""])
