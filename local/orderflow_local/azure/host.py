"""A stand-in for the host of Azure Functions: it runs the triggers of ``function_app.py`` and calls its functions.

    python -m orderflow_local.azure.host --app FOLDER --port PORT --functions NAME,NAME

The functions are called through Microsoft's own worker library on Python 3.13 and newer, else through the bindings of
`azure.functions` (`orderflow_local.azure.worker`). Triggers, bindings and ``host.json`` are read as the host reads
them; `orderflow_local.azure.triggers` says what each trigger keeps of the real one. Without an HTTP function the port
answers 404: it tells that the host is up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import Any

import uvicorn

from orderflow_local.azure.triggers import HttpRoutes, QueueListener, Timer
from orderflow_local.azure.worker import Worker, load


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--app", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--functions", required=True)
    arguments = parser.parse_args()
    os.environ.setdefault("PYTHON_THREADPOOL_THREAD_COUNT", "32")
    asyncio.run(serve(arguments.app, arguments.port, arguments.functions.split(",")))


async def serve(app: Path, port: int, functions: list[str]) -> None:
    """Index the app, start the triggers of the named functions, and serve HTTP."""
    settings = json.loads((app / "host.json").read_text())
    worker = await load(app)
    routes = HttpRoutes(worker, settings)
    for function in functions:
        start_trigger(worker, function, settings, routes)
    config = uvicorn.Config(routes, host="127.0.0.1", port=port, log_config=None, lifespan="off", access_log=False)
    await uvicorn.Server(config).serve()


def start_trigger(worker: Worker, function: str, settings: dict[str, Any], routes: HttpRoutes) -> None:
    """Run a function's trigger from now on, in the running event loop. Raises `LookupError` for an unknown function."""
    [trigger] = [binding for binding in worker.bindings(function) if binding["type"].endswith("Trigger")]
    match trigger["type"]:
        case "httpTrigger":
            routes.add(function, trigger)
        case "serviceBusTrigger":
            QueueListener(worker, function, trigger, settings).start()
        case "timerTrigger":
            Timer(worker, function, trigger).start()
        case other:
            raise LookupError(f"{function}: no stand-in for {other}")


if __name__ == "__main__":
    main()
