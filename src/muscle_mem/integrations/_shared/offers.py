"""The tools that a framework offers to the model, as tools of the engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..._session import hosted
from .messages import ToolOffer


class Offers:
    """The tools that one adapter has seen, by the names that the model knows.

    Attributes:
        engine: The engine.
    """

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self._seen: dict[str, tuple[ToolOffer, Any, Any]] = {}
        self._version = -1

    def see(self, offers: Iterable[ToolOffer]) -> None:
        """Register what is new among the tools of a request."""
        seen = {} if hosted.tools_version(self.engine) != self._version else self._seen
        for offer in offers:
            known = seen.get(offer.name)
            if known is None or not _is_same(known[0], offer):
                self._see(offer)
        self._version = hosted.tools_version(self.engine)

    def _see(self, offer: ToolOffer) -> None:
        annotations = offer.read_only, offer.destructive, offer.idempotent
        found = hosted.see_tool(self.engine, offer.name, offer.schema, annotations, offer.fn)
        self._seen[offer.name] = offer, *found

    def stored_name(self, name: str) -> str:
        """Return the stored name of a tool by its name here.

        A tool that was never offered is registered.
        """
        return str(self._known(name)[1].name)

    def for_session(self, name: str) -> Any:
        """Return what a session takes for a tool."""
        return self._known(name)[2]

    def _known(self, name: str) -> tuple[ToolOffer, Any, Any]:
        if name not in self._seen:
            self._see(ToolOffer(name))
        return self._seen[name]

    def names(self) -> list[str]:
        """Return the names of all tools that were offered so far."""
        return list(self._seen)

    def unconfirmed(self, offers: Iterable[ToolOffer], *, confirms: bool) -> list[str]:
        """Return the names of tools whose verdicts would age during an approval.

        Args:
            offers: The tools.
            confirms: Whether the adapter confirms calls of tools that do not say so.
        """
        return [
            offer.name
            for offer in offers
            if offer.needs_approval
            and not (confirms if offer.is_confirmed is None else offer.is_confirmed)
            and self._known(offer.name)[1].pre is not None
        ]

    def name_here(self, stored: str, name: str, offered: Iterable[str]) -> str:
        """Return the name that the model knows a stored tool by.

        Args:
            stored: The stored name of the tool.
            name: The name that the session would give it.
            offered: The names of the tools of the request.
        """
        for here in offered:
            known = self._seen.get(here)
            if known is not None and known[1].name == stored:
                return here
        return name


def _is_same(one: ToolOffer, other: ToolOffer) -> bool:
    if one is other:
        return True
    return (
        one.fn is other.fn
        and one.schema == other.schema
        and (one.read_only, one.destructive, one.idempotent) == (other.read_only, other.destructive, other.idempotent)
        and one.needs_approval == other.needs_approval
    )
