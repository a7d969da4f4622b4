"""From a checkout to a running deployment and back: package, plan, show, ask, apply, publish."""

from __future__ import annotations

import functools
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orderflow import services
from orderflow_cli import package as packaging
from orderflow_cli import publish as publishing
from orderflow_cli.asking import Approve, ask
from orderflow_cli.examples import Examples
from orderflow_cli.hints import CODES, Exit
from orderflow_cli.terraform import ENVIRONMENTS, Plan, Root, TerraformFailed
from orderflow_local.fleet import CLOUDS

Cloud = Annotated[str, typer.Option("--cloud", help="aws, azure or gcp.")]
Environment = Annotated[str, typer.Option("--env", help="dev, staging or prod.")]
LocalState = Annotated[
    bool, typer.Option("--local-state", help="Keep Terraform's state in .orderflow/ instead of the shared store.")
]


def add_to(app: typer.Typer) -> None:
    """Add the deployment commands to the `orderflow` command."""
    for command in (init, plan, deploy, outputs, destroy):
        app.command(epilog=CODES)(_said_plainly(command))


def _said_plainly(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with the errors of Terraform and of packaging as a message instead of a traceback."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except packaging.PackageFailed as error:
            print(f"orderflow: {error}", file=sys.stderr)
            missing = isinstance(error, packaging.CannotPackage)
            raise typer.Exit(Exit.MISSING if missing else Exit.FAILED) from None
        except (TerraformFailed, publishing.PublishFailed) as error:
            print(f"orderflow: {error}", file=sys.stderr)
            raise typer.Exit(error.code) from None
        except KeyboardInterrupt:
            print("orderflow: stopped; Terraform was not at work, so nothing is locked", file=sys.stderr)
            raise typer.Exit(Exit.INTERRUPTED) from None

    return run


def init(cloud: Cloud, environment: Environment = "dev", local_state: LocalState = False) -> None:
    """Fetch the Terraform providers and connect to an environment's state."""
    _root(cloud, environment, local_state).init()


def plan(
    cloud: Cloud,
    environment: Environment = "dev",
    local_state: LocalState = False,
    as_json: Annotated[Path | None, typer.Option("--json", help="Write the plan as JSON to this file.")] = None,
    example: Examples = None,
) -> None:
    """Show what a deployment would change, by service. Changes nothing."""
    root = _root(cloud, environment, local_state)
    made = _plan(root)
    _show(made)
    if as_json is not None:
        as_json.write_text(json.dumps(made.document, indent=2), encoding="utf-8")


def deploy(
    cloud: Cloud,
    environment: Environment = "dev",
    local_state: LocalState = False,
    approved: Approve = False,
    example: Examples = None,
) -> None:
    """Package the functions, plan, show the changes, ask, apply, publish the code, and print the addresses."""
    root = _root(cloud, environment, local_state)
    if cloud == "azure":
        publishing.check_tools()
    made = _plan(root)
    _show(made)
    if not made.empty:
        ask(f"Apply this to {cloud} {environment}?", approved)
        root.apply(made)
    if cloud == "azure":
        _publish(root.outputs())
    _show_outputs(root)
    print(f"\nLook at it again:  make outputs CLOUD={cloud} ENV={environment}")
    print(f"Take it down:      make destroy CLOUD={cloud} ENV={environment}")


def outputs(
    cloud: Cloud,
    environment: Environment = "dev",
    local_state: LocalState = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """Print the addresses and names of a deployment."""
    root = _root(cloud, environment, local_state)
    root.init()
    _show_outputs(root, as_json=as_json)


def destroy(
    cloud: Cloud,
    environment: Environment = "dev",
    local_state: LocalState = False,
    approved: Approve = False,
    example: Examples = None,
) -> None:
    """Take a deployment down, with everything that is stored in it."""
    root = _root(cloud, environment, local_state)
    root.init()
    made = root.plan(destroy=True, variables=_declared(root))
    _show(made)
    if made.empty:
        return
    ask(f"Delete all of {cloud} {environment}, its orders and its archive included?", approved)
    root.apply(made)


def _publish(outputs: dict[str, Any]) -> None:
    """Hand the package to every function app, also where the plan was empty: an earlier publication may have failed."""
    errors = Console(stderr=True, highlight=False)
    errors.print("Publishing the code ...")
    apps = outputs["functions"].values()
    publishing.publish(publishing.Group.of(outputs["topic"]), apps, _package("azure"), errors.print)


def _package(name: str) -> Path:
    return Path("dist") / f"{name}.zip"


def _plan(root: Root) -> Plan:
    errors = Console(stderr=True, highlight=False)
    telemetry = root.variable("telemetry") not in (None, "off")
    errors.print(f"Packaging the functions for {root.cloud}{' with telemetry' if telemetry else ''} ...")
    for name in packaging.names(root.cloud):
        made = packaging.build(name, Path.cwd(), _package(name), telemetry=telemetry)
        errors.print(f"{made.path}: {made.size / 1e6:.1f} MB")
    errors.print("Planning ...")
    root.init()
    return root.plan(variables=_declared(root))


def _declared(root: Root) -> dict[str, str]:
    """The declaration to plan with, where there are services beside those of topology.json."""
    if not services.PACKAGES:
        return {}
    from orderflow.topology import dumps

    file = root.work.resolve() / "topology.json"
    file.write_text(dumps(), encoding="utf-8")
    return {"topology_file": str(file)}


def _show(plan: Plan) -> None:
    console = Console(highlight=False)
    if plan.drift:
        more = f" and {len(plan.drift) - 10} more" if len(plan.drift) > 10 else ""
        console.print(f"[yellow]Changed outside of Terraform: {', '.join(map(escape, plan.drift[:10]))}{more}[/]")
        console.print("A deploy puts it back. To keep a change, write it into the configuration first.")
    if plan.empty:
        console.print("Nothing to change.")
        return
    actions = ("create", "update", "replace", "delete")
    table = Table("service", *actions)
    for service, counts in plan.changes.items():
        table.add_row(service or "(shared)", *(str(counts[action] or "") for action in actions))
    total = sum(plan.changes.values(), Counter[str]())
    table.add_section()
    table.add_row("total", *(str(total[action] or "") for action in actions))
    console.print(table)


def _show_outputs(root: Root, *, as_json: bool = False) -> None:
    found = root.outputs()
    if as_json:
        print(json.dumps(found, indent=2))
        return
    if not found:
        print(f"Nothing is deployed here yet: make deploy CLOUD={root.cloud} ENV={root.environment}", file=sys.stderr)
    for name in ("api_url", "dashboard_url", "drop_bucket", "archive_bucket", "topic"):
        if name in found:
            print(f"{name:<15} {found[name]}")


def _root(cloud: str, environment: str, local_state: bool) -> Root:
    if cloud not in CLOUDS:
        raise typer.BadParameter(f"{cloud!r} is none of {', '.join(CLOUDS)}", param_hint="--cloud")
    if environment not in ENVIRONMENTS:
        raise typer.BadParameter(f"{environment!r} is none of {', '.join(ENVIRONMENTS)}", param_hint="--env")
    return Root(Path.cwd(), cloud, environment, local_state=local_state)
