"""The functions: HTTP requests of Google Cloud in, the application's words inside, status codes out. No rule of ours
is here.

All are HTTP functions, the consumers too: a CloudEvent function sees neither the token nor the delivery attempt, and
can say no status.

Delivery semantics
    Pub/Sub pushes one message a request. 204 acknowledges it; anything but 102 and 2xx gives it back, to come again
    under the subscription's retry policy (cloud.google.com/pubsub/docs/push#receive_push). A message is given back with
    429 and the shell's delay in ``Retry-After``, which Pub/Sub does not read: 5xx is left for what goes wrong, so that
    an alarm on it means something. A crash answers 500, a kill nothing; both give the message back as well.
Ordering
    For a service that is ordered, Pub/Sub has one push of an ordering key under way at a time and goes on with the key
    when that was acknowledged (cloud.google.com/pubsub/docs/ordering); none otherwise.
Limits
    A pushed message must be answered within the subscription's ack deadline, 600 s at most.
Errors
    401 and 403 for a wrong token, 503 while the keys to check it with cannot be had.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING

from orderflow import log, topology
from orderflow.app import Request
from orderflow.ports import Unavailable
from orderflow.processing import Done, Outcome
from orderflow.services import SERVICES, find
from orderflow_gcp import wiring
from orderflow_gcp.push import Forbidden, NotConfigured, PushVerifier, Unauthenticated, delivery_of

if TYPE_CHECKING:
    import flask

Answer = tuple[bytes | str, int, dict[str, str]]
Function = Callable[["flask.Request"], Answer]

MARGIN_S = 2.0
"""Kept of a function's time for what follows the application."""


class UnknownTarget(Exception):
    """No function has this name."""


@cache
def target(name: str) -> Function:
    """The function that functions-framework serves as ``--target``: a service of the topology by its name, or
    ``consume`` for the one that ``ORDERFLOW_SERVICE`` names.

    Raises `UnknownTarget` for any other name, `NotConfigured` where pushes could not be verified, and what `wiring.app`
    raises where another setting is wrong: the process does not start.
    """
    service = _named_service() if name == "consume" else name
    function = _queue_consumer(service) if service in SERVICES else _declared(service)
    wiring.app()
    if "K_SERVICE" in os.environ:  # Cloud Run runs us.
        wiring.prepare()
    return function


def _queue_consumer(service: str) -> Function:
    return _verified(lambda body, deadline: consume(service, body, deadline), find(service).limits.timeout_s)


def _declared(service: str) -> Function:
    """A function that is no queue's consumer. The whole topology is only built for these: it imports every service."""
    declared = topology.build()["services"].get(service, {})
    match declared.get("trigger"):
        case "http":
            return api
        case "object":
            return _verified(load_file, declared["limits"]["timeout_s"])
        case "schedule":
            return _verified(sweep, declared["limits"]["timeout_s"])
    raise UnknownTarget(service)


def api(request: flask.Request) -> Answer:
    """HTTP API."""
    response = wiring.app().respond(
        Request(
            method=request.method,
            path=request.path,
            query=request.args.to_dict(),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.get_data(),
        )
    )
    return response.body, response.status, dict(response.headers)


def consume(service: str, body: bytes, deadline: float) -> Answer:
    """One pushed message for a service."""
    [outcome] = wiring.app().consume(service, [delivery_of(body)], deadline=deadline)
    return _settle(outcome)


def load_file(body: bytes, deadline: float) -> Answer:
    """A pushed notification that an object was written to the drop bucket
    (cloud.google.com/storage/docs/pubsub-notifications). One that names no object fails, until the broker gives it
    up."""
    delivery = delivery_of(body)
    if delivery.attributes.get("eventType", "OBJECT_FINALIZE") != "OBJECT_FINALIZE":
        return _settle(Done("ignored"))
    name = delivery.attributes.get("objectId") or json.loads(delivery.body)["name"]
    return _settle(wiring.app().load_file(name, receives=delivery.receives, deadline=deadline))


def sweep(body: bytes, deadline: float) -> Answer:
    """Cloud Scheduler's call; what it says is not looked at."""
    swept = wiring.app().sweep(deadline=deadline)
    return json.dumps(asdict(swept) if swept else None), 200, {"Content-Type": "application/json"}


def _named_service() -> str:
    try:
        return os.environ["ORDERFLOW_SERVICE"]
    except KeyError:
        raise NotConfigured("ORDERFLOW_SERVICE must be set: it names the service that consumes") from None


def _verified(handle: Callable[[bytes, float], Answer], timeout_s: float) -> Function:
    verifier = PushVerifier.from_environment(os.environ)

    def function(request: flask.Request) -> Answer:
        deadline = time.time() + timeout_s - MARGIN_S
        try:
            verifier.verify(request.headers.get("Authorization"))
        except Unauthenticated as error:
            return _refusal(401, str(error))
        except Forbidden as error:
            return _refusal(403, str(error))
        except Unavailable as error:
            return _refusal(503, str(error))
        return handle(request.get_data(), deadline)

    return function


def _refusal(status: int, reason: str) -> Answer:
    log.write("WARNING", "push refused", status=status, reason=reason)
    return reason, status, {"Content-Type": "text/plain"}


def _settle(outcome: Outcome) -> Answer:
    if isinstance(outcome, Done):
        return "", 204, {}
    return outcome.reason, 429, {"Content-Type": "text/plain", "Retry-After": str(math.ceil(outcome.after))}
