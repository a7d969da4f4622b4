"""ministack, the AWS emulator: its own environment (it pins botocore, which boto3 wants newer) and its process."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from orderflow_local.cloud import Missing, Report
from orderflow_local.processes import Process, free_port

LOCK = Path(__file__).with_name("ministack.lock")
"""Made from ``ministack.in`` by ``uv pip compile --universal --python-version 3.11 --generate-hashes --no-header``."""


def home() -> Path:
    """Where the environment is kept: below ``$ORDERFLOW_HOME``, else below the repository."""
    base = os.environ.get("ORDERFLOW_HOME") or Path(__file__).resolve().parents[3]
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    return Path(base) / ".venv-ministack" / f"{sys.version_info.major}.{sys.version_info.minor}-{digest}"


def install(report: Report) -> Path:
    """The interpreter of ministack's environment, which is made if need be. Raises `Missing` if it cannot be."""
    folder = home()
    if not folder.exists():
        if importlib.util.find_spec("uv") is None:
            raise Missing(f"uv is missing, which installs ministack: {sys.executable} -m pip install uv")
        report("installing ministack into an environment of its own (once)")
        # Made beside its place and moved there: two starts at once, or one broken off, leave nothing half done.
        draft = folder.with_name(f"{folder.name}.{os.getpid()}")
        try:
            _uv("venv", "--relocatable", "--python", sys.executable, str(draft))
            _uv("pip", "sync", "--require-hashes", "--compile-bytecode", "--python", str(_python(draft)), str(LOCK))
            draft.rename(folder)
        except OSError:
            if not folder.exists():
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return _python(folder)


def start(python: Path, workdir: Path) -> tuple[Process, str]:
    """Start ministack with nothing in it, on a free port of 127.0.0.1. Returns it and its URL when it answers."""
    port = free_port()
    scratch = workdir / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    process = Process(
        "ministack",
        [str(python), "-P", str(Path(__file__).with_name("launch_ministack.py"))],  # -P: not this ministack.py
        workdir / "ministack.log",
        env={
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1",
            "LOG_LEVEL": "INFO",
            "PYTHONPATH": "",
            "TMPDIR": str(scratch),
        },
    )
    try:
        process.wait_for_port(port)
    except BaseException:
        process.stop()
        raise
    return process, f"http://127.0.0.1:{port}"


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _uv(*arguments: str) -> None:
    command = [sys.executable, "-m", "uv", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no message"])[-1]
        check = f"{sys.executable} -m uv pip install --dry-run -r {LOCK}"
        raise Missing(f"ministack could not be installed ({why.strip()}); this must work: {check}")
