"""A web page under a mouse and a keyboard: looking, pointing, typing, and what a check would look at."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .sight import FIELDS, TargetError, Thing, View, view_of

if TYPE_CHECKING:
    from playwright.sync_api import Page as BrowserPage

# An auditor gets every action before it happens: the verb, the thing and the text.
Auditor = Callable[[View, str, Thing, str], None]

CALENDAR = "() => (document.querySelector('.ui-datepicker-title') || {innerText: ''}).innerText"
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


class Page:
    """One browser page with a task on it. Its actions are plain; `tools.py` makes tools of them."""

    def __init__(self, browser_page: BrowserPage) -> None:
        self._page = browser_page
        self.auditor: Auditor | None = None
        self.audit_seconds = 0.0
        self.actions = 0
        self._mine: set[int] = set()

    def open(self, file: Path, seed: str, change: str = "") -> str:
        """Load a task and start it; `change` is a script that alters the page. Returns the instruction."""
        self._page.goto(file.as_uri())
        self._page.evaluate("seed => demoLook.start(seed)", seed)
        if change:
            self._page.evaluate(change)
        self._settle()
        self.actions = 0
        self.audit_seconds = 0.0
        self._mine = set()
        return self.view().instruction

    def view(self) -> View:
        """Everything one can see and act on now."""
        return view_of(self._page.evaluate("() => demoLook.look()"), self._mine)

    def sight(self, target: str, text: str = "") -> dict[str, Any]:
        """What a user looks at before acting on a target: what is under the pointer there, and where.

        Also whether a field is empty before `text` goes in, and whether a list offers it.

        The name is left out: `find` has compared it with the target's, which may hold a param.
        """
        view = self.view()
        try:
            thing = view.find(target)
        except TargetError as error:
            return {"sees": str(error).replace(target, "such thing")}
        covered = self._point(thing)["covered"]
        shown = f"{thing.role} {thing.nth} of {len(view.of(thing.role))}"
        return {
            "sees": f"{shown}, covered by {covered}" if covered else shown,
            "tag": thing.tag,
            "place": list(thing.place),
            "filled": thing.role == "textbox" and thing.state != "",
            "offers": thing.options.count(text),
            # How much there is of each kind: a notice that popped up elsewhere is seen too.
            "page": dict(Counter(one.role for one in view.things)),
            # What stands in the other fields and was not put there by us, such as a list's first choice.
            "given": [
                [one.name, one.state]
                for one in view.things
                if one.role in FIELDS and one.ref != thing.ref and not one.mine
            ],
        }

    def sight_of_choice(self, target: str) -> dict[str, Any]:
        """As `sight`, and the cards of all the things of its kind: for a choice made by comparing them."""
        sight = self.sight(target)
        role = target.partition(" ")[0]
        return {**sight, "among": [thing.card for thing in self.view().of(role)]}

    def do_click(self, verb: str, target: str) -> None:
        """Point at a thing and click; `verb` is the tool's name, for the audit."""
        thing = self._aim(verb, target, "")
        self._press(thing)

    def do_type(self, target: str, text: str) -> None:
        """Click into a field, empty it and type."""
        thing = self._aim("type_text", target, text)
        self._press(thing)
        if thing.state:
            self._page.keyboard.press("Control+A")
        self._page.keyboard.type(text)
        self._mine.add(thing.ref)
        self._settle()

    def do_select(self, target: str, option: str) -> None:
        """Choose an option of a list by its text."""
        thing = self._aim("select", target, option)
        if thing.options.count(option) != 1:
            raise TargetError(f"{target} does not offer {option!r} exactly once")
        element = self._page.evaluate_handle("ref => demoLook.element(ref)", thing.ref).as_element()
        assert element is not None
        element.select_option(label=option)
        self._mine.add(thing.ref)
        self._settle()

    def do_pick_date(self, target: str, date: str) -> None:
        """Open a field's calendar, leaf to the month and click the day. `date` is MM/DD/YYYY."""
        month, day, year = (int(part) for part in date.split("/"))
        field = self._aim("pick_date", target, date)
        self._mine.add(field.ref)
        self._press(field)
        for _ in range(24):
            shown = str(self._page.evaluate(CALENDAR)).split()
            if len(shown) != 2:
                raise TargetError(f"{target} opens no calendar")
            ahead = (year - int(shown[1])) * 12 + month - 1 - MONTHS.index(shown[0])
            if ahead == 0:
                break
            self._press(self.view().find('link "Next"' if ahead > 0 else 'link "Prev"'))
        self._press(self.view().find(f'link "{day}"'))
        if self.view().find(target).state != date:
            raise TargetError(f"{target} did not take {date}")

    def _aim(self, verb: str, target: str, text: str) -> Thing:
        view = self.view()
        thing = view.find(target)
        if self.auditor is not None:
            began = time.perf_counter()
            self.auditor(view, verb, thing, text)
            self.audit_seconds += time.perf_counter() - began
        self.actions += 1
        return thing

    def _point(self, thing: Thing) -> dict[str, Any]:
        return dict(self._page.evaluate("ref => demoLook.point(ref)", thing.ref))

    def _press(self, thing: Thing) -> None:
        spot = self._point(thing)
        if spot["covered"]:
            raise TargetError(f"{thing.role} {thing.name!r} is covered by {spot['covered']}")
        self._page.mouse.click(spot["x"], spot["y"])
        self._settle()

    def _settle(self) -> None:
        if not self._page.evaluate("() => demoLook.settled()"):
            raise TargetError("the page is not drawn to its end; an image is missing")
