"""E6: an id that was read in an output is guarded also where the output holds it in a way of its own."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from muscle_mem import Engine


class Failed(Exception):
    pass


OUTPUTS: dict[str, tuple[Callable[[int], Any], Callable[[Any], int]]] = {
    "a numpy array": (lambda id: np.array([7, id]), lambda output: int(output[1])),
    "an array of arrays": (lambda id: np.array([[7, id]]), lambda output: int(output[0, 1])),
    "an array of texts": (lambda id: np.array(["a", f"id-{id}"]), lambda output: int(output[1][3:])),
    "an array in a dict": (lambda id: {"ids": [np.array([id])]}, lambda output: int(output["ids"][0][0])),
    "a read-only dict": (lambda id: types.MappingProxyType({"id": id}), lambda output: output["id"]),
    "the values of a dict": (lambda id: {"id": id}.values(), lambda output: next(iter(output))),
    "the items of a dict": (lambda id: {"id": id}.items(), lambda output: next(iter(output))[1]),
    "an exception": (lambda id: Failed("no such order", id), lambda output: output.args[1]),
    "a memoryview": (lambda id: memoryview(b"%d" % id), lambda output: int(output.tobytes())),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_e6_an_id_in_any_output_is_guarded(kind: str) -> None:
    make, read = OUTPUTS[kind]
    ids = iter((100_001, 100_002, 100_003, 100_003))
    paid: list[int] = []
    engine = Engine()
    create = engine.tool(name="create")(lambda: make(next(ids)))
    pay = engine.tool(name="pay")(lambda id: paid.append(id))
    engine.set_agent(lambda task: pay(read(create())))
    assert engine("buy").learned
    outcome = engine("buy")
    assert outcome.reason == "stale_output", outcome.message
    assert paid == [100_001, 100_002]
    ids = iter((100_001,))
    assert engine("buy", mode="replay"), "the first recording's id is there again"


def test_e6_a_picture_guards_nothing() -> None:
    shots = iter(range(10))
    clicked: list[tuple[int, int]] = []
    engine = Engine()

    @engine.tool(effect="read")
    def screenshot() -> Any:
        return np.full((200, 300, 3), 150 + next(shots), dtype=np.uint8)

    @engine.tool
    def click(x: int, y: int) -> None:
        clicked.append((x, y))

    def agent(task: str) -> None:
        screenshot()
        click(150, 151)

    engine.set_agent(agent)
    assert engine("press it").learned
    assert engine("press it")
    assert clicked == [(150, 151)] * 2
