"""Embeddings: whether what is seen means nearly what it meant when recorded."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

from .._core.tools.check import Check
from ..errors import InvalidTypeError, InvalidValueError
from .extras import need_numpy
from .given import Looking, ask, capture_of, identity, need_callable

Vector = bytes  # 32-bit floats, the least significant byte first, of length 1 together


def vector_similar(embed: Callable[..., Any], *, threshold: float, **options: Any) -> Check:
    """Passes while the embedding of what is seen points nearly where the recorded one did: their cosine is the score.

    `embed` gets those of the tool's arguments that it names and returns a vector: a numpy array of one dimension or a
    sequence of numbers; it may be async. `threshold` has no default, since what a score means differs from embedder to
    embedder: measure it for yours, as `docs/how-to/write-a-good-check.md` shows. Where several recordings are to be
    compared, it is done in one numpy operation. Stored are 4 bytes a dimension. Needs numpy, as from the extra
    `images`. Raises InvalidTypeError or InvalidValueError for misuse.
    """
    need_callable("vector_similar", "embed", embed)
    need_numpy("vector_similar")
    if isinstance(threshold, int | float) and not isinstance(threshold, bool) and not -1 <= threshold <= 1:
        raise InvalidValueError(f"vector_similar(threshold={threshold!r}): a cosine is between -1 and 1")
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
    """A vector as it is stored. Raises InvalidTypeError or InvalidValueError for anything else."""
    numpy = need_numpy("vector_similar")
    try:
        array = numpy.asarray(vector, dtype=numpy.float64)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(f"embed must return numbers in a row, got {type(vector).__name__}: {error}") from error
    if array.ndim != 1 or not array.size:
        raise InvalidTypeError(f"embed must return numbers in a row, got the shape {array.shape}")
    length = math.sqrt(float((array * array).sum()))
    if not 0 < length < math.inf:
        raise InvalidValueError("embed returned a vector that points nowhere: all zero, infinite or NaN")
    found: bytes = (array / length).astype("<f4").tobytes()
    return found


def cosines(current: Vector, candidates: Sequence[Vector]) -> list[float]:
    """The cosine of one vector with each of others, rounded to six digits; -1.0 where the dimensions differ.

    Row by row it is the same sum in the same order however many there are, so a verdict is that of one alone.
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
