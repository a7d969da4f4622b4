"""A stub of EasyPost's API for the calls that are made of it. Answers have the fields of those that EasyPost's SDK has
recorded in its own tests (github.com/EasyPost/easypost-python, tests/cassettes/test_shipment_buy.yaml), cut down."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from web_stub import Answer, Seen

RATES = (("Express", "31.25"), ("Priority", "6.95"), ("GroundAdvantage", "5.93"))


@dataclass
class EasyPostStub:
    """``next`` are answers in the place of the next ones: a status, an error code, or "lost", which does the work and
    loses the answer."""

    key: str = "EZTK1"
    shipments: dict[str, dict[str, Any]] = field(default_factory=dict)
    next: list[str] = field(default_factory=list)
    bought: int = 0

    def answer(self, seen: Seen) -> Answer:
        """One request."""
        if seen.headers.get("authorization") != f"Bearer {self.key}":
            return _error(401, "APIKEY.INVALID")
        trouble = self.next.pop(0) if self.next else ""
        if trouble.isdigit():
            return _error(int(trouble), "TROUBLE")
        if trouble == "garbage":
            return Answer(200, "<html>")
        if "." in trouble:
            return _error(422, trouble)
        match seen.method, seen.path.split("/")[2:]:
            case "POST", ["shipments"]:
                answer = self._make(seen.json["shipment"])
            case "GET", ["shipments", shipment_id] if shipment_id in self.shipments:
                answer = Answer(200, json.dumps(self.shipments[shipment_id]))
            case "POST", ["shipments", shipment_id, "buy"]:
                answer = self._buy(self.shipments[shipment_id], seen.json["rate"]["id"])
            case _:
                answer = _error(404, "NOT_FOUND")
        return Answer(lost=True) if trouble == "lost" else answer

    def _make(self, wanted: dict[str, Any]) -> Answer:
        shipment_id = f"shp_{len(self.shipments) + 1}"
        goes = wanted["to_address"]["country"] != "AQ"
        rates = [
            {
                "id": f"rate_{shipment_id}_{service}",
                "object": "Rate",
                "service": service,
                "carrier": "USPS",
                "rate": price,
                "currency": "USD",
                "shipment_id": shipment_id,
            }
            for service, price in (RATES if goes else ())
        ]
        self.shipments[shipment_id] = {
            "id": shipment_id,
            "object": "Shipment",
            "mode": "test",
            "reference": wanted["reference"],
            "status": "unknown",
            "to_address": {"object": "Address", **wanted["to_address"]},
            "from_address": {"object": "Address", **wanted["from_address"]},
            "parcel": {"object": "Parcel", **wanted["parcel"]},
            "rates": rates,
            "messages": [],
            "selected_rate": None,
            "postage_label": None,
            "tracking_code": None,
        }
        return Answer(201, json.dumps(self.shipments[shipment_id]))

    def _buy(self, shipment: dict[str, Any], rate_id: str) -> Answer:
        if shipment["postage_label"]:
            return _error(422, "SHIPMENT.POSTAGE.EXISTS")
        self.bought += 1
        shipment["selected_rate"] = next(rate for rate in shipment["rates"] if rate["id"] == rate_id)
        shipment["postage_label"] = {"object": "PostageLabel", "id": f"pl_{self.bought}", "label_url": "https://..."}
        shipment["tracking_code"] = f"94001{self.bought:017}"
        return Answer(200, json.dumps(shipment))


def _error(status: int, code: str) -> Answer:
    return Answer(status, json.dumps({"error": {"code": code, "message": "for Zoë, Straße 1", "errors": []}}))
