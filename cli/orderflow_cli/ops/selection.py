"""How an operator says which: times, ages and rates as people write them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from orderflow.ports import Clock

T = TypeVar("T")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(text: str) -> float:
    """A duration such as ``90s``, ``15m``, ``2h`` or ``7d``, in seconds. Raises `ValueError`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if not match:
        raise ValueError(f"{text!r} is no duration: write 90s, 15m, 2h or 7d")
    return float(match[1]) * _UNITS[match[2]]


def moment(text: str, now: float | None = None) -> float:
    """A time such as ``2026-11-21``, ``2026-11-21T18:30Z`` (UTC unless it has a zone) or ``2h`` (so long ago), in
    seconds since the epoch. Raises `ValueError`."""
    try:
        return (time.time() if now is None else now) - seconds(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        raise ValueError(f"{text!r} is no time: write 2026-11-21, 2026-11-21T18:30Z, or 2h for two hours ago") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def paced(items: Iterable[T], per_second: float | None, clock: Clock) -> Iterator[T]:
    """The items, no more of them in a second than that; at once without a rate."""
    began = clock.now()
    for number, item in enumerate(items):
        if per_second and (early := began + number / per_second - clock.now()) > 0:
            clock.sleep(early)
        yield item
