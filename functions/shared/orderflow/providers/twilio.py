"""Twilio SMS: ``POST /2010-04-01/Accounts/{sid}/Messages.json`` (www.twilio.com/docs/messaging/api/message-resource).

Idempotency
    None: a message whose answer was lost is sent again.
Answers
    201 with the message's ``sid``. Errors have a code of www.twilio.com/docs/api/errors; those that blame the number
    make the message undeliverable. 403 is an operator's matter. Any other 4xx: `BadCall`.
"""

from __future__ import annotations

import base64
from typing import Any

from orderflow.ports import Unavailable
from orderflow.providers import Choice
from orderflow.providers.web import BadCall, Call, Web

API = "https://api.twilio.com"

UNDELIVERABLE = {
    21211: "the number is not valid",
    21610: "the customer has unsubscribed",
    21612: "the number cannot be reached from this sender",
    21614: "the number is no mobile number",
}


def make(choice: Choice) -> TwilioSms:
    """Options: ``account`` (AC...); ``user``, an API key (SK...) where the secret is that key's and not the account's
    auth token; ``from``, a number or the id of a messaging service (MG...); ``url``."""
    account = choice.option("account")
    user = choice.option("user", account)

    def sign(value: str, _call: Call) -> dict[str, str]:
        return {"authorization": f"Basic {base64.b64encode(f'{user}:{value}'.encode()).decode()}"}

    web = Web("Twilio", choice.option("url", API), choice.secret, choice.clock, sign)
    return TwilioSms(web, account, choice.option("from"))


class TwilioSms:
    """`orderflow.ports.Messenger` at Twilio; an SMS has no subject."""

    def __init__(self, web: Web, account: str, sender: str) -> None:
        self._web = web
        self._path = f"/2010-04-01/Accounts/{account}/Messages.json"
        self._sender = {"MessagingServiceSid" if sender.startswith("MG") else "From": sender}

    def send(self, *, key: str, to: str, subject: str, text: str) -> dict[str, Any]:
        reply = self._web.post_form(self._path, {"To": to, **self._sender, "Body": text})
        answer = reply.json()
        if reply.status == 201 and "sid" in answer:
            return {"status": "sent", "message_id": answer["sid"]}
        code = answer.get("code")
        if code in UNDELIVERABLE:
            return {"status": "refused", "reason": f"Twilio {code}: {UNDELIVERABLE[code]}"}
        if reply.status == 403:
            raise Unavailable(f"Twilio does not permit this: error {code}")
        raise BadCall(f"Twilio does not take the request ({reply.status}): error {code}")
