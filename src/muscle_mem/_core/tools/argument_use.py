"""Which of its arguments a capture looks at, read from its code: what looks at none sees the same for every call."""

from __future__ import annotations

import dis
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

VARARGS, VARKEYWORDS = 0x04, 0x08  # as inspect.CO_VARARGS and inspect.CO_VARKEYWORDS
INTROSPECTION_NAMES = frozenset(
    {"locals", "vars", "eval", "exec", "dir", "super", "_getframe", "currentframe", "stack"}
)
"""Names by which a function may get at its arguments without naming them."""


def used_parameters(capture: Callable[..., Any]) -> frozenset[int] | None:
    """The positions of the parameters that a function's code names, those behind * or ** included.

    None where that cannot be determined: of anything but a plain function, and of one that may look at its own frame.
    """
    if type(capture) is not FunctionType:
        return None
    code = capture.__code__
    if not INTROSPECTION_NAMES.isdisjoint(code.co_names) or any(
        name in INTROSPECTION_NAMES for name in code.co_freevars
    ):
        return None
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & VARARGS) + bool(code.co_flags & VARKEYWORDS)
    positions = {name: position for position, name in enumerate(code.co_varnames[:count])}
    return frozenset(positions[name] for name in _names_in_code(code) if name in positions)


def _names_in_code(code: CodeType) -> set[str]:
    """The names of variables, its own and enclosed ones, that the code reads, writes or encloses."""
    found: set[str] = set()
    for instruction in dis.get_instructions(code):
        if "FAST" in instruction.opname or instruction.opcode in dis.hasfree:
            named = instruction.argval  # two names where Python has joined two instructions into one
            found.update(named if isinstance(named, tuple) else (named,))
    return found
