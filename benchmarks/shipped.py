"""orderflow's function packages as they are deployed, unpacked into folders; made anew each time sources change."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from benchmarks.peers import HERE, POWERTOOLS, ROOT, folder
from orderflow_cli.package import RECIPES, build


def unpacked(name: str, *, made_for: str = HERE, telemetry: bool = False) -> list[Path]:
    """The folders that the platform puts on the function's path: the package, and what the platform adds to it. The
    Lambda runtime has its own boto3 (here the peer's folder stands for it); Cloud Build installs the requirements, with
    bytecode (buildpacks: pkg/python/python.go), and compiles the package (terraform/gcp/modules/functions)."""
    recipe = RECIPES[name]
    sources = [ROOT / "functions" / each for each in ("shared", recipe.cloud)]
    files = [path for source in sources for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    digest = hashlib.sha256(f"{name} {made_for} {telemetry}".encode())
    for path in sorted([*files, ROOT / "cli" / "orderflow_cli" / "package.py", Path(__file__)]):
        digest.update(str(path).encode() + path.read_bytes())
    target = ROOT / "build" / "bench" / f"{name}-{digest.hexdigest()[:12]}"
    if not target.exists():
        print(f"making the package {name}", file=sys.stderr)
        making = target.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        package = build(name, ROOT, target.with_suffix(".zip"), platform=made_for, telemetry=telemetry)
        zipfile.ZipFile(package.path).extractall(making)
        if recipe.mounted_at is None:
            _compile(making, "checked-hash")
        making.rename(target)
    if recipe.cloud == "aws":
        return [target, folder(*POWERTOOLS, made_for=made_for)]
    if recipe.dependencies is None:
        return [target, _requirements(target / "requirements.txt", recipe.lock(telemetry=telemetry), made_for)]
    return [target, target / recipe.dependencies]


def _requirements(lock: Path, name: str, made_for: str) -> Path:
    digest = hashlib.sha256(lock.read_bytes() + made_for.encode()).hexdigest()[:12]
    target = ROOT / "build" / "bench" / f"gcp-{name}-{digest}"
    if not target.exists():
        making = target.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        options = ["--python-version", "3.13", "--python-platform", made_for, "--only-binary", ":all:"]
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(making), *options]
        subprocess.run([*install, "--link-mode", "copy", "--no-deps", "--requirements", str(lock)], check=True)
        _compile(making, "unchecked-hash")
        making.rename(target)
    return target


def _compile(folder: Path, invalidation: str) -> None:
    command = [sys.executable, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", invalidation, str(folder)]
    subprocess.run(command, check=True)
