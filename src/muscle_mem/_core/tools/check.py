"""Checks: captures of the environment, and comparisons with those recorded."""

from __future__ import annotations

import copy
import inspect
import weakref
from collections.abc import Awaitable, Callable, Sequence
from numbers import Number
from types import CoroutineType
from typing import Any, Literal

from ...errors import InvalidTypeError
from .. import codec
from ..model.kinds import is_awaitable
from ..model.text import long_repr, safe_repr
from .argument_use import used_parameters
from .fingerprint import fingerprint, is_async
from .validation import (
    MIN_EVERY,
    validated_choice,
    validated_compare_many,
    validated_function,
    validated_optional_function,
    validated_seconds,
    validated_threshold,
    validated_version,
)

UNREAD = object()
Capture = Callable[..., Any]
Compare = Callable[[Any, Any], bool | float | Awaitable[bool | float]]
REPLACED, LITERAL = "replaced", "literal"


class CheckError(Exception):
    """An answer of a compare that is not a verdict.

    It is never raised to the user: it becomes the reason of a refusal.
    """


class Check:
    """A test of whether a recorded step is safe in the present environment.

    Capture and compare may be async if the tool is async and the engine is called with `await engine.acall(...)`.

    Args:
        capture: Gets the tool's own arguments (for a method tool, `self` first) and returns a snapshot of what matters.
        compare: Gets (current, candidate) and returns a bool, or a score that passes from `threshold` on. Without a
            compare, snapshots must be exactly equal, types included.
        threshold: The lowest passing score. Declare it if compare returns a score. Without it, a score must be 1.0 or
            more, and the engine warns.
        wait: How long, in seconds, to capture again until the check passes.
        every: The pause between these captures, in seconds.
        compare_many: Gets (current, candidates) and returns the answer of compare for each of them. It is used if
            several recordings are left to choose from and one call for all is cheaper.
        refresh: Whether a hit stores its snapshot as an additional reference (sliding expiry). Otherwise the recorded
            snapshots stay the only reference, so that small drifts never add up.
        version: A string or number in place of the fingerprint of capture and compare. Change it when their meaning
            changes.
        describe: Gets (current, candidate) and returns two texts for `explain`: what was seen and what was expected.
        params: "replaced": in the recorded snapshot that compare gets, this run's params replace the recorded ones.
            "literal": compare gets the snapshot as it was recorded. Use it for a check on an account, a tenant or
            a place that must be the recorded one.
        parts: The checks that this check combines. Their fingerprints count too.
        bind: Gets the signature of the tool that the check is attached to, and returns the check for that tool.

    Raises:
        InvalidTypeError: An argument has the wrong type.
        InvalidValueError: An argument has a value that is not allowed.
    """

    __module__ = "muscle_mem"

    __slots__ = (
        "_bind",
        "_fingerprint",
        "_used_parameters",
        "capture",
        "capture_async",
        "compare",
        "compare_async",
        "compare_many",
        "describe",
        "every",
        "is_equality",
        "literal_parts",
        "params",
        "parts",
        "refresh",
        "saw_score",
        "threshold",
        "threshold_declared",
        "verified_types",
        "version",
        "wait",
    )

    def __init__(
        self,
        capture: Capture,
        compare: Compare | None = None,
        *,
        threshold: float | None = None,
        wait: float = 0.0,
        every: float = 0.1,
        compare_many: Callable[[Any, Sequence[Any]], Any] | None = None,
        refresh: bool = False,
        version: str | int | None = None,
        describe: Callable[[Any, Any], tuple[str, str]] | None = None,
        params: Literal["replaced", "literal"] = "replaced",
        parts: tuple[Check, ...] = (),
        bind: Callable[[inspect.Signature], Check] | None = None,
    ) -> None:
        self.capture: Capture = validated_function("capture", capture)
        self.capture_async = is_async(capture)
        self.is_equality = compare is None
        self.compare: Compare = is_canonically_equal if compare is None else validated_function("compare", compare)
        self.compare_async = compare is not None and is_async(compare)
        self.compare_many = validated_compare_many(compare_many, compare)
        self.describe = validated_optional_function("describe", describe)
        self.threshold_declared = threshold is not None
        self.threshold = 1.0 if threshold is None else validated_threshold(threshold)
        self.wait = validated_seconds("wait", wait)
        self.every = max(validated_seconds("every", every), MIN_EVERY)
        self.refresh = bool(refresh)
        self.version = validated_version(version)
        self.params = validated_choice("params", params, (REPLACED, LITERAL))
        self.literal_parts: frozenset[int] = frozenset()
        self.parts = parts
        self._bind = bind
        self.verified_types: weakref.WeakKeyDictionary[type, str | None] = weakref.WeakKeyDictionary()
        self.saw_score = False
        self._fingerprint = ""
        self._used_parameters: Any = UNREAD

    def __repr__(self) -> str:
        name = getattr(self.capture, "__qualname__", repr(self.capture))
        return f"Check({name})"

    def identify(self, find_source: Callable[[object], str | None]) -> str:
        """Return the fingerprint that a recorded step and this check must share.

        It is computed once.
        """
        if not self._fingerprint:
            fingerprints = [f"v:{self.version}"]
            if self.version is None:
                fingerprints = [fingerprint(self.capture, find_source)]
                if not self.is_equality:
                    fingerprints.append(fingerprint(self.compare, find_source))
                if self.compare_many is not None:
                    fingerprints.append(fingerprint(self.compare_many, find_source))
            if self.params == LITERAL:  # Its snapshots are stored in another form.
                fingerprints.append(f"params:{LITERAL}")
            fingerprints += [part.identify(find_source) for part in self.parts]
            self._fingerprint = "|".join(fingerprints)
        return self._fingerprint

    @property
    def used_parameters(self) -> frozenset[int] | None:
        """The positions of the arguments that its capture uses; None if unknown."""
        if self._used_parameters is UNREAD:
            self._used_parameters = used_parameters(self.capture)
        found: frozenset[int] | None = self._used_parameters
        return found

    @property
    def needs_signature(self) -> bool:
        """Return whether the check is made again for each tool it is attached to."""
        return self._bind is not None

    @property
    def lacks_threshold(self) -> bool:
        """Return whether this check or a part got a score without a threshold."""
        return self.saw_score or any(part.lacks_threshold for part in self.parts)

    def refreshed(self, current: Any, candidate: Any) -> Any:  # noqa: ARG002 - combinations use it
        """Return the snapshot that a hit keeps if `refresh` is set.

        Args:
            current: The snapshot of this run.
            candidate: The recorded snapshot.
        """
        return current

    def for_signature(self, signature: inspect.Signature | None) -> Check:
        """Return the check for a tool of this signature."""
        return self if self._bind is None or signature is None else self._bind(signature)

    def describe_pair(self, current: Any, candidate: Any) -> tuple[str, str]:
        """Return what was seen and what was expected, each as a short text.

        Args:
            current: The snapshot of this run.
            candidate: The recorded snapshot.
        """
        if self.describe is not None:
            try:
                seen, expected = self.describe(current, candidate)
                return str(seen), str(expected)
            except Exception as error:  # An explanation must not end a run.
                return f"{safe_repr(current)} (describe raised {long_repr(error)})", safe_repr(candidate)
        return safe_repr(current), safe_repr(candidate)


