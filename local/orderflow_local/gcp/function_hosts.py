"""All function hosts: one functions-framework process a function, forked from one that has imported what they share.

The imports of thirteen hosts and of the SDKs behind them would otherwise take twenty seconds of CPU time. Each host
then runs the ``functions-framework`` command as it is, with its own environment and log. A host that is killed is
forked again; where this process ends, however it ends, its hosts are killed."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

_SHARED = (
    "functions_framework",
    "google.api_core.retry",
    "google.cloud.firestore_v1.services.firestore.transports",
    "google.pubsub_v1",
    "gunicorn.workers.gthread",
    "orderflow_gcp.entrypoints",
)
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Function:
    """What one host serves, where, and with which environment variables beside those of its parent."""

    target: str
    port: int
    log: str
    env: dict[str, str]


def command(functions: list[Function], source: Path, folder: Path) -> list[str]:
    """The command that serves all functions; it reads and writes files in the folder."""
    (folder / "hosts.json").write_text(json.dumps([asdict(function) for function in functions]))
    (folder / "pids.json").write_text("{}")
    return [sys.executable, "-m", __name__, "--source", str(source), "--folder", str(folder)]


def pids(folder: Path) -> dict[str, int]:
    """The process that serves each function now, by target; it leads a process group."""
    found: dict[str, int] = json.loads((folder / "pids.json").read_text())
    return found


class _Hosts:
    def __init__(self, source: str, folder: Path) -> None:
        self._source = source
        self._pids = folder / "pids.json"
        self._running: dict[int, Function] = {}
        self._parent_lives, self._my_life = os.pipe()
        [script] = entry_points(group="console_scripts", name="functions-framework")
        self._framework: Callable[..., Any] = script.load()

    def serve(self, functions: list[Function]) -> None:
        """Keep a host for each function until stopped."""
        try:
            for function in functions:
                self._fork(function)
            self._note()
            while True:
                pid, status = os.wait()
                function = self._running.pop(pid)
                if os.WIFEXITED(status) and os.WEXITSTATUS(status):
                    raise SystemExit(f"{function.target} does not run:\n{_tail(function.log)}")
                time.sleep(_PAUSE_SECONDS)
                self._fork(function)
                self._note()
        finally:
            for pid in self._running:
                os.killpg(pid, signal.SIGKILL)

    def _fork(self, function: Function) -> None:
        pid = os.fork()
        if not pid:
            self._become(function)
        os.setpgid(pid, pid)
        self._running[pid] = function

    def _become(self, function: Function) -> None:
        os.setpgid(0, 0)
        os.close(self._my_life)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        threading.Thread(target=self._die_with_parent, daemon=True).start()
        log = os.open(function.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.environ.update(function.env)
        options = ["--target", function.target, "--source", self._source]
        code: Any = 1
        try:
            self._framework([*options, "--host", "127.0.0.1", "--port", str(function.port)])
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code if isinstance(code, int) else 1)

    def _die_with_parent(self) -> None:
        os.read(self._parent_lives, 1)
        os.killpg(0, signal.SIGKILL)

    def _note(self) -> None:
        text = json.dumps({function.target: pid for pid, function in self._running.items()})
        fresh = self._pids.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self._pids)


def _tail(log: str) -> str:
    return "\n".join(Path(log).read_text(errors="replace").splitlines()[-5:])


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description="functions-framework for several functions")
    parser.add_argument("--source", required=True)
    parser.add_argument("--folder", required=True, type=Path)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for module in _SHARED:
        importlib.import_module(module)
    functions = [Function(**function) for function in json.loads((arguments.folder / "hosts.json").read_text())]
    _Hosts(arguments.source, arguments.folder).serve(functions)


if __name__ == "__main__":
    main()
