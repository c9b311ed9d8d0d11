"""Checks: capture features of the environment, compare them with those recorded, and what counts as yes."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Callable, Sequence
from numbers import Number
from typing import Any

from ...errors import InvalidTypeError
from .. import codec
from ..model.text import long_repr, safe_repr
from .argument_use import used_parameters
from .fingerprint import fingerprint, is_async
from .validation import (
    MIN_EVERY,
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


class CheckError(Exception):
    """A compare gave an answer that is not a verdict. Stays inside: it becomes the reason of a refusal."""


class Check:
    """Decides whether a recorded step is safe in the present environment.

    capture: gets the tool's own arguments (for a method tool with `self` first) and returns a snapshot of what matters.
    compare: gets (current, candidate) and returns a bool, or a score that passes from `threshold` on. Without a
        compare, snapshots must be exactly equal, types included.
    threshold: the lowest passing score. Declare it when compare returns a score; undeclared, 1.0 is asked for.
    wait, every: keep capturing for up to `wait` seconds, every `every` seconds, until the check passes.
    compare_many: gets (current, candidates) and returns one answer for each, the one that compare gives, where that is
        cheaper for many in one call. It is used where several recordings are left to choose from.
    refresh: after a hit keep that run's snapshot as an additional reference (sliding expiry). Without it the recorded
        snapshots stay the reference, so that small drifts never add up.
    version: stands in for the fingerprint of capture and compare; change it when their meaning changes.
    describe: gets (current, candidate) and returns what was seen and what was expected as two texts, for `explain`.
    parts: the checks that this one is made of; their fingerprints count too.
    bind: gets the signature of the tool that the check is attached to, and returns the check for that tool.

    Capture and compare may be async where the tool is and the engine is called with `await engine.acall(...)`.
    Raises InvalidTypeError or InvalidValueError for misuse.
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
        parts: tuple[Check, ...] = (),
        bind: Callable[[inspect.Signature], Check] | None = None,
    ) -> None:
        self.capture: Capture = validated_function("capture", capture)
        self.capture_async = is_async(capture)
        self.is_equality = compare is None
        self.compare: Compare = validated_optional_function("compare", compare) or is_canonically_equal
        self.compare_async = compare is not None and is_async(compare)
        self.compare_many = validated_compare_many(compare_many, compare)
        self.describe = validated_optional_function("describe", describe)
        self.threshold_declared = threshold is not None
        self.threshold = 1.0 if threshold is None else validated_threshold(threshold)
        self.wait = validated_seconds("wait", wait)
        self.every = max(validated_seconds("every", every), MIN_EVERY)
        self.refresh = bool(refresh)
        self.version = validated_version(version)
        self.parts = parts
        self._bind = bind
        self.verified_types: dict[type, str | None] = {}
        self.saw_score = False
        self._fingerprint = ""
        self._used_parameters: Any = UNREAD

    def __repr__(self) -> str:
        name = getattr(self.capture, "__qualname__", repr(self.capture))
        return f"Check({name})"

    def identify(self, find_source: Callable[[object], str | None]) -> str:
        """The fingerprint that a recorded step and this check must share; computed once."""
        if not self._fingerprint:
            fingerprints = [f"v:{self.version}"]
            if self.version is None:
                fingerprints = [fingerprint(self.capture, find_source)]
                if not self.is_equality:
                    fingerprints.append(fingerprint(self.compare, find_source))
                if self.compare_many is not None:
                    fingerprints.append(fingerprint(self.compare_many, find_source))
            fingerprints += [part.identify(find_source) for part in self.parts]
            self._fingerprint = "|".join(fingerprints)
        return self._fingerprint

    @property
    def used_parameters(self) -> frozenset[int] | None:
        """The positions of the arguments that its capture looks at, as far as that can be determined; read once."""
        if self._used_parameters is UNREAD:
            self._used_parameters = used_parameters(self.capture)
        found: frozenset[int] | None = self._used_parameters
        return found

    @property
    def needs_signature(self) -> bool:
        """Whether the check is made again for each tool it is attached to."""
        return self._bind is not None

    @property
    def lacks_threshold(self) -> bool:
        """Whether a score was seen, here or in a part, and no threshold was declared for it."""
        return self.saw_score or any(part.lacks_threshold for part in self.parts)

    def refreshed(self, current: Any, candidate: Any) -> Any:  # noqa: ARG002 - for combinations
        """The snapshot that a hit keeps beside the recorded one, if `refresh` is set."""
        return current

    def for_signature(self, signature: inspect.Signature | None) -> Check:
        """The check as it is for a tool of this signature."""
        return self if self._bind is None or signature is None else self._bind(signature)

    def describe_pair(self, current: Any, candidate: Any) -> tuple[str, str]:
        """What was seen and what was expected, each as a short line for people."""
        if self.describe is not None:
            try:
                seen, expected = self.describe(current, candidate)
                return str(seen), str(expected)
            except Exception as error:  # a describer is only for show
                return f"{safe_repr(current)} (describe raised {long_repr(error)})", safe_repr(candidate)
        return safe_repr(current), safe_repr(candidate)


