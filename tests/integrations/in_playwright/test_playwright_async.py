"""The async API: the same pages, awaited; what was recorded with one API is replayed with the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Diverged, Engine, Reason
from muscle_mem.demo.browser import ARGS
from playwright_desk import Desk, needed_browser, open_chromium

FORM = """<script>log = []</script><label>Name <input oninput="log.push(value)"></label>
<button onclick="log.push(confirm('Sure?'))">Pay</button>
<button onclick="window.open('about:blank').document.write(
 `<button onclick='opener.log.push(7)'>Yes</button>`)">New</button>
<input type=password name=pw>"""


def in_a_page(work: Callable[[Any], Awaitable[None]]) -> None:
    """Run a coroutine function with a page of the async API."""
    path = needed_browser()
    from playwright.async_api import async_playwright

    async def main() -> None:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=path, args=list(ARGS))
            page = await browser.new_page()
            page.set_default_timeout(5000)
            await page.set_content(FORM)
            await work(page)
            await browser.close()

    asyncio.run(main())


def test_a_page_of_the_async_api_is_recorded_and_replayed(tmp_path: Path) -> None:
    from muscle_mem.integrations.playwright import memory_page

    store = str(tmp_path / "memory.db")

    async def work(real: Any) -> None:
        engine = Engine(store)
        page: Any = memory_page(engine, real, wait=0.3)

        async def agent(task: str, name: str) -> Any:
            await page.get_by_label("Name").fill(name)
            await page.answer_dialog("Sure?")
            await page.get_by_role("button", name="Pay").click()
            async with page.expect_popup() as opened:
                await page.get_by_role("button", name="New").click()
            tab = await opened.value
            await tab.get_by_role("button", name="Yes").click()
            await tab.close()
            await page.fill("[name=pw]", "hunter-2")
            return len(await page.get_by_role("button").all())

        engine.set_agent(agent)
        ann, bob = {"name": "Ann"}, {"name": "Bob"}
        outcome = await engine.acall("pay", **ann, params=ann)
        assert outcome.learned, outcome.not_learned_message
        assert await real.evaluate("log") == ["Ann", True, 7]
        await real.set_content(FORM)
        await real.evaluate("log = []")
        hit = await engine.acall("pay", **bob, params=bob, secrets={"pw": "battery-2"})
        assert (hit.status, hit.value) == ("hit", 2), hit.message
        assert await real.evaluate("log") == ["Bob", True, 7]
        await real.set_content(FORM.replace("Pay", "Cancel"))
        with pytest.raises(Diverged, match="expected button 'Pay', got no such element"):
            await engine.acall("pay", **bob, params=bob, secrets={"pw": "battery-2"}, on_divergence="raise")
        assert await page.picture()
        engine.close()

    in_a_page(work)
    with open_chromium() as browser:
        desk = Desk(browser, store=store)
        desk.show(FORM)
        desk.engine.set_agent(lambda task, name: None)
        hit = desk.engine("pay", name="Cid", params={"name": "Cid"}, secrets={"pw": "battery-2"})
        assert (hit.status, desk.log()) == ("hit", ["Cid", True, 7]), hit.message


def test_what_acts_unseen_is_not_learned() -> None:
    from muscle_mem.integrations.playwright import memory_page

    async def work(real: Any) -> None:
        engine = Engine()
        page: Any = memory_page(engine, real, wait=0.3)

        async def agent(task: str) -> None:
            await page.get_by_label("Name").fill("Ann")
            await page.keyboard.press("Tab")

        engine.set_agent(agent)
        assert (await engine.acall("type")).not_learned is Reason.UNLEARNABLE

    in_a_page(work)
