"""The file that Cloud Functions and functions-framework load: every service of the topology is a target here.

``functions-framework --target=inventory --source=functions/gcp/main.py``

A target is made when it is asked for, so that a function refuses to start for want of its own configuration only.
"""

from __future__ import annotations

from orderflow_gcp.entrypoints import Function, UnknownTarget
from orderflow_gcp.entrypoints import target as _target


def __getattr__(name: str) -> Function:
    try:
        return _target(name)
    except UnknownTarget:
        raise AttributeError(f"no function is named {name}") from None
