"""Numbers with units as options: ages and sizes."""

from __future__ import annotations

import re

import click

AGES = "seconds, 90m, 12h, 30d or 2w"
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
BYTES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


class Amount(click.ParamType[float]):
    """Number with an optional unit, as a type for click."""

    def __init__(self, name: str, units: dict[str, int], example: str) -> None:
        self.name = name
        self._units = units
        self._example = example

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number in the smallest unit."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]?)", str(value).strip().lower())
        if found is None or found[2] not in self._units:
            self.fail(f"expected {self._example}, got {value!r}. Correct the value.", param, ctx)
        return float(found[1]) * self._units[found[2]]
