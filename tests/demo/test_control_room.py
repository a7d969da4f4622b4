"""The control room in a real Chromium, over a cloud that `orderflow up` runs: what an operator sees and does."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from waiting import wait_until

pytestmark = pytest.mark.local_cloud

PATIENCE_MS = 60_000
PAGES = {"/": ".part-orders table", "/letters": "#boxes section", "/figures": "#figures table"}


@pytest.fixture(scope="module")
def address(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address that `orderflow up` prints."""
    folder = tmp_path_factory.mktemp("room")
    command = [
        str(Path(sys.executable).with_name("orderflow")),
        "up",
        "--cloud",
        "gcp",
        "--state",
        str(folder / "state"),
    ]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        assert up.stdout is not None
        printed: list[str] = []
        for line in up.stdout:
            printed.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/#token=\S+", line):
                break
        else:
            pytest.fail("".join(printed))
        try:
            yield found[0]
        finally:
            up.send_signal(signal.SIGINT)
            try:
                assert up.wait(120) == 130
            finally:
                up.kill()


@pytest.fixture
def trouble() -> list[str]:
    """What the page's console had to complain of."""
    return []


def opened(browser: Browser, address: str, trouble: list[str], *, width: int = 1280, scheme: str = "light") -> Page:
    """A new window at an address of the room."""
    dark_or_light: Literal["dark", "light"] = "dark" if scheme == "dark" else "light"
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=dark_or_light).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda line: trouble.append(line.text) if line.type in ("error", "warning") else None)
    page.goto(address)
    return page


@pytest.fixture
def page(browser: Browser, address: str, trouble: list[str]) -> Iterator[Page]:
    """The control room, opened by its whole address, with its panel open."""
    page = opened(browser, address, trouble)
    expect(page.locator(".part-queues table")).to_be_visible(timeout=PATIENCE_MS)
    yield page
    page.context.close()
    assert trouble == []


def place(page: Page, card: str = "tok_visa") -> str:
    """Place an order by the form; answers the beginning of its id."""
    page.locator("#place [name=payment_token]").select_option(card)
    page.get_by_role("button", name="Place", exact=True).click()
    expect(page.locator("#said")).to_contain_text("Placed. Google Cloud:", timeout=PATIENCE_MS)
    order_id = page.locator("#said").inner_text().rpartition(" ")[2]
    expect(row(page, order_id)).to_be_visible(timeout=PATIENCE_MS)
    page.evaluate("document.getElementById('said').textContent = ''")
    return order_id


def row(page: Page, name: str) -> Locator:
    """A row of a table by what it has in its first cell."""
    return page.locator("tr", has=page.get_by_text(name, exact=True))


def provider(page: Page, mode: str) -> None:
    """Let the gateway be so."""
    page.locator("#provider [name=provider]").select_option("gateway")
    page.locator("#provider [name=mode]").select_option(mode)
    page.get_by_role("button", name="Set").click()
    expect(page.locator("#said")).to_contain_text("done")


def test_an_order_is_placed_ships_and_tells_its_story(page: Page) -> None:
    order_id = place(page)

    expect(row(page, order_id)).to_contain_text("shipped", timeout=PATIENCE_MS)
    page.get_by_role("link", name=order_id).click()

    story = page.locator("#story")
    for kind in ("OrderPlaced", "InventoryReserved", "PaymentCompleted", "OrderConfirmed", "ShipmentCreated"):
        expect(story.get_by_text(kind, exact=True)).to_be_visible()
    expect(page.locator("#facts")).to_contain_text("shipped, closed")
    waterfall = page.locator("#trace-table tbody tr")
    expect(waterfall.first).to_contain_text("api POST /orders", timeout=PATIENCE_MS)
    expect(waterfall.filter(has_text="shipping process OrderConfirmed")).to_have_count(1, timeout=PATIENCE_MS)
    bars = page.locator("#trace-table .bar-of-time").evaluate_all("bars => bars.map(bar => bar.offsetLeft)")
    assert len(set(bars)) > 5, "each bar stands where its span lies in time"


def test_every_event_comes_twice_and_the_order_ships_once_with_all_invariants_holding(page: Page) -> None:
    page.get_by_label("Every event comes twice").check()
    expect(page.locator("#said")).to_contain_text("Google Cloud: set")
    order_id = place(page)
    expect(row(page, order_id)).to_contain_text("shipped", timeout=PATIENCE_MS)
    page.get_by_role("link", name=order_id).click()
    expect(page.locator("#story")).to_contain_text("duplicate absorbed", timeout=PATIENCE_MS)

    page.get_by_role("link", name="Control room").click()
    expect(page.get_by_label("Every event comes twice")).to_be_checked(timeout=PATIENCE_MS)
    page.get_by_label("Every event comes twice").uncheck()
    expect(page.locator(".part-looks")).to_contain_text("Every event twice: off", timeout=PATIENCE_MS)
    page.get_by_role("link", name="Figures").click()
    expect(page.locator("#figures")).to_contain_text("revenue, EUR", timeout=PATIENCE_MS)
    check = page.get_by_role("button", name="Check the invariants")

    def holds() -> bool:
        check.click()
        expect(page.locator("#said")).to_contain_text(re.compile("hold$"), timeout=PATIENCE_MS)
        return "not all" not in page.locator("#said").inner_text()

    wait_until(holds, "the duplicates to come to rest", 60)


