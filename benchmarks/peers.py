"""The peers: folders with what each of them needs, made once from one lock file, beside ``.venv``."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from orderflow_cli.package import RECIPES

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "benchmarks" / "peers.lock"
"""Made from ``peers.in`` by ``uv pip compile --universal --python-version 3.11 --generate-hashes --no-header
--constraint requirements.lock``: what the peers and orderflow both use is of the same version."""

HERE = f"{platform.machine()}-{RECIPES['aws'].platform.partition('-')[2]}"
"""The platform of the folders whose programs run on this machine, as uv names it: that of the packages, but for the
processor."""

POWERTOOLS = ("aws-lambda-powertools[parser]", "boto3")
FUNCTIONS_FRAMEWORK = ("functions-framework", "google-cloud-firestore", "google-cloud-pubsub", "pydantic")
UVICORN_EXTRAS = ("httptools", "uvloop")
"""What uvicorn takes in place of asyncio's loop and h11 where it finds them (uvicorn's extra ``standard``)."""

AZURE_FUNCTIONS = ("azure-data-tables", "azure-eventgrid", "azure-functions", "pydantic")


def folder(*names: str, made_for: str = HERE) -> Path:
    """A folder with packages and their bytecode, as ``pip install --target`` makes it. Raises
    `subprocess.CalledProcessError`."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    what = "\n".join([python, made_for, *names]).encode()
    digest = hashlib.sha256(LOCK.read_bytes() + what).hexdigest()[:12]
    target = ROOT / ".venv-peers" / digest
    if not target.exists():
        print(f"installing {', '.join(names)} into a folder of their own (once)", file=sys.stderr)
        making = target.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        options = ["--python-version", python, "--python-platform", made_for, "--only-binary", ":all:"]
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(making), *options]
        # Copied: what is compiled in a linked folder would be compiled in uv's cache.
        subprocess.run([*install, "--link-mode", "copy", "--constraint", str(LOCK), *names], check=True)
        compile_ = [sys.executable, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
        subprocess.run([*compile_, str(making)], check=True)
        making.rename(target)
    return target
