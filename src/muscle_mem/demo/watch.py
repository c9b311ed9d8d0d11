"""Observer of the demo's runs: every action on the page, and who decided it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from .._events import Event, NoticeEvent, NotLearnedEvent, RunEvent, StepBeganEvent, StepEndedEvent, StoreEvent
from .model import listing
from .sight import Thing, View

VERBS = {
    "click": "click {target}",
    "pick": "pick {target}",
    "type_text": 'type "{text}" into {target}',
    "select": 'choose "{text}" in {target}',
    "pick_date": "set {target} to {text}",
}


@dataclass(frozen=True)
class PageAction:
    """Action on the page, decided by the agent or replayed.

    `page_characters` is the length of the page as a model reads it, and `call_characters` that of the call.
    """

    verb: str
    target: str
    text: str
    by_agent: bool
    page_characters: int
    call_characters: int

    def __str__(self) -> str:
        return VERBS[self.verb].format(target=self.target, text=self.text)


class Watch:
    """Observer of an engine and auditor of a page.

    `actions` are those of the current run, `ended` the events of all runs. `on_action` is called before each action,
    and `on_trouble` with the text of each warning.
    """

    wants_steps = True

    def __init__(self) -> None:
        self.actions: list[PageAction] = []
        self.ended: list[RunEvent] = []
        self.on_action: Callable[[PageAction], None] | None = None
        self.on_trouble: Callable[[str], None] | None = None
        self._is_replaying = False

    def __call__(self, event: Event) -> None:
        """Receive an event of the engine."""
        match event:
            case StepBeganEvent():
                self._is_replaying = True
            case StepEndedEvent():
                self._is_replaying = False
            case RunEvent():
                self.ended.append(event)
            case StoreEvent(level="warning" | "error"):
                self._warn(f"The store failed ({event.operation}), the task continued: {event.message}")
            case NotLearnedEvent(level="warning" | "error"):
                self._warn(f"This run was not recorded: {event.message}")
            case NoticeEvent(level="warning" | "error"):
                self._warn(event.message)

    def audit(self, view: View, verb: str, thing: Thing, text: str) -> None:
        """Note an action before it is performed."""
        target = view.target(thing)
        action = PageAction(
            verb=verb,
            target=target,
            text=text,
            by_agent=not self._is_replaying,
            page_characters=len(listing(view)),
            call_characters=len(verb)
            + len(json.dumps({"target": target, "text": text} if text else {"target": target})),
        )
        self.actions.append(action)
        if self.on_action is not None:
            self.on_action(action)

    def _warn(self, text: str) -> None:
        if self.on_trouble is not None:
            self.on_trouble(text)
