"""Parts of params in documents: expressions and conditions.

The conditions of a body are those that concern them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ...errors import InvalidValueError
from ..binding.references.resolve import CONVERSIONS
from ..model.records import Body, ParamPath, Part, PartOf

Document = dict[str, Any]


def part_document(part: Part) -> Document:
    """Return the document of a part of a param."""
    found: Document = {"$param": part.name}
    if part.path:
        found["path"] = list(part.path)
    if part.form:
        found["form"] = part.form
    return found


def read_part(document: Mapping[str, Any], name: str, place: str) -> Part:
    """Return the part of a param that a document describes. Raises InvalidValueError."""
    form = document.get("form", "")
    if not isinstance(form, str) or form not in CONVERSIONS:
        raise InvalidValueError(f"{place}.form: expected one of {sorted(CONVERSIONS)}, got {form!r:.60}")
    return Part(name, _path(document.get("path", []), f"{place}.path"), form)


def conditions_document(body: Body) -> Document:
    """Return what a body's document says of the parts of params."""
    found: Document = {}
    if body.leafwise:
        found["leafwise"] = {
            one.name: {
                "paths": [list(path) for path in one.paths],
                "digest": one.digest.hex(),
                "extremes": [[list(path), level, sign] for path, level, sign in one.extremes],
            }
            for one in body.leafwise
        }
    if body.parts:
        found["parts"] = [
            {"name": one.name, "whole": one.whole, "path": list(one.path), "words": list(one.words)}
            for one in body.parts
        ]
    return found


def read_conditions(document: Mapping[str, Any], place: str) -> Document:
    """Return the fields of a body about parts of params. Raises InvalidValueError."""
    leafwise, parts = document.get("leafwise", {}), document.get("parts", [])
    if not isinstance(leafwise, dict) or not isinstance(parts, list):
        raise InvalidValueError(f"{place}leafwise: expected an object, and an array as parts")
    found: Document = {"leafwise": [], "parts": []}
    for name, one in leafwise.items():
        try:
            digest = bytes.fromhex(one["digest"])
            paths = tuple(_path(path, f"{place}leafwise.{name}") for path in one["paths"])
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidValueError(f"{place}leafwise.{name}: expected paths and a digest ({error})") from error
        found["leafwise"].append([name, paths, digest, one.get("extremes", [])])
    for index, one in enumerate(parts):
        if not isinstance(one, dict) or set(one) - {"name", "whole", "path", "words"}:
            raise InvalidValueError(f"{place}parts[{index}]: expected name, whole, path and words, got {one!r:.60}")
        fields = {"path": [], "words": [], **one}
        found["parts"].append([fields.get(name) for name in PartOf.__struct_fields__])
    return found


def _path(value: Any, place: str) -> ParamPath:
    try:
        return msgspec.convert(value, ParamPath, strict=True)
    except msgspec.ValidationError as error:
        raise InvalidValueError(f"{place}: expected an array of keys and indexes, got {value!r:.60}") from error
