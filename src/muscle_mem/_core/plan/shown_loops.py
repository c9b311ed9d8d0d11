"""Loops over whole lists as people see them (L13)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..binding.references.lined_up import BODY, FIXED, Slot
from ..binding.references.resolve import expression_text
from ..binding.references.source_text import source_text
from ..model.flow import OUTPUT, Get, Source
from ..model.records import Node, Ref, StepRecord
from .flows import ShownLoop
from .for_each import Fold

ELEMENT = "element"
"""What stands for the element of an iteration."""


def shown_loops(fold: Fold) -> list[ShownLoop]:
    """Return the loops of a fold, in order."""
    return [_shown(fold, number) for number in range(len(fold.form.loops))]


def _shown(fold: Fold, number: int) -> ShownLoop:
    loop = fold.form.loops[number]
    tools = [record.tool for record in fold.derived.records]
    source = fold.slots.index(Slot(FIXED, -1, loop.source))
    element = fold.element_slot(number)
    calls = [
        _call_text(record, element, tools)
        for record, slot in zip(fold.derived.records, fold.slots, strict=True)
        if slot.kind == BODY and slot.loop == number
    ]
    return ShownLoop(
        source=source_text(Source(OUTPUT, source, path=loop.way), tools),
        calls=tuple(calls),
        lengths=tuple(sorted({one.walk.counts[number] for one in fold.observed})),
        recordings=len(fold.parents),
        where=", ".join(f"{name} == {value!r}" for name, value in loop.where),
        is_declared=loop.is_declared,
    )


def _call_text(record: StepRecord, element: int, tools: Sequence[str]) -> str:
    arguments = ", ".join(f"{name} = {_text(expr, element, tools)}" for name, expr in record.arguments)
    return f"{record.tool}({arguments})"


def _text(expr: Any, element: int, tools: Sequence[str]) -> str:
    if isinstance(expr, Get):
        source = next((one for one in expr.sources if one.step == element), None)
        if source is not None:
            text = source_text(msgspec.structs.replace(source, step=0), [ELEMENT])
            return text.replace(f"{ELEMENT}().", ".").replace(f"{ELEMENT}()", ELEMENT)
    if isinstance(expr, Ref) and expr.step == element:
        return ELEMENT + "".join(f"[{index}]" for index in expr.path)
    if isinstance(expr, Node):
        inner = ", ".join(_text(item, element, tools) for item in expr.items)
        return f"{expr.kind.split(chr(0))[0]}({inner})"
    return expression_text(expr, tools)
