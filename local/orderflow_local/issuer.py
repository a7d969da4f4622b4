"""A development OIDC issuer: anybody on this machine can have a token for anybody, so it listens on loopback only.

Stands in for the identity provider of the API's users and for Google's, which signs Pub/Sub's pushes. It has two
RS256 keys, made at start, so that a change of keys can be tried: ``/token`` signs with either.

    GET /.well-known/openid-configuration    what an OIDC library reads first
    GET /jwks.json                           the public keys
    GET /token?sub=..&aud=..[&email=..][&ttl=3600][&key=0]    a signed token, as text
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from orderflow_local.processes import Server

_NAME = "orderflow development issuer: anybody may sign in as anybody"
_LIFE_SECONDS = 3600


class Issuer(Server):
    """The development issuer as a process of its own."""

    def __init__(self, workdir: Path) -> None:
        super().__init__("issuer", workdir)
        self.jwks_url = f"{self.url}/jwks.json"

    def token(self, sub: str, *, audience: str, email: str = "", ttl: int = _LIFE_SECONDS, key: int = 0) -> str:
        """A token for ``sub`` that ``audience`` accepts for ``ttl`` seconds, none if it is negative."""
        return ask_token(self.url, sub, audience=audience, email=email, ttl=ttl, key=key)


def ask_token(issuer: str, sub: str, *, audience: str, email: str = "", ttl: int = _LIFE_SECONDS, key: int = 0) -> str:
    """What `Issuer.token` answers, of an issuer that some process of this machine has started."""
    query = urlencode({"sub": sub, "aud": audience, "email": email, "ttl": ttl, "key": key})
    with urlopen(f"{issuer}/token?{query}", timeout=5) as answer:
        token: str = answer.read().decode()
    return token


class SigningKeys:
    """Two RSA keys and what is signed with them in the name of ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._keys = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set."""
        return {
            "keys": [
                {
                    **RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
                    "kid": f"dev-{number}",
                    "use": "sig",
                    "alg": "RS256",
                }
                for number, key in enumerate(self._keys)
            ]
        }

    def sign(self, sub: str, audience: str, email: str = "", ttl: int = _LIFE_SECONDS, key: int = 0) -> str:
        """A token with the claims of Google's and of most identity providers."""
        now = int(time.time())
        claims: dict[str, Any] = {"iss": self.url, "sub": sub, "aud": audience, "iat": now, "exp": now + ttl}
        if email:
            claims |= {"email": email, "email_verified": True}
        return jwt.encode(claims, self._keys[key], algorithm="RS256", headers={"kid": f"dev-{key}"})


def application(keys: SigningKeys) -> Starlette:
    """The issuer's three pages."""

    def configuration(_: Request) -> Response:
        return JSONResponse(
            {
                "issuer": keys.url,
                "jwks_uri": f"{keys.url}/jwks.json",
                "token_endpoint": f"{keys.url}/token",
                "id_token_signing_alg_values_supported": ["RS256"],
                "subject_types_supported": ["public"],
                "response_types_supported": ["id_token"],
                "service_documentation": _NAME,
            }
        )

    def jwks(_: Request) -> Response:
        return JSONResponse(keys.jwks())

    def token(request: Request) -> Response:
        asked = request.query_params
        email = asked.get("email", "")
        try:
            signed = keys.sign(
                asked.get("sub") or email,
                asked["aud"],
                email,
                int(asked.get("ttl", _LIFE_SECONDS)),
                {"0": 0, "1": 1}[asked.get("key", "0")],
            )
        except (LookupError, ValueError):
            return PlainTextResponse("usage: /token?sub=..&aud=..[&email=..][&ttl=seconds][&key=0|1]\n", 400)
        return PlainTextResponse(signed)

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", configuration),
            Route("/jwks.json", jwks),
            Route("/token", token),
        ]
    )


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=_NAME)
    parser.add_argument("--host", default="127.0.0.1", type=_loopback)
    parser.add_argument("--port", required=True, type=int)
    arguments = parser.parse_args()
    keys = SigningKeys(f"http://{arguments.host}:{arguments.port}")
    print(json.dumps({"message": _NAME, "url": keys.url}), flush=True)
    uvicorn.run(application(keys), host=arguments.host, port=arguments.port, log_level="warning", access_log=False)


def _loopback(host: str) -> str:
    if not ipaddress.ip_address(host).is_loopback:
        raise argparse.ArgumentTypeError("a development issuer listens on loopback only")
    return host


if __name__ == "__main__":
    main()
