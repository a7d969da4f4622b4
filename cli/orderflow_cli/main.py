"""The `orderflow` command: one subcommand a task, each with its help.

Exit codes: 0 done; 1 a promise was broken or a check failed; 2 wrong usage; 3 something is missing on this machine;
130 interrupted.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from orderflow_cli import commands, deploy
from orderflow_cli.contracts import commands as contracts
from orderflow_cli.cost import commands as cost
from orderflow_cli.docs import commands as docs
from orderflow_cli.examples import Examples
from orderflow_cli.new import commands as new
from orderflow_cli.panels import arrange
from orderflow_local.fleet import CLOUDS

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="One event-driven order workflow, run unchanged on AWS, Azure and Google Cloud.",
)

deploy.add_to(app)
commands.add_to(app)
contracts.add_to(app)
cost.add_to(app)
docs.add_to(app)
new.add_to(app)

MISSING = 3

Clouds = Annotated[
    list[str] | None, typer.Option("--cloud", help="Cloud to run on: aws, azure or gcp; repeat it for several. [all]")
]
State = Annotated[
    Path | None, typer.Option("--state", help="Folder to keep state and logs in. [a temporary one, removed at the end]")
]


@app.command()
def demo(
    cloud: Clouds = None,
    orders: Annotated[int, typer.Option(min=1, max=10_000, help="Orders to place on each cloud.")] = 100,
    seed: Annotated[int | None, typer.Option(help="Seed of the orders; the same seed, the same orders.")] = None,
    input_file: Annotated[
        Path | None,
        typer.Option(
            "--input", exists=True, dir_okay=False, help="Place the orders of this file of JSON lines instead."
        ),
    ] = None,
    kill_hosts: Annotated[
        bool, typer.Option("--kill-hosts", help="Kill a function host of each cloud every two seconds meanwhile.")
    ] = False,
    state: State = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run the workflow on the clouds' own entrypoints on this machine, check every promise, and compare.

    Places varied orders through HTTP: ordinary, high-value, refused cards, out of stock, cancelled, sent twice, a
    poison message. Waits until every saga has ended, checks the invariants I1 to I6, prints a table, and stops
    everything. Exits with 0 only if every invariant holds on every cloud."""
    from orderflow_cli import demo as demonstration
    from orderflow_cli.workload import generate, read_file

    seed = random.randrange(1_000_000) if seed is None else seed  # noqa: S311  it is shown, not secret
    refused: list[str] = []
    if input_file is None:
        workload = generate(orders, seed)
    else:
        workload, refused = read_file(input_file, seed)
    errors = Console(stderr=True, highlight=False)
    for line in refused:
        errors.print(f"[yellow]{input_file}: {line}[/]")
    options = demonstration.Options(_chosen(cloud), workload, seed, state, input_file is None, kill_hosts)
    results = _guarded(lambda: demonstration.run(options))
    if as_json:
        print(
            json.dumps({**demonstration.as_json(results, seed), "refused_lines": refused}, indent=2, ensure_ascii=False)
        )
    else:
        demonstration.show(results)
        print(f"seed {seed}")
    raise typer.Exit(0 if all(result.good for result in results) else 1)


@app.command()
def up(
    cloud: Clouds = None,
    example: Examples = None,
    state: State = None,
    traces: Annotated[
        bool, typer.Option("--traces/--no-traces", help="Collect the functions' traces: orderflow orders trace.")
    ] = True,
) -> None:
    """Start the clouds on this machine and keep them running until Ctrl-C, with their addresses and a control room."""
    from orderflow_cli.demo import TITLES
    from orderflow_cli.room.serve import serving
    from orderflow_cli.room.site import sites_of
    from orderflow_cli.shop import open_shop
    from orderflow_cli.workload import PEOPLE, generate
    from orderflow_local.fleet import Fleet
    from orderflow_local.running import announced

    console = Console(highlight=False)

    def serve() -> None:
        with Fleet(_chosen(cloud), state=state, traces=traces) as fleet:
            fleet.start(lambda name, line: console.print(f"[dim]{TITLES[name]}: {line}[/]"))
            world = generate(1, 1)

            def fill(name: str) -> None:
                if not open_shop(fleet.ports(name), fleet.clouds[name].api_url, fleet.token, world):
                    console.print(f"[yellow]{TITLES[name]}: the goods are still on their way to the shelves[/]")

            with ThreadPoolExecutor(len(fleet.names)) as pool:
                list(pool.map(fill, fleet.names))
            console.print(f"state and logs: {fleet.workdir}")
            for name, running in fleet.clouds.items():
                console.print(f"[bold]{TITLES[name]}[/]: {running.api_url}")
            customer = PEOPLE[0].id
            issuer = f"{fleet.issuer.url}/token?sub={customer}&aud=orderflow-api"
            api = next(iter(fleet.clouds.values())).api_url
            console.print("Place an order:")
            print(
                f"  curl -sS {api}/orders -H \"authorization: Bearer $(curl -sS '{issuer}')\" "
                '-d \'{"lines": [{"sku": "CUP", "quantity": 2}], "payment_token": "tok_visa"}\''
            )
            print(
                f"  orderflow orders place --cloud {next(iter(fleet.clouds))} --customer {customer} --line CUP=2 --wait"
            )
            with announced(fleet, Path.cwd()), serving(sites_of(fleet, TITLES)) as room:
                console.print("[bold]Control room[/] (whoever has the whole address may change things):")
                print(f"  {room}", flush=True)
                console.print("Ctrl-C stops everything.")
                threading.Event().wait()

    _guarded(serve)


