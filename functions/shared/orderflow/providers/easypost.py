"""EasyPost, for labels of many carriers (docs.easypost.com/docs/shipments).

Idempotency
    EasyPost knows no idempotency keys, but a shipment can be bought once only (``SHIPMENT.POSTAGE.EXISTS``), and making
    one costs nothing. So a shipment is made, its id is put into the store under our key if none is there yet, and the
    one that is there is bought. Whoever comes again finds the id and buys the same shipment, or learns that it is
    bought. Two processes at once, or a crash, may leave a shipment that is never bought: no label, no cost.
Answers
    No rate of any carrier, and a 4xx with a code ``ADDRESS.*``: the shipment is refused for good, which cancels the
    order and gives the money back. 402 and 403: an operator's matter. A purchase that EasyPost lost track of: asked
    again. Any other 4xx: `BadCall`.
Limits
    Within one country: customs forms are not made. One parcel for each order, always of the same size and weight.
"""

from __future__ import annotations

from typing import Any

from orderflow.keys import safe_key
from orderflow.ports import Conflict, Store, Unavailable
from orderflow.providers import Choice
from orderflow.providers.web import BadCall, Reply, Web

API = "https://api.easypost.com"
COLLECTION = "carrier"

_UNSURE = ("SHIPMENT.PURCHASE.IN_PROGRESS", "SHIPMENT.POSTAGE.TIMED_OUT", "SHIPMENT.POSTAGE.NO_RESPONSE")


def make(choice: Choice) -> EasyPostCarrier:
    """Options: ``from`` and ``parcel``, ids of an address (adr_...) and of a parcel (prcl_...) made beforehand;
    ``services``, names with commas between, of which the cheapest is taken (all, unless set); ``url``."""
    services = tuple(name for name in choice.option("services", "").split(",") if name)
    web = Web("EasyPost", choice.option("url", API), choice.secret, choice.clock)
    return EasyPostCarrier(web, choice.store, choice.option("from"), choice.option("parcel"), services)


class EasyPostCarrier:
    """`orderflow.ports.Carrier` at EasyPost. Books: ``carrier/<key>``, the id of the shipment that is bought."""

    def __init__(self, web: Web, store: Store, sender: str, parcel: str, services: tuple[str, ...]) -> None:
        self._web = web
        self._store = store
        self._sender = sender
        self._parcel = parcel
        self._services = services

    def label(self, *, key: str, order_id: str, address: dict[str, Any], parcels: int) -> dict[str, Any]:
        try:
            shipment = self._known(key) or self._make(key, address)
        except _Refused as refused:
            return {"status": "refused", "reason": str(refused)}
        if shipment.get("postage_label"):
            return _accepted(shipment)
        rates = [rate for rate in shipment.get("rates", []) if not self._services or rate["service"] in self._services]
        if not rates:
            return {"status": "refused", "reason": "no carrier goes to this address"}
        cheapest = min(rates, key=lambda rate: float(rate["rate"]))
        return self._buy(shipment["id"], cheapest["id"])

    def _known(self, key: str) -> dict[str, Any] | None:
        stored = self._store.get(COLLECTION, safe_key(key))
        return self._read(stored.document["shipment"]) if stored else None

    def _make(self, key: str, address: dict[str, Any]) -> dict[str, Any]:
        """A new shipment, unless another process was first. Raises `_Refused`."""
        to = {
            "name": address.get("name"),
            "street1": address["street"],
            "city": address["city"],
            "state": address.get("state"),
            "zip": address["postcode"],
            "country": address["country"],
        }
        wanted = {
            "to_address": {name: value for name, value in to.items() if value},
            "from_address": {"id": self._sender},
            "parcel": {"id": self._parcel},
            "reference": key,
        }
        reply = self._web.post_json("/v2/shipments", {"shipment": wanted})
        if reply.status not in (200, 201):
            raise _refusal(reply)
        made = _shipment(reply)
        try:
            self._store.insert(COLLECTION, safe_key(key), {"rev": 1, "shipment": made["id"]})
        except Conflict:
            return self._known(key) or made
        return made

    def _buy(self, shipment_id: str, rate_id: str) -> dict[str, Any]:
        reply = self._web.post_json(f"/v2/shipments/{shipment_id}/buy", {"rate": {"id": rate_id}})
        if reply.status == 200:
            return _accepted(_shipment(reply))
        code = _code(reply)
        if code == "SHIPMENT.POSTAGE.EXISTS":
            return _accepted(self._read(shipment_id))
        if code in _UNSURE:
            raise Unavailable(f"EasyPost does not know yet whether it is bought: {code}")
        refusal = _refusal(reply)
        if isinstance(refusal, _Refused):
            return {"status": "refused", "reason": str(refusal)}
        raise refusal

    def _read(self, shipment_id: str) -> dict[str, Any]:
        reply = self._web.get(f"/v2/shipments/{shipment_id}")
        if reply.status != 200:
            raise BadCall(f"EasyPost does not show the shipment {shipment_id} ({reply.status}): {_code(reply)}")
        return _shipment(reply)


class _Refused(Exception):
    """EasyPost will never ship this."""


def _shipment(reply: Reply) -> dict[str, Any]:
    shipment = reply.json()
    if "id" not in shipment:
        raise Unavailable("EasyPost answered what is no shipment")
    return shipment


def _accepted(shipment: dict[str, Any]) -> dict[str, Any]:
    if not shipment.get("tracking_code"):
        raise Unavailable("EasyPost has bought the shipment and has no tracking code yet")
    return {"status": "accepted", "tracking": shipment["tracking_code"]}


def _code(reply: Reply) -> str:
    error = reply.json().get("error")
    return str(error.get("code", "no code")) if isinstance(error, dict) else "no code"


def _refusal(reply: Reply) -> Exception:
    code = _code(reply)
    if code.startswith("ADDRESS."):
        return _Refused(f"the address is not accepted: {code}")
    if reply.status in (402, 403):
        return Unavailable(f"EasyPost does not permit this to our account: {code}")
    return BadCall(f"EasyPost does not take the request ({reply.status}): {code}")
