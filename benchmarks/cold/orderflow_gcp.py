"""orderflow as functions-framework serves it: the function of the service ``fraud``. The push's token is verified."""

from __future__ import annotations

import os

from functions_framework import create_app

from benchmarks.cold.done import done

app = create_app("fraud", os.environ["BENCH_SOURCE"])  # type: ignore[no-untyped-call]  # it has no types
headers = {"Authorization": os.environ["BENCH_TOKEN"], "Content-Type": "application/json"}
answer = app.test_client().post("/", data=os.environ["BENCH_EVENT"], headers=headers)
assert answer.status_code == 204, (answer.status_code, answer.text)
done()
