"""What many runs say to people and to programs."""

from __future__ import annotations

from typing import Any

from simulation.coverage import IMPOSSIBLE_STEPS, left, pairs, possible
from simulation.many import Hunted, Tally
from simulation.planted import BY_HAND
from simulation.shrink import kind


def as_json(tally: Tally, hunted: list[Hunted]) -> dict[str, Any]:
    """The figures as a JSON object."""
    missing = left(tally.coverage)
    return {
        "runs": tally.runs,
        "sagas": tally.sagas,
        "steps": tally.steps,
        "faults": tally.coverage.total(),
        "outcomes": dict(tally.outcomes.most_common()),
        "days_simulated": round(tally.simulated / 86_400, 1),
        "cpu_seconds": round(tally.cpu, 1),
        "sagas_per_cpu_second": _rate(tally),
        "interrupted": tally.interrupted,
        "violations": [
            {"seed": case.seed, "profile": case.profile, "violation": violation, "again": case.command()}
            for case, violation in tally.failed
        ],
        "pairs": {"possible": len(pairs()), "hit": len(pairs()) - len(missing), "left": missing},
        "planted_bugs": [
            {"name": each.name, "runs": each.runs, "seconds": each.seconds, "caught": each.violation is not None}
            for each in hunted
        ],
    }


def summary(tally: Tally) -> str:
    """Three lines for the terminal."""
    missing = len(left(tally.coverage))
    ended = ", ".join(f"{times} {status}" for status, times in tally.outcomes.most_common())
    return (
        f"{tally.runs} runs, {tally.sagas} sagas ({ended}), {tally.steps} steps, {tally.coverage.total()} faults; "
        f"{tally.simulated / 86_400:.0f} days simulated\n"
        f"{tally.cpu:.0f} s of processor time, {_rate(tally)} sagas a second and core; "
        f"{len(pairs()) - missing} of {len(pairs())} pairs of step and fault hit\n"
        f"runs with a violation: {len(tally.failed)}"
    )


def as_markdown(tally: Tally, hunted: list[Hunted], stories: list[str]) -> str:
    """The report: figures, violations, coverage and planted bugs."""
    parts = ["# Simulation", summary(tally).replace("\n", "  \n")]
    if tally.interrupted:
        parts.append("It was interrupted.")
    parts += [f"## A violation\n\n```text\n{story}\n```" for story in stories]
    parts += ["## Steps and faults", _coverage(tally), _left(tally)]
    if hunted:
        parts += ["## Planted bugs", _bugs(hunted)]
    return "\n\n".join(parts) + "\n"


def bugs_table(hunted: list[Hunted]) -> str:
    """The planted bugs for the terminal: runs, seconds, name, what gave it away."""
    return "\n".join(
        f"{each.runs:5} {each.seconds:6.1f} s  {each.name:<84}  {each.violation or 'NOT CAUGHT'}"[:170]
        for each in hunted
    )


def _rate(tally: Tally) -> int:
    return round(tally.sagas / tally.cpu) if tally.cpu else 0


def _coverage(tally: Tally) -> str:
    """How often each fault met each step; empty where it cannot."""
    faults = list(dict.fromkeys(fault for faults in possible().values() for fault in faults))
    lines = [_row("step", *faults), _row("---", *("---:" for _ in faults))]
    for step, may in possible().items():
        lines.append(_row(step, *(str(tally.coverage[step, fault]) if fault in may else "" for fault in faults)))
    return "\n".join(lines)


def _left(tally: Tally) -> str:
    missing = [f"- {step}: {fault}" for step, fault in left(tally.coverage)]
    cannot = [f"- {step}: {why}" for step, why in IMPOSSIBLE_STEPS.items()]
    told = "\n".join(missing) if missing else "None."
    return f"### Pairs left at zero\n\n{told}\n\n### Steps that no run takes\n\n" + "\n".join(cannot)


def _bugs(hunted: list[Hunted]) -> str:
    lines = [
        _row("runs", "seconds", "what is wrong", "sought in", "what gave it away"),
        _row("---:", "---:", "---", "---", "---"),
    ]
    for each in hunted:
        gave = kind(each.violation) if each.violation else "**not caught**"
        lines.append(_row(str(each.runs), f"{each.seconds:.1f}", each.name, each.sought, gave))
    lines += [_row("", "", name, "no run: by hand", "its schedule in `tests/protocol`") for name in sorted(BY_HAND)]
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"
