"""The checks of `make check` that look for what must not be there: credentials, and packages that are known to be
vulnerable."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from orderflow_local.processes import free_port

ROOT = Path(__file__).parents[2]
HASH = f"--hash=sha256:{'0' * 64}"
HOLE = {
    "id": "PYSEC-2999-1",
    "summary": "Opens the door",
    "modified": "2999-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "leaky", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of the repository."""
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture
def database() -> Iterator[str]:
    """A vulnerability database (ossf.github.io/osv-schema) that knows of one package; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps({"vulns": [HOLE]} if asked["package"]["name"] == "leaky" else {}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    thread.join()
    server.server_close()


def test_credentials_in_a_file_are_found_and_their_places_named(tmp_path: Path) -> None:
    secrets = [  # In halves: this file is looked at too.
        "aws = '{}'".format("AKIA" + "IOSFODNN7QWERTYU"),
        "stripe = '{}'".format("sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"),
        "-----BEGIN {} KEY-----".format("PRIVATE"),
        "url = 'https://me:{}@db.example'".format("s3cr3t" + "pass"),
    ]
    file = tmp_path / "settings.py"
    file.write_text("\n".join(["# Settings", *secrets]))
    found = run("tools/scan-secrets", str(file))
    assert found.returncode != 0
    assert [line for line in range(1, 7) if f"{file}:{line}\n" in found.stderr] == [2, 3, 4, 5]


def test_what_only_looks_like_one_is_let_through(tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    lines = ["url = 'https://me:{word}@db'", "url = 'https://me:emulated@db'  # pragma: allowlist secret"]
    file.write_text("\n".join(lines))
    assert run("tools/scan-secrets", str(file)).returncode == 0


def test_a_locked_package_that_is_known_to_be_vulnerable_fails_the_audit(tmp_path: Path, database: str) -> None:
    good, bad = tmp_path / "good.lock", tmp_path / "bad.lock"
    good.write_text(f"tight==1.0 {HASH}\n")
    bad.write_text(f"tight==1.0 {HASH}\nleaky==1.0 {HASH}\n")

    audited = run("tools/audit", str(bad), str(good), OSV_URL=database)
    assert audited.returncode != 0
    assert "leaky" in audited.stderr
    assert "PYSEC-2999-1" in audited.stderr
    assert "No known vulnerabilities found" in audited.stderr, "one bad file does not end the audit of the others"


def test_without_the_database_the_audit_says_that_it_was_left_out_unless_it_is_required() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1/query"
    left_out = run("tools/audit", OSV_URL=nowhere)
    assert left_out.returncode == 0
    assert f"left out: {nowhere} does not answer" in left_out.stderr
    assert run("tools/audit", OSV_URL=nowhere, AUDIT="required").returncode != 0
