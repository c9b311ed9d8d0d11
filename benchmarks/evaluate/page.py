"""The page of an evaluation: the actions of the demo's page, a few more, and the snapshots for its checks."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muscle_mem.demo.page import Page
from muscle_mem.demo.sight import FIELDS, TargetError, Thing, View, view_of

if TYPE_CHECKING:
    from playwright.sync_api import Page as BrowserPage

MOST_KEYS = 300


def prepare(browser_page: BrowserPage) -> None:
    """Load see.js into each page from now on."""
    browser_page.add_init_script(resources.files(__package__).joinpath("see.js").read_text("utf-8"))


class LabPage(Page):
    """Sees texts, headers and shapes besides, and has sliders and lists with several choices. Needs `prepare`."""

    acted = 0

    def open(self, file: Path, seed: str, change: str = "") -> str:
        self.acted = 0
        return super().open(file, seed, change)

    def view(self) -> View:
        return view_of(self._page.evaluate("() => labLook.look()"), self._mine)

    def place_of(self, target: str, text: str = "") -> dict[str, Any]:
        """What is at a target: what it is, whether it can be acted on, and what others have filled in.

        Where it is does not count. Its name is in the target.
        """
        view = self.view()
        try:
            thing = view.find(target)
        except TargetError as error:
            return {"sees": str(error).replace(target, "such thing")}
        options = wanted_options(thing, text) if thing.role == "list" else []
        return {
            "sees": thing.role,
            "tag": thing.tag,
            "disabled": thing.card,
            "covered": self._point(thing)["covered"],
            "alike": sum(other.name == thing.name for other in view.of(thing.role)),
            "state": "filled"
            if thing.role == "textbox" and thing.state
            else ""
            if thing.role in FIELDS[:2]
            else thing.state,
            "offers": [thing.options.count(option) for option in options],
            "given": [
                [one.name, one.state]
                for one in view.things
                if one.role in FIELDS and one.state and one.ref != thing.ref and not one.mine
            ],
        }

    def whole(self, target: str, text: str = "") -> dict[str, Any]:
        """What is at a target, and everything else on the page: for what follows from the page."""
        page = [[thing.role, thing.name, thing.state] for thing in self.view().things]
        return {**self.place_of(target, text), "page": page}

    def ended(self) -> dict[str, Any]:
        """Whether the page shows that the task has ended, whatever its reward."""
        return {"ended": self.view().done}

    def do_click(self, verb: str, target: str) -> None:
        thing = self._aim(verb, target, "")
        self._press(thing)
        if thing.role in FIELDS:
            self._mine.add(thing.ref)

    def do_type(self, target: str, text: str) -> None:
        if self.view().find(target).tag == "input date":
            self._type_date(target, text)
        else:
            super().do_type(target, text)

    def _type_date(self, target: str, text: str) -> None:
        thing = self._aim("type_text", target, text)
        self._press(thing)
        for _ in range(2):  # to the month, wherever the click was
            self._page.keyboard.press("ArrowLeft")
        self._page.keyboard.type(re.sub(r"\D", "", text))
        self._mine.add(thing.ref)
        self._settle()

    def do_select(self, target: str, option: str) -> None:
        thing = self._aim("select", target, option)
        wanted = wanted_options(thing, option)
        if any(thing.options.count(one) != 1 for one in wanted):
            raise TargetError(f"{target}: expected each of {wanted} once, got {list(thing.options)}")
        element = self._page.evaluate_handle("ref => labLook.element(ref)", thing.ref).as_element()
        assert element is not None
        element.select_option(label=wanted)
        self._mine.add(thing.ref)
        self._settle()

    def do_slide(self, target: str, text: str) -> None:
        """Move a slider by the keyboard until the number beside it is the wanted one."""
        handle = self._aim("slide", target, text)
        self._press(handle)
        for _ in range(MOST_KEYS):
            shown = self.slider_value(handle.nth)
            if shown == int(text):
                return
            self._page.keyboard.press("ArrowRight" if shown < int(text) else "ArrowLeft")
            if self.slider_value(handle.nth) == shown:
                break
        raise TargetError(f"{target}: expected a slider that goes to {text}")

    def slider_value(self, nth: int) -> int:
        """The number shown for the nth slider."""
        shown = [thing.name for thing in self.view().of("text") if re.fullmatch(r"-?\d+", thing.name)]
        if len(shown) < nth:
            raise TargetError("expected a number beside the slider")
        return int(shown[nth - 1])

    def _aim(self, verb: str, target: str, text: str) -> Thing:
        thing = super()._aim(verb, target, text)
        self.acted += 1
        return thing

    def _press(self, thing: Thing) -> None:
        # Some icons change under the mouse, and have no size until the other picture is loaded.
        if thing.role == "icon":
            spot = self._point(thing)
            self._page.mouse.move(spot["x"], spot["y"])
            self._settle()
        super()._press(thing)

    def _point(self, thing: Thing) -> dict[str, Any]:
        return dict(self._page.evaluate("ref => labLook.point(ref)", thing.ref))


def wanted_options(thing: Thing, text: str) -> list[str]:
    """The options that a text names: several of a list with several choices."""
    return text.split(", ") if thing.tag == "select select-multiple" else [text]