def test_a_box_stays_as_it_was_clicked_until_the_room_has_been_told_or_could_not_be(
    page: Page, trouble: list[str]
) -> None:
    held: list[Route] = []
    page.route("**/twice", lambda route: held.append(route))  # noqa: PLW0108  # Playwright marks what it calls.
    page.get_by_label("Every event comes twice").check()
    page.evaluate("document.querySelector('.part-looks .scroll').dataset.before = 'the click'")
    expect(page.locator(".part-looks .scroll:not([data-before])")).to_be_visible(timeout=PATIENCE_MS)

    expect(page.get_by_label("Every event comes twice")).to_be_checked()

    held.pop().abort()
    expect(page.get_by_label("Every event comes twice")).not_to_be_checked(timeout=PATIENCE_MS)
    assert ["ERR_FAILED" in line for line in trouble] == [True]
    trouble.clear()


def test_nothing_can_be_clicked_before_the_page_listens(page: Page) -> None:
    held: list[Route] = []
    page.route("**/api/room", lambda route: held.append(route))  # noqa: PLW0108  # Playwright marks what it calls.
    page.get_by_role("link", name="Figures").click()
    expect(page.locator("#check")).to_be_visible()

    expect(page.locator("main[inert] #check")).to_have_count(1)

    wait_until(lambda: page.evaluate("true") and bool(held), "the page to ask for the clouds", 60)
    held.pop().continue_()
    page.get_by_role("button", name="Check the invariants").click()
    expect(page.locator("#said")).to_contain_text(re.compile("Checking|hold$"), timeout=PATIENCE_MS)


def test_a_gateway_is_broken_the_breaker_opens_orders_wait_and_all_heals(page: Page) -> None:
    provider(page, "down")
    expect(row(page, "gateway")).to_contain_text("down")
    orders = [place(page) for _ in range(3)]

    expect(row(page, "gateway")).to_contain_text("open: calls wait", timeout=PATIENCE_MS)
    expect(row(page, orders[0])).to_contain_text("pending")
    provider(page, "ok")

    for order_id in orders:
        expect(row(page, order_id)).to_contain_text("shipped", timeout=PATIENCE_MS)
    expect(row(page, "gateway")).to_contain_text("closed", timeout=PATIENCE_MS)


def test_a_refused_card_cancels_the_order_with_its_reason(page: Page) -> None:
    order_id = place(page, "tok_refused")

    expect(row(page, order_id)).to_contain_text("cancelled: payment-failed", timeout=PATIENCE_MS)


def test_a_killed_host_comes_back_and_the_order_ships(page: Page) -> None:
    page.locator("#target").select_option("gcp")
    page.locator("#kill [name=host]").select_option("payment")
    page.get_by_role("button", name="Kill").click()
    expect(page.locator("#said")).to_contain_text("Killed. Google Cloud: payment")

    expect(row(page, place(page))).to_contain_text("shipped", timeout=PATIENCE_MS)


def test_load_flows_while_the_slider_says_so(page: Page) -> None:
    slider = page.get_by_label("Orders a second")
    slider.focus()
    slider.press("ArrowRight")
    expect(page.locator(".part-looks")).to_contain_text(re.compile(r"[1-9]\d* placed"), timeout=PATIENCE_MS)
    slider.press("Home")

    expect(page.locator(".part-looks")).to_contain_text("Load: 0 a second", timeout=PATIENCE_MS)


def test_a_poison_message_is_read_redriven_and_discarded(page: Page, address: str) -> None:
    page.locator("#poison [name=service]").select_option("shipping")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#said")).to_contain_text("sent")
    expect(page.locator(".part-queues").locator("tr", has_text="shipping")).to_contain_text("▲ 1", timeout=PATIENCE_MS)

    page.get_by_role("link", name="Dead letters").click()
    letter = page.locator(".letters li")
    expect(letter).to_contain_text("malformed")
    letter.get_by_text("Payload").click()
    expect(letter.locator("pre")).to_contain_text("poison from the control room")
    letter.get_by_role("button", name="Redrive").click()
    expect(page.locator("#said")).to_contain_text("redrive: 1 done", timeout=PATIENCE_MS)

    # Nobody can read it the second time either: it comes back, and is thrown away.
    letter.get_by_role("button", name="Discard").click()
    expect(page.locator("#said")).to_contain_text("discard: 1 done", timeout=PATIENCE_MS)
    expect(letter).to_have_count(0)


def test_who_has_no_token_can_look_and_change_nothing(browser: Browser, address: str, trouble: list[str]) -> None:
    page = opened(browser, address.partition("#")[0], trouble)

    expect(page.get_by_text("You can look, but not change anything")).to_be_visible()
    page.get_by_text("Place orders, break things").click()
    expect(page.get_by_role("button", name="Kill")).to_be_disabled()
    page.context.close()
    assert trouble == []


def test_the_token_does_not_stay_in_the_address(page: Page) -> None:
    assert "token" not in page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_phone_and_desk_in_dark_and_light(
    browser: Browser, address: str, trouble: list[str], width: int, scheme: str
) -> None:
    page = opened(browser, address, trouble, width=width, scheme=scheme)
    expect(page.locator(".part-queues table")).to_be_visible(timeout=PATIENCE_MS)
    base = address.partition("/#")[0]
    grounds = set()
    for path, ready in PAGES.items():
        page.goto(base + path)
        expect(page.locator(ready).first).to_be_visible(timeout=PATIENCE_MS)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cut = "[...document.querySelectorAll('.scroll')].filter((box) => box.scrollWidth > box.clientWidth).length"
        assert page.evaluate(cut) == 0, f"{path} has tables that do not fit"
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    page.context.close()

    [ground] = grounds
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) > 384) is (scheme == "light")
    assert trouble == []


def test_everything_is_reached_by_keyboard_and_named(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"

    for role in ("banner", "navigation", "main", "status"):
        assert page.get_by_role(role).count() == 1
    nameless = page.evaluate(
        "[...document.querySelectorAll('main select, main input, main button')]"
        ".filter((each) => !each.labels?.[0] && !each.textContent.trim()).length"
    )
    assert nameless == 0
