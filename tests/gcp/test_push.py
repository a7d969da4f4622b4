"""What a push must bring before it is listened to, and what is made of its body."""

from __future__ import annotations

import base64
import json
import time
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from orderflow.ports import Delivery, Unavailable
from orderflow_gcp import push
from orderflow_gcp.push import Forbidden, NotConfigured, PushVerifier, Unauthenticated, delivery_of
from orderflow_local.issuer_pages import SigningKeys
from orderflow_local.processes import free_port

ISSUER = "https://issuer.example"
AUDIENCE = "https://function.example/inventory"
ACCOUNT = "push@project.iam.gserviceaccount.com"
KEYS = SigningKeys(ISSUER)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def verifier(monkeypatch: pytest.MonkeyPatch) -> PushVerifier:
    monkeypatch.setattr(jwt.PyJWKClient, "fetch_data", lambda _: KEYS.jwks())
    return PushVerifier(ISSUER, "https://issuer.example/jwks.json", AUDIENCE, ACCOUNT)


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "1", "email": ACCOUNT, "email_verified": True}
    return {name: value for name, value in {**good, "iat": now, "exp": now + 60, **more}.items() if value is not None}


def signed(key: Any = None, algorithm: str = "RS256", kid: str | None = "dev-0", **more: Any) -> str:
    """A token of the issuer, but for what is said otherwise."""
    headers = {"kid": kid} if kid else None
    token = jwt.encode(claims(**more), KEYS._keys[0] if key is None else key, algorithm=algorithm, headers=headers)
    return f"Bearer {token}"


@pytest.mark.parametrize("number", [0, 1])
def test_a_token_of_the_push_account_is_accepted_whichever_key_signed_it(verifier: PushVerifier, number: int) -> None:
    verifier.verify(f"Bearer {KEYS.sign('1', AUDIENCE, ACCOUNT, key=number)}")
    verifier.verify(f"bearer {KEYS.sign('1', AUDIENCE, ACCOUNT, key=number)}")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer x.y.z", "Bearer \u00e9"])
def test_no_token_is_no_entry(verifier: PushVerifier, header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        verifier.verify(header)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(signed(aud="https://function.example/payment"), id="other-audience"),
        pytest.param(signed(aud=None), id="no-audience"),
        pytest.param(signed(iss="https://accounts.google.com"), id="other-issuer"),
        pytest.param(signed(exp=int(time.time()) - 60), id="expired"),
        pytest.param(signed(exp=None), id="no-expiry"),
        pytest.param(signed(iat=int(time.time()) + 600), id="from-the-future"),
        pytest.param(signed(key=STRANGER), id="other-key-of-the-same-name"),
        pytest.param(signed(key=STRANGER, kid="stranger"), id="unknown-key"),
        pytest.param(signed(kid=None), id="unnamed-key"),
        pytest.param(signed(algorithm="RS512"), id="other-algorithm"),
        pytest.param(signed(key="secret" * 20, algorithm="HS256"), id="symmetric"),
        pytest.param(signed(key="", algorithm="none"), id="unsigned"),
        pytest.param(signed()[:-8] + "AAAAAAAA", id="changed-signature"),
    ],
)
def test_a_token_that_proves_nothing_is_unauthenticated(verifier: PushVerifier, header: str) -> None:
    with pytest.raises(Unauthenticated):
        verifier.verify(header)