def validated_check(role: str, check: Any) -> Check | None:
    """Return a pre- or post-check, or None. Raises InvalidTypeError for others."""
    if check is not None and not isinstance(check, Check):
        raise InvalidTypeError(
            f"invalid {role}=: expected a Check, got {check!r}. Pass one, as in {role}=Check(capture, compare)."
        )
    return check


def interpret(check: Check, answer: Any) -> bool:
    """What a compare's answer means. Raises CheckError for None, NaN, arrays and values without a truth value."""
    if answer is True or answer is False:
        return bool(answer)
    dimensions = getattr(answer, "ndim", None)
    if isinstance(dimensions, int):
        if dimensions > 0:
            raise CheckError("compare returned an array; reduce it to one verdict, as with bool((a == b).all())")
        answer = _item(answer)
        if answer is True or answer is False:
            return bool(answer)
    if answer is None:
        raise CheckError("compare returned None; return True or False, or a score")
    if answer is NotImplemented:  # which is truthy, and means that the types cannot be compared
        raise CheckError("compare returned NotImplemented, as __eq__ does where types differ; use ==")
    if isinstance(answer, Number):
        check.saw_score = check.saw_score or not check.threshold_declared
        return _score_passes(check, answer)
    if getattr(type(answer), "__bool__", None) is None:
        raise CheckError(f"compare returned {safe_repr(answer)}, which is neither a bool nor a score")
    try:
        return bool(answer)
    except Exception as error:
        raise CheckError(f"bool() of compare's answer raised {long_repr(error)}") from error


def _item(answer: Any) -> Any:
    try:
        return answer.item()
    except Exception as error:
        raise CheckError(f"compare returned {type(answer).__name__}, which has no single value") from error


def _score_passes(check: Check, answer: Any) -> bool:
    try:
        if answer != answer:  # NaN, of any numeric type
            raise CheckError("compare returned NaN; a score must be a number")
        return bool(answer >= check.threshold)
    except (TypeError, ArithmeticError) as error:
        raise CheckError(f"compare returned {safe_repr(answer)}, which cannot be compared with a threshold") from error


def is_canonically_equal(current: Any, candidate: Any) -> bool:
    """Exact equality of canonical values, types included: True is not 1, 0.0 is not -0.0, NaN is NaN."""
    kind = type(current)
    if kind is not type(candidate):
        return False
    if kind is str or kind is int or kind is bool or kind is bytes:
        return bool(current == candidate)
    if current is None:
        return True
    return codec.canonical(current) == codec.canonical(candidate)


def safe_copy(value: Any) -> Any:
    """A copy that a compare may do with as it likes; the value itself where it cannot change or be copied."""
    if codec.is_immutable(value):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # it was made by the user's capture, and may refuse
        return value
