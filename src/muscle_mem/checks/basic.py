"""Checks of equality, age and files, and combinations of checks."""

from __future__ import annotations

import hashlib
import inspect
import math
import os
import time
from collections.abc import Callable
from typing import Any

from .._core.tools.check import LITERAL, Check, interpret
from .._files import regular_file
from ..errors import InvalidTypeError, InvalidValueError
from .given import Looking, capture_of
from .given import argument as argument_of


def equal(capture: Callable[..., Any], **options: Any) -> Check:
    """Return a check that passes while a captured value equals the recorded one.

    Types count: 1 does not equal True or 1.0.

    Args:
        capture: Gets the tool's arguments and returns the value.
        options: Options of `Check`, such as wait= and every=.
    """
    return Check(capture, **options)


def age(seconds: float, *, clock: Callable[[], float] = time.time, **options: Any) -> Check:
    """Return a check that passes while the recording is not too old.

    It fails for a recording from the future. With refresh=True, every hit starts the time again.

    Args:
        seconds: The maximum age in seconds.
        clock: Returns the seconds since the epoch.
        options: Options of `Check`, such as refresh=.

    Raises:
        InvalidTypeError: `seconds` is not a number.
        InvalidValueError: `seconds` is negative, infinite or NaN.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidTypeError(f"invalid age(seconds=...): expected a number of seconds, got {seconds!r}")
    if math.isnan(seconds) or math.isinf(seconds) or seconds < 0:
        raise InvalidValueError(f"invalid age(seconds=...): expected 0 or more seconds, got {seconds!r}")
    limit = float(seconds)

    def capture(*_args: Any, **_kwargs: Any) -> float:
        return float(clock())

    def compare(current: float, candidate: float) -> bool:
        return 0 <= current - candidate <= limit

    def describe(current: float, candidate: float) -> tuple[str, str]:
        return f"an age of {current - candidate:.3f} s", f"from 0 to {limit:g} s"

    return Check(capture, compare, **{"version": f"age:{limit!r}:1", "describe": describe, **options})


def file_unchanged(argument: str, **options: Any) -> Check:
    """Return a check that passes while a file has the same content or is still absent.

    The snapshot is the size and the SHA-256 of the file's bytes. For a directory, it is that of its sorted names.
    A named pipe or device is not opened: the capture raises.

    Args:
        argument: The name of the tool's argument that holds the path. It may be passed by position or by name.
        options: Options of `Check`, such as wait= and every=.

    Raises:
        InvalidTypeError: `argument` is not a string.
        InvalidValueError: The tool that the check is attached to has no such argument.
    """
    if not isinstance(argument, str):
        raise InvalidTypeError(
            f"invalid file_unchanged(argument=...): expected the name of a tool's argument, got {argument!r}"
        )

    return _file_check(argument, None, options)


def _file_check(argument: str, signature: inspect.Signature | None, options: dict[str, Any]) -> Check:
    def capture(*args: Any, **kwargs: Any) -> tuple[str, int, str]:
        return file_state(argument_of(signature, argument, args, kwargs))

    def compare(current: tuple[str, int, str], candidate: tuple[str, int, str]) -> bool:
        return current == candidate

    def describe(current: tuple[str, int, str], candidate: tuple[str, int, str]) -> tuple[str, str]:
        return _file_text(current), _file_text(candidate)

    def bind(found: inspect.Signature) -> Check:
        if argument not in found.parameters:
            raise InvalidValueError(
                f"invalid file_unchanged(argument=...): expected an argument of the tool "
                f"({', '.join(found.parameters) or 'it has none'}), got {argument!r}"
            )
        return _file_check(argument, found, options)

    given = {"version": f"file_unchanged:{argument}:1", "describe": describe, **options}
    return Check(capture, compare, bind=bind if signature is None else None, **given)


def file_state(path: Any) -> tuple[str, int, str]:
    try:
        if os.path.isdir(path):
            names = sorted(map(os.fsencode, os.listdir(path)))
            return "directory", len(names), hashlib.sha256(b"\0".join(names)).hexdigest()
        digest = hashlib.sha256()
        size = 0
        with regular_file(path) as file:
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
    """A check made of others, of which a hit refreshes only those with refresh=True."""

    __slots__ = ()

    def refreshed(self, current: Any, candidate: Any) -> Any:
        """Return current snapshots of parts with `refresh`, and recorded ones of others.

        Args:
            current: The snapshots of this run.
            candidate: The recorded snapshots.
        """
        pairs = zip(self.parts, current, candidate, strict=True)
        return tuple(part.refreshed(now, then) if part.refresh else then for part, now, then in pairs)


def all_of(*checks: Check, **options: Any) -> Check:
    """Return a check that passes if all of the checks pass.

    All of them are captured, in order.

    Args:
        checks: The checks to combine, none with an async compare.
        options: Options of `Check` for the combination.

    Raises:
        InvalidTypeError: One is not a Check, or has an async compare.
        InvalidValueError: No check is given.
    """
    return _combined(checks, all, "all_of", options)


def any_of(*checks: Check, **options: Any) -> Check:
    """Return a check that passes if at least one of the checks passes.

    All of them are captured, in order. A check whose compare raises counts as failed.

    Args:
        checks: The checks to combine, none with an async compare.
        options: Options of `Check` for the combination.

    Raises:
        InvalidTypeError: One is not a Check, or has an async compare.
        InvalidValueError: No check is given.
    """
    return _combined(checks, any, "any_of", options)


def _combined(checks: tuple[Check, ...], how: Callable[..., bool], name: str, options: dict[str, Any]) -> Check:
    if not checks:
        raise InvalidValueError(f"invalid {name}(): expected at least one check, got none")
    for check in checks:
        if not isinstance(check, Check):
            raise InvalidTypeError(f"invalid {name}(): expected Checks, got {check!r}")
        if check.compare_async:
            raise InvalidTypeError(
                f"invalid {name}(): expected checks with a plain compare, got {check!r} with an async one"
            )

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
    literal = frozenset(index for index, check in enumerate(checks) if check.params == LITERAL or check.literal_parts)
    if len(literal) == len(checks):
        given = {"params": LITERAL, **given}
    made = Check if "refresh" in options else Combination
    combined = made(capture_of(look, *(check.capture for check in checks)), compare, parts=checks, **given)
    combined.literal_parts = literal
    return combined
