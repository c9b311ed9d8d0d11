"""The ticket form that an agent works on: four fields, three buttons, and what was sent with it."""

from __future__ import annotations

from collections.abc import Mapping

BLANK = {"name": "", "topic": "", "priority": "low", "note": ""}
TYPED = ("name", "note")
OPTIONS = {"topic": ("billing", "login", "delivery"), "priority": ("low", "high")}
BUTTONS = ("send", "draft", "clear")


class FormError(ValueError):
    """The form refuses an action, and nothing has happened."""


class Form:
    """A form as it opens: blank, or with values that were left in it.

    Attributes:
        values: What the fields show.
        opened_as: What the fields showed at the start, as the agent reads it.
        sent: The tickets that were sent. Sending one ends the form.
        drafts: The tickets that were saved as drafts, which nothing asks for.
    """

    def __init__(self, leftover: Mapping[str, str] | None = None) -> None:
        self.values = {**BLANK, **(leftover or {})}
        self.opened_as = " ".join(f"{name} {text}" for name, text in (leftover or {}).items()) or "empty"
        self.sent: list[dict[str, str]] = []
        self.drafts: list[dict[str, str]] = []

    def fill(self, field: str, text: str) -> None:
        self._must_be_open()
        if field not in TYPED:
            raise FormError(f"no such text field: {field!r}")
        self.values[field] = text

    def choose(self, field: str, option: str) -> None:
        self._must_be_open()
        if option not in OPTIONS.get(field, ()):
            raise FormError(f"no such option: {field!r} {option!r}")
        self.values[field] = option

    def press(self, button: str) -> None:
        self._must_be_open()
        if button == "send":
            self.sent.append(dict(self.values))
        elif button == "draft":
            self.drafts.append(dict(self.values))
        elif button == "clear":
            self.values = dict(BLANK)
        else:
            raise FormError(f"no such button: {button!r}")

    def _must_be_open(self) -> None:
        if self.sent:
            raise FormError("the ticket has been sent")


class Desk:
    """The place where the tools find the form of the current task."""

    def __init__(self) -> None:
        self.form = Form()

    def fill(self, field: str, text: str) -> None:
        self.form.fill(field, text)

    def choose(self, field: str, option: str) -> None:
        self.form.choose(field, option)

    def press(self, button: str) -> None:
        self.form.press(button)
