"""Function packages: a zip per cloud, two on AWS, the same bytes each time, with only what the functions need.

Dependencies come from ``functions/<cloud>/requirements.lock``, every file checked against its hash, as wheels for the
cloud's platform and Python whatever the developer's machine is. The zip has sorted names, fixed times and modes.

AWS: dependencies and bytecode at the top, for arm64; boto3 is left out, the Lambda runtime has it
(docs.aws.amazon.com/lambda/latest/dg/lambda-python.html). More than half of what the functions would bring is the
cryptography package, which only those need that check or sign a token: the API, and whoever sends by FCM. They have a
package of their own, ``aws-tokens``, the same but for that; Terraform gives each function its one. Elsewhere every
function needs it, for a push's token or for the SDK. OpenTelemetry is in a package only where that is asked for, from
a lock of its own that has everything. Azure: dependencies under ``.python_packages``, where the worker looks for what
was not built remotely (learn.microsoft.com/azure/azure-functions/functions-reference-python). GCP: sources and
``requirements.txt``, which Cloud Build installs (cloud.google.com/run/docs/runtimes/python-dependencies).

Wheels may need glibc 2.28, as Pillow's do. Lambda's Python 3.13 runs on Amazon Linux 2023, which has 2.34
(docs.aws.amazon.com/linux/al2023/ug/glibc-gcc-and-binutils.html); that of Azure Functions on Debian 12, which has 2.36
(github.com/Azure/azure-functions-docker, host/4/bookworm/python/python313)."""

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

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can say
_BOOKKEEPING = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}


class PackageFailed(RuntimeError):
    """A package could not be made; the message says what to do."""


class CannotPackage(PackageFailed):
    """What packaging needs is missing on this machine: a Python, or a way to the dependencies."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is particular to a package. ``dependencies`` is their folder in the zip, None where the cloud installs them;
    ``mounted_at`` is where the cloud unpacks the zip, None where it compiles by itself; ``tokens`` says whether there
    is what tokens take besides."""

    cloud: str
    platform: str
    dependencies: str | None
    mounted_at: str | None
    tokens: bool = False

    def lock(self, *, telemetry: bool = False) -> str:
        """The file beside the cloud's functions that names what is installed, every version with its hashes."""
        return f"{'-'.join(self._besides(telemetry)) or 'requirements'}.lock"

    def wanted(self, *, telemetry: bool = False) -> list[str]:
        """The files that the lock is made from."""
        return [f"{name}.in" for name in ("requirements", *self._besides(telemetry))]

    def _besides(self, telemetry: bool) -> list[str]:
        return [*(["tokens"] if self.tokens else []), *(["telemetry"] if telemetry else [])]


RECIPES = {
    "aws": Recipe("aws", "aarch64-manylinux_2_28", "", "/var/task"),
    "aws-tokens": Recipe("aws", "aarch64-manylinux_2_28", "", "/var/task", tokens=True),
    "azure": Recipe("azure", "x86_64-manylinux_2_28", ".python_packages/lib/site-packages", "/home/site/wwwroot"),
    "gcp": Recipe("gcp", "x86_64-manylinux_2_28", None, None),
}
"""By the name of the package, which is that of its zip."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that was made. ``unpacked`` is the size of its files in bytes."""

    name: str
    path: Path
    size: int
    unpacked: int
    files: int
    sha256: str


def names(cloud: str) -> list[str]:
    """The packages of a cloud."""
    return [name for name, recipe in RECIPES.items() if recipe.cloud == cloud]


def build(name: str, root: Path, out: Path, *, platform: str | None = None, telemetry: bool = False) -> Package:
    """Make a package, for another ``platform`` (as uv names them) if one is given, with what traces and metrics take
    where ``telemetry`` says so. Raises `PackageFailed`."""
    recipe = RECIPES[name]
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary) / "tree"
        lock = root / "functions" / recipe.cloud / recipe.lock(telemetry=telemetry)
        _copy_sources(root, recipe.cloud, tree)
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
    return Package(name, out, len(data), sum(sizes), len(sizes), hashlib.sha256(data).hexdigest())


def lock(cloud: str, root: Path) -> None:
    """Write a cloud's locks: the versions that the project is tested with, and their hashes."""
    folder = root / "functions" / cloud
    for recipe in map(RECIPES.__getitem__, names(cloud)):
        for telemetry in (False, True):
            command = [
                *_uv("pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate"),
                *("--python-version", PYTHON, "--python-platform", recipe.platform),
                *("--constraint", str(root / "requirements.lock")),
                *("--output-file", str(folder / recipe.lock(telemetry=telemetry))),
                *(str(folder / each) for each in recipe.wanted(telemetry=telemetry)),
            ]
            subprocess.run(command, check=True, cwd=root)


def _copy_sources(root: Path, cloud: str, tree: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "*.in", "*.lock", "README.md")
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
