"""An OIDC issuer of the test's own on the loopback interface, whose keys a test may change."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "orderflow-api"


class Issuer:
    """Publishes ``published`` keys by key id, for ``algorithm`` where one is named, and signs with any key that it
    has."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {
            "rsa-1": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "rsa-2": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ec-1": ec.generate_private_key(ec.SECP256R1()),
        }
        self.published = ["rsa-1", "ec-1"]
        self.algorithm: str | None = None
        self.asked = 0
        self.down = False
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            wbufsize = -1  # headers and body in one packet: two would wait for an acknowledgement between them

            def do_GET(self) -> None:
                issuer.asked += 1
                body = json.dumps(issuer.jwks()).encode()
                self.send_response(500 if issuer.down else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Issuer:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def jwks(self) -> dict[str, Any]:
        """The public keys."""
        keys = []
        for kid in self.published:
            public = self.keys[kid].public_key()
            algorithm, name = (RSAAlgorithm, "RS256") if kid.startswith("rsa") else (ECAlgorithm, "ES256")
            keys.append(
                {**algorithm.to_jwk(public, as_dict=True), "kid": kid, "use": "sig", "alg": self.algorithm or name}
            )
        return {"keys": keys}

    def token(
        self,
        subject: Any = "zoe",
        *,
        key: Any = "rsa-1",
        kid: str | None = None,
        algorithm: str | None = None,
        without: str = "",
        **claims: Any,
    ) -> str:
        """A token that is good unless something is said otherwise."""
        now = int(time.time())
        good = {"iss": self.url, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 600, **claims}
        good.pop(without, None)
        named = key if isinstance(key, str) and key in self.keys else None
        signer = self.keys[named] if named else key
        algorithm = algorithm or ("ES256" if named and named.startswith("ec") else "RS256")
        headers = {"kid": kid or named or "rsa-1"}
        return jwt.encode(good, signer, algorithm=algorithm, headers=headers)
