"""Detection of the arguments that a capture uses, read from its code.

A capture that uses none returns the same for every call.
"""

from __future__ import annotations

import dis
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

VARARGS, VARKEYWORDS = 0x04, 0x08  # The values of inspect.CO_VARARGS and inspect.CO_VARKEYWORDS.
INTROSPECTION_NAMES = frozenset(
    {"locals", "vars", "eval", "exec", "dir", "super", "_getframe", "currentframe", "stack"}
)
"""Names through which a function can read its arguments without naming them."""


def used_parameters(capture: Callable[..., Any]) -> frozenset[int] | None:
    """Return the positions of the parameters that a function's code names.

    Those behind * and ** are included. None means that they cannot be determined: `capture` is not a plain function,
    or may inspect its own frame.
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
    """Return the names of local and enclosed variables that the code uses."""
    found: set[str] = set()
    for instruction in dis.get_instructions(code):
        if "FAST" in instruction.opname or instruction.opcode in dis.hasfree:
            # Python may join two instructions into one with two names.
            named = instruction.argval
            found.update(named if isinstance(named, tuple) else (named,))
    return found
