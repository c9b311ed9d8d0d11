"""Documents as JSON text that is pleasant in a diff: stable, short containers on one line, only plain letters."""

from __future__ import annotations

import json
from typing import Any, Final

from ..errors import InvalidValueError

_WIDTH: Final = 100


def to_text(document: Any) -> str:
    """The text of a document, ending in a newline. What is not printable is written by its number."""
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
    """Characters that cannot be seen, such as overrides of direction, as `\\u` escapes: they stand in strings only."""
    if text.isascii():
        return text
    return "".join(char if char == "\n" or char.isprintable() else json.dumps(char)[1:-1] for char in text)


def from_text(text: str | bytes) -> Any:
    """The document in a text. Raises InvalidValueError with line and column of what is not JSON."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except RecursionError as error:
        raise InvalidValueError("it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise InvalidValueError(f"it is not UTF-8 text ({error})") from error
    except json.JSONDecodeError as error:
        raise InvalidValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except InvalidValueError:
        raise
    except ValueError as error:  # a number of more digits than Python reads
        raise InvalidValueError(str(error)) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidValueError(f"an object has the name {twice!r} twice")
    return made


def _refuse(constant: str) -> Any:
    raise InvalidValueError(f'{constant} is not JSON; write {{"$float": "nan"}}, "inf" or "-inf"')
