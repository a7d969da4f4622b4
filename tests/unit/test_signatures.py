"""Signed events, where a deployment asks for them: what is not signed by one of our keys has no effect."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from random import Random
from typing import Any

import jwt
import pytest

from orderflow import archive
from orderflow.claims import MOST_BYTES, ClaimingPublisher
from orderflow.claims import decode as decode_any
from orderflow.deadletters import discard, redrive
from orderflow.driver import run
from orderflow.envelope import Envelope, canonical, decode
from orderflow.ports import Unavailable
from orderflow.processing import Retry, Shell
from orderflow.secret import REFRESH_SECONDS, Secret
from orderflow.services import find
from orderflow.settings import BadSetting, Settings
from orderflow.signatures import Signatures, SigningPublisher
from orderflow_local.memory import MemorySecrets
from signing import KEYS, key_set, signatures
from unit.support import Lab, done, enveloped, order_placed


class Signed:
    """A workflow that signs its events and asks for it, and whoever else can reach its queues."""

    def __init__(self, mode: str = "require", *keys: str) -> None:
        self.lab = lab = Lab.make(Settings(signatures=mode))
        self.secrets = MemorySecrets({"signing": key_set(*(keys or ("first",)))})
        self.signatures = Signatures(Secret(self.secrets, "signing", lab.clock))
        lab.ports.signatures = self.signatures
        lab.ports.publisher = ClaimingPublisher(SigningPublisher(lab.broker, self.signatures), lab.archive)

    def sign(self, envelope: Envelope, key: str = "first") -> Envelope:
        """An event that somebody with this key signed."""
        return signatures(key).sign(envelope)

    def reason(self, service: str = "payment") -> str:
        """Why the only dead letter is one."""
        [letter] = self.lab.letters(service)
        return str(letter.reason)


@pytest.fixture
def signed() -> Signed:
    """With one key."""
    return Signed()


def placed(**more: Any) -> Envelope:
    """An order's first event, unsigned."""
    return enveloped(order_placed(**more), traceparent=f"00-{'1' * 32}-{'2' * 16}-01")


def test_the_whole_workflow_runs_on_signed_events(signed: Signed) -> None:
    lab = signed.lab
    lab.customer()
    lab.stock("CUP", 20)
    lab.ports.publisher.publish([lab.place(publish=False)])
    lab.run_to_rest()

    assert lab.state("order").status == "shipped"
    assert not any(lab.broker.letters.values())
    assert all(event.extension("signature") for event in lab.published())
    assert signed.secrets.reads == 1, "the keys are read once, not for each event"


def test_a_signature_is_a_jws_that_any_library_checks(signed: Signed) -> None:
    event = signed.sign(placed())
    header, nothing, mac = str(event.extension("signature")).split(".")
    said = {name: value for name, value in event.to_dict().items() if name not in ("signature", "traceparent")}
    content = urlsafe_b64encode(canonical(said)).rstrip(b"=").decode()

    read = jwt.PyJWS().decode_complete(f"{header}.{content}.{mac}", KEYS["first"], algorithms=["HS256"])
    assert (nothing, read["header"]) == ("", {"alg": "HS256", "kid": "first"})


def test_an_event_without_a_signature_is_a_dead_letter_that_says_so_and_has_no_effect(signed: Signed) -> None:
    assert done(signed.lab.deliver("payment", placed())) == "dead-lettered"
    assert signed.reason() == "unsigned"
    assert signed.lab.state("payment") is None


def corrupt(event: Envelope, **header: Any) -> str:
    """The event's signature under another header."""
    _, _, mac = str(event.extension("signature")).split(".")
    return f"{urlsafe_b64encode(json.dumps(header).encode()).rstrip(b'=').decode()}..{mac}"


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda s, e: s.sign(e, "stranger"), id="a key of somebody else's"),
        pytest.param(
            lambda s, e: s.sign(e, "stranger").replace(
                signature=corrupt(s.sign(e, "stranger"), alg="HS256", kid="first")
            ),
            id="a key of somebody else's by our name",
        ),
        pytest.param(lambda s, e: s.sign(e).replace(data={**e.data, "total": 1}), id="other data"),
        pytest.param(lambda s, e: s.sign(e).replace(subject="o-2"), id="another subject"),
        pytest.param(lambda s, e: s.sign(e).replace(id="e-2"), id="another id"),
        pytest.param(lambda s, e: s.sign(e).replace(extra="x"), id="one attribute more"),
        pytest.param(lambda s, e: e.replace(signature=corrupt(s.sign(e), alg="none", kid="first")), id="alg none"),
        pytest.param(lambda s, e: e.replace(signature=corrupt(s.sign(e), alg="HS512", kid="first")), id="alg HS512"),
        pytest.param(
            lambda s, e: e.replace(signature=corrupt(s.sign(e), alg="HS256", kid="first", crit=["x"], x=1)), id="crit"
        ),
        pytest.param(lambda s, e: e.replace(signature=corrupt(s.sign(e), alg="HS256")), id="no key id"),
        pytest.param(lambda s, e: e.replace(signature=corrupt(s.sign(e), alg="HS256", kid=["first"])), id="odd key id"),
        pytest.param(lambda s, e: e.replace(signature=str(s.sign(e).extension("signature"))[:-4]), id="cut short"),
        pytest.param(lambda s, e: e.replace(signature=""), id="empty"),
        pytest.param(lambda s, e: e.replace(signature="a.b.c"), id="not detached"),
        pytest.param(lambda s, e: e.replace(signature="ö..ö"), id="no base64"),
        pytest.param(lambda s, e: e.replace(signature=7), id="a number"),
    ],
)
def test_a_forged_event_is_a_dead_letter_that_says_so_and_has_no_effect(signed: Signed, forge: Any) -> None:
    event = forge(signed, placed())
    assert done(signed.lab.deliver("payment", event)) == "dead-lettered"
    assert signed.reason() == "bad-signature"
    assert signed.lab.state("payment") is None


