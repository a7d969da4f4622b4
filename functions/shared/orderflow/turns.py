"""Work that must be done in order within a group, and may be done at once across groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def turns(groups: Sequence[str]) -> list[list[int]]:
    """The places of some items, by the group of each, divided so that no turn has two of a group and each group keeps
    its order. An empty name is no group: one turn where there are no groups."""
    if not any(groups):
        return [list(range(len(groups)))] if groups else []
    divided: list[list[int]] = []
    before: Counter[str] = Counter()
    for place, group in enumerate(groups):
        turn = before[group]
        if turn == len(divided):
            divided.append([])
        divided[turn].append(place)
        before[group] += bool(group)
    return divided
