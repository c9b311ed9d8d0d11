"""A recording that others wrote may name any part of a param: it gets the fields that are stored, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import pytest

from muscle_mem._core.binding.params.parts import part_at

API_KEY = "sk-of-this-program"


@dataclasses.dataclass
class Account:
    name: str
    tags: list[str]

    def token(self) -> str:
        return API_KEY

    @property
    def owner(self) -> str:
        raise AssertionError("A property must not run.")


class Point(NamedTuple):
    x: int
    y: int


ACCOUNT = Account("Ann", ["a", "b"])


def test_stored_fields_are_found() -> None:
    assert part_at({"p": [ACCOUNT]}, ("p", 0, ".name")) == "Ann"
    assert part_at(ACCOUNT, (".tags", 1)) == "b"
    assert part_at(Point(1, 2), (".y",)) == 2


@pytest.mark.parametrize(
    "path",
    [
        (".__class__",),
        (".__dict__", "name"),
        (".token",),
        (".token", ".__globals__", "API_KEY"),
        (".__init__", ".__globals__", "API_KEY"),
        (".__class__", ".__init__", ".__globals__"),
        (".owner",),
        (".missing",),
        (".",),
        (".name", ".join"),
        (".tags", ".append"),
        (".tags", 7),
    ],
)
def test_no_other_attribute_is_read(path: tuple[Any, ...]) -> None:
    with pytest.raises(LookupError):
        part_at(ACCOUNT, path)