@app.command()
def example(
    name: Annotated[str, typer.Argument(help="The example: a folder of examples/, such as product-media.")],
    cloud: Clouds = None,
    state: State = None,
) -> None:
    """Run a worked example: start the clouds with its services, drive it through their doors, and say what is seen.

    Exits with 0 only if what the example promises happened on every cloud."""
    from orderflow_cli import examples
    from orderflow_cli.demo import TITLES
    from orderflow_cli.ops.doors import of_fleet
    from orderflow_local.fleet import Fleet

    examples.chosen([name])
    console = Console(highlight=False)

    def play() -> None:
        with Fleet(_chosen(cloud), state=state) as fleet:
            fleet.start(lambda cloud_name, line: console.print(f"[dim]{TITLES[cloud_name]}: {line}[/]"))
            for each in fleet.names:
                console.print(f"[bold]{TITLES[each]}[/]")
                for line in examples.tell(name, of_fleet(fleet, each)):
                    print(f"  {line}", flush=True)

    _guarded(play)


@app.command()
def topology(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail if the file is not current.")] = False,
    path: Annotated[Path, typer.Option(help="The file.")] = Path("topology.json"),
    example: Examples = None,
) -> None:
    """Write topology.json from the services' declarations, or check that it is current."""
    from orderflow.topology import BadDeclaration, dumps

    try:
        text = dumps()
    except BadDeclaration as error:
        print(f"orderflow: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    if check:
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path} is not current: run `orderflow topology`", file=sys.stderr)
            raise typer.Exit(1)
        return
    path.write_text(text, encoding="utf-8")


@app.command()
def package(
    cloud: Clouds = None,
    out: Annotated[Path, typer.Option(help="Folder for the zips.")] = Path("dist"),
    relock: Annotated[
        bool, typer.Option("--lock", help="Take the project's locked versions into the packages' locks.")
    ] = False,
    telemetry: Annotated[
        bool, typer.Option("--telemetry", help="With OpenTelemetry, as deploy does where an environment has it on.")
    ] = False,
    example: Examples = None,
) -> None:
    """Make the function packages: reproducible zips with hash-checked dependencies for the cloud's platform."""
    from orderflow_cli import package as packaging

    table = Table("cloud", Column("file", overflow="fold"), "zip", "unpacked", "files", "sha256")
    for each in _chosen(cloud):
        try:
            if relock:
                packaging.lock(each, Path.cwd())
            for name in packaging.names(each):
                made = packaging.build(name, Path.cwd(), out / f"{name}.zip", telemetry=telemetry)
                sizes = (f"{made.size / 1e6:.1f} MB", f"{made.unpacked / 1e6:.1f} MB", str(made.files))
                table.add_row(each, str(made.path), *sizes, made.sha256[:16])
        except packaging.PackageFailed as error:
            print(f"orderflow: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
    Console(highlight=False).print(table)


def _chosen(clouds: list[str] | None) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(clouds or CLOUDS))
    for name in chosen:
        if name not in CLOUDS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(CLOUDS)}", param_hint="--cloud")
    return chosen


def _guarded(work: Any) -> Any:
    """Run what starts processes; say in one line what is missing or went wrong, and end cleanly on a signal."""
    from orderflow_cli.cloud_run import Stuck
    from orderflow_cli.examples import Broken
    from orderflow_local.cloud import Missing
    from orderflow_local.processes import StartFailed

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        return work()
    except Missing as error:
        print(f"orderflow: {error}", file=sys.stderr)
        raise typer.Exit(MISSING) from None
    except (StartFailed, Stuck, Broken) as error:
        print(f"orderflow: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        print("orderflow: stopped", file=sys.stderr)
        raise typer.Exit(130) from None


arrange(app)

if __name__ == "__main__":
    app()
