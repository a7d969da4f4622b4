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
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from orderflow_local.processes import Server

NAME = "orderflow development issuer: anybody may sign in as anybody"
LIFE_S = 3600


class Issuer(Server):
    """The development issuer as a process of its own."""

    def __init__(self, workdir: Path) -> None:
        super().__init__("issuer", workdir)
        self.jwks_url = f"{self.url}/jwks.json"

    def token(self, sub: str, *, audience: str, email: str = "", ttl: int = LIFE_S, key: int = 0) -> str:
        """A token for ``sub`` that ``audience`` accepts for ``ttl`` seconds, none if it is negative."""
        return ask_token(self.url, sub, audience=audience, email=email, ttl=ttl, key=key)


def ask_token(issuer: str, sub: str, *, audience: str, email: str = "", ttl: int = LIFE_S, key: int = 0) -> str:
    """What `Issuer.token` answers, of an issuer that some process of this machine has started."""
    query = urlencode({"sub": sub, "aud": audience, "email": email, "ttl": ttl, "key": key})
    with urlopen(f"{issuer}/token?{query}", timeout=30) as answer:
        token: str = answer.read().decode()
    return token


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=NAME)
    parser.add_argument("--host", default="127.0.0.1", type=_loopback)
    parser.add_argument("--port", required=True, type=int)
    arguments = parser.parse_args()

    # Whoever asks for tokens only, as every `orderflow` command may, does without what serves and signs them.
    import uvicorn

    from orderflow_local.issuer_pages import SigningKeys, application

    keys = SigningKeys(f"http://{arguments.host}:{arguments.port}")
    print(json.dumps({"message": NAME, "url": keys.url}), flush=True)
    uvicorn.run(application(keys), host=arguments.host, port=arguments.port, log_level="warning", access_log=False)


def _loopback(host: str) -> str:
    if not ipaddress.ip_address(host).is_loopback:
        raise argparse.ArgumentTypeError("a development issuer listens on loopback only")
    return host


if __name__ == "__main__":
    main()
