"""Function packages: one zip per cloud, the same bytes each time, with only what the functions need.

Dependencies come from ``functions/<cloud>/requirements.lock``, every file checked against its hash, as wheels for the
cloud's platform and Python whatever the developer's machine is. The zip has sorted names, fixed times and modes.

AWS: dependencies and bytecode at the top, for arm64; boto3 is left out, the Lambda runtime has it
(docs.aws.amazon.com/lambda/latest/dg/lambda-python.html). OpenTelemetry is in a package only where that is asked for,
from a lock of its own that holds everything: ``telemetry.lock``. Azure: dependencies under ``.python_packages``, where
the worker looks for what was not built remotely (learn.microsoft.com/azure/azure-functions/functions-reference-python).
GCP: sources and ``requirements.txt``, which Cloud Build installs
(cloud.google.com/run/docs/runtimes/python-dependencies)."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from orderflow import services

PYTHON = "3.13"
"""What the functions run on, on every cloud."""

WITH_TELEMETRY = "telemetry.lock"
"""The lock of a package that can send traces and metrics."""

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can say
_BOOKKEEPING = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}


class PackageFailed(RuntimeError):
    """A package could not be made; the message says what to do."""


class CannotPackage(PackageFailed):
    """What packaging needs is missing on this machine: a Python, or a way to the dependencies."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is particular to a cloud's package. ``dependencies`` is their folder in the zip, None where the cloud
    installs them; ``mounted_at`` is where the cloud unpacks the zip, None where it compiles by itself."""

    platform: str
    dependencies: str | None
    mounted_at: str | None


RECIPES = {
    "aws": Recipe("aarch64-manylinux2014", "", "/var/task"),
    "azure": Recipe("x86_64-manylinux2014", ".python_packages/lib/site-packages", "/home/site/wwwroot"),
    "gcp": Recipe("x86_64-manylinux2014", None, None),
}


@dataclass(frozen=True, slots=True)
class Package:
    """A package that was made. ``unpacked`` is the size of its files in bytes."""

    cloud: str
    path: Path
    size: int
    unpacked: int
    files: int
    sha256: str


def build(cloud: str, root: Path, out: Path, *, platform: str | None = None, telemetry: bool = False) -> Package:
    """Make a cloud's package, for another ``platform`` (as uv names them) if one is given, with what traces and metrics
    take where ``telemetry`` says so. Raises `PackageFailed`."""
    recipe = RECIPES[cloud]
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary) / "tree"
        lock = root / "functions" / cloud / (WITH_TELEMETRY if telemetry else "requirements.lock")
        _copy_sources(root, cloud, tree)
        if recipe.dependencies is None:
            shutil.copy(lock, tree / "requirements.txt")
        else:
            _install(lock, platform or recipe.platform, tree / recipe.dependencies)
        for package in services.PACKAGES:
            _add(package, recipe, platform or recipe.platform, tree)
        if recipe.mounted_at is not None:
            _compile(tree, recipe.mounted_at)
        out.parent.mkdir(parents=True, exist_ok=True)
        _zip(tree, out)
        sizes = [path.stat().st_size for path in _files(tree)]
    data = out.read_bytes()
    return Package(cloud, out, len(data), sum(sizes), len(sizes), hashlib.sha256(data).hexdigest())


def lock(cloud: str, root: Path) -> None:
    """Write a cloud's locks: the versions that the project is tested with, and their hashes."""
    folder = root / "functions" / cloud
    for name, wanted in (
        ("requirements.lock", ["requirements.in"]),
        (WITH_TELEMETRY, ["requirements.in", "telemetry.in"]),
    ):
        command = [
            *_uv("pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate"),
            *("--python-version", PYTHON, "--python-platform", RECIPES[cloud].platform),
            *("--constraint", str(root / "requirements.lock")),
            *("--output-file", str(folder / name)),
            *(str(folder / each) for each in wanted),
        ]
        subprocess.run(command, check=True, cwd=root)


def _copy_sources(root: Path, cloud: str, tree: Path) -> None:
    ignore = shutil.ignore_patterns(
        "__pycache__", "*.pyc", "requirements.*", "telemetry.in", WITH_TELEMETRY, "README.md"
    )
    shutil.copytree(root / "functions" / "shared", tree, ignore=ignore)
    shutil.copytree(root / "functions" / cloud, tree, ignore=ignore, dirs_exist_ok=True)


def _add(package: str, recipe: Recipe, platform: str, tree: Path) -> None:
    """Add a further package of services, and what its own ``requirements.lock`` names."""
    [folder] = import_module(package).__path__
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "requirements.*", "README.md", "_story.py")
    shutil.copytree(folder, tree / package, ignore=ignore)
    lock = Path(folder) / "requirements.lock"
    if not lock.exists():
        return
    if recipe.dependencies is None:
        with (tree / "requirements.txt").open("a", encoding="utf-8") as listed:
            listed.write(lock.read_text(encoding="utf-8"))
    else:
        _install(lock, platform, tree / recipe.dependencies)


def _install(lock_file: Path, platform: str, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    command = [
        *_uv("pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
        *("--python-version", PYTHON, "--python-platform", platform, "--link-mode", "copy"),
        *("--target", str(target), "--requirements", str(lock_file)),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise CannotPackage(f"the dependencies of {lock_file} cannot be installed:\n{run.stderr.strip()}")
    shutil.rmtree(target / "bin", ignore_errors=True)
    (target / ".lock").unlink(missing_ok=True)
    for path in list(_files(target)):
        if path.parent.name.endswith(".dist-info") and path.name in _BOOKKEEPING:
            path.unlink()


def _compile(tree: Path, mounted_at: str) -> None:
    """Add bytecode: without it a cold start takes two to three times as long, and the package's folder is read-only."""
    command = [
        *(_python(), "-I", "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash"),
        *("-s", str(tree), "-p", mounted_at, str(tree)),
    ]
    run = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise PackageFailed(f"the package does not compile:\n{run.stdout}{run.stderr}")


def _python() -> str:
    """An interpreter of the functions' version: bytecode is good for one version only."""
    for candidate in (sys.executable, shutil.which(f"python{PYTHON}")):
        if candidate is not None:
            told = subprocess.run([candidate, "-IVV"], capture_output=True, text=True, check=False).stdout
            if told.startswith(f"Python {PYTHON}."):
                return candidate
    raise CannotPackage(f"packages are compiled by Python {PYTHON}: install it, remove .venv and run make again")


def _zip(tree: Path, out: Path) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in _files(tree):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, whatever this machine is
            entry.external_attr = (0o100755 if path.suffix == ".so" else 0o100644) << 16
            archive.writestr(entry, path.read_bytes())


def _files(tree: Path) -> Iterator[Path]:
    """Every file below a folder, in a fixed order."""
    return iter(sorted(path for path in tree.rglob("*") if path.is_file()))


def _uv(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "uv", *arguments]