@pytest.mark.parametrize(
    "more",
    [{"email": "other@project.iam.gserviceaccount.com"}, {"email": None}, {"email_verified": False}, {"email": ""}],
)
def test_a_good_token_of_somebody_else_is_forbidden(verifier: PushVerifier, more: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        verifier.verify(signed(**more))


def test_a_token_that_was_good_is_so_until_its_end_and_no_longer_than_keys_are_kept(
    verifier: PushVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    decode = jwt.decode

    def counted(token: str, *rest: Any, **more: Any) -> Any:
        checked.append(token)
        return decode(token, *rest, **more)

    monkeypatch.setattr(jwt, "decode", counted)
    now = time.time()
    clock = SimpleNamespace(time=lambda: now)
    monkeypatch.setattr(push, "time", clock)
    short, long = signed(exp=int(now) + 60), signed(exp=int(now) + 3600)
    for _ in range(5):
        verifier.verify(short)
        verifier.verify(long)
    assert len(checked) == 2

    clock.time = lambda: now + 61
    verifier.verify(short)
    verifier.verify(long)
    assert len(checked) == 3

    clock.time = lambda: now + 301
    monkeypatch.setattr(verifier._keys, "get_signing_key_from_jwt", _withdrawn)
    with pytest.raises(Unauthenticated):
        verifier.verify(long)


def _withdrawn(_token: str) -> None:
    raise jwt.PyJWKClientError("no such key")


def test_a_token_that_was_refused_is_refused_again(verifier: PushVerifier) -> None:
    other = signed(email="other@project.iam.gserviceaccount.com")
    for _ in range(2):
        with pytest.raises(Forbidden):
            verifier.verify(other)


def test_tokens_without_end_fill_no_memory(verifier: PushVerifier) -> None:
    for number in range(150):
        verifier.verify(signed(nonce=number))
    assert len(verifier._good) <= 100


def test_made_up_keys_do_not_make_us_ask_google_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(self: jwt.PyJWKClient) -> Any:
        asked.append(self.uri)
        return KEYS.jwks()

    monkeypatch.setattr(jwt.PyJWKClient, "fetch_data", fetch)
    verifier = PushVerifier(ISSUER, "https://issuer.example/jwks.json", AUDIENCE, ACCOUNT)
    for number in range(20):
        with pytest.raises(Unauthenticated):
            verifier.verify(signed(key=STRANGER, kid=f"made-up-{number}"))
    assert len(asked) <= 2


def test_keys_that_cannot_be_had_are_not_the_callers_fault() -> None:
    verifier = PushVerifier(ISSUER, f"http://127.0.0.1:{free_port()}/jwks.json", AUDIENCE, ACCOUNT)
    with pytest.raises(Unavailable):
        verifier.verify(signed())


@pytest.mark.parametrize("missing", ["ORDERFLOW_PUSH_AUDIENCE", "ORDERFLOW_PUSH_SERVICE_ACCOUNT"])
@pytest.mark.parametrize("empty", [False, True])
def test_without_its_settings_nothing_starts(missing: str, empty: bool) -> None:
    environ = {"ORDERFLOW_PUSH_AUDIENCE": AUDIENCE, "ORDERFLOW_PUSH_SERVICE_ACCOUNT": ACCOUNT}
    environ = {**environ, missing: ""} if empty else {name: environ[name] for name in environ if name != missing}
    with pytest.raises(NotConfigured, match=missing):
        PushVerifier.from_environment(environ)


def test_googles_issuer_and_keys_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(self: jwt.PyJWKClient) -> Any:
        asked.append(self.uri)
        return KEYS.jwks()

    monkeypatch.setattr(jwt.PyJWKClient, "fetch_data", fetch)
    environ = {"ORDERFLOW_PUSH_AUDIENCE": AUDIENCE, "ORDERFLOW_PUSH_SERVICE_ACCOUNT": ACCOUNT}
    verifier = PushVerifier.from_environment(environ)
    verifier.verify(signed(iss="https://accounts.google.com"))
    assert asked == ["https://www.googleapis.com/oauth2/v3/certs"]
    with pytest.raises(Unauthenticated):
        verifier.verify(signed())


def wrapped(**more: Any) -> bytes:
    message = {
        "data": base64.b64encode(b'{"id": 1}').decode(),
        "attributes": {"kind": "OrderPlaced"},
        "messageId": "7",
        "publishTime": "2027-01-15T08:00:00Z",
    }
    return json.dumps({"message": message, "subscription": "projects/p/subscriptions/s", **more}).encode()


def test_a_wrapped_message_is_unwrapped() -> None:
    expected = Delivery(b'{"id": 1}', {"kind": "OrderPlaced"}, "7", 3)
    assert delivery_of(wrapped(deliveryAttempt=3)) == expected


@pytest.mark.parametrize("attempt", [None, 0, -1, "3", True, 1.5])
def test_an_attempt_that_is_none_counts_as_the_first(attempt: Any) -> None:
    assert delivery_of(wrapped(deliveryAttempt=attempt)).receives == 1
    assert delivery_of(wrapped()).receives == 1


def test_a_message_of_attributes_only_has_an_empty_body() -> None:
    assert delivery_of(wrapped(message={"attributes": {"a": "b"}})) == Delivery(b"", {"a": "b"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"7",
        b'"message"',
        b"{}",
        b'{"message": null}',
        b'{"message": "text"}',
        b'{"message": {"data": "not base64!"}}',
        b'{"message": {"data": "AAA"}}',
        b'{"message": {"data": 7}}',
        '{"message": {"data": "é"}}'.encode(),
        b'{"message": {"data": "", "attributes": ["a"]}}',
        b'{"message": {"data": "", "attributes": 7}}',
        b'{"specversion": "1.0", "id": "an unwrapped push"}',
        b"[" * 200_000,
    ],
)
def test_what_wraps_no_message_is_handed_on_as_it_came(body: bytes) -> None:
    assert delivery_of(body) == Delivery(body)
