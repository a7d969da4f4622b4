"""Firebase Cloud Messaging: ``POST /v1/projects/{project}/messages:send``
(firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send).

The secret is the JSON key of a service account with the role Firebase Cloud Messaging API Admin; with it an access
token is fetched that lives an hour (developers.google.com/identity/protocols/oauth2/service-account#httprest).

Idempotency
    None: a message whose answer was lost is sent again. Both sendings carry our key as the notification's tag
    (Android) and collapse id (Apple), so a device shows the later one in the place of the first.
Answers
    200 with the message's name. UNREGISTERED, SENDER_ID_MISMATCH and an INVALID_ARGUMENT that blames the token:
    undeliverable. 403: an operator's matter. Any other 4xx: `BadCall`.
"""

from __future__ import annotations

import json
from typing import Any

from orderflow.ports import Clock, Unavailable
from orderflow.providers import Choice
from orderflow.providers.web import BadCall, Call, Reply, Web
from orderflow.secret import Secret

API = "https://fcm.googleapis.com"
TOKENS = "https://oauth2.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE_SECONDS = 3600
_MARGIN_SECONDS = 60
_APNS_LONGEST = 64
"""Bytes of a collapse id
(developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns)."""


def make(choice: Choice) -> FirebasePush:
    """Options: ``url`` and ``token_url``."""
    tokens = _Tokens(choice.option("token_url", TOKENS), choice.secret, choice.clock)
    web = Web("Firebase", choice.option("url", API), choice.secret, choice.clock, tokens.sign)
    return FirebasePush(web, choice.secret)


class FirebasePush:
    """`orderflow.ports.Messenger` at Firebase; a contact is a device's registration token."""

    def __init__(self, web: Web, secret: Secret) -> None:
        self._web = web
        self._secret = secret

    def send(self, *, key: str, to: str, subject: str, text: str) -> dict[str, Any]:
        message = {
            "token": to,
            "notification": {"title": subject, "body": text},
            "android": {"notification": {"tag": key}},
            "apns": {"headers": {"apns-collapse-id": key[:_APNS_LONGEST]}},
        }
        project = _key(self._secret.value())["project_id"]
        reply = self._web.post_json(f"/v1/projects/{project}/messages:send", {"message": message})
        answer = reply.json()
        if reply.status == 200 and "name" in answer:
            return {"status": "sent", "message_id": answer["name"]}
        code, of_fcm = _error(reply)
        if code in ("UNREGISTERED", "SENDER_ID_MISMATCH") or (code == "INVALID_ARGUMENT" and of_fcm):
            return {"status": "refused", "reason": f"Firebase: {code}"}
        if reply.status == 403:
            raise Unavailable(f"Firebase does not permit this: {code}")
        raise BadCall(f"Firebase does not take the request ({reply.status}): {code}")


class _Tokens:
    """Access tokens, each used until shortly before its end."""

    def __init__(self, url: str, secret: Secret, clock: Clock) -> None:
        self._web = Web("Google's token service", url, secret, clock, lambda _value, _call: {})
        self._clock = clock
        self._kept: tuple[str, float, str] = ("", 0.0, "")

    def sign(self, value: str, _call: Call) -> dict[str, str]:
        """The token of the key that the secret holds. Raises `Unavailable`."""
        of, until, token = self._kept
        if of != value or self._clock.now() >= until:
            token = self._fetch(_key(value))
            self._kept = (value, self._clock.now() + _LIFE_SECONDS - _MARGIN_SECONDS, token)
        return {"authorization": f"Bearer {token}"}

    def _fetch(self, key: dict[str, Any]) -> str:
        import jwt

        now = int(self._clock.now())
        claims = {"iss": key["client_email"], "scope": SCOPE, "aud": f"{TOKENS}/token", "iat": now}
        try:
            assertion = jwt.encode({**claims, "exp": now + _LIFE_SECONDS}, key["private_key"], algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError):
            raise Unavailable("the secret of Firebase holds a private key that is none") from None
        reply = self._web.post_form("/token", {"grant_type": _GRANT, "assertion": assertion})
        token = reply.json().get("access_token")
        if reply.status != 200 or not isinstance(token, str):
            raise Unavailable(f"Google gives no token for the service account: {reply.json().get('error')}")
        return token


def _key(value: str) -> dict[str, Any]:
    try:
        key = json.loads(value)
        return {name: key[name] for name in ("project_id", "client_email", "private_key")}
    except (ValueError, LookupError, TypeError):
        raise Unavailable("the secret of Firebase is no JSON key of a service account") from None


def _error(reply: Reply) -> tuple[str, bool]:
    """The error's code, and whether FCM itself says so, not the checks of the request before it."""
    error = reply.json().get("error")
    if not isinstance(error, dict):
        return "no reason given", False
    for detail in error.get("details", []):
        if str(detail.get("@type", "")).endswith("google.firebase.fcm.v1.FcmError"):
            return str(detail.get("errorCode")), True
    return str(error.get("status", "no reason given")), False
