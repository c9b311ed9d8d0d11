"""A check of JSON values, and the paths that it ignores."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from .._core.model.text import safe_repr
from .._core.tools.check import Check
from ..errors import InvalidTypeError, InvalidValueError
from .given import Looking, ask, capture_of, identity, need_callable

SHOWN = 3
"""The maximum number of differences in an explanation."""

ANY = None
"""A part of a path that matches every key and index."""

_PART = re.compile(r"""\.?([^.\[\]"*]+)|\.?(\*)|\[(\d+)\]|\[(\*)\]|\["((?:[^"\\]|\\.)*)"\]""")

Path = tuple[str | int | None, ...]
Difference = tuple[str, str, str]


def json_subset(capture: Callable[..., Any], *, ignore: Sequence[str] = (), **options: Any) -> Check:
    """Return a check that passes while a JSON value contains the recorded one.

    Every recorded key must exist with a value that contains the recorded one. More keys are allowed. Lists must have
    equal lengths.

    Args:
        capture: Gets those of the tool's arguments that it names. It returns dicts, lists and plain values, or JSON as
            text or bytes. It may be async.
        ignore: Paths whose values are neither stored nor compared, such as "items[*].updated_at", "meta.*" or
            'headers["x.y"]'.
        options: Options of `Check`, such as wait= and every=.

    Raises:
        InvalidTypeError: An argument has the wrong type.
        InvalidValueError: A path cannot be parsed.
    """
    need_callable("json_subset", "capture", capture)
    if isinstance(ignore, str) or not isinstance(ignore, Sequence):
        raise InvalidTypeError(
            f"invalid json_subset(ignore=...): expected a list of paths, got {ignore!r}. Pass a list."
        )
    return _json_check(capture, tuple(sorted(map(parsed, ignore), key=repr)), None, options)


def _json_check(
    capture: Callable[..., Any],
    ignored: tuple[Path, ...],
    signature: inspect.Signature | None,
    options: dict[str, Any],
) -> Check:
    def look(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Looking:
        found = yield ask(capture, signature, args, kwargs)
        if isinstance(found, str | bytes | bytearray):
            found = msgspec.json.decode(found)
        return _kept(found, (), ignored)

    def compare(current: Any, candidate: Any) -> bool:
        return next(differences(current, candidate, (), ignored), None) is None

    def describe(current: Any, candidate: Any) -> tuple[str, str]:
        found = list(islice(differences(current, candidate, (), ignored), SHOWN + 1))
        more = " and more" if len(found) > SHOWN else ""
        seen = "; ".join(f"{path}: {now}" for path, now, _ in found[:SHOWN]) + more
        expected = "; ".join(f"{path}: {then}" for path, _, then in found[:SHOWN]) + more
        return seen or "all that was recorded", expected or "all that was recorded"

    def bind(found: inspect.Signature) -> Check:
        return _json_check(capture, ignored, found, options)

    given = {**identity("json_subset", ignored, (capture,), options), "describe": describe, **options}
    return Check(capture_of(look, capture), compare, bind=bind if signature is None else None, **given)


def parsed(text: str) -> Path:
    """Return the parts of a path: names, indices, and None for any.

    Raises InvalidTypeError or InvalidValueError.
    """
    if not isinstance(text, str):
        raise InvalidTypeError(f"invalid json_subset(ignore=...): expected a list of paths as text, got {text!r} in it")
    parts: list[str | int | None] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None or (match.group(0)[0] == "." and not parts) or (parts and match.group(0)[0] not in ".["):
            break
        name, _, index, _, quoted = match.groups()
        if quoted is not None:
            parts.append(re.sub(r"\\(.)", r"\1", quoted))
        else:
            parts.append(name if name is not None else int(index) if index is not None else ANY)
        at = match.end()
    if at < len(text) or not parts:
        raise InvalidValueError(
            f"invalid json_subset(ignore=...): expected a path, got {text!r} (error at character {at}). "
            """Write it like items[*].updated_at, meta.* or headers["x.y"]."""
        )
    return tuple(parts)


def _ignores(path: Path, ignored: tuple[Path, ...]) -> bool:
    return any(
        len(one) == len(path) and all(want is ANY or want == part for want, part in zip(one, path, strict=True))
        for one in ignored
    )


def _kept(value: Any, path: Path, ignored: tuple[Path, ...]) -> Any:
    """Return a JSON value without ignored parts, which are None in lists."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise InvalidTypeError(
                    f"json_subset failed: expected only keys that are texts, got {key!r} at {spelled(path)}"
                )
        return {k: _kept(v, (*path, k), ignored) for k, v in value.items() if not _ignores((*path, k), ignored)}
    if isinstance(value, list | tuple):
        return [
            None if _ignores((*path, index), ignored) else _kept(one, (*path, index), ignored)
            for index, one in enumerate(value)
        ]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InvalidTypeError(
        f"json_subset failed: expected a JSON value, got type {type(value).__name__} at {spelled(path)}"
    )


def differences(current: Any, candidate: Any, path: Path, ignored: tuple[Path, ...]) -> Iterator[Difference]:
    """Yield where a value does not contain the recorded one.

    Each difference has the path, the current value and the recorded one as texts.

    Args:
        current: The current value.
        candidate: The recorded value.
        path: The path of both.
        ignored: The paths that do not count.
    """
    if _ignores(path, ignored):
        return
    if isinstance(candidate, dict) and isinstance(current, dict):
        for key, value in sorted(candidate.items()):
            if key in current:
                yield from differences(current[key], value, (*path, key), ignored)
            elif not _ignores((*path, key), ignored):
                yield spelled((*path, key)), "missing", safe_repr(value, 60)
    elif isinstance(candidate, list) and isinstance(current, list):
        if len(current) != len(candidate):
            yield spelled(path), f"{len(current)} entries", f"{len(candidate)} entries"
            return
        for index, (now, then) in enumerate(zip(current, candidate, strict=True)):
            yield from differences(now, then, (*path, index), ignored)
    elif not _equal(current, candidate):
        yield spelled(path), safe_repr(current, 60), safe_repr(candidate, 60)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and bool(one == other)


def spelled(path: Path) -> str:
    """Return a path as a text."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "all of it"
