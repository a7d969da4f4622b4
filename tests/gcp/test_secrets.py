"""The secrets port over Secret Manager's documented REST API, with the real google-auth."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator

import google.auth
import pytest
from google.auth.credentials import AnonymousCredentials

from orderflow.ports import Unavailable
from orderflow_gcp.secrets import SecretManagerSecrets
from web_stub import Answer, Seen, WebStub


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebStub]:
    """A Secret Manager with one secret, answering as
    cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access documents."""
    monkeypatch.setattr(google.auth, "default", lambda scopes: (AnonymousCredentials(), None))  # type: ignore[no-untyped-call]
    path = "/v1/projects/p/secrets/orderflow-dev-gateway/versions/latest:access"

    def answer(seen: Seen) -> Answer:
        if seen.path != path:
            return Answer(404, json.dumps({"error": {"code": 404, "status": "NOT_FOUND"}}))
        data = b64encode(b"sk_live_\xc3\xbc").decode()
        return Answer(200, json.dumps({"name": path[4:], "payload": {"data": data, "dataCrc32c": "1"}}))

    with WebStub(answer) as stub:
        yield stub


def test_the_newest_value_is_read_by_the_short_name(manager: WebStub) -> None:
    assert SecretManagerSecrets("p", "orderflow-dev", manager.url).read("gateway") == "sk_live_ü"


def test_a_missing_secret_and_a_store_that_is_down_are_unavailable(manager: WebStub) -> None:
    secrets = SecretManagerSecrets("p", "orderflow-dev", manager.url)
    with pytest.raises(Unavailable, match="email: HTTP 404"):
        secrets.read("email")
    manager.stop()
    with pytest.raises(Unavailable, match="ConnectionError"):
        secrets.read("gateway")
