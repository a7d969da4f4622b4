"""Stubs of the providers of e-mail, SMS and push. Each takes one secret, knows one recipient that is wrong, and keeps
what it has sent; its answers are read by the provider's own SDK in `test_messengers`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import jwt
from azure.core.credentials import AzureKeyCredential
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from orderflow.providers import fcm
from web_stub import Answer, Seen

TO = {"email": "zoe@example.com", "sms": "+4930123456", "push": "device-1"}
NOBODY = {"email": "nobody@example.com", "sms": "+4930999999", "push": "device-gone"}


class MessengerStub:
    """What they have in common. ``next`` are answers given in the place of the next ones: a status, or "lost", which
    sends and loses the answer."""

    channel: str
    secret: str
    options: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.next: list[str] = []

    def environ(self, url: str) -> dict[str, str]:
        """The configuration of the provider at this stub, but for its name."""
        given = {"URL": url, **self.options}
        return {f"ORDERFLOW_{self.channel.upper()}_{name}": value for name, value in given.items()}

    def answer(self, seen: Seen) -> Answer:
        """One request."""
        trouble = self.next.pop(0) if self.next else ""
        if trouble.isdigit():
            return Answer(int(trouble), "{}", {"retry-after": "3"})
        if trouble == "garbage":
            return Answer(200, "<html>")
        if not self.knows(seen):
            return self.unknown()
        answer = self.take(seen)
        return Answer(lost=True) if trouble == "lost" else answer

    def knows(self, seen: Seen) -> bool:
        """Whether the request proves who asks."""
        return seen.headers.get("authorization") == f"Bearer {self.secret}"

    def unknown(self) -> Answer:
        """What a stranger is told."""
        return Answer(401, "{}")

    def take(self, seen: Seen) -> Answer:
        """Send."""
        raise NotImplementedError


class SendGridStub(MessengerStub):
    """www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send"""

    channel = "email"
    secret = "SG.test"
    options: ClassVar[dict[str, str]] = {"FROM": "shop@example.com"}

    def take(self, seen: Seen) -> Answer:
        assert (seen.method, seen.path) == ("POST", "/v3/mail/send")
        if seen.json["personalizations"][0]["to"][0]["email"] == NOBODY["email"]:
            error = {
                "field": "personalizations.0.to.0.email",
                "message": "Does not contain a valid address.",
                "help": None,
            }
            return Answer(400, json.dumps({"errors": [error]}))
        self.sent.append(seen.json)
        return Answer(202, "", {"x-message-id": f"sg-{len(self.sent)}"})


class AzureStub(MessengerStub):
    """learn.microsoft.com/rest/api/communication/email; signatures are checked with the SDK's own policy."""

    channel = "email"
    secret = base64.b64encode(b"a key of thirty-two bytes, nearly").decode()
    options: ClassVar[dict[str, str]] = {"FROM": "shop@example.com"}

    def __init__(self) -> None:
        super().__init__()
        self.operations: dict[str, dict[str, Any]] = {}

    def knows(self, seen: Seen) -> bool:
        from azure.communication.email._shared.policy import HMACCredentialsPolicy

        policy = HMACCredentialsPolicy(f"http://{seen.headers['host']}", AzureKeyCredential(self.secret))
        query = "&".join(f"{name}={value}" for name, value in seen.query.items())
        signed = ";".join([seen.headers["x-ms-date"], seen.headers["host"], seen.headers["x-ms-content-sha256"]])
        wanted = policy._compute_hmac(f"{seen.method}\n{seen.path}?{query}\n{signed}")
        return seen.headers["authorization"].endswith(f"Signature={wanted}")

    def unknown(self) -> Answer:
        return Answer(401, json.dumps({"error": {"code": "Denied", "message": "Denied by the resource provider."}}))

    def take(self, seen: Seen) -> Answer:
        if seen.method == "GET":
            found = self.operations.get(seen.path.rpartition("/")[2])
            if found is None:
                return Answer(404, json.dumps({"error": {"code": "NotFound", "message": "not found"}}))
            return Answer(200, json.dumps(found))
        operation = {"id": seen.headers["operation-id"], "status": "Running"}
        failed = seen.json["recipients"]["to"][0]["address"] == NOBODY["email"]
        ended = (
            {"status": "Failed", "error": {"code": "EmailDroppedAllRecipientsSuppressed"}}
            if failed
            else {"status": "Succeeded"}
        )
        self.operations[operation["id"]] = {**operation, **ended}
        self.sent.append(seen.json)
        place = (
            f"http://{seen.headers['host']}/emails/operations/{operation['id']}?api-version={seen.query['api-version']}"
        )
        return Answer(202, json.dumps(operation), {"operation-location": place, "retry-after": "0"})


