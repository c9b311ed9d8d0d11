"""What adapters refuse when they are made."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Engine, InvalidTypeError
from muscle_mem.integrations._shared import Memory


@pytest.mark.parametrize("engine", [None, "memory.db", Engine])
def test_an_adapter_takes_an_engine(engine: Any) -> None:
    with pytest.raises(InvalidTypeError, match="expected an Engine, got"):
        Memory(engine, framework="a framework")


@pytest.mark.parametrize("tools", ["refund", [1], 3])
def test_the_tools_of_an_adapter_are_names_in_a_list(tools: Any) -> None:
    with pytest.raises(InvalidTypeError, match="tools=: expected the names of tools in a list"):
        Memory(Engine(), framework="a framework", tools=tools)


def test_the_way_back_is_on_or_off() -> None:
    with pytest.raises(InvalidTypeError, match="rejoin=: expected True or False, got 'yes'"):
        Memory(Engine(), framework="a framework", rejoin="yes")  # type: ignore[arg-type]


def test_right_options_are_taken() -> None:
    assert Memory(Engine(), framework="a framework", tools=["refund"], rejoin=True).tools == ("refund",)
    assert Memory(Engine(), framework="a framework", tools=iter(["refund"])).tools == ("refund",)  # type: ignore[arg-type]
    assert Memory(Engine(), framework="a framework").tools is None
