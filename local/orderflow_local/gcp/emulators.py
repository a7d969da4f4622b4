"""Google's Pub/Sub and Firestore emulators where they are installed, else the embedded stand-ins, behind the same
gRPC APIs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Literal

from orderflow_local.cloud import Missing

Kind = Literal["official", "embedded"]

_USUAL_ROOTS = (
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/snap/google-cloud-sdk/current",
    "/opt/homebrew/share/google-cloud-sdk",
    "/usr/local/share/google-cloud-sdk",
    "~/google-cloud-sdk",
)
_PUBSUB_JARS = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"
_FIRESTORE_JAR = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
_FIRESTORE_MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"

_JAVA_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""For processes that live for minutes: the optimising compiler would take more time on two cores than it gives back (a
quarter of the Pub/Sub emulator's CPU time, half of Firestore's, were left in a run of 40 orders)."""


def choose(setting: str | None) -> Kind:
    """What ``ORDERFLOW_GCP_EMULATORS`` says, or what is there. Raises `Missing` for ``official`` where that is not
    there."""
    if setting == "embedded":
        return "embedded"
    if setting == "official":
        _official()
        return "official"
    try:
        _official()
    except Missing:
        return "embedded"
    return "official"


def pubsub_command(kind: Kind, port: int) -> list[str]:
    """The command that serves Pub/Sub's gRPC API on a port of 127.0.0.1."""
    if kind == "embedded":
        return [sys.executable, "-m", "orderflow_local.gcp.pubsub_standin", "--port", str(port)]
    java, jar, _ = _official()
    return [java, *_JAVA_OPTIONS, "-jar", str(jar), "--host=127.0.0.1", f"--port={port}"]


def firestore_command(kind: Kind, port: int) -> list[str]:
    """The command that serves Firestore's gRPC API on a port of 127.0.0.1."""
    if kind == "embedded":
        return [sys.executable, "-m", "orderflow_local.gcp.firestore_standin", "--port", str(port)]
    java, _, jar = _official()
    options = [*_JAVA_OPTIONS, "-Duser.language=en"]
    return [java, *options, "-cp", str(jar), _FIRESTORE_MAIN, "--host=127.0.0.1", f"--port={port}"]


def _official() -> tuple[str, Path, Path]:
    """java, the Pub/Sub emulator's jar and the Firestore emulator's. Raises `Missing`."""
    java = shutil.which("java")
    if java is None:
        raise Missing("Google's emulators need Java: apt-get install default-jre-headless")
    for root in _roots():
        jars = sorted(root.glob(_PUBSUB_JARS))
        if jars and (root / _FIRESTORE_JAR).exists():
            return java, jars[-1], root / _FIRESTORE_JAR
    raise Missing(
        "Google's emulators are not installed: gcloud components install pubsub-emulator cloud-firestore-emulator"
    )


def _roots() -> list[Path]:
    named = os.environ.get("CLOUDSDK_ROOT")
    gcloud = shutil.which("gcloud")
    beside = [str(Path(gcloud).resolve().parent.parent)] if gcloud else []
    return [Path(root).expanduser() for root in ([named] if named else []) + beside + list(_USUAL_ROOTS)]