class TwilioStub(MessengerStub):
    """www.twilio.com/docs/messaging/api/message-resource"""

    channel = "sms"
    secret = "an auth token"
    account = "AC" + "0" * 32
    options: ClassVar[dict[str, str]] = {"FROM": "+15005550006", "ACCOUNT": account}

    def knows(self, seen: Seen) -> bool:
        proof = base64.b64encode(f"{self.account}:{self.secret}".encode()).decode()
        return seen.headers.get("authorization") == f"Basic {proof}"

    def unknown(self) -> Answer:
        return Answer(401, json.dumps({"code": 20003, "message": "Authenticate", "more_info": "", "status": 401}))

    def take(self, seen: Seen) -> Answer:
        assert (seen.method, seen.path) == ("POST", f"/2010-04-01/Accounts/{self.account}/Messages.json")
        if seen.form["To"] == NOBODY["sms"]:
            message = f"The 'To' number {NOBODY['sms']} is not a valid phone number."
            return Answer(400, json.dumps({"code": 21211, "message": message, "more_info": "", "status": 400}))
        self.sent.append(seen.form)
        sid = f"SM{len(self.sent):032}"
        return Answer(
            201, json.dumps({"sid": sid, "account_sid": self.account, "status": "queued", "to": seen.form["To"]})
        )


def _private_key() -> tuple[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return pem, key.public_key()


class FirebaseStub(MessengerStub):
    """firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send, and Google's token service, which checks
    what it is shown."""

    channel = "push"
    pem, public = _private_key()

    def __init__(self) -> None:
        super().__init__()
        self.tokens = 0
        self.assertions: list[dict[str, Any]] = []

    @property
    def account(self) -> dict[str, str]:
        """The JSON key of the service account."""
        return {
            "type": "service_account",
            "project_id": "shop",
            "private_key_id": "1",
            "private_key": self.pem,
            "client_email": "push@shop.iam.gserviceaccount.com",
            "token_uri": f"{fcm.TOKENS}/token",
        }

    @property
    def secret(self) -> str:  # type: ignore[override]
        """What the secret store holds."""
        return json.dumps(self.account)

    def environ(self, url: str) -> dict[str, str]:
        return {**super().environ(url), "ORDERFLOW_PUSH_TOKEN_URL": url}

    def answer(self, seen: Seen) -> Answer:
        return self._token(seen) if seen.path == "/token" else super().answer(seen)

    def knows(self, seen: Seen) -> bool:
        return seen.headers.get("authorization") == f"Bearer token-{self.tokens}"

    def take(self, seen: Seen) -> Answer:
        assert (seen.method, seen.path) == ("POST", "/v1/projects/shop/messages:send")
        if seen.json["message"]["token"] == NOBODY["push"]:
            detail = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "UNREGISTERED"}
            error = {
                "code": 404,
                "message": "Requested entity was not found.",
                "status": "NOT_FOUND",
                "details": [detail],
            }
            return Answer(404, json.dumps({"error": error}))
        self.sent.append(seen.json["message"])
        return Answer(200, json.dumps({"name": f"projects/shop/messages/{len(self.sent)}"}))

    def _token(self, seen: Seen) -> Answer:
        form = dict(parse_qsl(seen.body.decode()))
        options: Any = {"verify_exp": False, "verify_iat": False}
        claims = jwt.decode(
            form["assertion"], self.public, algorithms=["RS256"], audience=f"{fcm.TOKENS}/token", options=options
        )
        self.assertions.append(claims)
        self.tokens += 1
        return Answer(
            200, json.dumps({"access_token": f"token-{self.tokens}", "expires_in": 3599, "token_type": "Bearer"})
        )


STUBS: dict[str, Callable[[], MessengerStub]] = {
    "sendgrid": SendGridStub,
    "acs": AzureStub,
    "twilio": TwilioStub,
    "fcm": FirebaseStub,
}
"""The stubs by the provider's name."""
