"""Both ways of calling functions, on an app that shows what it is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

APP = """
import json
from typing import List
import azure.functions as func

app = func.FunctionApp()

@app.function_name("web")
@app.route("{*path}", trigger_arg_name="request", auth_level=func.AuthLevel.ANONYMOUS)
def web(request: func.HttpRequest) -> func.HttpResponse:
    seen = [request.method, request.url, dict(request.params), dict(request.route_params), request.headers["a"]]
    return func.HttpResponse(json.dumps(seen), status_code=201, headers={"x": "y"})

@app.function_name("many")
@app.service_bus_queue_trigger(
    "messages", connection="C", queue_name="q", data_type=func.DataType.BINARY, cardinality=func.Cardinality.MANY
)
def many(messages: List[func.ServiceBusMessage]) -> None:
    for one in messages:
        print(one.get_body(), one.message_id, one.delivery_count, one.application_properties)
    if messages[0].get_body() == b"bad":
        raise ValueError("told so")

@app.function_name("tick")
@app.timer_trigger("timer", schedule="0 */1 * * * *")
def tick(timer: func.TimerRequest) -> None:
    print("tick", timer.past_due)
"""

DRIVER = """
import asyncio, json, sys
from pathlib import Path
from orderflow_local.azure.protocol import Typed, as_json
from orderflow_local.azure.worker import BindingsWorker, FunctionFailed, LibraryWorker

async def main():
    sys.path.insert(0, sys.argv[1])
    library = sys.argv[2] == "library"
    worker = await LibraryWorker.load(Path(sys.argv[1])) if library else BindingsWorker()
    print(sorted(binding["type"] for name in ("web", "many", "tick") for binding in worker.bindings(name)))
    request = {"method": "PUT", "url": "http://h/p?a=1", "headers": {"A": "b"}, "query": {"a": "1"},
               "params": {"path": "p"}, "body": b"x"}
    answer = await worker.invoke("web", {"request": Typed("http", request)}, {})
    print(answer.status, dict(answer.headers)["x"], answer.body.decode())
    for body in (b"\\xff", b"bad"):
        metadata = {"UserPropertiesArray": as_json([{}]), "ApplicationPropertiesArray": as_json([{"k": "v"}]),
                    "MessageIdArray": as_json(["m"]), "DeliveryCountArray": as_json([2])}
        try:
            print(await worker.invoke("many", {"messages": Typed("collection_bytes", [body])}, metadata))
        except FunctionFailed as error:
            print("failed", "told so" in str(error))
    await worker.invoke("tick", {"timer": as_json({"IsPastDue": True})}, {})

asyncio.run(main())
"""


@pytest.mark.parametrize("way", ["library", "bindings"])
def test_functions_get_what_the_host_has(way: str, tmp_path: Path) -> None:
    if way == "library":
        pytest.importorskip("azure_functions_runtime", reason="needs Python 3.13")
    (tmp_path / "function_app.py").write_text(APP)
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(tmp_path), way],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHON_THREADPOOL_THREAD_COUNT": "4"},
    )
    assert done.returncode == 0, done.stderr
    bindings, answer, *lines = done.stdout.splitlines()
    assert bindings == "['http', 'httpTrigger', 'serviceBusTrigger', 'timerTrigger']"
    status, header, body = answer.split(" ", 2)
    assert (status, header) == ("201", "y")
    assert json.loads(body) == ["PUT", "http://h/p?a=1", {"a": "1"}, {"path": "p"}, "b"]
    assert lines == [
        "b'\\xff' m 2 {'k': 'v'}",
        "None",
        "b'bad' m 2 {'k': 'v'}",
        "failed True",
        "tick True",
    ]
