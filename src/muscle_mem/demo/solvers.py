"""Policies of the scripted agent: the next action for a page and an instruction.

A policy does not keep state, so that an audit can call it for any page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .sight import Thing, View

Policy = Callable[[View, re.Match[str]], "Action"]

RESULTS_A_PAGE = 3
BOOK = re.compile(r"Book flight for \$(\d+)")
DURATION = re.compile(r"Duration: (\d+)h (\d+)m")


@dataclass(frozen=True)
class Action:
    """Action of the agent: a tool's name and its arguments."""

    verb: str
    target: str
    text: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """Arguments of the tool call."""
        return (self.target, self.text) if self.text else (self.target,)


class PuzzledError(RuntimeError):
    """Error for an unknown instruction, or for a page without what it names."""


def next_action(view: View, instruction: str) -> Action | None:
    """Return the next action, or None if the task is finished."""
    if view.done:
        return None
    for notice in view.of("button"):
        if "cookies" in notice.card:
            return Action("click", view.target(notice))
    for pattern, policy in POLICIES:
        asked = re.fullmatch(pattern, instruction)
        if asked:
            return policy(view, asked)
    raise PuzzledError(f"instruction not supported: {instruction!r}")


def log_in(view: View, asked: re.Match[str]) -> Action:
    """Fill in two fields, then click the button, whose name may vary."""
    wanted = {"Username": asked[1], "Password": asked[2]}
    return _fill(view, wanted) or Action("click", view.target(_only(view, "button")))


def search_movies(view: View, asked: re.Match[str]) -> Action:
    """Fill in three fields in any order, then submit."""
    wanted = {"Genre": asked[1], "Director": asked[2], "Year": asked[3]}
    return _fill(view, wanted) or Action("click", 'item "Submit"')


def choose_from_list(view: View, asked: re.Match[str]) -> Action:
    """Select an option of a list, then submit."""
    choices = _only(view, "list")
    # A preselected option is selected too, because another one may be preselected next time.
    if choices.state != asked[1] or not choices.mine:
        return Action("select", view.target(choices), asked[1])
    return Action("click", 'button "Submit"')


def reply_to_mail(view: View, asked: re.Match[str]) -> Action:
    """Open the sender's mail, click Reply, type the text, send it."""
    sender, text = asked[1], asked[2]
    if view.of("textbox"):
        return _fill(view, {"reply text": text}) or Action("click", 'icon "send reply"')
    if any(icon.name == "Reply" for icon in view.of("icon")):
        return Action("click", 'icon "Reply"')
    mail = next((item for item in view.of("item") if item.name == sender), None)
    if mail is None:
        raise PuzzledError(f"expected a mail from {sender!r}, the page shows none")
    return Action("click", view.target(mail))


def search_web(view: View, asked: re.Match[str]) -> Action:
    """Search, open the page with the n-th result, click it."""
    query, number = asked[1], int(asked[2])
    links = view.of("link")
    if not links:
        return _fill(view, {"search text": query}) or Action("click", 'button "Search"')
    results = [link for link in links if not re.fullmatch(r"\d|<|>", link.name)]
    names = {link.name for link in links}
    # The first page lacks "<" and the last one lacks ">".
    shown = 1 if "<" not in names else 3 if ">" not in names else 2
    page, place = divmod(number - 1, RESULTS_A_PAGE)
    if shown != page + 1:
        return Action("click", f'link "{page + 1}"')
    return Action("click", view.target(results[place]))


def book_flight(view: View, asked: re.Match[str]) -> Action:
    """Fill in airports and date, search, compare the flights, book one."""
    best, start, end, date = asked.groups()
    offers = [button for button in view.of("button") if BOOK.fullmatch(button.name)]
    if offers:
        measure = _price if best == "cheapest" else _minutes
        return Action("pick", view.target(min(offers, key=measure)))
    for label, airport in (("From:", start), ("To:", end)):
        field = view.find(f'textbox "{label}"')
        if field.state.endswith(")") and airport in field.state:
            continue
        suggested = [option for option in view.of("option") if airport in option.name]
        if field.state == airport and suggested:
            return Action("click", view.target(suggested[0], part=airport))
        return Action("type_text", view.target(field), airport)
    day = view.find('textbox "datepicker"')
    if day.state != date:
        return Action("pick_date", view.target(day), date)
    return Action("click", 'button "Search"')


POLICIES: tuple[tuple[str, Policy], ...] = (
    (r'Enter the username "(.+)" and the password "(.+)" into the text fields and press login\.', log_in),
    (r"Search for (.+) movies directed by (.+) from year (\d+)\.", search_movies),
    (r"Select (.+) from the list and click Submit\.", choose_from_list),
    (r'Find the email by (.+) and reply to them with the text "(.+)"\.', reply_to_mail),
    (
        r'Use the textbox to enter "(.+)" and press "Search", then find and click the (\d)\w\w .*',
        search_web,
    ),
    (r"Book the (cheapest|shortest) one-way flight from: (.+) to: (.+) on ([\d/]+)\.", book_flight),
)


def _fill(view: View, wanted: dict[str, str]) -> Action | None:
    """Return the action for the first field that lacks its value; None if all have it."""
    for field in view.of("textbox"):
        if field.name in wanted and field.state != wanted[field.name]:
            return Action("type_text", view.target(field), wanted[field.name])
    return None


def _only(view: View, role: str) -> Thing:
    things = view.of(role)
    if len(things) != 1:
        raise PuzzledError(f"expected one {role}, the page shows {len(things)}")
    return things[0]


def _price(offer: Thing) -> int:
    found = BOOK.fullmatch(offer.name)
    return int(found[1]) if found else 0


def _minutes(offer: Thing) -> int:
    found = DURATION.search(offer.card)
    return int(found[1]) * 60 + int(found[2]) if found else 0
