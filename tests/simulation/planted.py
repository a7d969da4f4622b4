"""Everything that is planted to show that the simulator has teeth: rules taken out, and bugs."""

from simulation.bugs import BUGS, Bug
from simulation.rules import RULES

BY_HAND = frozenset(
    {
        "rule 5: a release gives back what a later plan holds",  # needs two workers at an undone plan, and one is rare
        "rule 12: old events are replayed into services that have effects",  # no operator replays an archive
        "rule 14: a letter is thrown away without its publish",  # needs one thrown away between commit and publish
    }
)
"""What no run shows, or one in very many: `tests/protocol` plays the schedule by hand."""

PLANTED: tuple[Bug, ...] = tuple(each for each in (*RULES, *BUGS) if each.name not in BY_HAND)