def validated_check(role: str, check: Any) -> Check | None:
    """Return a pre- or post-check, or None.

    Args:
        role: The name of the option that the check was given as.
        check: What was given.

    Raises:
        InvalidTypeError: It is not a Check.
    """
    if check is not None and not isinstance(check, Check):
        raise InvalidTypeError(
            f"invalid {role}=: expected a Check, got {check!r}. Pass one, as in {role}=Check(capture, compare)."
        )
    return check


def interpret(check: Check, answer: Any) -> bool:
    """Return whether a compare's answer passes.

    Args:
        check: The check that was asked.
        answer: What its compare returned.

    Raises:
        CheckError: The answer is None, NaN, an array or another value without a truth value.
    """
    if answer is True or answer is False:
        return bool(answer)
    dimensions = getattr(answer, "ndim", None)
    if isinstance(dimensions, int):
        if dimensions > 0:
            raise CheckError(
                "compare returned an array: expected one verdict. Reduce it, as with bool((a == b).all())."
            )
        answer = _item(answer)
        if answer is True or answer is False:
            return bool(answer)
    if answer is None:
        raise CheckError("compare returned None: expected a bool or a score. Return one of them.")
    if answer is NotImplemented:  # It is truthy, but means that the types cannot be compared.
        raise CheckError("compare returned NotImplemented, as __eq__ does if types differ: expected a bool. Use ==.")
    if issubclass(type(answer), Number):
        check.saw_score = check.saw_score or not check.threshold_declared
        return _score_passes(check, answer)
    if getattr(type(answer), "__bool__", None) is None:
        raise CheckError(_no_verdict(answer))
    try:
        return bool(answer)
    except Exception as error:
        raise CheckError(f"compare returned a value whose bool() raised {long_repr(error)}") from error


def _no_verdict(answer: Any) -> str:
    """Return why an answer is not a verdict; close an awaitable, which nothing awaits."""
    if not is_awaitable(answer):
        return f"compare returned {safe_repr(answer)}: expected a bool or a score"
    if type(answer) is CoroutineType:
        answer.close()
    return (
        f"compare returned an awaitable ({type(answer).__name__}), which a plain call cannot await. Make compare an "
        "async function, and call the engine with `await engine.acall(...)`."
    )


def _item(answer: Any) -> Any:
    try:
        return answer.item()
    except Exception as error:
        raise CheckError(f"compare returned {type(answer).__name__}: expected a single value") from error


def _score_passes(check: Check, answer: Any) -> bool:
    try:
        if answer != answer:  # This is true of NaN in every numeric type.
            raise CheckError("compare returned NaN: expected a number as the score")
        return bool(answer >= check.threshold)
    except (TypeError, ArithmeticError) as error:
        raise CheckError(
            f"compare returned {safe_repr(answer)}: expected a score that can be compared with the threshold"
        ) from error


def is_canonically_equal(current: Any, candidate: Any) -> bool:
    """Return whether two values are exactly equal in their canonical form.

    Types count: True is not 1, 0.0 is not -0.0, and NaN is NaN.

    Args:
        current: One value.
        candidate: The other.
    """
    kind = type(current)
    if kind is not type(candidate):
        return False
    if kind is str or kind is int or kind is bool or kind is bytes:
        return bool(current == candidate)
    if current is None:
        return True
    return codec.canonical(current) == codec.canonical(candidate)


def safe_copy(value: Any) -> Any:
    """Return a copy that a compare may modify.

    It is the value itself if that is immutable or cannot be copied.
    """
    if codec.is_immutable(value):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # A value of the user's may raise anything.
        return value
