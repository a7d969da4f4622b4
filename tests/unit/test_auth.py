"""Who may call the API: only who brings a token that the issuer signed for it, in an algorithm that we chose."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from orderflow.auth import TokenVerifier
from orderflow.settings import BadSetting, Settings
from unit.issuer import AUDIENCE, Issuer
from unit.support import Lab
from unit.web import Web


@pytest.fixture
def web(lab: Lab, issuer: Issuer) -> Iterator[Web]:
    """An API; afterwards the issuer is as it was."""
    published = list(issuer.published)
    yield Web.make(lab, issuer)
    issuer.published, issuer.down, issuer.algorithm = published, False, None


def refused(web: Web, token: str | None, *, headers: dict[str, str] | None = None) -> str:
    """What a caller with this token is told, who must not be let in."""
    answer = web.call("GET", "/orders", customer=None, token=token, headers=headers)
    assert answer.status == 401
    assert answer.body["type"] == "urn:orderflow:problem:unauthenticated"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    if token:
        assert token not in json.dumps(answer.body)
    return str(answer.body["detail"])


@pytest.mark.parametrize("key", ["rsa-1", "ec-1"])
def test_a_token_of_the_issuer_lets_its_subject_in(web: Web, issuer: Issuer, key: str) -> None:
    assert web.call("GET", "/orders", token=issuer.token("zoe", key=key)).status == 200


def test_several_audiences_may_be_in_a_token(web: Web, issuer: Issuer) -> None:
    assert web.call("GET", "/orders", token=issuer.token(aud=["other", AUDIENCE])).status == 200


def test_without_a_token_nobody_is_let_in(web: Web) -> None:
    assert refused(web, None) == "a bearer token is required"


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic em9lOnpvZQ==", "token", "Bearer\u00a0x"])
def test_another_kind_of_authorization_is_refused(web: Web, value: str) -> None:
    refused(web, None, headers={"authorization": value})


def test_the_scheme_may_be_written_in_any_case(web: Web, issuer: Issuer) -> None:
    headers = {"authorization": f"bearer  {issuer.token()}"}
    assert web.call("GET", "/orders", customer=None, headers=headers).status == 200


@pytest.mark.parametrize("token", ["x", "a.b.c", "...", "ö.ö.ö", "eyJhbGciOiJSUzI1NiJ9..", "x" * 10_000, "\x00"])
def test_what_is_no_token_is_refused(web: Web, token: str) -> None:
    refused(web, token)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"exp": -60}, "expired"),
        ({"nbf": 600}, "not yet valid"),
        ({"iat": 600}, "not yet valid"),
        ({"aud": "somebody-else"}, "udience"),
        ({"aud": []}, "aud"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"without": "exp"}, "exp"),
        ({"without": "aud"}, "aud"),
        ({"without": "iss"}, "iss"),
        ({"without": "sub"}, "sub"),
    ],
)
def test_a_token_with_wrong_claims_is_refused_and_the_claim_named(
    web: Web, issuer: Issuer, claims: dict[str, Any], told: str
) -> None:
    now = int(time.time())
    claims = {name: now + value if isinstance(value, int) else value for name, value in claims.items()}
    assert told in refused(web, issuer.token(**claims))


@pytest.mark.parametrize("subject", ["", "x" * 201])
def test_a_subject_that_is_no_customer_id_is_refused(web: Web, issuer: Issuer, subject: str) -> None:
    assert "subject" in refused(web, issuer.token(subject)).lower()


def test_a_token_is_accepted_while_clocks_differ_by_seconds(web: Web, issuer: Issuer) -> None:
    assert web.call("GET", "/orders", token=issuer.token(exp=int(time.time()) - 4)).status == 200


def test_a_token_that_somebody_else_signed_is_refused(web: Web, issuer: Issuer) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert "ignature" in refused(web, issuer.token(key=stranger, kid="rsa-1"))


def test_a_token_that_was_changed_is_refused(web: Web, issuer: Issuer) -> None:
    header, _, signature = issuer.token("zoe").split(".")
    _, payload, _ = issuer.token("eve").split(".")
    assert "ignature" in refused(web, f"{header}.{payload}.{signature}")


def test_a_token_without_a_signature_is_refused(web: Web, issuer: Issuer) -> None:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    payload = issuer.token().split(".")[1]
    for algorithm in ("none", "None", "NONE", ""):
        refused(web, f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': 'rsa-1'})}.{payload}.")


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(web: Web, issuer: Issuer) -> None:
    """The classic confusion of algorithms: everybody has the public key."""
    import hashlib
    import hmac

    public = issuer.keys["rsa-1"].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT","kid":"rsa-1"}').rstrip(b"=")
    payload = issuer.token().split(".")[1].encode()
    for secret in (pem, pem.strip()):
        signature = base64.urlsafe_b64encode(hmac.new(secret, header + b"." + payload, hashlib.sha256).digest())
        refused(web, b".".join([header, payload, signature.rstrip(b"=")]).decode())


def test_an_algorithm_that_we_did_not_choose_is_refused(web: Web, issuer: Issuer) -> None:
    for algorithm in ("RS512", "PS256"):
        refused(web, issuer.token(algorithm=algorithm))


@pytest.mark.parametrize("algorithm", ["RS512", "PS256"])
def test_an_algorithm_that_we_did_not_choose_is_refused_also_where_the_issuer_did(
    web: Web, issuer: Issuer, algorithm: str
) -> None:
    issuer.published, issuer.algorithm = ["rsa-1"], algorithm
    refused(web, issuer.token(algorithm=algorithm))


def test_a_key_that_the_token_itself_brings_or_points_to_is_not_believed(web: Web, issuer: Issuer) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    own = jwt.algorithms.RSAAlgorithm.to_jwk(stranger.public_key(), as_dict=True)
    before = issuer.asked
    for header in ({"jwk": own}, {"jku": f"{issuer.url}/stranger.json"}, {"x5u": f"{issuer.url}/stranger.pem"}):
        refused(web, jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": "rsa-1", **header}))
    assert issuer.asked == before + 1, "the issuer's own keys were fetched, and nothing else"


def test_a_header_that_must_be_understood_and_is_not_makes_the_token_worthless(web: Web, issuer: Issuer) -> None:
    """RFC 7515, 4.1.11."""
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    headers = {"kid": "rsa-1", "crit": ["sealed"], "sealed": True}
    refused(web, jwt.encode(claims, issuer.keys["rsa-1"], algorithm="RS256", headers=headers))


def test_a_token_of_an_unknown_key_is_refused(web: Web, issuer: Issuer) -> None:
    refused(web, issuer.token(kid="nobody"))
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    refused(web, jwt.encode(claims, issuer.keys["rsa-1"], algorithm="RS256"))


def test_a_new_key_of_the_issuer_is_found_and_a_withdrawn_one_is_not(
    web: Web, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed, monotonic = [0.0], time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + passed[0])
    old, new = issuer.token(key="rsa-1"), issuer.token(key="rsa-2")
    assert web.call("GET", "/orders", token=old).status == 200
    issuer.published = ["rsa-2"]
    passed[0] += 31
    assert web.call("GET", "/orders", token=new).status == 200
    passed[0] += 301
    refused(web, old)


def test_made_up_keys_do_not_make_us_ask_the_issuer_each_time(web: Web, issuer: Issuer) -> None:
    before = issuer.asked
    for number in range(20):
        refused(web, issuer.token(kid=f"made-up-{number}"))
    assert issuer.asked <= before + 2


def test_the_keys_are_fetched_once_for_many_requests(web: Web, issuer: Issuer) -> None:
    before = issuer.asked
    for _ in range(20):
        web.call("GET", "/orders")
    assert issuer.asked == before + 1


def test_where_the_issuer_is_down_nobody_is_let_in_and_it_is_not_the_callers_fault(web: Web, issuer: Issuer) -> None:
    issuer.down = True
    answer = web.call("GET", "/orders")
    assert answer.status == 503
    issuer.down = False
    assert web.call("GET", "/orders").status == 200


@pytest.mark.parametrize("missing", ["issuer", "audience", "jwks_url"])
def test_an_api_that_cannot_check_tokens_does_not_start(missing: str) -> None:
    given = {"issuer": "http://i", "audience": "a", "jwks_url": "http://i/k", missing: ""}
    with pytest.raises(BadSetting, match="ORDERFLOW_ISSUER"):
        TokenVerifier(Settings(**given))  # type: ignore[arg-type]
