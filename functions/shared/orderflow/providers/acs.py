"""Azure Communication Services e-mail (learn.microsoft.com/rest/api/communication/email/send).

The secret is an access key of the resource; requests are signed with it (HMAC-SHA256,
learn.microsoft.com/rest/api/communication/authentication), so this works from any cloud.

Idempotency
    Our key, made a UUID, is the ``Operation-Id``: before a message is sent, the operation of that id is looked for. If
    it is there, Azure has the message. Two calls at the very same time could still send twice; the channel's lease
    prevents these.
Answers
    202, and the operation's state where it is there already. An operation that failed: undeliverable. 403, 404: an
    operator's matter (the domain is not linked). Any other 4xx: `BadCall`, because nothing says whether the sender or
    the recipient is wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

from orderflow.envelope import derived_id
from orderflow.ports import Clock, Unavailable
from orderflow.providers import Choice
from orderflow.providers.web import BadCall, Call, Web

VERSION = "2025-09-01"


def make(choice: Choice) -> AzureEmail:
    """Options: ``from``, a sender of a linked domain; ``url``, the resource's endpoint."""
    clock = choice.clock

    def sign(value: str, call: Call) -> dict[str, str]:
        return signature(value, call, clock)

    web = Web("Azure Communication Services", choice.option("url"), choice.secret, clock, sign)
    return AzureEmail(web, choice.option("from"))


def signature(value: str, call: Call, clock: Clock) -> dict[str, str]:
    """The headers of a request signed with an access key. Raises `Unavailable` for a value that is no such key."""
    date = formatdate(clock.now(), usegmt=True)
    content = base64.b64encode(hashlib.sha256(call.body).digest()).decode()
    text = f"{call.method}\n{call.target}\n{date};{call.host};{content}"
    try:
        signed = hmac.new(base64.b64decode(value, validate=True), text.encode(), hashlib.sha256).digest()
    except ValueError:
        raise Unavailable("the secret of Azure Communication Services is no access key (Base64)") from None
    proof = f"SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={base64.b64encode(signed).decode()}"
    return {"x-ms-date": date, "x-ms-content-sha256": content, "authorization": f"HMAC-SHA256 {proof}"}


class AzureEmail:
    """`orderflow.ports.Messenger` at Azure Communication Services."""

    def __init__(self, web: Web, sender: str) -> None:
        self._web = web
        self._sender = sender

    def send(self, *, key: str, to: str, subject: str, text: str) -> dict[str, Any]:
        operation = derived_id("acs", key)
        found = self._web.get(f"/emails/operations/{quote(operation)}", {"api-version": VERSION})
        if found.status == 200:
            if found.json().get("status") in ("Failed", "Canceled"):
                return {"status": "refused", "reason": _code(found.json())}
            return {"status": "sent", "message_id": operation}
        message = {
            "senderAddress": self._sender,
            "recipients": {"to": [{"address": to}]},
            "content": {"subject": subject, "plainText": text},
        }
        reply = self._web.post_json(f"/emails:send?api-version={VERSION}", message, {"operation-id": operation})
        if reply.status == 202:
            return {"status": "sent", "message_id": operation}
        if reply.status in (403, 404):
            raise Unavailable(f"Azure Communication Services does not let us send: {_code(reply.json())}")
        raise BadCall(f"Azure Communication Services does not take it ({reply.status}): {_code(reply.json())}")


def _code(answer: dict[str, Any]) -> str:
    error = answer.get("error")
    return str(error.get("code", "no reason given")) if isinstance(error, dict) else "no reason given"