def test_what_a_broker_may_write_anew_does_not_break_a_signature(signed: Signed) -> None:
    """Event Grid's SDK writes ASCII with spaces; tracing writes its own context; times have several spellings."""
    content = signed.sign(placed()).to_dict()
    content = {name: content[name] for name in reversed(content)}
    content |= {"traceparent": f"00-{'a' * 32}-{'b' * 16}-00", "time": content["time"].replace(".000Z", "+00:00")}
    assert done(signed.lab.deliver("payment", json.dumps(content, indent=1).encode())) == "handled"


def test_large_data_are_fetched_for_a_signed_event_only(signed: Signed) -> None:
    lines = [(f"SKU-{number}", 1) for number in range(MOST_BYTES // 40)]
    assert signed.lab.ports.publisher.publish([placed(lines=lines)]) == [None]
    claim = decode_any(signed.lab.broker.queues["payment"][0].body)
    assert claim.extension("dataref")
    fetched: list[str] = []
    get, signed.lab.archive.get = signed.lab.archive.get, lambda name: fetched.append(name) or get(name)  # type: ignore[method-assign, func-returns-value]

    assert done(signed.lab.deliver("payment", claim.replace(signature="x..y"))) == "dead-lettered"
    assert fetched == []
    assert done(signed.lab.deliver("payment", claim)) == "handled"
    assert len(fetched) == 1


def test_an_event_that_was_signed_again_with_another_key_is_the_same_event() -> None:
    signed = Signed("require", "first", "second")
    assert done(signed.lab.deliver("payment", signed.sign(placed(), "first"))) == "handled"
    assert done(signed.lab.deliver("payment", signed.sign(placed(), "second"))) == "duplicate"


def test_keys_are_changed_while_events_are_on_their_way(signed: Signed) -> None:
    lab = signed.lab
    assert done(lab.deliver("payment", signed.sign(placed()))) == "handled"
    lab.clock.time += REFRESH_SECONDS
    signed.secrets.values["signing"] = key_set("first", "second")  # It may check.
    assert done(lab.deliver("payment", signed.sign(placed(), "second"))) == "duplicate"
    signed.secrets.values["signing"] = key_set("second", "first")  # It signs.
    assert done(lab.deliver("payment", signed.sign(placed(), "first"))) == "duplicate"
    lab.clock.time += REFRESH_SECONDS
    signed.secrets.values["signing"] = key_set(
        "second"
    )  # The old one is withdrawn; a process learns it when it starts.
    lab.ports.signatures = Signatures(Secret(signed.secrets, "signing", lab.clock))
    assert done(lab.deliver("payment", signed.sign(placed(), "first"))) == "dead-lettered"


def test_made_up_keys_do_not_make_us_ask_for_the_secret_each_time(signed: Signed) -> None:
    for number in range(20):
        signed.lab.deliver("payment", signed.sign(enveloped(order_placed(f"o-{number}"), f"e-{number}"), "stranger"))
    assert signed.secrets.reads == 1


@pytest.mark.parametrize(
    "value", [None, "", "secret", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "kid": "a", "k": "c2hvcnQ"}]}']
)
def test_without_a_good_key_events_wait_and_nothing_is_published_or_lost(signed: Signed, value: str | None) -> None:
    good = signed.sign(placed())
    if value is None:
        del signed.secrets.values["signing"]
    else:
        signed.secrets.values["signing"] = value

    outcome = signed.lab.deliver("payment", good)
    assert isinstance(outcome, Retry)
    assert not signed.lab.letters("payment")
    assert signed.lab.document("attempts", "payment.e-1") is None, "waiting for a key is no attempt"
    [error] = signed.lab.ports.publisher.publish([placed()])
    assert isinstance(error, Unavailable)
    assert not signed.lab.published()


def test_a_key_that_is_put_in_late_is_found_by_a_process_that_waits_for_it(signed: Signed) -> None:
    good, signed.secrets.values["signing"] = signed.sign(placed()), "not set yet"
    assert isinstance(signed.lab.deliver("payment", good), Retry)
    signed.secrets.values["signing"] = key_set("first")
    signed.lab.clock.time += REFRESH_SECONDS
    assert done(signed.lab.deliver("payment", good)) == "handled"


