"""A customer and a token that nothing else resembles: whatever says any of this has let it out. No id can say it by
chance, for ids are hexadecimal."""

from __future__ import annotations

PERSONAL = {
    "name": "Plantagenet Zoë",
    "address": {"street": "Geheimgasse 7", "city": "Plantstadt", "postcode": "ZX9 9QK", "country": "DE"},
    "email": "planted.zoe@example.com",
    "sms": "+4930999077123",
    "push": "device-planted-77",
}
API_TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ6b2UifQ.c2lnbmF0dXJlLXBsYW50ZWQ"  # pragma: allowlist secret
