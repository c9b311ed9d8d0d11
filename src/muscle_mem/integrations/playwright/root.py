"""The page that `memory_page` returns, which the tools act on."""

from __future__ import annotations

import json
from typing import Any

from .acting import field_key
from .actions import ACTIONS
from .offers import offered_tool, offered_tools
from .pages import MemoryPage
from .pictures import picture_of
from .targets import Links
from .watching import FIRST, PageWatch


class RootPage(MemoryPage):
    """A memory page with its tabs. It is the context object of the tools.

    Attributes:
        watch: Its tabs and events.
        allow: The names that pass through to the real page and leave the run learnable.
        patience: How many seconds a recorded action waits for its element before it is looked at.
        secret_fields: The names of the secrets that were typed into password fields, by `field_key`.
        masked_fields: The fields that pictures cover besides password fields.
        plain_field: The field that is not a password field, as was seen immediately before the tool is called.
        last_picture: The picture for people that was taken at the end of the latest action.
    """

    def __init__(self, engine: Any, page: Any, allow: frozenset[str], patience: float) -> None:
        super().__init__(FIRST, page)
        self.root = self
        self.watch = PageWatch(engine, page)
        self.allow = allow
        self.patience = patience
        self.secret_fields: dict[str, str] = {}
        self.masked_fields: dict[str, Links] = {}
        self.plain_field = ""
        self.last_picture: bytes | None = None

    def tab(self, name: str) -> MemoryPage:
        """Return the memory page of a tab that `expect_popup` named.

        Raises LookupError if there is none.
        """
        if name == FIRST:
            return self
        if name not in self.watch.tabs:
            raise LookupError(f"no tab {name!r} is open. Tabs: {', '.join(filter(None, self.watch.tabs)) or 'none'}")
        found = MemoryPage(name, self.watch.tabs[name])
        found.root = self
        return found

    def tools(self) -> list[Any]:
        """Return the actions as functions for a model, each with a JSON `schema`."""
        return offered_tools(self)

    def secret_tool(self, name: str) -> Any:
        """Return the function of a secret variant, such as "fill_secret"."""
        return offered_tool(self, ACTIONS[name.removesuffix("_secret")], is_secret=True)

    def picture(self, tab: str = FIRST) -> Any:
        """Return a small JPEG of a tab for people, with secrets covered."""
        return picture_of(self, tab)

    def note_secret(self, tab: str, links: Links) -> None:
        """Note a field into which a secret is typed."""
        key = field_key(tab, links)
        self.masked_fields[key] = links
        self.secret_fields.setdefault(key, "password")

    def is_known_plain(self, tab: str, links: Links) -> bool:
        """Return whether the agent's call has just looked at a field; it is asked once."""
        known, self.plain_field = self.plain_field, ""
        return known == field_key(tab, links)

    def is_field_of(self, key: str, tab: str) -> bool:
        """Return whether a field belongs to a tab."""
        return bool(json.loads(key)[0] == tab)
