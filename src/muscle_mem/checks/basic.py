"""Equality, age, files, and combinations: the checks that need nothing but the standard library."""

from __future__ import annotations

import hashlib
import inspect
import math
import os
import time
from collections.abc import Callable
from typing import Any

from .._core.tools.check import Check, interpret
from ..errors import InvalidTypeError, InvalidValueError
from .given import Looking, capture_of
from .given import argument as argument_of


def equal(capture: Callable[..., Any], **options: Any) -> Check:
    """Passes while `capture` returns exactly what it returned when recorded, types included.

    Options are those of `Check`, such as wait= and every=.
    """
    return Check(capture, **options)


def age(seconds: float, *, clock: Callable[[], float] = time.time, **options: Any) -> Check:
    """Passes while the recording is at most `seconds` old, and never if it seems to come from the future.

    With refresh=True every hit starts the time again. `clock` returns seconds since the epoch. Raises InvalidTypeError
    or InvalidValueError for a limit that is not a number, negative, infinite or NaN.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidTypeError(f"age needs a number of seconds, got {seconds!r}")
    if math.isnan(seconds) or math.isinf(seconds) or seconds < 0:
        raise InvalidValueError(f"age needs 0 or more seconds, got {seconds!r}")
    limit = float(seconds)

    def capture(*_args: Any, **_kwargs: Any) -> float:
        return float(clock())

    def compare(current: float, candidate: float) -> bool:
        return 0 <= current - candidate <= limit

    def describe(current: float, candidate: float) -> tuple[str, str]:
        return f"an age of {current - candidate:.3f} s", f"from 0 to {limit:g} s"

    return Check(capture, compare, **{"version": f"age:{limit!r}:1", "describe": describe, **options})


def file_unchanged(argument: str, **options: Any) -> Check:
    """Passes while the file that the tool's argument `argument` names has the same content, or is still absent.

    The snapshot is the size and the SHA-256 of the file's bytes; a directory has the sorted names in it. The tool's
    signature says which argument is meant, however it is passed. Raises InvalidTypeError for a name that is not a
    string.
    """
    if not isinstance(argument, str):
        raise InvalidTypeError(f"file_unchanged needs the name of a tool's argument, got {argument!r}")

    return _file_check(argument, None, options)


def _file_check(argument: str, signature: inspect.Signature | None, options: dict[str, Any]) -> Check:
    def capture(*args: Any, **kwargs: Any) -> tuple[str, int, str]:
        return _file_state(argument_of(signature, argument, args, kwargs))

    def compare(current: tuple[str, int, str], candidate: tuple[str, int, str]) -> bool:
        return current == candidate

    def describe(current: tuple[str, int, str], candidate: tuple[str, int, str]) -> tuple[str, str]:
        return _file_text(current), _file_text(candidate)

    def bind(found: inspect.Signature) -> Check:
        if argument not in found.parameters:
            raise InvalidValueError(
                f"file_unchanged({argument!r}): the tool has no such argument; it has {', '.join(found.parameters)}"
            )
        return _file_check(argument, found, options)

    given = {"version": f"file_unchanged:{argument}:1", "describe": describe, **options}
    return Check(capture, compare, bind=bind if signature is None else None, **given)


def _file_state(path: Any) -> tuple[str, int, str]:
    try:
        if os.path.isdir(path):
            names = sorted(map(os.fsencode, os.listdir(path)))
            return "directory", len(names), hashlib.sha256(b"\0".join(names)).hexdigest()
        digest = hashlib.sha256()
        size = 0
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
                size += len(chunk)
        return "file", size, digest.hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return "absent", 0, ""


def _file_text(state: tuple[str, int, str]) -> str:
    kind, size, digest = state
    if kind == "absent":
        return "no such file"
    unit = "entries" if kind == "directory" else "bytes"
    return f"a {kind} of {size} {unit}, sha256 {digest[:12]}"


class Combination(Check):
    """A check made of others, of which a hit refreshes only those that say refresh=True."""

    __slots__ = ()

    def refreshed(self, current: Any, candidate: Any) -> Any:
        """The parts that slide as they are now, the others as they were recorded."""
        pairs = zip(self.parts, current, candidate, strict=True)
        return tuple(part.refreshed(now, then) if part.refresh else then for part, now, then in pairs)


def all_of(*checks: Check, **options: Any) -> Check:
    """Passes when every one of the checks does; each is captured, in order."""
    return _combined(checks, all, "all_of", options)


def any_of(*checks: Check, **options: Any) -> Check:
    """Passes when at least one of the checks does; each is captured, in order. One that cannot decide fails."""
    return _combined(checks, any, "any_of", options)


def _combined(checks: tuple[Check, ...], how: Callable[..., bool], name: str, options: dict[str, Any]) -> Check:
    if not checks:
        raise InvalidValueError(f"{name} needs at least one check")
    for check in checks:
        if not isinstance(check, Check):
            raise InvalidTypeError(f"{name} combines Checks, got {check!r}")
        if check.compare_async:
            raise InvalidTypeError(f"{name} cannot combine checks with an async compare, got {check!r}")

    def look(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Looking:
        found: tuple[Any, ...] = ()
        for check in checks:
            found += ((yield check.capture(*args, **kwargs)),)
        return found

    def verdict(check: Check, current: Any, candidate: Any) -> bool:
        try:
            return interpret(check, check.compare(current, candidate))
        except Exception:
            if how is any:
                return False
            raise

    def compare(current: tuple[Any, ...], candidate: tuple[Any, ...]) -> bool:
        if len(current) != len(checks) or len(candidate) != len(checks):
            return False
        return how(verdict(check, now, then) for check, now, then in zip(checks, current, candidate, strict=True))

    def describe(current: tuple[Any, ...], candidate: tuple[Any, ...]) -> tuple[str, str]:
        seen, expected = [], []
        for check, now, then in zip(checks, current, candidate, strict=True):
            texts = check.describe_pair(now, then)
            said = "" if verdict(check, now, then) else " (no)"
            seen.append(texts[0] + said)
            expected.append(texts[1])
        joint = " and " if how is all else " or "
        return joint.join(seen), joint.join(expected)

    def bind(signature: inspect.Signature) -> Check:
        return _combined(tuple(check.for_signature(signature) for check in checks), how, name, options)

    given = {
        "version": f"{name}:1",
        "describe": describe,
        "refresh": any(check.refresh for check in checks),
        "wait": max(check.wait for check in checks),
        "every": min((check.every for check in checks if check.wait), default=0.1),
        "bind": bind if any(check.needs_signature for check in checks) else None,
        **options,
    }
    made = Check if "refresh" in options else Combination
    return made(capture_of(look, *(check.capture for check in checks)), compare, parts=checks, **given)
