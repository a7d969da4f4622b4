"""What the development issuer signs and shows: its keys, its tokens and its pages (`orderflow_local.issuer`)."""

from __future__ import annotations

import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from orderflow_local.issuer import LIFE_S, NAME


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

    def sign(self, sub: str, audience: str, email: str = "", ttl: int = LIFE_S, key: int = 0) -> str:
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
                "service_documentation": NAME,
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
                int(asked.get("ttl", LIFE_S)),
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
