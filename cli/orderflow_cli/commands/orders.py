"""``orderflow orders``: place, show, list, cancel, settle, timeline, trace, stuck."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orderflow.envelope import rfc3339
from orderflow.stuck import Awaited
from orderflow_cli.commands.common import CODES, AsJson, DryRun, counted, note, operation, say, say_json, say_table
from orderflow_cli.hints import Exit
from orderflow_cli.ops import orders as ops
from orderflow_cli.ops.doors import CannotDo, Doors
from orderflow_cli.ops.timeline import Entry, timeline
from orderflow_cli.ops.traces import Node, trace_of

app = typer.Typer(no_args_is_help=True, help="Orders: place, look, cancel; what happened to one; which stand still.")

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")]
_PATIENCE_S = 120.0


@app.command(epilog=CODES)
@operation
def place(
    doors: Doors,
    customer: Annotated[str, typer.Option("--customer", help="Who orders.")],
    line: Annotated[list[str], typer.Option("--line", metavar="SKU=UNITS", help="What; repeat it for more lines.")],
    payment_token: Annotated[str, typer.Option(help="The gateway's reference to a payment method.")] = "tok_visa",  # noqa: S107
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key, the same order. [random]")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until nothing more will happen to it.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Place an order through the API, as its customer."""
    lines = _lines(line)
    if dry_run:
        say_json({"customer": customer, "request": ops.request_body(lines, payment_token)})
        return
    accepted = ops.place(doors, customer, lines, payment_token, key)
    if wait:
        row = ops.wait_until_closed(doors, accepted["order_id"], _PATIENCE_S).row
        accepted |= {"status": row.status, "closed": row.closed}
    if as_json:
        say_json(accepted)
    else:
        say(f"{accepted['order_id']}  {accepted['status']}")


@app.command(epilog=CODES)
@operation
def show(doors: Doors, order_id: OrderId, as_json: AsJson = False) -> None:
    """Show an order, and what each service keeps about it."""
    view = ops.show(doors, order_id)
    if as_json:
        say_json(view)
        return
    row = view.row
    reason = f" ({row.reason})" if row.reason else ""
    say(f"order {row.order_id} of {row.customer_id}: {row.status}{reason}{'' if row.closed else ', not closed'}")
    tracking = f", tracking {view.tracking}" if view.tracking else ""
    say(f"placed {row.placed_at}, total {row.total} {row.currency} in minor units{tracking}")
    for line in view.lines:
        say(f"  {line['quantity']} x {line['sku']} at {line['unit_price']}")
    rows = [[change["at"], change["status"], change.get("note")] for change in view.history]
    say_table(["at", "status", "note"], rows)
    say_table(["service", "status"], [[name, state.get("status")] for name, state in view.services.items()])


