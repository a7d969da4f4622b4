"""The size of the function packages, beside peers' packages made for the same platform and compressed alike. What
counts is a zip of everything that the function brings with it. On AWS that is without the SDK: the runtime has it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import AZURE_FUNCTIONS, FUNCTIONS_FRAMEWORK, POWERTOOLS, folder
from benchmarks.shipped import unpacked
from orderflow_cli.package import RECIPES


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of a package's zip and of its files; ``plain_`` is without bytecode."""

    zipped: int
    unpacked: int
    plain_zipped: int
    plain_unpacked: int


def sizes(*, short: bool = False) -> dict[str, dict[str, Size]]:
    """By cloud and package, the first package of a cloud being what the others are compared with; ``short`` looks at
    one peer and one package of ours only."""
    arm, intel = RECIPES["aws"].platform, RECIPES["gcp"].platform
    aws = {
        "pydantic alone": _size([folder("pydantic", made_for=arm)]),
        "orderflow (SDK of the runtime)": _size(unpacked("aws", made_for=arm)[:1]),
    }
    if short:
        return {"aws": aws}
    return {
        "aws": {
            "Powertools + boto3": _size([folder(*POWERTOOLS, made_for=arm)]),
            **aws,
            "the same, with telemetry": _size(unpacked("aws", made_for=arm, telemetry=True)[:1]),
            "orderflow's API (with tokens)": _size(unpacked("aws-tokens", made_for=arm)[:1]),
            "the API, with telemetry": _size(unpacked("aws-tokens", made_for=arm, telemetry=True)[:1]),
        },
        "azure": {
            "bare function app": _size([folder(*AZURE_FUNCTIONS, made_for=intel)]),
            "orderflow": _size(unpacked("azure", made_for=intel)[:1]),
            "the same, with telemetry": _size(unpacked("azure", made_for=intel, telemetry=True)[:1]),
        },
        "gcp": {
            "bare function": _size([folder(*FUNCTIONS_FRAMEWORK, made_for=intel)]),
            "orderflow, with what is installed": _size(unpacked("gcp", made_for=intel)),
            "the same, with telemetry": _size(unpacked("gcp", made_for=intel, telemetry=True)),
            "orderflow's own files, compiled": _size(unpacked("gcp", made_for=intel)[:1]),
        },
    }


def _size(folders: Iterable[Path]) -> Size:
    """Measure a zip that is not written: the same compression as that of the packages, and the zip's own headers."""
    full, plain = [0, 0], [0, 0]
    for base in folders:
        for path in sorted(base.rglob("*")):
            name = path.relative_to(base).as_posix()
            if not path.is_file() or name.startswith("bin/"):
                continue
            data = path.read_bytes()
            packed = len(zlib.compress(data, 9, wbits=-15)) + 30 + 46 + 2 * len(name.encode())
            for count in [full] if name.endswith(".pyc") else [full, plain]:
                count[0] += packed
                count[1] += len(data)
    return Size(full[0] + 22, full[1], plain[0] + 22, plain[1])
