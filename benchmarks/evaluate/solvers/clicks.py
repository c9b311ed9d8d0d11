"""Buttons, tabs, menus, mails: what to click is named in the instruction."""

from __future__ import annotations

import re

from muscle_mem.demo.sight import View
from muscle_mem.demo.solvers import Action

from .common import click, fill, named, submit

CALLED = {"x": "Close"}  # the button that shows an x


def click_button(view: View, asked: re.Match[str]) -> Action:
    return click(view, "button", CALLED.get(asked["button"], asked["button"]))


def find_in_tabs(view: View, asked: re.Match[str]) -> Action:
    """Go from tab to tab until one shows the link."""
    if named(view, "item", asked["link"]):
        return click(view, "item", asked["link"])
    tabs = view.of("link")
    shown = next((at for at, tab in enumerate(tabs) if tab.state), -1)
    return Action("click", view.target(tabs[(shown + 1) % len(tabs)]))


def find_in_sections(view: View, asked: re.Match[str]) -> Action:
    """Open section after section until one shows the link."""
    if named(view, "item", asked["link"]):
        return click(view, "item", asked["link"])
    headers = view.of("header")
    shown = next((at for at, header in enumerate(headers) if header.state), -1)
    return Action("click", view.target(headers[(shown + 1) % len(headers)]))


def open_section(view: View, asked: re.Match[str]) -> Action:  # the instruction has no data
    closed = [header for header in view.of("header") if header.name.startswith("Section") and not header.state]
    return Action("click", view.target(closed[0], part="Section")) if closed else submit(view)


def deal_with_mail(view: View, asked: re.Match[str]) -> Action:
    """Open the mail of a sender, then reply, delete or mark it."""
    if view.of("textbox"):
        return fill(view, {"reply text": asked["answer"]}) or click(view, "icon", "send reply")
    if not named(view, "icon", "Reply"):
        return click(view, "item", asked["sender"])
    what = "reply" if "reply to them" in asked.string else "trash" if "trash icon" in asked.string else "star"
    return click(view, "icon", "Reply" if what == "reply" else what)
