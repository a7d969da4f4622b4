"""What a bill says in words, for the terminal and for docs/cost.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orderflow_cli.cost.counting import Counted
from orderflow_cli.cost.model import CALL_MS, MESSAGE_MS, PARTS, Bill, Inputs, estimate
from orderflow_cli.cost.prices import Prices

ELSEWHERE = {"azure": "westeurope"}
"""Another region, whose price stands in where no other was found."""


def rows(bills: Sequence[Bill]) -> list[list[str]]:
    """A row for each part and for the sums; a cell for each cloud. A ``+`` marks what has a part without a price."""
    table = [[part, *(_cell(bill, part) for bill in bills)] for part in PARTS]
    table.append(["all", *(money(bill.total) + ("+" if bill.unknown() else "") for bill in bills)])
    table.append(
        ["of it free each month, not taken off", *(money(sum(line.free for line in bill.lines)) for bill in bills)]
    )
    return table


def money(usd: float) -> str:
    """Dollars and cents."""
    return f"{usd:,.2f}"


def remarks(bills: Sequence[Bill], counted: Counted, inputs: Inputs, prices: Prices) -> list[str]:
    """What dominates, what would change it, what is not known."""
    lines = []
    for bill in bills:
        part = bill.dominant()
        share = 100 * (bill.part(part) or 0) / bill.total
        greatest = max((line for line in bill.lines if line.usd is not None), key=lambda line: line.usd or 0)
        lines.append(
            f"{bill.cloud}: {part} dominates with {share:.0f} %; its greatest line is {greatest.what},"
            f" {money(greatest.usd or 0)} for {greatest.quantity:,.0f} ({greatest.unit})."
        )
        lines += [f"  {name}: {usd:+,.2f}" for name, usd in changes(bill, counted, inputs, prices)]
        if unknown := bill.unknown():
            lines.append(f"  no price known: {', '.join(unknown)}")
        if elsewhere := [line.what for line in bill.lines if line.region == ELSEWHERE.get(bill.cloud)]:
            lines.append(f"  at the price of {ELSEWHERE[bill.cloud]}, for want of its own: {', '.join(elsewhere)}")
    lines.append(
        f"A message takes {inputs.message_ms:g} ms of processor"
        f" ({'`make bench`' if inputs.message_ms == MESSAGE_MS else 'as given'}),"
        f" a round trip {inputs.call_ms:g} ms ({'an assumption' if inputs.call_ms == CALL_MS else 'as given'})."
    )
    lines.append(
        f"Prices as read on {prices.read}, each with its source in cli/orderflow_cli/cost/prices.json and in --json."
    )
    return lines


def changes(bill: Bill, counted: Counted, inputs: Inputs, prices: Prices) -> list[tuple[str, float]]:
    """What another batch size, memory or speed would add to the bill."""
    others = [
        ("one message in each execution", replace(inputs, batch=1)),
        ("ten messages in each execution", replace(inputs, batch=10)),
        ("512 MB for each function", replace(inputs, memory_mb=512)),
        ("2048 MB for each function", replace(inputs, memory_mb=2048)),
        ("documents of analytics about ten minutes, not one", replace(inputs, analytics_window_s=600)),
        ("round trips twice as long", replace(inputs, call_ms=2 * inputs.call_ms)),
    ]
    found = [(name, estimate(bill.cloud, counted, other, prices).total - bill.total) for name, other in others]
    return [(name, usd) for name, usd in found if abs(usd) >= 0.005]


def _cell(bill: Bill, part: str) -> str:
    usd = bill.part(part)
    lines = [line for line in bill.lines if line.part == part]
    if not lines:
        return "in functions"
    if usd is None:
        return "no price known"
    return money(usd) + ("+" if any(line.usd is None for line in lines) else "")
