"""``POST /webhooks/stripe``: what the gateway tells by itself of an order's payment is noted in the order's document.

A fact is absorbed by the gateway's id of the refund or the dispute, so that it has its effect once, however often and
in whatever order the gateway tells it. No event comes of it: nobody but an operator can act on it."""

from __future__ import annotations

from orderflow import log
from orderflow.api import Problem, Reply
from orderflow.http import Request
from orderflow.keys import safe_key
from orderflow.ports import Conflict, Stored
from orderflow.processing import Shell
from orderflow.record import Cause, load
from orderflow.services.order import SERVICE, told
from orderflow.steps import Ask, Get, Steps

_LEVELS = {"refund-failed": "ERROR", "dispute-opened": "WARNING"}


def hear(shell: Shell, request: Request) -> Steps[Reply]:
    """Answer the gateway. Any 2xx ends its telling; it repeats what got another answer. Raises `Problem`,
    `Unavailable`."""
    notice = yield Ask("webhook", "notice", {"headers": request.headers, "body": request.body})
    if notice["status"] == "refused":
        raise Problem(400, "bad-webhook", notice["reason"])
    if notice["status"] == "ignored":
        return 200, {"status": "ignored"}, {}
    fact, order_id, reference = notice["fact"], notice["order_id"], notice["reference"]
    cause = Cause(f"{order_id}.{fact}.{reference}", fact, order_id)
    fields = {"order_id": order_id, "reference": reference, "reason": notice["reason"]}
    for _ in range(shell.settings.conflict_tries):
        stored: Stored | None = yield Get(SERVICE.collection, safe_key(order_id))
        record = load(SERVICE, stored)
        if record.state is None:
            # Another environment's with the same account, or one that was erased.
            log.write("WARNING", f"{fact}, of an order that is not here", **fields)
            return 200, {"status": "ignored"}, {}
        if cause.id not in record.absorbed:
            # Before the commit: after a crash in between the gateway tells it again, and this line must not be lost.
            log.write(_LEVELS[fact], fact, **fields)
            noted = told(record.state, fact, reference, shell.clock.now())
            try:
                yield from shell.commit(SERVICE, safe_key(order_id), record.absorbing(noted, cause, ()))
            except Conflict:
                continue
        return 200, {"status": "noted"}, {}
    raise Problem(409, "busy", "the order is being changed; tell it again")
