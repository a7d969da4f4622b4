"""A bare function of functions-framework with pydantic. It verifies no token."""

from __future__ import annotations

from pathlib import Path

from functions_framework import create_app

from benchmarks.cpu.framework_gcp_function import published
from benchmarks.cpu.measure import measure
from benchmarks.cpu.pushes import handler, pushes

if __name__ == "__main__":
    source = Path(__file__).with_name("framework_gcp_function.py")
    application = create_app("reserve", str(source))  # type: ignore[no-untyped-call]  # it has no types
    measure(handler(application), published, pushes())