def test_the_sweeper_signs_what_was_stored_unsigned(signed: Signed) -> None:
    signed.lab.place(publish=False)
    signed.lab.clock.time += signed.lab.settings.sweep_after + 1
    assert signed.lab.sweep().republished == 1
    [event] = signed.lab.published("OrderPlaced")
    assert signed.signatures.fault(event) is None


def test_signing_alone_refuses_nothing_so_that_it_can_be_turned_on_before() -> None:
    signed = Signed("sign")
    assert done(signed.lab.deliver("payment", placed())) == "handled"
    signed.lab.run_to_rest()
    assert all(event.extension("signature") for event in signed.lab.published())


def test_what_is_archived_is_signed_and_may_be_handed_over_again(signed: Signed) -> None:
    signed.lab.ports.publisher.publish([placed()])
    [body] = [delivery.body for delivery in signed.lab.broker.queues["payment"]]
    signed.lab.archive.put("events/2027/01/15/08_00_00Z_1.jsonl", archive.lines([body]))
    [event] = archive.read(signed.lab.archive, 0, 2e9)
    assert done(signed.lab.deliver("payment", event.to_bytes())) == "handled"


def test_a_forged_event_in_the_archive_does_not_stand_in_the_way_of_the_real_one(signed: Signed) -> None:
    real, forged = signed.sign(placed()), placed(total=1)
    signed.lab.archive.put("events/2027/01/15/08_00_00Z_1.jsonl", archive.lines([forged.to_bytes(), real.to_bytes()]))
    found = archive.read(signed.lab.archive, 0, 2e9, lambda event: signed.signatures.fault(event) is None)
    assert list(found) == [decode(real.to_bytes())]


def test_a_forged_letter_may_be_thrown_away_and_a_signed_one_may_not(signed: Signed) -> None:
    lab, payment = signed.lab, find("payment")
    lab.shell = Shell(lab.settings, lab.clock, Random(1))
    lab.deliver("payment", placed())
    [letter] = lab.letters("payment")
    assert run(redrive(lab.shell, payment, letter), lab.ports) is None
    lab.run_to_rest()
    [letter] = lab.letters("payment")
    assert run(discard(lab.shell, payment, letter), lab.ports) is None
    assert not lab.letters("payment")

    needed = replace(letter, body=signed.sign(placed()).to_bytes())
    assert "redrive it" in str(run(discard(lab.shell, payment, needed), lab.ports))


def test_without_the_option_nothing_is_signed_read_or_looked_at(lab: Lab) -> None:
    lab.ports.publisher.publish([placed()])
    assert lab.published()[0].extension("signature") is None
    assert done(lab.deliver("payment", placed().replace(signature="x..y"))) == "handled"


def test_a_mode_that_there_is_not_is_refused() -> None:
    with pytest.raises(BadSetting, match="ORDERFLOW_SIGNATURES"):
        Settings.from_environment({"ORDERFLOW_SIGNATURES": "on"})


def test_a_key_is_never_shown(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    secret = urlsafe_b64encode(KEYS["first"]).rstrip(b"=").decode()
    signed.lab.deliver("payment", placed())
    signed.lab.deliver("payment", signed.sign(placed(), "stranger"))
    signed.secrets.values["signing"] = key_set("first").replace('"k"', '"K"')
    shown = f"{signed.lab.letters('payment')} {capsys.readouterr()} {signed.signatures.sign(placed()).to_dict()}"
    assert secret not in shown
    assert urlsafe_b64decode(secret + "=") == KEYS["first"]


WIRING = """
import json, sys
from importlib import import_module

ports = import_module(f"orderflow_{sys.argv[1]}.wiring").bootstrap(json.loads(sys.argv[2]))
print(type(ports.publisher._publisher).__name__, ports.signatures is not None, "orderflow.signatures" in sys.modules)
"""
ENVIRONMENTS = {
    "aws": {"ORDERFLOW_TOPIC_ARN": "arn:t", "ORDERFLOW_QUEUES_URL": "https://q/", "AWS_REGION": "eu-west-1"},
    "azure": {"ORDERFLOW_ARCHIVE_CONTAINER": "archive", "ORDERFLOW_DROP_CONTAINER": "drop"},
    "gcp": {"GOOGLE_CLOUD_PROJECT": "p"},
}
PUBLISHERS = {"aws": "SnsPublisher", "azure": "EventGridPublisher", "gcp": "PubSubPublisher"}


@pytest.mark.parametrize("cloud", ENVIRONMENTS)
@pytest.mark.parametrize("mode", [None, "off", "sign", "require"])
def test_every_cloud_signs_where_it_is_asked_to_and_else_does_not_even_load_it(cloud: str, mode: str | None) -> None:
    environ = {"ORDERFLOW_ARCHIVE_BUCKET": "archive", "ORDERFLOW_DROP_BUCKET": "drop", **ENVIRONMENTS[cloud]}
    if mode:
        environ["ORDERFLOW_SIGNATURES"] = mode
    command = [sys.executable, "-c", WIRING, cloud, json.dumps(environ)]
    wired = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    on = mode in ("sign", "require")
    assert wired == ["SigningPublisher" if on else PUBLISHERS[cloud], str(on), str(on)]
