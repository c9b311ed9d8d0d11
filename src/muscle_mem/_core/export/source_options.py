"""Options and result of generated source."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class SourceOptions(msgspec.Struct, frozen=True):
    """Options of generated source: modules, function name, and async or not.

    The modules are those to import from. `optional` are steps that are skipped if their check fails, with the numbers
    of recordings that have and that lack them.
    """

    tools_from: str = ""
    types_from: tuple[str, ...] = ()
    name: str = ""
    awaits: bool = False
    optional: Mapping[int, tuple[int, int]] = {}

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules whose classes are trusted."""
        return (self.tools_from, *self.types_from) if self.tools_from else self.types_from


class PythonSource(msgspec.Struct, frozen=True):
    """Generated source, and the arguments that were left out of it.

    Each argument comes with the reason.
    """

    text: str
    left_out: tuple[str, ...] = ()
