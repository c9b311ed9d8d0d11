"""Ready-made checks for common things that agents depend on."""

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
