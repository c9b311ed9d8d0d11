"""An agent that buys in a web shop, and whose clicks are replayed: in real Chromium, on pages that change.

Run it with `python examples/shop/buy.py`. It serves the shop of `shop.py` on this machine, and needs a Chromium-like
browser and `pip install 'muscle-mem[playwright]'`; no network and no model. `--pictures FOLDER` keeps a picture of the
end of each run, `--headed` shows the browser.

What you see, and what the program asserts of itself:

    learned          miss       the agent works, its actions are learned
    other data       hit        another customer and street
    a banner         hit        everything has moved down
    a longer list    hit        the shop sells more, and in another order
    a renamed button diverged   all but the last step is replayed; the check says what the button is called now
    the same again   hit        what was learned after that is replayed
    another price    diverged   your check refuses: the agent decides, and does not buy
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shop import Shop, open_shop

from muscle_mem import Check, Engine
from muscle_mem.demo.browser import find_browser
from muscle_mem.integrations.playwright import memory_page

HOW_TO_GET_ONE = (
    "Get one with: pip install 'muscle-mem[playwright]', and apt-get install chromium (Debian) or python -m "
    "playwright install chromium; or name one in MUSCLE_MEM_BROWSER."
)
BUDGET = 14.0  # EUR; the agent does not buy a mug that costs more
PAY = re.compile("pay|order|buy", re.IGNORECASE)


def total_at_payment(page: Any, name: Any) -> str | None:
    """What the check looks at: the total, if the button to click is called as if it buys something."""
    return page.locator("#total").inner_text() if name and PAY.search(name) else None


class Agent:
    """Does what a model would: it looks at the page, and acts. It goes on where a replay stopped."""

    def __init__(self, page: Any, shop: Shop) -> None:
        self.page = page
        self.shop = shop
        self.asked = 0

    def __call__(self, task: str, name: str, street: str, handover: Any = None) -> str:
        self.asked += 1
        page = self.page
        steps = (
            lambda: page.goto(self.shop.url),
            lambda: page.get_by_role("listitem").filter(has_text="Blue mug").get_by_role("button").click(),
            lambda: page.get_by_label("Name").fill(name),
            lambda: page.get_by_label("Street").fill(street),
            lambda: page.get_by_label("Delivery").select_option("Courier"),
            lambda: page.get_by_label("I accept the terms").check(),
            self.pay,
        )
        done = len(handover.executed) if handover is not None else 0
        for step in steps[done:]:
            step()
        return page.locator("#number").inner_text()

    def pay(self) -> None:
        """Press the button that pays, whatever it is called today; but not for any price."""
        total = self.page.unwrapped.locator("#total").inner_text()
        if float(total.split()[0]) > BUDGET:
            raise TooExpensiveError(f"a blue mug costs {total} now")
        button = next(name for name in self.page.unwrapped.get_by_role("button").all_inner_texts() if PAY.search(name))
        self.page.get_by_role("button", name=button, exact=True).click()


class TooExpensiveError(Exception):
    """The agent's decision not to buy."""


ANN, BOB, CAROL, DAN = (
    {"name": "Ann Lee", "street": "1 Long Lane"},
    {"name": "Bob Ray", "street": "22 Short Street"},
    {"name": "Carol O'Neil", "street": "3 The Mews"},
    {"name": "Dan Wu", "street": "40 High Road"},
)


def play(real: Any, shop: Shop, store: str, pictures: Path | None) -> None:
    """The story: each run is asserted."""
    engine = Engine(store)
    page = memory_page(engine, real, wait=2.0, pre_check={"click": Check(total_at_payment)})
    agent = Agent(page, shop)
    engine.set_agent(agent)
    count = 0

    def run(title: str, person: dict[str, str], status: str, asked: int) -> Any:
        nonlocal count
        count += 1
        before = agent.asked
        outcome = engine("buy a blue mug", **person, params=person)
        asked_now = agent.asked - before
        print(f"{title}: {outcome.status}, {outcome.steps} steps replayed, the agent was asked {asked_now} times")
        if outcome.status == "diverged":
            print(f"    {outcome.message}")
        assert (outcome.status, asked_now) == (status, asked), outcome.message
        assert outcome.value == shop.number, outcome.value
        assert {**person, "delivery": "Courier"}.items() <= shop.orders[-1].items()
        if pictures is not None:
            (pictures / f"run-{count}.jpg").write_bytes(page.picture() or b"")
        return outcome

    run("learned", ANN, "miss", 1)
    run("other data", BOB, "hit", 0)
    shop.banner = "Summer sale! This banner moves everything down, and nothing is replayed by place."
    run("a banner", CAROL, "hit", 0)
    shop.products = {"Black mug": 11.0, "Blue bowl": 8.0, **shop.products, "White cup": 7.0}
    run("a longer list", DAN, "hit", 0)
    shop.pay_button = "Place order"
    outcome = run("a renamed button", ANN, "diverged", 1)
    assert "'Pay'" in outcome.message, outcome.message
    assert "'Place order'" in outcome.message, outcome.message
    run("the same again", BOB, "hit", 0)
    shop.pay_button = "Pay"
    shop.products["Blue mug"] = 18.0
    orders = len(shop.orders)
    refused = None
    try:
        engine("buy a blue mug", **CAROL, params=CAROL)
    except TooExpensiveError as error:
        refused = error
    assert refused is not None, "the check of the price passed"
    (why,) = refused.__notes__
    print(f"another price: the agent was asked, and did not buy: {refused}\n    {why}")
    assert "expected button 'Pay' and '12.00 EUR', got button 'Pay' and '18.00 EUR'" in why
    assert len(shop.orders) == orders, "something was bought"
    engine.close()


@contextmanager
def open_page(browser: str, headed: bool) -> Iterator[Any]:
    """A page in a new browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, headless=not headed, args=["--no-sandbox"])
        try:
            yield opened.new_page(viewport={"width": 640, "height": 480})
        finally:
            opened.close()


def script_of(store: str) -> str:
    """The first recording as a Python function, as `muscle-mem export --format python` writes it."""
    command = [sys.executable, "-m", "muscle_mem", "--store", store]
    ids = subprocess.run([*command, "ls", "--json"], capture_output=True, text=True, check=True).stdout
    first = re.findall(r'"id": ?"([0-9a-f]+)"', ids)[-1]
    return subprocess.run(
        [*command, "export", first, "--format", "python"], capture_output=True, text=True, check=True
    ).stdout


def missing() -> str:
    """What keeps this example from running here, or nothing."""
    try:
        import playwright  # noqa: F401 - only whether it is there
    except ImportError as error:
        return f"{error.name} is not installed"
    return "" if find_browser() else "no Chromium-like browser was found"


def main() -> int:
    parser = argparse.ArgumentParser(description="An agent that buys in a web shop, and remembers how.")
    parser.add_argument("--pictures", metavar="FOLDER", type=Path, help="keep a picture of the end of each run")
    parser.add_argument("--headed", action="store_true", help="show the browser")
    given = parser.parse_args()
    what = missing()
    browser = find_browser()
    if what or browser is None:
        print(f"skipped: {what}. {HOW_TO_GET_ONE}")
        return 0
    if given.pictures is not None:
        given.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, open_shop() as shop, open_page(browser, given.headed) as real:
        store = str(Path(folder) / "shop.db")
        play(real, shop, store, given.pictures)
        print("\nThe first recording as a script:\n")
        print(script_of(store))
    return 0


if __name__ == "__main__":
    sys.exit(main())
