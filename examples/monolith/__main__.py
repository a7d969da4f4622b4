"""The steps as commands. Those from `compare` on look into orderflow through the operator's doors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from orderflow_cli.commands.common import operation, say
from orderflow_cli.ops.archived import read_archive
from orderflow_cli.ops.doors import CannotDo, Doors

from .handover import QuietShop
from .outbox import TellingShop
from .shadow import compare as compared
from .shop import Shop

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A monolith and its migration.")
Database = Annotated[Path, typer.Argument(help="The monolith's SQLite file; made if it is not there.")]
ORDERS: dict[str, tuple[str, dict[str, int]]] = {
    "1": ("amy", {"CUP": 2}),
    "2": ("ben", {"POT": 11}),
    "3": ("cyd", {"CUP": 1, "POT": 1}),
}
_DAY_S = 86_400


def _orders(shop: Shop, step: str) -> None:
    for number, (customer, lines) in ORDERS.items():
        shop.place(f"{step}-{number}", customer, lines)
    for order, template, channel in shop.messages():
        print(f"{order}  {template}  {channel}")


def _placing(step: str, make: Callable[[Path], Shop], words: str) -> None:
    @app.command(step, help=words)
    def place(database: Database) -> None:
        _orders(make(database), step)


_placing("step0", Shop, "The monolith alone takes three orders.")
_placing("step1", TellingShop, "It takes three more, and writes into its outbox what happened.")
_placing("step3", QuietShop, "It takes three more, and leaves the messages to orderflow.")


@app.command()
@operation
def compare(doors: Doors, database: Database) -> None:
    """Step 2: what the monolith said, beside what orderflow would say. Fails where they differ."""
    found = compared(TellingShop(database), doors)
    for who, messages in (("monolith", found.monolith_only), ("orderflow", found.orderflow_only)):
        for order, template, channel in messages:
            say(f"{who} only: {order}  {template}  {channel}")
    say(f"{len(found.both)} messages alike")
    if found.monolith_only or found.orderflow_only:
        raise CannotDo("the two do not say the same")


@app.command()
@operation
def contacts(doors: Doors) -> None:
    """Step 3: give orderflow the customers' addresses. From then on it sends."""
    for customer, _ in ORDERS.values():
        body: dict[str, Any] = {
            "name": customer.title(),
            "email": f"{customer}@example.com",
            "sms": "+15550100",
            "address": {"street": "High Street 1", "city": "Springfield", "postcode": "12345", "country": "US"},
        }
        with doors.client(customer) as client:
            answer = client.put("/customers/me", json=body)
        if not answer.is_success:
            raise CannotDo(f"{customer}: {answer.status_code} {answer.text[:300]}")
        say(f"{customer} can be written to")


@app.command()
@operation
def hear(doors: Doors, database: Database) -> None:
    """Step 3: take in what orderflow said in the last day, from its archive. Run it as often as you like."""
    shop, now = QuietShop(database), doors.ports.clock.now()
    new = shop.hear(event.whole for event in read_archive(doors, now - _DAY_S, now + 1))
    say(f"{new} messages were new")


if __name__ == "__main__":
    app()
