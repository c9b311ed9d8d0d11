"""Web page with mouse and keyboard actions, and the snapshots for checks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .sight import FIELDS, TargetError, Thing, View, view_of

if TYPE_CHECKING:
    from playwright.sync_api import Page as BrowserPage

# An auditor is called before each action, with the view, the verb, the thing and the text.
Auditor = Callable[[View, str, Thing, str], None]

CALENDAR = "() => (document.querySelector('.ui-datepicker-title') || {innerText: ''}).innerText"
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


class Page:
    """Browser page with a task. `tools.py` turns its actions into tools."""

    def __init__(self, browser_page: BrowserPage) -> None:
        self._page = browser_page
        self.auditors: tuple[Auditor, ...] = ()
        self.audit_seconds = 0.0
        self.looked_at = ""
        self._mine: set[int] = set()

    def open(self, file: Path, seed: str, change: str = "") -> str:
        """Load and start a task, and return its instruction.

        `change` is a script that alters the page.
        """
        self._page.goto(file.as_uri())
        self._page.evaluate("seed => demoLook.start(seed)", seed)
        if change:
            self._page.evaluate(change)
        self._settle()
        self.audit_seconds = 0.0
        self._mine = set()
        return self.view().instruction

    def view(self) -> View:
        """Return what is visible now."""
        return view_of(self._page.evaluate("() => demoLook.look()"), self._mine)

    def sight(self, target: str, text: str = "") -> dict[str, Any]:
        """Return the snapshot for an action on a target: what is there, and where.

        It includes whether a field is empty and whether a list offers `text`. The name is left out, because `find`
        compared it with the target, which may contain a parameter.
        """
        self.looked_at = target
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
            # The number of things of each kind changes with a new notice elsewhere.
            "page": dict(Counter(one.role for one in view.things)),
            # Other fields may have a value that the agent did not enter, such as a list's first choice.
            "given": [
                [one.name, one.state]
                for one in view.things
                if one.role in FIELDS and one.ref != thing.ref and not one.mine
            ],
        }

    def sight_of_choice(self, target: str) -> dict[str, Any]:
        """Return the snapshot of `sight`, with the cards of all things of that kind.

        A choice among alternatives depends on all of them.
        """
        sight = self.sight(target)
        role = target.partition(" ")[0]
        return {**sight, "among": [thing.card for thing in self.view().of(role)]}

    def do_click(self, verb: str, target: str) -> None:
        """Click a thing. `verb` is the tool's name, for the audit."""
        thing = self._aim(verb, target, "")
        self._press(thing)

    def do_type(self, target: str, text: str) -> None:
        """Click into a field, clear it and type."""
        thing = self._aim("type_text", target, text)
        self._press(thing)
        if thing.state:
            self._page.keyboard.press("Control+A")
        self._page.keyboard.type(text)
        self._mine.add(thing.ref)
        self._settle()

    def do_select(self, target: str, option: str) -> None:
        """Select an option of a list by its text."""
        thing = self._aim("select", target, option)
        if thing.options.count(option) != 1:
            raise TargetError(f"{target}: expected option {option!r} once, got {thing.options.count(option)}")
        element = self._page.evaluate_handle("ref => demoLook.element(ref)", thing.ref).as_element()
        assert element is not None
        element.select_option(label=option)
        self._mine.add(thing.ref)
        self._settle()

    def do_pick_date(self, target: str, date: str) -> None:
        """Open a field's calendar and click the day of `date`, as MM/DD/YYYY."""
        month, day, year = (int(part) for part in date.split("/"))
        field = self._aim("pick_date", target, date)
        self._mine.add(field.ref)
        self._press(field)
        for _ in range(24):
            shown = str(self._page.evaluate(CALENDAR)).split()
            if len(shown) != 2:
                raise TargetError(f"{target}: expected a calendar, got {' '.join(shown)!r}")
            ahead = (year - int(shown[1])) * 12 + month - 1 - MONTHS.index(shown[0])
            if ahead == 0:
                break
            self._press(self.view().find('link "Next"' if ahead > 0 else 'link "Prev"'))
        self._press(self.view().find(f'link "{day}"'))
        if self.view().find(target).state != date:
            raise TargetError(f"{target}: expected the value {date!r} after the click")

    def _aim(self, verb: str, target: str, text: str) -> Thing:
        view = self.view()
        thing = view.find(target)
        began = time.perf_counter()
        for auditor in self.auditors:
            auditor(view, verb, thing, text)
        self.audit_seconds += time.perf_counter() - began
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
            raise TargetError("rendering the page did not finish: an image is missing")
