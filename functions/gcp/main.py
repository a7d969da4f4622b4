"""The file that Cloud Functions and functions-framework load: every service of the topology is a target here.

``functions-framework --target=inventory --source=functions/gcp/main.py``

A target is made when it is asked for, so that a function refuses to start for want of its own configuration only.

Nothing that is imported is ever garbage: where Cloud Run runs us, the collector does not look for any until the target
is made (`orderflow_gcp.wiring.prepare`).
"""

from __future__ import annotations

import gc
import os

if "K_SERVICE" in os.environ:  # cloud.google.com/run/docs/container-contract#services-env-vars
    gc.disable()

from orderflow_gcp.entrypoints import Function, UnknownTarget
from orderflow_gcp.entrypoints import target as _target


def __getattr__(name: str) -> Function:
    try:
        return _target(name)
    except UnknownTarget:
        raise AttributeError(f"no function is named {name}") from None
