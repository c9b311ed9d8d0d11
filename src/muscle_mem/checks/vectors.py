"""A check of embeddings."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

from .._core.tools.check import Check
from ..errors import InvalidTypeError, InvalidValueError
from .extras import need_numpy
from .given import Looking, ask, capture_of, identity, need_callable

Vector = bytes
"""A vector of length 1 as little-endian 32-bit floats."""


def vector_similar(embed: Callable[..., Any], *, threshold: float, **options: Any) -> Check:
    """Return a check that passes while an embedding is similar to the recorded one.

    The score is the cosine of both. Several recordings are compared in one numpy operation. It stores 4 bytes for each
    dimension. Needs numpy, for example from the extra `images`.

    Args:
        embed: Gets those of the tool's arguments that it names and returns a vector: a numpy array of one dimension or
            a sequence of numbers. It may be async.
        threshold: The lowest passing cosine. It has no default, since scores differ between embedders. Measure it for
            yours, as `docs/guides/checks.md` shows.
        options: Options of `Check`, such as wait= and every=.

    Raises:
        InvalidTypeError: An argument has the wrong type.
        InvalidValueError: `threshold` is not between -1 and 1.
        MissingExtraError: numpy is not installed.
    """
    need_callable("vector_similar", "embed", embed)
    need_numpy("vector_similar")
    if isinstance(threshold, int | float) and not isinstance(threshold, bool) and not -1 <= threshold <= 1:
        raise InvalidValueError(
            f"invalid vector_similar(threshold=...): expected a cosine between -1 and 1, got {threshold!r}"
        )
    return _vector_check(embed, None, {"threshold": threshold, **options})


def _vector_check(embed: Callable[..., Any], signature: inspect.Signature | None, options: dict[str, Any]) -> Check:
    def look(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Looking:
        found = yield ask(embed, signature, args, kwargs)
        return packed(found)

    def compare(current: Vector, candidate: Vector) -> float:
        return cosines(current, [candidate])[0]

    def describe(current: Vector, candidate: Vector) -> tuple[str, str]:
        if len(current) != len(candidate):
            return f"a vector of {len(current) // 4} numbers", f"one of {len(candidate) // 4}"
        return f"a cosine of {compare(current, candidate):.3f}", f"at least {options['threshold']:g}"

    def bind(found: inspect.Signature) -> Check:
        return _vector_check(embed, found, options)

    known = identity("vector_similar", options["threshold"], (embed,), options)
    given = {**known, "describe": describe, "compare_many": cosines, **options}
    return Check(capture_of(look, embed), compare, bind=bind if signature is None else None, **given)


def packed(vector: Any) -> Vector:
    """Return a vector as it is stored.

    Raises InvalidTypeError or InvalidValueError for other values.
    """
    numpy = need_numpy("vector_similar")
    try:
        array = numpy.asarray(vector, dtype=numpy.float64)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(
            f"invalid result of embed: expected numbers in a row, got type {type(vector).__name__}: {error}"
        ) from error
    if array.ndim != 1 or not array.size:
        raise InvalidTypeError(f"invalid result of embed: expected numbers in a row, got the shape {array.shape}")
    length = math.sqrt(float((array * array).sum()))
    if not 0 < length < math.inf:
        raise InvalidValueError(
            f"invalid result of embed: expected a vector of finite length above 0, got the length {length:g}"
        )
    found: bytes = (array / length).astype("<f4").tobytes()
    return found


def cosines(current: Vector, candidates: Sequence[Vector]) -> list[float]:
    """Return the cosines of one vector with others, rounded to six digits.

    The cosine is -1.0 if the dimensions differ. Each one is the same sum in the same order however many there are, so
    it does not depend on the others.

    Args:
        current: The one vector.
        candidates: The others.
    """
    numpy = need_numpy("vector_similar")
    fitting = [one for one in candidates if len(one) == len(current)]
    if not fitting:
        return [-1.0] * len(candidates)
    one = numpy.frombuffer(current, "<f4").astype(numpy.float64)
    rows = numpy.frombuffer(b"".join(fitting), "<f4").reshape(len(fitting), -1).astype(numpy.float64)
    lengths = numpy.sqrt((rows * rows).sum(axis=1)) * math.sqrt(float((one * one).sum()))
    found = iter(((rows * one).sum(axis=1) / lengths).round(6).tolist())
    return [next(found) if len(given) == len(current) else -1.0 for given in candidates]
