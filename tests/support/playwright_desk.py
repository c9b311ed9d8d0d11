"""A browser page for tests of memory pages: pages as HTML, agents as functions, runs of one task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from muscle_mem import Engine, Outcome
from muscle_mem.demo.browser import ARGS, find_browser

QUICK = 0.3  # seconds that a check waits for an element that does not come


@contextmanager
def open_chromium() -> Iterator[Any]:
    """A browser of the system; skips where there is none."""
    path = needed_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(ARGS))
        try:
            yield opened
        finally:
            opened.close()


def needed_browser() -> str:
    """The path of a browser; skips without one, or without Playwright."""
    pytest.importorskip("playwright")
    path = find_browser()
    if path is None:
        pytest.skip("no browser")
    return path


class Desk:
    """A real page, an engine, and the memory page between them."""

    def __init__(self, context: Any, **options: Any) -> None:
        from muscle_mem.integrations.playwright import memory_page

        self.real = context.new_page()
        self.real.set_default_timeout(5000)
        self.engine = Engine(options.pop("store", None), pictures=options.pop("pictures", "checks"))
        self.page = memory_page(self.engine, self.real, **{"wait": QUICK, **options})
        self.asked = 0

    def show(self, html: str) -> None:
        """Replace what the page shows."""
        self.real.goto("about:blank")
        self.real.set_content(html)

    def run(self, agent: Callable[..., Any] | None = None, html: str | None = None, **call: Any) -> Outcome:
        """One run of the same task; the agent stays that of the last call that gave one."""
        if html is not None:
            self.show(html)
        if agent is not None:

            def counted(task: str, **given: Any) -> Any:
                self.asked += 1
                return agent(**given)

            self.engine.set_agent(counted)
        return self.engine("a task", **call)

    def learn(self, agent: Callable[..., Any], html: str | None = None, **call: Any) -> Outcome:
        """A run that must be learned."""
        outcome = self.run(agent, html, **call)
        assert outcome.learned, outcome.not_learned_message or outcome.message
        return outcome

    def log(self) -> Any:
        """What the scripts of the page wrote into `window.log`."""
        return self.real.evaluate("window.log || []")
