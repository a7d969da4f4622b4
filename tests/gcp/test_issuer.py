"""The development issuer."""

from __future__ import annotations

import subprocess
import sys

import httpx
import jwt
import pytest

from orderflow_local.issuer import Issuer

pytestmark = pytest.mark.local_cloud


def test_discovery_leads_to_the_keys_that_a_token_was_signed_with(issuer: Issuer) -> None:
    configuration = httpx.get(f"{issuer.url}/.well-known/openid-configuration").json()
    assert configuration["issuer"] == issuer.url
    keys = jwt.PyJWKClient(configuration["jwks_uri"])
    for number in (0, 1):
        token = issuer.token("zoe", audience="api", email="zoe@example.com", ttl=60, key=number)
        signing = keys.get_signing_key_from_jwt(token)
        assert signing.key_id == f"dev-{number}"
        claims = jwt.decode(token, signing, algorithms=["RS256"], audience="api", issuer=issuer.url)
        assert (claims["sub"], claims["email"], claims["email_verified"]) == ("zoe", "zoe@example.com", True)
        assert claims["exp"] - claims["iat"] == 60


def test_its_keys_are_public_keys(issuer: Issuer) -> None:
    keys = httpx.get(issuer.jwks_url).json()["keys"]
    assert len(keys) == 2
    for key in keys:
        assert set(key) == {"kty", "key_ops", "n", "e", "kid", "use", "alg"}


@pytest.mark.parametrize("query", ["", "sub=zoe", "aud=api&ttl=long", "aud=api&key=2"])
def test_a_token_that_cannot_be_made_is_a_bad_request(issuer: Issuer, query: str) -> None:
    answer = httpx.get(f"{issuer.url}/token?{query}")
    assert answer.status_code == 400
    assert "usage" in answer.text


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_it_listens_on_loopback_only(host: str) -> None:
    command = [sys.executable, "-m", "orderflow_local.issuer", "--port", "1", "--host", host]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "loopback only" in ended.stderr
