"""orderflow by its own function app."""

from __future__ import annotations

from importlib import import_module

from benchmarks.cpu.measure import measure
from benchmarks.cpu.messages import handler, messages
from benchmarks.cpu.ours import app, published
from orderflow_azure import wiring

wiring.app = lambda: app  # type: ignore[assignment]

if __name__ == "__main__":
    # Only now: it makes its functions of the services that are declared.
    measure(handler(import_module("function_app").app), published, messages)
