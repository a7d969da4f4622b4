"""A bare function of functions-framework with pydantic and Google's clients. It verifies no token."""

from __future__ import annotations

import os
from pathlib import Path

from functions_framework import create_app

from benchmarks.cold.done import done

app = create_app("screen", str(Path(__file__).with_name("framework_gcp_function.py")))  # type: ignore[no-untyped-call]  # it has no types
answer = app.test_client().post("/", data=os.environ["BENCH_EVENT"], headers={"Content-Type": "application/json"})
assert answer.status_code == 204, (answer.status_code, answer.text)
done()
