"""Ready-made checks for common conditions that agents depend on."""

from __future__ import annotations

# Type checkers recognize the name. Importing typing would take longer than the rest of this module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .basic import age, all_of, any_of, equal, file_unchanged
    from .data import row_unchanged
    from .image import image_similar
    from .json_values import json_subset
    from .pages import element, url, visible
    from .text import screen_text
    from .vectors import vector_similar
    from .web import http_unchanged

__all__ = [
    "age",
    "all_of",
    "any_of",
    "element",
    "equal",
    "file_unchanged",
    "http_unchanged",
    "image_similar",
    "json_subset",
    "row_unchanged",
    "screen_text",
    "url",
    "vector_similar",
    "visible",
]

# Each module is loaded on the first access to one of its checks, since most programs use one or two.
_ROOMS = {
    "basic": "age all_of any_of equal file_unchanged",
    "data": "row_unchanged",
    "image": "image_similar",
    "json_values": "json_subset",
    "pages": "element url visible",
    "text": "screen_text",
    "vectors": "vector_similar",
    "web": "http_unchanged",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module("." + _ROOM_OF[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