@app.command("list", epilog=CODES)
@operation
def list_(
    doors: Doors,
    customer: Annotated[str | None, typer.Option("--customer", help="Of this customer. [all: reads them all]")] = None,
    status: Annotated[str | None, typer.Option(help="pending, confirmed, shipped or cancelled.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List orders, newest first."""
    rows = ops.list_orders(doors, customer=customer, status=status, limit=limit)
    if as_json:
        say_json(rows)
        return
    say_table(
        ["order", "customer", "status", "closed", "total, minor units", "placed", "reason"],
        [
            [
                row.order_id,
                row.customer_id,
                row.status,
                "yes" if row.closed else "no",
                f"{row.total} {row.currency}",
                row.placed_at,
                row.reason or "",
            ]
            for row in rows
        ],
    )
    say(counted(len(rows), "order"))


@app.command(epilog=CODES)
@operation
def cancel(
    doors: Doors,
    order_id: OrderId,
    reason: Annotated[str, typer.Option("--reason", help="Why; the customer is told.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Cancel a pending order; what was done for it is undone by the services."""
    if dry_run:
        row = ops.show(doors, order_id).row
        if row.status in ("confirmed", "shipped"):
            raise CannotDo(f"too late: the order is {row.status}")
        note("nothing was changed")
    else:
        row = ops.cancel_order(doors, order_id, reason)
    if as_json:
        say_json(row)
    else:
        say(f"{row.order_id}  {row.status}  {row.reason or ''}")


@app.command(epilog=CODES)
@operation
def settle(
    doors: Doors,
    order_id: OrderId,
    how: Annotated[str, typer.Option("--how", help="How the customer got the money; the customer may read it.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Settle an order whose refund the gateway could not carry out, once the money was given back in another way."""
    if dry_run:
        row = ops.to_settle(doors, order_id)
        note("nothing was changed")
    else:
        row = ops.settle_order(doors, order_id, how)
    if as_json:
        say_json(row)
    else:
        say(f"{row.order_id}  {row.status}{'' if row.closed else ', not closed'}")


@app.command("timeline", epilog=CODES)
@operation
def timeline_(
    doors: Doors,
    order_id: OrderId,
    archive: Annotated[bool, typer.Option("--archive", help="Read the archive, too: slower.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show an order's events across the services: causes, attempts, duplicates, what was undone, who still owes
    what."""
    story = timeline(doors, order_id, archived=archive)
    if as_json:
        say_json(story)
        return
    kinds = {entry.event_id: entry.kind for entry in story.entries}
    columns: dict[str, list[Any]] = {
        "time": [entry.time[11:] for entry in story.entries],
        "event": [f"{'  ' * entry.depth}{'↩ ' if entry.compensation else ''}{entry.kind}" for entry in story.entries],
        "by": [entry.service for entry in story.entries],
        "because of": [
            kinds.get(entry.causation_id or "", entry.causation_id) or "a command" for entry in story.entries
        ],
        "absorbed by": [", ".join(entry.absorbed_by) for entry in story.entries],
        "waits for": [", ".join(entry.waits_for) for entry in story.entries],
        "attempts": [_attempts(entry) for entry in story.entries],
        "duplicates": [None if entry.duplicates is None else sum(entry.duplicates.values()) for entry in story.entries],
    }
    if archive:
        columns["archived"] = ["yes" if entry.archived else "no" for entry in story.entries]
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    say(f"order {order_id}")
    say_table(list(shown), [list(row) for row in zip(*shown.values(), strict=True)])
    if story.waits_for:
        say(f"not absorbed yet: {', '.join(story.waits_for)}")
    if doors.logs is None:
        note("duplicates are in the functions' logs only; these are not on this machine")


@app.command(epilog=CODES)
@operation
def trace(
    doors: Doors,
    order_id: OrderId,
    calls: Annotated[
        bool, typer.Option("--calls", help="Show calls of the store and of external systems, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show an order's trace as a waterfall: the request, each event, each delivery and what came of it, with times."""
    found = trace_of(doors, order_id)
    if as_json:
        say_json(found)
        return
    shown = [(depth, node) for depth, node in found.walk() if calls or node.kind != "client" or node.error]
    say(f"order {order_id}, trace {found.trace_id}: {found.took_ms:.0f} ms")
    say_table(
        ["service", "span", "at, ms", "took, ms", f"0 to {found.took_ms:.0f} ms", "outcome"],
        [
            [
                node.service,
                f"{'  ' * depth}{node.name}",
                round(node.began_ms, 1),
                round(node.took_ms, 1),
                _bar(node, found.took_ms),
                node.outcome,
            ]
            for depth, node in shown
        ],
    )
    if any(node.missing for _, node in found.walk()):
        note("a lost span is of a process that was killed before it could send it")


def _bar(node: Node, whole_ms: float, width: int = 30) -> str:
    """Where on the whole's time a span lies."""
    scale = width / max(whole_ms, 0.001)
    start = min(int(node.began_ms * scale), width - 1)
    return " " * start + "█" * max(1, round(node.took_ms * scale))


@app.command("stuck", epilog=CODES)
@operation
def stuck_(doors: Doors, as_json: AsJson = False) -> None:
    """Show orders that stand still: past their deadline, not closed, and what from whom they wait for."""
    found = ops.list_stuck(doors)
    if as_json:
        say_json(found)
        return
    say_table(
        ["order", "status", "deadline", "waits for", "of", "which is", "last error"],
        [
            [
                order.order_id,
                order.status,
                rfc3339(order.deadline),
                " or ".join(awaited.kinds),
                awaited.service,
                awaited.status,
                awaited.error,
            ]
            for order in found
            for awaited in order.awaits or (Awaited("sweeper", ("the next sweep",), None, None),)
        ],
    )
    say(f"{counted(len(found), 'order')} past the deadline and not closed")
    if found:
        note(f"dead letters about one: orderflow dlq list --cloud {doors.cloud} --target {doors.target} --order ID")


def _attempts(entry: Entry) -> str:
    failed = {service: each for service, each in entry.attempts.items() if each.count}
    return "; ".join(f"{service} {each.count}: {each.last_error[:60]}" for service, each in failed.items())


def _lines(given: list[str]) -> dict[str, int]:
    lines: dict[str, int] = {}
    for text in given:
        sku, _, units = text.partition("=")
        if not sku or not units.isdecimal():
            raise CannotDo(f"{text!r} is no line", "write --line CUP=2", Exit.USAGE)
        lines[sku] = lines.get(sku, 0) + int(units)
    return lines
