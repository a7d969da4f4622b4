"""The bill, worked by hand: an order of one POST and one delivery, and prices that are easy to multiply. The arithmetic
stands beside each figure."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from orderflow.envelope import canonical
from orderflow_cli.cost import model, prices
from orderflow_cli.cost.counting import Call, Counted, Execution, Workflow
from orderflow_cli.cost.curves import crossings
from orderflow_cli.cost.model import Bill, Inputs, estimate

ROOT = Path(__file__).parents[2]
MILLION = 1e6
SWEEPS = 43_800
"""730 hours of 60 minutes."""
ARCHIVINGS = 8_760
"""Every five minutes."""


def order(*calls: Call, received: int = 900, service: str = "payment") -> Counted:
    """A POST that publishes one event of 900 bytes, and a delivery of it that makes these calls."""
    post = Execution("api", 100, calls=[Call("publish", events=(900,))], logged=100)
    delivery = Execution(service, received, "OrderPlaced", list(calls), logged=400)
    return Counted("shipped", (post, delivery), stored=1_000)


def bill(cloud: str, counted: Counted, orders: float = MILLION, **more: float) -> Bill:
    """Its bill, at the prices of the table."""
    return estimate(cloud, counted, replace(Inputs(orders), **more), prices.load())  # type: ignore[arg-type]


def quantity(found: Bill, what: str) -> float:
    """The quantity of a line."""
    [line] = [line for line in found.lines if line.what == what]
    return line.quantity


READ, WRITE, PUBLISH = Call("get", "payments", 500), Call("replace", "payments", 500), Call("publish", events=(900,))


def test_lambda_is_billed_by_the_millisecond() -> None:
    found = bill("aws", order(READ, WRITE, PUBLISH))
    # POST: 0.18 ms / (256/1769 of a core) = 1.24 ms, and one call of 10 ms: 11.24, billed as 12 ms.
    # Delivery: 1.24 ms and three calls: 31.24, billed as 32 ms. Sweep: one call, 10 ms.
    milliseconds = 12 * MILLION + 32 * MILLION + 10 * SWEEPS
    assert quantity(found, "Lambda time") == pytest.approx(milliseconds / 1000 * 0.25)
    assert quantity(found, "Lambda requests") == 2 * MILLION + SWEEPS
    # 11,000 + 109.5 GB-seconds at 0.0000133334, and 2.0438 million requests at 0.20.
    assert found.part("functions") == pytest.approx(11_109.5 * 0.0000133334 + 2.0438 * 0.20)


def test_flex_is_billed_by_a_second_at_least_and_then_by_tenths() -> None:
    short = bill("azure", order(READ, WRITE, PUBLISH))
    # Whatever is shorter is a second of 512 MB.
    seconds = 2 * MILLION + SWEEPS + ARCHIVINGS
    assert quantity(short, "Flex time, the API's too") == seconds * 0.5
    long = bill("azure", order(READ, WRITE, PUBLISH), call_ms=350)
    # Delivery: 0.18/0.25 = 0.72 ms and 3 x 350 ms: 1,050.72, billed as 1,100 ms. The others have one call.
    assert quantity(long, "Flex time, the API's too") == pytest.approx((seconds + 0.1 * MILLION) * 0.5)


def test_cloud_run_is_billed_by_tenths_of_a_second() -> None:
    found = bill("gcp", order(READ, WRITE, PUBLISH))
    # 0.18/0.167 = 1.08 ms and up to three calls of 10 ms: a tenth of a second each, and each sweep.
    seconds = 0.1 * (2 * MILLION + SWEEPS)
    assert quantity(found, "Cloud Run processors") == pytest.approx(seconds * 0.167)
    assert quantity(found, "Cloud Run memory") == pytest.approx(seconds * 0.25)


def test_dynamodb_is_billed_by_kilobytes_written_and_four_kilobytes_read() -> None:
    calls = (
        Call("insert", "payments", 900, added=2),  # 970 bytes with what an item has beside: 1 unit, 2 index entries
        Call("replace", "payments", 1_000, removed=1),  # 1,070 bytes: 2 units, 1 entry removed
        Call("replace", "payments", 1_000, added=1, lost=True),  # refused: 2 units, no entry
        Call("get", "payments", 4_096),  # 1 unit
        Call("get", "payments", 4_097),  # 2 units
        Call("get", "payments", 0),  # nothing there: 1 unit
    )
    found = bill("aws", order(*calls), orders=1)
    assert quantity(found, "DynamoDB write units") == 3 + 3 + 2
    assert quantity(found, "DynamoDB read units") == 1 + 2 + 1


def test_a_document_of_analytics_costs_more_the_more_orders_there_are() -> None:
    counted = order(Call("replace", "analytics", 400), service="analytics")
    # 2,628,000 orders a month are one a second: 60 events in a minute, 3.75 in each of 16 documents, half of it on
    # average: 340 + 79 x 1.875 = 488 bytes, with 70 more 1 unit. A hundred times as many: 15,152 bytes, 15 units.
    assert quantity(bill("aws", counted, orders=2_628_000), "DynamoDB write units") == 2_628_000
    assert quantity(bill("aws", counted, orders=262_800_000), "DynamoDB write units") == 15 * 262_800_000


def test_tables_is_billed_by_request_and_an_index_entry_is_two() -> None:
    calls = (READ, Call("insert", "orders", 900, added=2), Call("replace", "orders", 900, added=1, removed=1))
    # 1, 1 + 4, 1 + 2 + 2
    assert quantity(bill("azure", order(*calls), orders=1), "Tables transactions") == 11


def test_firestore_is_billed_by_document() -> None:
    found = bill("gcp", order(READ, WRITE, Call("insert", "orders", 90_000, added=2)))
    assert found.part("store") == pytest.approx(2 * MILLION / 100_000 * 0.09 + MILLION / 100_000 * 0.03)


def test_sns_and_sqs_count_64_kilobytes_as_one_request() -> None:
    small = bill("aws", order(WRITE))
    queues = 11 * 5 * 3 * 60 * 730
    assert quantity(small, "SNS publishes") == MILLION
    assert quantity(small, "SQS receives and deletes") == 2 * MILLION
    assert quantity(small, "SQS receives of empty queues") == queues
    large = bill("aws", order(Call("publish", events=(40_000, 40_000)), received=70_000))
    # The POST's one, and 80,000 bytes are two; 70,000 bytes are received as two and deleted as one.
    assert quantity(large, "SNS publishes") == 3 * MILLION
    assert quantity(large, "SQS receives and deletes") == 3 * MILLION


def test_a_batch_shares_publishes_receives_and_deletes() -> None:
    found = bill("aws", order(WRITE, PUBLISH), batch=10)
    # The POST's publish, and one for ten deliveries.
    assert quantity(found, "SNS publishes") == pytest.approx(1.1 * MILLION)
    assert quantity(found, "SQS receives and deletes") == pytest.approx(0.2 * MILLION)
    assert quantity(found, "Lambda requests") == pytest.approx(1.1 * MILLION + SWEEPS)


def test_a_batch_is_what_comes_within_the_window_and_ten_at_most() -> None:
    counted = order(WRITE, service="analytics")

    def batch(cloud: str, orders: float, service: str = "analytics") -> float:
        return model.Estimate(cloud, counted, Inputs(orders), prices.load()).batch(service)

    # One order a second and one delivery of it: the first message opens a window of 5 s, 5 more come.
    assert batch("aws", 2_628_000) == batch("azure", 2_628_000) == pytest.approx(6)
    assert batch("azure", 26_280_000) == 10
    assert batch("gcp", 26_280_000) == 1, "Pub/Sub pushes one at a time"
    assert batch("aws", 26_280_000, "payment") == 1, "an order waits for its payment"


def test_event_grid_counts_what_comes_what_matches_and_what_is_delivered() -> None:
    # Published, to the archive's queue, to payment's queue, by its filter.
    assert quantity(bill("azure", order()), "Event Grid operations") == 4 * MILLION


def test_service_bus_has_13_million_operations_in_its_base_and_is_cheaper_by_tier() -> None:
    # An event is sent, received and completed twice: for payment and for the archive.
    few = bill("azure", order(), orders=2 * MILLION)  # 12 million
    many = bill("azure", order(), orders=20 * MILLION)  # 120 million
    event_grid = 0.06 / 100_000 * 4
    assert few.part("broker") == pytest.approx(9.81 + 2 * MILLION * event_grid)
    assert many.part("broker") == pytest.approx(9.81 + 87 * 0.80 + 20 * 0.50 + 20 * MILLION * event_grid)


def test_pubsub_is_billed_by_volume_and_a_kilobyte_a_request_at_least() -> None:
    found = bill("gcp", order(Call("publish", events=(2_000, 3_000)), received=900), orders=1)
    # The POST's 900 + 36 bytes count as 1,000; both events 5,000 + 2 x 36; the delivery's 936 as 1,000.
    assert quantity(found, "Pub/Sub publishes and pushes") == 1_000 + 5_072 + 1_000


def test_what_is_free_is_taken_off_only_when_asked_for() -> None:
    charged, free = bill("gcp", order()), bill("gcp", order(), free_tier=True)
    [line] = [line for line in charged.lines if line.what.startswith("Cloud Run requests")]
    assert [line.usd, line.free] == pytest.approx([2.0438 * 0.40, 2 * 0.40])
    [line] = [line for line in free.lines if line.what.startswith("Cloud Run requests")]
    assert line.usd == pytest.approx(0.0438 * 0.40)


def test_what_has_no_price_is_named_and_not_guessed() -> None:
    found = bill("azure", order())
    assert "Flex executions, the API's too" in found.unknown()
    assert found.part("archive") is None
    assert found.total == pytest.approx(sum(line.usd for line in found.lines if line.usd is not None))


def test_every_price_says_where_it_was_read() -> None:
    table = prices.load()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", table.read)
    for price in [price for priced in table.by_cloud.values() for price in priced.values()]:
        assert price.source.startswith("https://")
        assert price.usd > 0
        assert price.per > 0


def test_a_document_of_analytics_is_as_large_as_the_model_says() -> None:
    workflow = Workflow()
    for _ in range(20):
        workflow.run("shipped")
    found = list(workflow.documents("analytics"))
    events = sum(len(document["absorbed"]) for document in found)
    expected = model.ANALYTICS_BYTES * len(found) + model.ANALYTICS_BYTES_AN_EVENT * events
    assert sum(len(canonical(document)) for document in found) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("cloud", "pattern", "more"),
    [
        ("aws", r"(\d+) alarms, \d+ filters", ()),
        ("azure", r"log queries by how often they run \| (\d+) and (\d+)", (model.LOG_ALERTS,)),
        ("gcp", r"alert policies, by condition \| (\d+)", ()),
    ],
)
def test_the_alarms_are_those_that_the_guides_count(cloud: str, pattern: str, more: tuple[int, ...]) -> None:
    """The guides count those of the plan, with services that were added to the core."""
    guide = (ROOT / "docs" / "deploy" / f"{cloud}.md").read_text()
    planned = json.loads((ROOT / "topology.json").read_text())["services"]
    found = re.search(pattern, guide)
    assert found is not None
    assert tuple(int(figure) for figure in found.groups()) == (model.alarms(cloud, planned), *more)


def test_clouds_break_even_where_their_curves_cross() -> None:
    # 10 and 40 at 1,000 orders, 1,000 and 250 at 100,000: straight on logarithmic axes, they meet half-way.
    [crossing] = crossings({"aws": [(1e3, 10), (1e5, 1_000)], "azure": [(1e3, 40), (1e5, 250)]})
    assert (crossing.before, crossing.then) == ("aws", "azure")
    assert crossing.orders == pytest.approx(1e4)
