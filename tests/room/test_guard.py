"""Who may look into the control room, and who may change something in it."""

from __future__ import annotations

import socket

import httpx
import pytest

from orderflow_cli.room.guard import MOST_BYTES, TOKEN_HEADER
from unit.support import Lab

POISON = "/api/aws/poison"
BODY = {"service": "payment"}


def arrived(lab: Lab) -> bool:
    return bool(lab.broker.queues["payment"])


@pytest.mark.parametrize(
    "path", ["/", "/order", "/letters", "/figures", "/static/overview.js", "/api/room", "/nowhere"]
)
def test_every_answer_forbids_foreign_scripts_frames_and_inline_code(visitor: httpx.Client, path: str) -> None:
    headers = visitor.get(path).headers

    policy = dict(rule.strip().split(" ", 1) for rule in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}"])
def test_a_name_that_was_bound_to_this_machine_is_not_answered(visitor: httpx.Client, host: str) -> None:
    answer = visitor.get("/api/room", headers={"host": host.format(port=visitor.base_url.port)})

    assert answer.status_code == 421
    assert "customers" not in answer.text


def test_no_other_machine_reaches_it(address: str) -> None:
    port = httpx.URL(address).port
    assert address.startswith("http://127.0.0.1:")
    # The whole of 127/8 is this machine, so a server that listens everywhere answers there too.
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.2", port or 0), timeout=5):
        pass


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}"])
def test_a_page_of_such_a_name_changes_nothing_even_with_the_token(operator: httpx.Client, lab: Lab, host: str) -> None:
    """DNS rebinding: to the browser the page and the room are of one origin, so that it sends what the page likes."""
    name = host.format(port=operator.base_url.port)

    answer = operator.post(POISON, json=BODY, headers={"host": name, "origin": f"http://{name}"})

    assert answer.status_code == 421
    assert not arrived(lab)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"])
@pytest.mark.parametrize("origin", [None, "null", "https://evil.example"])
def test_a_form_on_a_foreign_page_changes_nothing(
    visitor: httpx.Client, lab: Lab, kind: str, origin: str | None
) -> None:
    """What a browser sends for a page without asking first, and without our header."""
    headers = {"content-type": kind, **({"origin": origin} if origin else {})}

    assert visitor.post(POISON, content=b'{"service": "payment"}', headers=headers).status_code == 403
    assert not arrived(lab)


def test_the_token_is_in_no_answer_and_in_nothing_that_is_logged(
    operator: httpx.Client, address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    token = address.partition("token=")[2]
    answers = [operator.get(path) for path in ("/", "/order", "/letters", "/api/room", "/static/common.js", "/nowhere")]
    answers += [operator.post(path, json=BODY) for path in (POISON, "/api/aws/kill", "/api/nowhere/poison")]
    answers += [operator.post(POISON, content=b"{", headers={"content-type": "application/json"})]

    assert not [answer.url for answer in answers if token in answer.text or token in str(answer.headers)]
    assert token not in "".join(capfd.readouterr())


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}"])
def test_a_foreign_page_gets_nothing_even_with_the_token(operator: httpx.Client, lab: Lab, origin: str) -> None:
    headers = {"origin": origin.format(port=operator.base_url.port)}

    assert operator.post(POISON, json=BODY, headers=headers).status_code == 403
    assert operator.get("/api/room", headers=headers).status_code == 403
    assert not arrived(lab)


@pytest.mark.parametrize("token", [None, "", "a-guess", "{token}x", "{token}é"])
def test_nothing_is_changed_without_the_token(visitor: httpx.Client, address: str, lab: Lab, token: str | None) -> None:
    known = address.partition("token=")[2]
    given = None if token is None else token.format(token=known).encode("latin-1")
    headers = [] if given is None else [(TOKEN_HEADER.encode(), given)]

    answer = visitor.post(POISON, json=BODY, headers=headers)

    assert answer.status_code == 403
    assert "orderflow up" in answer.json()["error"]
    assert not arrived(lab)


@pytest.mark.parametrize("path", ["orders", "letters", "provider", "poison", "kill", "load", "twice"])
def test_every_change_needs_the_token(visitor: httpx.Client, path: str) -> None:
    assert visitor.post(f"/api/aws/{path}", json={}).status_code == 403


def test_looking_needs_no_token(visitor: httpx.Client) -> None:
    assert visitor.get("/api/room").status_code == 200
    assert visitor.get("/api/aws/letters").json() == {"count": 0, "letters": []}


def test_a_body_must_be_json_and_small(operator: httpx.Client, lab: Lab) -> None:
    as_a_form_sends_it = operator.post(POISON, content='{"service": "payment"}', headers={"content-type": "text/plain"})
    too_large = operator.post(POISON, json={"service": "x" * MOST_BYTES})

    assert as_a_form_sends_it.status_code == 415
    assert too_large.status_code == 413
    assert not arrived(lab)


def test_the_rooms_own_page_with_the_token_may(operator: httpx.Client, lab: Lab) -> None:
    origin = f"http://127.0.0.1:{operator.base_url.port}"

    assert operator.post(POISON, json=BODY, headers={"origin": origin}).status_code == 200
    assert arrived(lab)
