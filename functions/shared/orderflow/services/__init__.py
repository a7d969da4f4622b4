"""The services, one file each. To add one, write its file and name it here: the topology, and with it every cloud,
follows."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from orderflow.service import Service

SERVICES = {
    "order": "orderflow.services.order",
    "inventory": "orderflow.services.inventory",
    "payment": "orderflow.services.payment",
    "shipping": "orderflow.services.shipping",
    "fraud": "orderflow.services.fraud",
    "notification": "orderflow.services.notification",
    "email": "orderflow.services.email",
    "sms": "orderflow.services.sms",
    "push": "orderflow.services.push",
    "analytics": "orderflow.services.analytics",
}
"""Modules by service name; each holds its declaration as ``SERVICE``. A function imports its own service only."""


@cache
def find(name: str) -> Service[Any]:
    """A service by name. Raises `KeyError` for an unknown one."""
    service: Service[Any] = import_module(SERVICES[name]).SERVICE
    return service
