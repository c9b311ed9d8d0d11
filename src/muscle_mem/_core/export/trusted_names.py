"""The names of a stored trajectory that generated source may use.

A document that others wrote may name any class and any tool. Source that imports `os.system` as the class of a value
would run a command when it is called. So a class is written only if this program knows it, or if its module was named
by the user; the standard library and the builtins never are.
"""

from __future__ import annotations

import builtins
import enum
import keyword
import sys
from collections.abc import Sequence
from typing import Any

from ..codec.registry import class_name, known_class


class UntrustedNameError(ValueError):
    """A stored name must not be used in generated source."""


def class_path(stored: str, modules: Sequence[str], member: str = "") -> tuple[str, list[str]]:
    """Return the module and qualified name of a class that source may import.

    Args:
        stored: The class, as `module:qualname`.
        modules: The modules that the user named. Their submodules count, too.
        member: The member of an Enum that the source reads from the class. Without it, the source calls the class.

    Raises UntrustedNameError.
    """
    known = known_class(stored)
    module, _, qualname = (class_name(known.cls) if known is not None else stored).partition(":")
    parts = qualname.split(".")
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in (*module.split("."), *parts)):
        raise UntrustedNameError(f"cannot import the class {stored!r} by its name")
    if is_standard(module):
        if member and _is_enum(module, parts, member):
            return module, parts
        raise UntrustedNameError(f"{stored!r} is in the standard library")
    if known is not None:
        return module, parts
    if not any(module == named or module.startswith(f"{named}.") for named in modules):
        raise UntrustedNameError(f"{stored!r} is not a known class. To trust its module, add --types-from {module}")
    if any(map(is_special, parts)) or hasattr(builtins, parts[0]) or (len(parts) > 1 and names_module(parts[0])):
        raise UntrustedNameError(f"{stored!r} does not name a class of its module")
    return module, parts


def is_standard(module: str) -> bool:
    """Return whether a module is one of the standard library, or of the builtins."""
    top = module.partition(".")[0]
    return top != "__main__" and (top in sys.stdlib_module_names or top == "builtins")


def names_module(name: str) -> bool:
    """Return whether a module may contain another module under this name."""
    return is_standard(name) or name in sys.modules


def is_special(name: str) -> bool:
    """Return whether a name is one of Python's special attributes.

    Every module can be reached through these.
    """
    return name.startswith("__") and name.endswith("__") and name != "__call__"


def _is_enum(module: str, parts: Sequence[str], member: str) -> bool:
    found: Any = sys.modules.get(module)
    for part in parts:
        found = vars(found).get(part) if found is not None else None
    return isinstance(found, enum.EnumType) and member in found.__members__
