"""The actions of the page as tools: with the evaluation's checks for an engine, and bare for a blind replay."""

from __future__ import annotations

from typing import Any

from muscle_mem import Check, Engine

from .page import LabPage

Call = tuple[str, tuple[str, ...]]


def place_of(page: LabPage, target: str, text: str = "") -> dict[str, Any]:
    return page.place_of(target, text)


def whole(page: LabPage, target: str, text: str = "") -> dict[str, Any]:
    return page.whole(target, text)


def ended(page: LabPage, target: str, text: str = "") -> dict[str, Any]:
    return page.ended()


def checked_page(engine: Engine, afterwards: bool = True, wholes: bool = True) -> type[LabPage]:
    """A class of pages whose actions this engine records, each with one of two checks before it, and one after it.

    What the instruction names (`click`, `type_text`, `select`, `slide`, `pick_date`) is checked at its place. What
    follows from the page (`pick`, `answer`) is checked by the whole page. After each step, the task must have ended if
    it had ended when the step was recorded, and not otherwise.

    Args:
        engine: The engine of the tools.
        afterwards: Whether there is a check after each step.
        wholes: Whether there are checks of the whole page, or only of places.
    """
    after = Check(ended) if afterwards else None
    all_of_it = Check(whole if wholes else place_of)

    class CheckedPage(LabPage):
        @engine.tool(pre_check=Check(place_of), post_check=after, name="click")
        def click(self, target: str) -> None:
            self.do_click("click", target)

        @engine.tool(pre_check=all_of_it, post_check=after, name="pick")
        def pick(self, target: str) -> None:
            self.do_click("pick", target)

        @engine.tool(pre_check=Check(place_of), post_check=after, name="type_text")
        def type_text(self, target: str, text: str) -> None:
            self.do_type(target, text)

        @engine.tool(pre_check=all_of_it, post_check=after, name="answer")
        def answer(self, target: str, text: str) -> None:
            self.do_type(target, text)

        @engine.tool(pre_check=Check(place_of), post_check=after, name="select")
        def select(self, target: str, text: str) -> None:
            self.do_select(target, text)

        @engine.tool(pre_check=Check(place_of), post_check=after, name="slide")
        def slide(self, target: str, text: str) -> None:
            self.do_slide(target, text)

        @engine.tool(pre_check=Check(place_of), post_check=after, name="pick_date")
        def pick_date(self, target: str, text: str) -> None:
            self.do_pick_date(target, text)

    return CheckedPage


class BarePage(LabPage):
    """The same actions without an engine, kept in a list."""

    calls: list[Call]

    def perform(self, verb: str, *arguments: str) -> None:
        if verb in ("click", "pick"):
            self.do_click(verb, *arguments)
        else:
            {"select": self.do_select, "slide": self.do_slide, "pick_date": self.do_pick_date}.get(verb, self.do_type)(
                *arguments
            )
        self.calls.append((verb, arguments))
