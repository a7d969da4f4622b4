"""The peers' environment: made once from its lock file, beside ``.venv``."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "benchmarks" / "peers.lock"
"""Made from ``peers.in`` by ``uv pip compile --universal --python-version 3.11 --generate-hashes --no-header
--constraint requirements.lock``: what the peers and orderflow both use is of the same version."""


def interpreter() -> Path:
    """The interpreter of the peers' environment, which is made if need be. Raises `subprocess.CalledProcessError`."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = ROOT / ".venv-peers" / f"{sys.version_info.major}.{sys.version_info.minor}-{digest}"
    python = folder / "bin" / "python"
    if not python.exists():
        print("installing the peers into an environment of their own (once)", file=sys.stderr)
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
        install = [
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--compile-bytecode",
            "--python",
            str(python),
            str(LOCK),
        ]
        subprocess.run([*uv, *install], check=True)
    return python
