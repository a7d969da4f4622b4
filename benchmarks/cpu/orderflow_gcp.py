"""orderflow as functions-framework serves it. The push's token is verified, with a key that is at hand."""

from __future__ import annotations

import json
import os
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from functions_framework import create_app
from jwt.algorithms import RSAAlgorithm

from benchmarks.cpu.measure import measure
from benchmarks.cpu.ours import app, published
from benchmarks.cpu.pushes import handler, pushes
from benchmarks.peers import ROOT
from orderflow_gcp import wiring

AUDIENCE, ACCOUNT, ISSUER = "https://benchmark.example", "push@benchmark.example", "https://issuer.example"
os.environ |= {
    "ORDERFLOW_PUSH_AUDIENCE": AUDIENCE,
    "ORDERFLOW_PUSH_SERVICE_ACCOUNT": ACCOUNT,
    "ORDERFLOW_PUSH_ISSUER": ISSUER,
}
wiring.app = lambda: app  # type: ignore[assignment]


def token() -> str:
    """A token as Pub/Sub sends it, whose key the process finds without asking for it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    published_key = json.loads(RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "benchmark", "use": "sig"}
    jwt.PyJWKClient.fetch_data = lambda self: {"keys": [published_key]}  # type: ignore[method-assign]
    claims = {"iss": ISSUER, "aud": AUDIENCE, "email": ACCOUNT, "email_verified": True, "sub": "1"}
    now = int(time.time())
    return jwt.encode(claims | {"iat": now, "exp": now + 3600}, key, "RS256", headers={"kid": "benchmark"})


if __name__ == "__main__":
    source = ROOT / "functions" / "gcp" / "main.py"
    application = create_app("reserving", str(source))  # type: ignore[no-untyped-call]  # it has no types
    measure(handler(application), published, pushes(token()))
