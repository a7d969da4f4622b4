"""Everything that is planted to show that the simulator has teeth: rules taken out, and bugs."""

from simulation.bugs import BUGS, Bug
from simulation.rules import RULES

BY_HAND = frozenset({"rule 12: old events are replayed into services that have effects"})
"""What no run can show, since no operator replays an archive in it: `tests/protocol` plays its schedule by hand."""

PLANTED: tuple[Bug, ...] = tuple(each for each in (*RULES, *BUGS) if each.name not in BY_HAND)
