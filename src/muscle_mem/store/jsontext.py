"""JSON text of documents, made for diffs.

It is stable, has short containers on one line and has no invisible characters.
"""

from __future__ import annotations

import json
from typing import Any, Final

from ..errors import InvalidValueError

_WIDTH: Final = 100


def to_text(document: Any) -> str:
    """Return a document as JSON text that ends in a newline.

    Characters that are not printable are escaped.
    """
    return _safe(_text(document, "", whole=True)) + "\n"


def _text(value: Any, indent: str, *, whole: bool = False, before: int = 0) -> str:
    if isinstance(value, dict) and value:
        inner = indent + "  "
        keys = [json.dumps(key, ensure_ascii=False) + ": " for key in value]
        parts = [key + _text(item, inner, before=len(key)) for key, item in zip(keys, value.values(), strict=True)]
        return _joined(parts, "{}", indent, before, whole)
    if isinstance(value, list) and value:
        return _joined([_text(item, indent + "  ") for item in value], "[]", indent, before, whole)
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _joined(parts: list[str], brackets: str, indent: str, before: int, whole: bool) -> str:
    size = len(indent) + before + sum(len(part) + 2 for part in parts) + 1
    if not whole and size <= _WIDTH and not any("\n" in part for part in parts):
        return brackets[0] + ", ".join(parts) + brackets[1]
    inner = "\n" + indent + "  "
    return brackets[0] + inner + ("," + inner).join(parts) + "\n" + indent + brackets[1]


def _safe(text: str) -> str:
    """Return JSON text with invisible characters as `\\u` escapes.

    They occur only within strings. Examples are direction overrides, which can disguise text in a review.
    """
    if text.isascii():
        return text
    return "".join(char if char == "\n" or char.isprintable() else json.dumps(char)[1:-1] for char in text)


def from_text(text: str | bytes) -> Any:
    """Return the document in a JSON text.

    Raises:
        InvalidValueError: The text is not JSON. The message contains line and column.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except RecursionError as error:
        raise InvalidValueError("JSON is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise InvalidValueError(f"text is not UTF-8 ({error})") from error
    except json.JSONDecodeError as error:
        raise InvalidValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except InvalidValueError:
        raise
    except ValueError as error:  # A number has more digits than Python converts.
        raise InvalidValueError(str(error)) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidValueError(f"an object has the name {twice!r} twice")
    return made


def _refuse(constant: str) -> Any:
    raise InvalidValueError(f'{constant} is not JSON. Write {{"$float": "nan"}}, "inf" or "-inf"')
