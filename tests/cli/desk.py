"""An operator's desk over the laboratory: doors to a workflow in memory, archived when a test says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orderflow import archive
from orderflow_cli.ops.doors import Doors
from orderflow_cli.ops.queues import QueueFigures
from unit.support import Lab


@dataclass
class NoQueues:
    """Queues that are all empty; ``dead`` are dead letters by service."""

    dead: dict[str, int] = field(default_factory=dict)
    untold: Mapping[str, str] = field(default_factory=dict)

    def figures(self, service: str) -> QueueFigures:
        """Nothing waits."""
        return QueueFigures(service, 0, 0, 0.0, self.dead.get(service, 0))


def desk(lab: Lab, *, logs: list[dict[str, Any]] | None = None, **environ: str) -> Doors:
    """Doors to a laboratory."""
    return Doors(
        cloud="aws",
        target="local",
        api_url="http://127.0.0.1:1",
        ports=lab.ports,
        environ=environ,
        sign_in=lambda customer: f"token of {customer}",
        queues=NoQueues(),
        logs=None if logs is None else lambda: logs,
    )


def archive_all(lab: Lab, *, but: tuple[str, ...] = ()) -> None:
    """Archive everything that was published, as it was published; events of the kinds ``but`` get lost."""
    bodies = [event.to_bytes() for event in lab.broker.published if event.kind not in but]
    lab.archive.put(archive.object_name(lab.clock.now(), "batch"), archive.lines(bodies))


def day_of(lab: Lab) -> tuple[float, float]:
    """A range of time in which everything in the laboratory has happened."""
    return lab.clock.now() - 86_400, lab.clock.now() + 1


def shipped(lab: Lab, order_id: str = "o-1", **more: Any) -> None:
    """An order's whole story, to its end."""
    if lab.document("customers", "zoe") is None:
        lab.customer()
        lab.load_file("stock/one.csv", b"sku,quantity\nCUP,100\n")
    lab.place(order_id, **more)
    lab.run_to_rest()
