"""Actions of the page as tools of an engine, each with a pre-check of the target."""

from __future__ import annotations

from typing import Any

from .._core.tools.check import Check
from .._engine.engine import Engine
from .page import Page


def look(page: Page, target: str, text: str = "") -> dict[str, Any]:
    """Capture the role, the number and the place of a target, and what covers it."""
    return page.sight(target, text)


def compare_cards(page: Page, target: str) -> dict[str, Any]:
    """Capture what `look` captures, and all alternatives of the choice."""
    return page.sight_of_choice(target)


def web_page(engine: Engine) -> type[Page]:
    """Return a class of pages whose actions this engine records and replays.

    A target is `role "name"` or `role ~"part of a name"`, with `#2` if several match.
    """

    class WebPage(Page):
        @engine.tool(pre_check=Check(look), name="click")
        def click(self, target: str) -> None:
            """Click the one thing that the target describes."""
            self.do_click("click", target)

        @engine.tool(pre_check=Check(compare_cards), name="pick")
        def pick(self, target: str) -> None:
            """Click one of several alternatives, chosen by comparing them (as the cheapest)."""
            self.do_click("pick", target)

        @engine.tool(pre_check=Check(look), name="type_text")
        def type_text(self, target: str, text: str) -> None:
            """Click into a text field, empty it and type the text."""
            self.do_type(target, text)

        @engine.tool(pre_check=Check(look), name="select")
        def select(self, target: str, text: str) -> None:
            """Choose the option of a list that reads as the text."""
            self.do_select(target, text)

        @engine.tool(pre_check=Check(look), name="pick_date")
        def pick_date(self, target: str, text: str) -> None:
            """Set a date field, by its calendar, to the date given as MM/DD/YYYY."""
            self.do_pick_date(target, text)

    return WebPage
