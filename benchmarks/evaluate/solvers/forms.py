"""Forms: what to enter or to choose is in the instruction."""

from __future__ import annotations

import re

from muscle_mem.demo.sight import View
from muscle_mem.demo.solvers import Action

from .common import click, fill, only, submit


def enter_text(view: View, asked: re.Match[str]) -> Action:
    field = only(view, "textbox")
    return fill(view, {field.name: asked["text"]}) or submit(view)


def enter_in_case(view: View, asked: re.Match[str]) -> Action:
    field = only(view, "textbox")
    text = asked["text"].upper() if asked[2] == "upper" else asked["text"].lower()
    return fill(view, {field.name: text}) or submit(view)


def enter_date(view: View, asked: re.Match[str]) -> Action:
    """A field with a month, a day and a year, which shows its value as the browser keeps it."""
    month, day, year = asked["date"].split("/")
    field = only(view, "textbox")
    if field.state != f"{year}-{month}-{day}":
        return Action("type_text", view.target(field), asked["date"])
    return submit(view)


def pick_date(view: View, asked: re.Match[str]) -> Action:
    field = only(view, "textbox")
    if field.state != asked["date"]:
        return Action("pick_date", view.target(field), asked["date"])
    return submit(view)


def search_movies(view: View, asked: re.Match[str]) -> Action:
    """The labels of the fields differ from page to page."""
    wanted = {}
    for field in view.of("textbox"):
        for words, group in (("genre", "genre"), ("director", "director"), ("year date", "year")):
            if any(word in field.name.lower() for word in words.split()):
                wanted[field.name] = asked[group]
    return fill(view, wanted) or submit(view)


def check_boxes(view: View, asked: re.Match[str]) -> Action:
    names = asked["items"].split(", ") if asked["items"] else []
    for box in view.of("checkbox"):
        if (box.name in names) != bool(box.state):
            return Action("click", view.target(box))
    return submit(view)


def choose_radio(view: View, asked: re.Match[str]) -> Action:
    if not any(radio.name == asked["choice"] and radio.state for radio in view.of("radio")):
        return click(view, "radio", asked["choice"])
    return submit(view)


def choose_several(view: View, asked: re.Match[str]) -> Action:
    choices = only(view, "list")
    if set(choices.state.split(", ")) != set(asked["choices"].split(", ")):
        return Action("select", view.target(choices), asked["choices"])
    return submit(view)


def slide(view: View, asked: re.Match[str]) -> Action:
    """One slider or several, each with its number beside it."""
    wanted = asked["numbers"].split(",")
    shown = [thing.name for thing in view.of("text") if re.fullmatch(r"-?\d+", thing.name)]
    for handle, value, now in zip(view.of("handle"), wanted, shown, strict=True):
        if value != now:
            return Action("slide", view.target(handle), value)
    return submit(view)


def slide_and_check(view: View, asked: re.Match[str]) -> Action:
    shown = [thing.name for thing in view.of("text") if re.fullmatch(r"-?\d+", thing.name)]
    if shown != [asked["number"]]:
        return Action("slide", view.target(only(view, "handle")), asked["number"])
    box = view.of("checkbox")[int(asked[2]) - 1]
    return submit(view) if box.state else Action("click", view.target(box))


def radio_and_text(view: View, asked: re.Match[str]) -> Action:
    radio, field = view.of("radio")[int(asked[1]) - 1], view.of("textbox")[int(asked[3]) - 1]
    if not radio.state:
        return Action("click", view.target(radio))
    return fill(view, {field.name: asked["text"]}) or submit(view)
