"""``orderflow cost``: what a month of orders costs on each cloud, side by side."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from orderflow_local.fleet import CLOUDS

WRONG = 2


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(cost)


def cost(
    orders_per_month: Annotated[float, typer.Option(min=1, help="Orders a month, such as 1e6.")] = 1e6,
    region: Annotated[
        str | None, typer.Option(help="Region that the prices must be of; another than the table's is refused.")
    ] = None,
    cloud: Annotated[list[str] | None, typer.Option("--cloud", help="aws, azure or gcp; repeat it. [all]")] = None,
    path: Annotated[
        str, typer.Option(help="How the orders end: shipped, out-of-stock, payment-refused or cancelled.")
    ] = "shipped",
    message_ms: Annotated[
        float | None, typer.Option(min=0, help="Processor time of a message, in ms. [as `make bench` measured it]")
    ] = None,
    call_ms: Annotated[
        float | None, typer.Option(min=0, help="A round trip to the store or the broker, in ms. [10, an assumption]")
    ] = None,
    free_tier: Annotated[bool, typer.Option(help="Take off what is free each month.")] = False,
    plot: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the curves over orders a month there, as SVG.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every line with its price's source as JSON.")] = False,
) -> None:
    """Estimate what a month of orders costs on each cloud, by part, from counted calls and dated prices.

    It asks no cloud. docs/cost.md says how it is reckoned and what is not in it."""
    from orderflow_cli.cost import model, prices
    from orderflow_cli.cost.counting import PATHS, count

    chosen = cloud or list(CLOUDS)
    try:
        table = prices.load(region)
        if path not in PATHS:
            raise prices.NotKnown(f"no path is named {path}; there are {', '.join(PATHS)}")
        if unknown := [name for name in chosen if name not in CLOUDS]:
            raise prices.NotKnown(f"no cloud is named {unknown[0]}; there are {', '.join(CLOUDS)}")
    except prices.NotKnown as error:
        print(f"orderflow: {error}", file=sys.stderr)
        raise typer.Exit(WRONG) from None
    inputs = model.Inputs(
        orders_per_month,
        message_ms=model.MESSAGE_MS if message_ms is None else message_ms,
        call_ms=model.CALL_MS if call_ms is None else call_ms,
        free_tier=free_tier,
    )
    counted = count(path)
    bills = [model.estimate(name, counted, inputs, table) for name in chosen]
    if plot is not None:
        from orderflow_cli.cost.curves import curves, svg

        plot.write_text(svg(curves(counted, inputs, table)), encoding="utf-8")
    if as_json:
        print(json.dumps(_document(bills, inputs, table), indent=2))
        return
    _show(bills, counted, inputs, table)


def _document(bills: list[Any], inputs: Any, table: Any) -> dict[str, Any]:
    return {
        "inputs": asdict(inputs),
        "prices_read": table.read,
        "regions": dict(table.regions),
        "clouds": {
            bill.cloud: {
                "usd_a_month": bill.total,
                "dominant": bill.dominant(),
                "unknown": bill.unknown(),
                "lines": [asdict(line) for line in bill.lines],
                "prices": {name: asdict(price) for name, price in table.by_cloud[bill.cloud].items()},
            }
            for bill in bills
        },
    }


def _show(bills: list[Any], counted: Any, inputs: Any, table: Any) -> None:
    from orderflow_cli.cost import text

    console = Console(highlight=False)
    shown = Table(title=f"{inputs.orders:,.0f} orders a month, US dollars")
    shown.add_column("")
    for bill in bills:
        shown.add_column(f"{bill.cloud}, {table.regions[bill.cloud]}", justify="right")
    for row in text.rows(bills):
        shown.add_row(*row)
    console.print(shown)
    for line in text.remarks(bills, counted, inputs, table):
        console.print(line, soft_wrap=True, markup=False)
