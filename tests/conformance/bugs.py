"""Bugs to plant in the clouds' adapters, one at a time, under the conformance suite: `python -m conformance.planting`.

A bug is a piece of an adapter's text and what stands there instead. The bugs of the shell and the services are
`simulation.bugs`: the simulator has no adapters, and the suite is slow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FUNCTIONS = Path(__file__).parents[2] / "functions"


@dataclass(frozen=True, slots=True)
class Bug:
    """``right``, which is once in a ``module`` of a cloud's adapter, becomes ``wrong``. ``unseen`` says why the suite
    does not show it on local clouds, and what holds it instead; empty where it must."""

    cloud: str
    name: str
    module: str
    right: str
    wrong: str
    unseen: str = ""

    @property
    def path(self) -> Path:
        """The module, below `FUNCTIONS`."""
        return Path(self.cloud) / f"orderflow_{self.cloud}" / f"{self.module}.py"

    def planted(self, text: str) -> str:
        """The module's text with the bug. Raises `ValueError` where the text has changed under it."""
        if text.count(self.right) != 1:
            raise ValueError(f"{self.name}: {text.count(self.right)} times in {self.path}, not once: {self.right}")
        return text.replace(self.right, self.wrong)


BUGS: tuple[Bug, ...] = (
    Bug(
        "aws",
        "a write that was refused counts as done",
        "store",
        'if found.get("Item", {}).get("version") != {"S": stored.version}:',
        "if not found:",
    ),
    Bug(
        "aws",
        "insert without condition",
        "store",
        'condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(version)"}',
        "condition: dict[str, Any] = {}",
    ),
    Bug("aws", "the end of a range is left out", "store", "#sort <= :through", "#sort < :through"),
    Bug(
        "aws",
        "stale index entries are answered",
        "store",
        ' and found[key].document.get("index", {}).get(index) == [partition, sort]',
        "",
        unseen="ministack's indexes do not lag; tests/aws/test_store.py sees it",
    ),
    Bug(
        "aws",
        "the next page is forgotten",
        "store",
        "return Page(current, _cursor(index, last) if last else None)",
        "return Page(current, None)",
    ),
    Bug(
        "aws",
        "a delete that was refused counts as done",
        "store",
        'raise Conflict(f"{collection} {key} changed") from None',
        "return",
    ),
    Bug(
        "aws",
        "the tier is no attribute",
        "publisher",
        "for name, value in envelope.attributes().items()\n        },",
        'for name, value in envelope.attributes().items() if name != "tier"\n        },',
    ),
    Bug("aws", "more than ten entries a call", "publisher", "MAX_ENTRIES = 10", "MAX_ENTRIES = 100"),
    Bug("aws", "bytes of a call not counted", "publisher", "MAX_BYTES = 262_144", "MAX_BYTES = 10**9"),
    Bug(
        "aws",
        "failed entries count as sent",
        "publisher",
        'return {int(failed["Id"]): Unavailable(f"SNS: {failed[\'Code\']}") for failed in answer.get("Failed", [])}',
        "return {}",
    ),
    Bug(
        "aws",
        "an unreachable topic counts as sent",
        "publisher",
        'return {int(entry["Id"]): error for entry in batch}',
        "return {}",
    ),
    Bug(
        "aws",
        "letters lose their attributes",
        "deadletters",
        '"attributes": json.dumps(dict(letter.attributes)),',
        '"attributes": "{}",',
    ),
    Bug(
        "aws",
        "letters stay hidden",
        "deadletters",
        "        finally:\n            self._show(url, list(seen.values()))",
        "        finally:\n            pass",
    ),
    Bug(
        "aws",
        "no failures are reported",
        "entrypoints",
        '{"itemIdentifier": message_id} for message_id in retries]',
        '{"itemIdentifier": message_id} for message_id in list(retries)[:0]]',
    ),
    Bug(
        "aws",
        "a failure fails its neighbours",
        "entrypoints",
        '{"itemIdentifier": message_id} for message_id in retries]',
        '{"itemIdentifier": message_id} for message_id in (outcomes if retries else ())]',
    ),
    Bug("aws", "delays are not set", "entrypoints", "    _delay(service, delays)\n", ""),
    Bug(
        "aws",
        "delays in milliseconds",
        "entrypoints",
        'math.ceil(retries[record["messageId"]].after)',
        'math.ceil(retries[record["messageId"]].after / 1000)',
    ),
    Bug(
        "aws",
        "receives is not read",
        "entrypoints",
        'receives=int(record["attributes"]["ApproximateReceiveCount"]),\n        group',
        "receives=1,\n        group",
    ),
    Bug(
        "aws",
        "base64 is not undone in a letter",
        "deadletters",
        'return b64decode(text) if attributes.get(ENCODING) == "base64" else text.encode()',
        "return text.encode()",
    ),
    Bug(
        "aws",
        "base64 request bodies are not undone",
        "entrypoints",
        'b64decode(body) if event.get("isBase64Encoded") else body.encode()',
        "body.encode()",
    ),
    Bug(
        "aws",
        "no deadline",
        "entrypoints",
        "return time.time() + context.get_remaining_time_in_millis() / 1000 - MARGIN_S",
        "return time.time() + 1e6",
    ),
    Bug(
        "aws",
        "documents do not expire",
        "store",
        '    if "expires_at" in stored.document:\n',
        '    if "expires" in stored.document:\n',
    ),
    Bug(
        "azure",
        "replace without etag",
        "store",
        "etag=etag,\n                match_condition=MatchConditions.IfNotModified,\n                **_ONCE",
        "etag=etag,\n                match_condition=MatchConditions.Unconditionally,\n                **_ONCE",
    ),
    Bug(
        "azure",
        "insert overwrites",
        "store",
        "table.create_entity(_entity(key, document, tags), **_ONCE)",
        "table.upsert_entity(_entity(key, document, tags), **_ONCE)",
    ),
    Bug(
        "azure",
        "stale index entries are answered",
        "store",
        "if stored is not None and row in _rows(key, stored.document):",
        "if stored is not None:",
    ),
    Bug(
        "azure",
        "the end of a range downwards is left out",
        "store",
        '("d" if through is None else f"d{through.translate(_REVERSED)}}}")',
        '("d" if through is None else f"d{through.translate(_REVERSED)}~~")',
    ),
    Bug("azure", "the end of a range upwards is left out", "store", "f'a{through}\"')", "f'a{through}!')"),
    Bug(
        "azure", "the next page is forgotten", "store", 'shown[-1]["RowKey"] if len(entities) > limit else None', "None"
    ),
    Bug("azure", "properties too long", "store", "_CHUNK = 16_000", "_CHUNK = 60_000"),
    Bug(
        "azure",
        "what fails is not given back",
        "entrypoints",
        "    if again:\n        _clients().send(queue, again)\n\n\ndef load_files",
        "\n\ndef load_files",
    ),
    Bug(
        "azure",
        "given back at once",
        "entrypoints",
        "    from azure.servicebus import ServiceBusMessage\n\n    properties: dict",
        "    from azure.servicebus import ServiceBusMessage\n    after = 0\n    properties: dict",
    ),
    Bug(
        "azure",
        "given back without properties",
        "entrypoints",
        "application_properties=properties,\n        content_type",
        "application_properties={},\n        content_type",
    ),
    Bug(
        "azure",
        "publish errors are swallowed",
        "publisher",
        "        except Unavailable as error:\n            return error\n",
        "        except Unavailable:\n            return None\n",
    ),
    Bug("azure", "batches are not divided", "publisher", "_MAX_BYTES = 1_000_000", "_MAX_BYTES = 10**9"),
    Bug(
        "azure",
        "letters lose their attributes",
        "deadletters",
        '"attributes": json.dumps(dict(letter.attributes)),',
        '"attributes": "{}",',
    ),
    Bug(
        "azure",
        "remove takes the first",
        "deadletters",
        "if messages[0].sequence_number == number:",
        "if messages[0].sequence_number:",
    ),
    Bug(
        "azure",
        "the broker's letters are not shown",
        "deadletters",
        "return [*ours, *brokers][:limit]",
        "return [*ours][:limit]",
    ),
    Bug(
        "azure",
        "deliveries of a notification forgotten",
        "entrypoints",
        "again.append(_copy(message, outcome.after, {notifications.DELIVERIES: times}))",
        "again.append(_copy(message, outcome.after))",
    ),
    Bug(
        "azure",
        "no deadline",
        "entrypoints",
        "deadline = time.time() + find(service).limits.timeout_s - MARGIN_S",
        "deadline = time.time() + 1e6",
    ),
    Bug(
        "azure",
        "path not decoded",
        "entrypoints",
        "path=unquote(urlsplit(request.url).path)",
        "path=urlsplit(request.url).path",
    ),
    Bug(
        "azure",
        "what has changed is unavailable",
        "store",
        "if error.status_code in (404, 409, 412)",
        "if error.status_code in (409,)",
    ),
    Bug(
        "gcp", "what fails is acknowledged", "entrypoints", "return outcome.reason, 429,", "return outcome.reason, 200,"
    ),
    Bug(
        "gcp",
        "replace without precondition",
        "store",
        '"current_document": _unchanged(previous)})\n        return Stored',
        '"current_document": {"exists": True}})\n        return Stored',
    ),
    Bug(
        "gcp",
        "insert overwrites",
        "store",
        '{"update": update, "current_document": {"exists": False}}',
        '{"update": update}',
    ),
    Bug(
        "gcp",
        "delete without precondition",
        "store",
        '"delete": self._name(collection, key), "current_document": _unchanged(previous)',
        '"delete": self._name(collection, key)',
    ),
    Bug("gcp", "the next page is forgotten", "store", '"limit": limit + 1,', '"limit": limit,'),
    Bug("gcp", "the end of a range is left out", "store", '"LESS_THAN_OR_EQUAL"', '"LESS_THAN"'),
    Bug("gcp", "any audience", "push", '"aud", "iss"]},', '"aud", "iss"], "verify_aud": False},'),
    Bug(
        "gcp",
        "any account",
        "push",
        'if claims.get("email") != self._service_account or claims.get("email_verified") is not True:',
        'if claims.get("email_verified") is not True:',
    ),
    Bug("gcp", "unverified email", "push", ' or claims.get("email_verified") is not True:', ":"),
    Bug("gcp", "attempt is not read", "push", 'receives=_attempt(wrapper.get("deliveryAttempt")),', "receives=1,"),
    Bug(
        "gcp", "attributes are not read", "push", 'attributes=_attributes(message.get("attributes")),', "attributes={},"
    ),
    Bug(
        "gcp",
        "letters lose their attributes",
        "deadletters",
        "attributes = {**letter.attributes, **{_OURS",
        "attributes = {**{_OURS",
    ),
    Bug("gcp", "remove takes all it leased", "deadletters", "if received.message.message_id == letter.letter_id]", "]"),
    Bug(
        "gcp",
        "letters stay leased",
        "deadletters",
        "        self._give_back(subscription, leased)\n        return sorted",
        "        return sorted",
    ),
    Bug(
        "gcp",
        "what has changed is unavailable",
        "store",
        "except (Aborted, AlreadyExists, FailedPrecondition, NotFound) as error:",
        "except (Aborted,) as error:",
    ),
    Bug(
        "gcp",
        "broker letters have no attempts",
        "deadletters",
        ' or attributes.get(f"{_NATIVE}DeliveryCount") or 1',
        " or 1",
    ),
    Bug(
        "gcp",
        "no deadline",
        "entrypoints",
        "deadline = time.time() + timeout_s - MARGIN_S",
        "deadline = time.time() + 1e6",
    ),
)
