"""Child processes that are watched, logged to files, started again when they die, and never outlive this one."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_REAPER = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


_given: set[int] = set()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now, another one each time.

    It is below the range from which systems take the ports of outgoing connections, so that none of these has it when a
    process that was killed is started again.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            if port not in _given:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                _given.add(port)
                return port


_NOT_INHERITED = (
    # Bytecode makes cold starts two to three times faster; an inherited ban on it would slow every host.
    "PYTHONDONTWRITEBYTECODE",
    # Whatever cloud the user's shell is set up for, a local cloud is not to reach it.
    "APPLICATIONINSIGHTS_",
    "AWS_",
    "AZURE_",
    "FIRESTORE_",
    "GOOGLE_",
    "ORDERFLOW_",
    "OTEL_",
    "PUBSUB_",
    "STORAGE_EMULATOR_",
)


class StartFailed(RuntimeError):
    """A process ended, or did not answer in time, while it was being started. The message shows the end of its log."""


class Process:
    """One child process with its own process group and log file.

    With ``revive`` it is started again whenever it dies without `stop` having been called.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        revive: bool = False,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        self._env = {**inherited, "PYTHONUNBUFFERED": "1", **(env or {})}
        self._cwd = cwd
        self._stopping = threading.Event()
        self._popen = self._spawn()
        if revive:
            threading.Thread(target=self._watch, name=f"watch-{name}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def kill(self) -> None:
        """End the process and its children at once, as a crash would."""
        self._signal(signal.SIGKILL)

    def stop(self, grace_seconds: float = 5.0) -> None:
        """Ask the process group to end, then insist. Returns when it is gone."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace_seconds)
        self._signal(signal.SIGKILL)
        self._popen.wait()
        _reaper().discard(self._popen.pid)

    def tail(self, lines: int = 15) -> str:
        """The end of the log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def wait_until(self, ready: Callable[[], bool], seconds: float = 30.0) -> None:
        """Return when ``ready`` says so. Raises `StartFailed` if the process ends before, or the time does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.alive:
                raise StartFailed(f"{self.name} ended with {self._popen.returncode}:\n{self.tail()}")
            if ready():
                return
            time.sleep(0.03)
        raise StartFailed(f"{self.name} was not ready after {seconds:.0f} s:\n{self.tail()}")

    def wait_for_port(self, port: int, seconds: float = 30.0) -> None:
        """Return when something listens on the port of 127.0.0.1."""
        self.wait_until(lambda: listens(port), seconds)

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            popen = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
            )
        _reaper().add(popen.pid)
        return popen

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            self._popen.wait()
            if self._stopping.wait(0.1):
                return
            self._popen = self._spawn()


def listens(port: int) -> bool:
    """Whether a TCP connection to the port of 127.0.0.1 is accepted."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A server of ours that runs until it is stopped, as a process and on a port of its own: the module
    ``orderflow_local.<name>``."""

    def __init__(self, name: str, workdir: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._name = name
        self._port = port
        self._log = workdir / f"{name}.log"
        self._process: Process | None = None

    def start(self) -> None:
        """Start it and return when it answers. Raises `StartFailed`."""
        command = [sys.executable, "-m", f"orderflow_local.{self._name}", "--port", str(self._port)]
        self._process = Process(self._name, command, self._log)
        self._process.wait_for_port(self._port)

    def stop(self) -> None:
        """Stop it; harmless when it does not run."""
        if self._process is not None:
            self._process.stop()
            self._process = None


class _Reaper:
    """A process that kills what is left of ours when this process ends, however it ends: its standard input closes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _REAPER], stdin=subprocess.PIPE, start_new_session=True, text=True
        )

    def add(self, group: int) -> None:
        self._tell(f"+{group}")

    def discard(self, group: int) -> None:
        self._tell(f"-{group}")

    def _tell(self, line: str) -> None:
        with self._lock, contextlib.suppress(BrokenPipeError):
            assert self._popen.stdin is not None
            self._popen.stdin.write(line + "\n")
            self._popen.stdin.flush()


@functools.cache
def _reaper() -> _Reaper:
    return _Reaper()
