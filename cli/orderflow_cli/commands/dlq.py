"""``orderflow dlq``: list, show, redrive, discard."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

from orderflow_cli.asking import Approve, ask
from orderflow_cli.commands.common import (
    CODES,
    AsJson,
    DryRun,
    Rate,
    age,
    counted,
    note,
    operation,
    progress,
    say,
    say_json,
    say_table,
)
from orderflow_cli.hints import Exit
from orderflow_cli.ops import letters as ops
from orderflow_cli.ops.doors import CannotDo, Doors
from orderflow_cli.ops.letters import Choice, Handled, Letter, Verb

app = typer.Typer(no_args_is_help=True, help="Dead letters: messages that a service gave up on, and why.")

ServiceName = Annotated[str | None, typer.Option("--service", help="Of this service. [all]")]
Reason = Annotated[str | None, typer.Option("--reason", help="Given up for this reason, such as malformed.")]
Ids = Annotated[list[str] | None, typer.Option("--id", help="This one (or what its id begins with); may be repeated.")]
OrderId = Annotated[str | None, typer.Option("--order", help="About this order.")]
OlderThan = Annotated[
    float | None, typer.Option("--older-than", parser=age, metavar="AGE", help="Given up longer ago: 90s, 2h, 7d.")
]
YoungerThan = Annotated[
    float | None, typer.Option("--younger-than", parser=age, metavar="AGE", help="Given up less long ago.")
]
All = Annotated[bool, typer.Option("--all", help="All of them, where nothing else is chosen.")]


@app.command("list", epilog=CODES)
@operation
def list_(
    doors: Doors,
    service: ServiceName = None,
    reason: Reason = None,
    id_: Ids = None,
    order: OrderId = None,
    older_than: OlderThan = None,
    younger_than: YoungerThan = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, oldest first. Looking takes none."""
    choice = Choice(service, reason, tuple(id_ or ()), order, older_than, younger_than)
    letters = ops.look(doors, choice)
    if as_json:
        say_json([summary(letter) for letter in letters])
        return
    say_table(
        ["id", "service", "event", "order", "reason", "detail", "attempts", "given up"],
        [
            [
                letter.letter_id,
                letter.service,
                letter.kind,
                letter.order_id,
                letter.reason,
                letter.detail[:80],
                letter.attempts,
                letter.last_at,
            ]
            for letter in letters
        ],
    )
    say(counted(len(letters), "dead letter"))


@app.command(epilog=CODES)
@operation
def show(
    doors: Doors,
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The letter's id, or what it begins with.")],
    service: ServiceName = None,
    as_json: AsJson = False,
) -> None:
    """Show dead letters in full, with the message as it came."""
    found = ops.look(doors, Choice(service, ids=(letter_id,)))
    if not found:
        raise CannotDo(f"no dead letter's id begins with {letter_id}", f"orderflow dlq list --cloud {doors.cloud}")
    shown = [
        {**summary(letter), "attributes": dict(letter.raw.attributes), "message": letter.payload()} for letter in found
    ]
    if as_json:
        say_json(shown)
        return
    for letter in shown:
        message = letter.pop("message")
        for name, value in letter.items():
            say(f"{name:<10} {value}")
        say(message if isinstance(message, str) else json.dumps(message, indent=2, ensure_ascii=False))
        say()


@app.command(epilog=CODES)
@operation
def redrive(
    doors: Doors,
    service: ServiceName = None,
    reason: Reason = None,
    id_: Ids = None,
    order: OrderId = None,
    older_than: OlderThan = None,
    younger_than: YoungerThan = None,
    everything: All = False,
    rate: Rate = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Hand dead letters to their service again, with all their attempts. Nobody else hears them."""
    choice = _given(Choice(service, reason, tuple(id_ or ()), order, older_than, younger_than), everything)
    _handle(doors, "redrive", choice, rate, dry_run, as_json)


@app.command(epilog=CODES)
@operation
def discard(
    doors: Doors,
    service: ServiceName = None,
    reason: Reason = None,
    id_: Ids = None,
    order: OrderId = None,
    older_than: OlderThan = None,
    younger_than: YoungerThan = None,
    everything: All = False,
    rate: Rate = None,
    dry_run: DryRun = False,
    approved: Approve = False,
    as_json: AsJson = False,
) -> None:
    """Throw dead letters away. What an order still waits for is kept, and said."""
    choice = _given(Choice(service, reason, tuple(id_ or ()), order, older_than, younger_than), everything)
    _handle(
        doors,
        "discard",
        choice,
        rate,
        dry_run,
        as_json,
        lambda count: ask(f"Throw {counted(count, 'dead letter')} away?", approved),
    )


def summary(letter: Letter) -> dict[str, Any]:
    """A letter without its message."""
    names = ("letter_id", "service", "kind", "order_id", "reason", "detail", "attempts", "first_at", "last_at")
    return {name.removeprefix("letter_"): getattr(letter, name) for name in names}


def _given(choice: Choice, everything: bool) -> Choice:
    if choice == Choice() and not everything:
        raise CannotDo("which dead letters?", "choose by --service, --reason, --id ..., or pass --all", Exit.USAGE)
    return choice


def _handle(
    doors: Doors,
    verb: Verb,
    choice: Choice,
    rate: float | None,
    dry_run: bool,
    as_json: bool,
    agree: Callable[[int], None] = lambda count: None,
) -> None:
    letters = ops.look(doors, choice)
    if dry_run:
        note(f"{verb}: nothing was changed")
        _tell(verb, [Handled(letter, None) for letter in letters], as_json, would=True)
        return
    if letters:
        agree(len(letters))
    done: list[Handled] = []
    try:
        with progress(verb, len(letters)) as advance:
            done.extend(ops.handle(doors, verb, letters, per_second=rate, advance=advance))
    finally:  # Also when it is interrupted: what was done is done.
        _tell(verb, done, as_json)
    if any(handled.left for handled in done):
        raise CannotDo("some were left as they are: the list says why")


def _tell(verb: Verb, done: list[Handled], as_json: bool, *, would: bool = False) -> None:
    if as_json:
        outcome = f"would {verb}" if would else f"{verb}ed".replace("ee", "e")
        say_json([{**summary(each.letter), "outcome": each.left or outcome} for each in done])
        return
    for (service, reason), count in ops.by_service(each.letter for each in done if not each.left).items():
        say(f"{service}: {'would ' if would else ''}{verb} {count} ({reason})")
    for each in done:
        if each.left:
            say(f"{each.letter.service}: {each.letter.letter_id} left: {each.left}")
    if not done:
        say("no dead letters of that kind")
