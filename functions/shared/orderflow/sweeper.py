"""The sweeper: looks at open orders that are due, cancels those past their deadline, and publishes again what every
other one has emitted. A caller that died between commit and publish left nothing else undone, and duplicates heal the
chain downstream. Intervals double up to a cap; an order that keeps coming back is one that stands still (`orders
stuck`)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orderflow import log
from orderflow.ports import Conflict, Page, Stored, Unavailable
from orderflow.processing import Shell
from orderflow.record import Cause, envelopes, load
from orderflow.redact import said
from orderflow.services.order import SERVICE, Order, cancel, due_sort
from orderflow.steps import Query, Steps

BATCH = 50


@dataclass(slots=True)
class Swept:
    """What a sweep did: orders looked at, cancelled, published again, and left for the next sweep."""

    looked_at: int = 0
    expired: int = 0
    republished: int = 0
    failed: int = 0


def sweep(shell: Shell) -> Steps[Swept]:
    """Look at every due order once."""
    swept = Swept()
    for shard in range(shell.settings.sweep_shards):
        cursor: str | None = None
        while True:
            through = due_sort(shell.clock.now())
            page: Page = yield Query("orders", "due", f"due-{shard}", through=through, limit=BATCH, cursor=cursor)
            for key, stored in page.items:
                yield from _look_at(shell, key, stored, swept)
            cursor = page.cursor
            if cursor is None:
                break
    log.write(
        "INFO",
        "swept",
        looked_at=swept.looked_at,
        expired=swept.expired,
        republished=swept.republished,
        failed=swept.failed,
    )
    return swept


def _look_at(shell: Shell, key: str, stored: Stored, swept: Swept) -> Steps[None]:
    swept.looked_at += 1
    now = shell.clock.now()
    try:
        record = load(SERVICE, stored)
        assert record.state is not None
        if record.state.status == "pending" and record.state.expires_at <= now:
            cause = Cause(f"{record.state.order_id}.expire", "expire", record.state.order_id, record.trace)
            decision = cancel(record.state, "deadline: not confirmed in time", now)
            emitted = envelopes("order", cause, decision.emit, now)
            record = yield from shell.commit(SERVICE, key, record.absorbing(decision.state, cause, emitted))
            swept.expired += 1
        yield from shell.publish(record.emitted())
        assert record.state is not None
        yield from shell.commit(SERVICE, key, replace(record, state=_later(record.state, shell, now)))
        swept.republished += 1
    except Conflict:
        return  # Somebody moved the order on: it is not standing still.
    except Exception as error:  # One order that cannot be swept must not keep the others from it.
        swept.failed += 1
        level = "WARNING" if isinstance(error, Unavailable) else "ERROR"
        log.write(level, "sweep failed", subject=key, reason=said(error))


def _later(order: Order, shell: Shell, now: float) -> Order:
    settings = shell.settings
    interval = min(settings.sweep_cap, settings.sweep_after * 2.0 ** min(order.sweeps + 1, 20))
    return order.model_copy(update={"sweeps": order.sweeps + 1, "due_at": now + interval})
