"""E2, E5: an encoded argument has the expression of its value, and is not walked through again."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from typing import Any

import pytest

from muscle_mem._core import codec
from muscle_mem._core.binding.params.search import Params, to_expression
from muscle_mem._core.binding.tasks.freeze import Encoded, frozen_to_expression
from muscle_mem._core.model.records import Lit, Par

ROWS = [{"id": 10_000 + at, "name": f"person {at} of town"} for at in range(5)]
VALUES: list[Any] = [
    [],
    {},
    (),
    [""],
    [1],
    ROWS,
    tuple(ROWS),
    {"name": "John Smith", "id": 12_345},
    {"id": 12_345, "name": "John Smith"},
    {"rows": ROWS, "more": {"b": 1, "a": [2.5, math.nan]}},
    {3, 1, 2},
    Counter("hello world"),
    OrderedDict(b=1, a=2),
    [["a longer text", b"some bytes", None, True]],
]


@pytest.mark.parametrize("given", VALUES, ids=repr)
@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("names", [("p",), ("p", "q")])
def test_has_the_expression_of_its_value(given: Any, value: Any, names: tuple[str, ...]) -> None:
    data = codec.encode(value)
    for argument, vouched in (("q", frozenset[str]()), ("x", frozenset[str]()), ("x", frozenset({"q"}))):
        params = Params(dict.fromkeys(names, given))
        wanted = to_expression(codec.decode(data), Params(dict.fromkeys(names, given)), argument, vouched=vouched)
        for _ in range(2):
            assert frozen_to_expression(Encoded(data), params, argument, vouched) == wanted


def test_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def decode(data: bytes, *, lenient: bool) -> Any:
        decoded.append(data)
        return ["other"]

    monkeypatch.setattr(codec, "decode", decode)
    params = Params({"rows": ROWS})
    for _ in range(3):
        assert frozen_to_expression(Encoded(codec.encode(ROWS)), params, "x") == Par("rows")
    assert decoded == []
    for _ in range(3):
        frozen_to_expression(Encoded(codec.encode(["other"])), params, "x")
    assert len(decoded) == 1


def test_is_no_param_any_more_that_is_a_secret() -> None:
    params = Params({"rows": ROWS})
    encoded = Encoded(codec.encode(ROWS))
    assert frozen_to_expression(encoded, params, "x") == Par("rows")
    params.mark_secret("rows")
    assert type(frozen_to_expression(encoded, params, "x")) is Lit
