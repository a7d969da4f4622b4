"""What every operations command has in common: which cloud, how its answer is shown, and how an error is said.

Answers go to standard output, everything else (progress, questions, what the shell logs) to standard error, so that
``--json`` can be piped."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import sys
import typing
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, TextIO

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from orderflow.ports import Unavailable
from orderflow.settings import BadSetting
from orderflow_cli.hints import Exit, sdk_hint
from orderflow_cli.ops import selection
from orderflow_cli.ops.doors import TARGETS, CannotDo, Doors, open_deployed, open_local
from orderflow_cli.terraform import ENVIRONMENTS, TerraformFailed
from orderflow_local.fleet import CLOUDS

CODES = (
    "Exit codes: 0 done; 1 refused, not found, or a check failed; 2 wrong usage; 3 something is missing on "
    "this machine; 4 not signed in; 130 interrupted."
)
_WIDE = 200
"""Columns of a table that no terminal shows: wide enough for one line a row."""

_out: ContextVar[TextIO] = ContextVar("out")


def _one_of(values: tuple[str, ...]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in values:
            raise typer.BadParameter(f"{value!r} is none of {', '.join(values)}")
        return value

    return check


def _parsed(parse: Callable[[str], float]) -> Callable[[str], float]:
    def check(text: str) -> float:
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return check


Cloud = Annotated[str, typer.Option("--cloud", help="aws, azure or gcp.", callback=_one_of(CLOUDS))]
Target = Annotated[
    str,
    typer.Option("--target", help="local (what orderflow up runs here) or deployed.", callback=_one_of(TARGETS)),
]
Environment = Annotated[
    str, typer.Option("--env", help="Of a deployed target: dev, staging or prod.", callback=_one_of(ENVIRONMENTS))
]
Outputs = Annotated[
    Path | None,
    typer.Option(
        "--outputs", exists=True, dir_okay=False, help="Of a deployed target: its outputs as JSON. [Terraform is asked]"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done; change nothing.")]
Rate = Annotated[float | None, typer.Option("--rate", min=0.01, help="So many a second at most. [no limit]")]
Since = Annotated[
    float | None,
    typer.Option(
        "--since",
        parser=_parsed(selection.moment),
        metavar="TIME",
        help="From 2026-11-21, 2026-11-21T18:30Z or 2h ago.",
    ),
]
Until = Annotated[
    float | None,
    typer.Option("--until", parser=_parsed(selection.moment), metavar="TIME", help="Until before that time. [now]"),
]
age = _parsed(selection.seconds)


def operation(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose first parameter is the `Doors` of the cloud that its options choose: adds these options, opens
    the doors, and says every error in a line with what to do about it."""

    @functools.wraps(command)
    def run(*, cloud: str, target: str, environment: str, outputs: Path | None, **options: Any) -> None:
        with said_plainly(cloud):
            command(open_doors(cloud, target, environment, outputs), **options)

    hints = typing.get_type_hints(command, include_extras=True)
    own = list(inspect.signature(command).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        *(each.replace(annotation=hints[each.name], kind=keyword) for each in own),
        inspect.Parameter("cloud", keyword, annotation=Cloud),
        inspect.Parameter("target", keyword, annotation=Target, default="local"),
        inspect.Parameter("environment", keyword, annotation=Environment, default="dev"),
        inspect.Parameter("outputs", keyword, annotation=Outputs, default=None),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def open_doors(cloud: str, target: str, environment: str, outputs: Path | None) -> Doors:
    """The doors that a command's options name. Raises `CannotDo`, `TerraformFailed`."""
    if target == "local":
        return open_local(cloud, Path.cwd())
    return open_deployed(cloud, environment, Path.cwd(), outputs)


@contextlib.contextmanager
def said_plainly(cloud: str) -> Iterator[None]:
    """Turn what a block raises into a message and an exit code. Meanwhile what the shell logs goes to standard
    error."""
    token = _out.set(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except CannotDo as error:
        fail(str(error), error.hint, error.code)
    except Unavailable as error:
        hint = sdk_hint(str(error), cloud)
        fail(str(error), hint, Exit.SIGN_IN if hint.startswith("sign in") else Exit.FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        words = f"{where}{error.strerror or error}"
        fail(words, "" if where else sdk_hint(f"{type(error).__name__}: {error}", cloud))
    except httpx.HTTPError as error:
        words = f"{type(error).__name__}: {error}"
        fail(words, sdk_hint(words, cloud))
    except (TerraformFailed, BadSetting) as error:
        fail(str(error), code=getattr(error, "code", Exit.FAILED))
    except KeyboardInterrupt:
        fail("stopped", code=Exit.INTERRUPTED)
    finally:
        _out.reset(token)


def fail(message: str, hint: str = "", code: Exit = Exit.FAILED) -> NoReturn:
    """End the command with a message, what to do, and an exit code."""
    print(f"orderflow: {message}", file=sys.stderr)
    if hint:
        print(f"-> {hint}", file=sys.stderr)
    raise typer.Exit(code)


def say(text: str = "") -> None:
    """Print a line of the answer."""
    print(text, file=_out.get())


def counted(number: int, thing: str) -> str:
    """So many things: ``1 order``, ``2 orders``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def note(text: str) -> None:
    """Print a line that is no part of the answer."""
    print(text, file=sys.stderr)


def say_json(value: Any) -> None:
    """Print the answer as JSON; dataclasses as objects."""
    say(json.dumps(value, indent=2, ensure_ascii=False, default=_jsonable))


def say_table(columns: list[str], rows: list[list[Any]]) -> None:
    """Print rows, nothing where there are none; ``-`` for a figure that is not known. Numbers stand right."""
    if not rows:
        return
    out = _out.get()
    table = Table(header_style="bold")
    for number, name in enumerate(columns):
        counts = any(isinstance(row[number], int | float) for row in rows)
        table.add_column(name, justify="right" if counts else "left", overflow="fold")
    for row in rows:
        table.add_row(*("-" if value is None else escape(str(value)) for value in row))
    Console(file=out, highlight=False, width=None if out.isatty() else _WIDE).print(table)


@contextlib.contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar for the length of a block, on a terminal only; call it with how many are done."""
    console = Console(stderr=True)
    count = TextColumn("{task.completed:.0f}" if total is None else "{task.completed:.0f}/{task.total:.0f}")
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        count,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        task = bars.add_task(title, total=total)
        yield lambda done: bars.update(task, completed=done)


def _jsonable(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
