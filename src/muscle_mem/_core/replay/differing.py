"""Failed checks whose two sides differ in nothing but the values of params (B12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import NotStorableError
from .. import codec
from ..model.text import safe_repr
from ..plan.ready_trajectory import Candidate
from ..run.run import Run

MAX_LEAVES = 10_000


class _UnlikeError(Exception):
    """Internal error: two values differ in something other than params."""


def differing_params(run: Run, candidate: Candidate, seen: Any, expected: Any) -> str:
    """Return a remark if two snapshots differ in old and new values of params only.

    The old values are recognized by the digests that the recording keeps of them.
    """
    witness = candidate.row.witness
    if witness is None or candidate.refresh:
        return ""
    digests = {trace.name: trace.digest for trace in witness.params if trace.name in run.params.canonical}
    try:
        found = _Differences(run, digests)
        for count, (now, then) in enumerate(_differing_leaves(seen, expected)):
            if count >= MAX_LEAVES:
                return ""
            found.explain(now, then)
    except (_UnlikeError, NotStorableError, RecursionError):
        return ""
    except Exception:  # A snapshot may be of any type, and the remark is not worth an error.
        return ""
    pairs = [
        f"param {name!r}, which was {safe_repr(old)} when recorded and is {safe_repr(run.params.values[name])} now"
        for name, old in found.old.items()
    ]
    return f"; they differ only in {' and '.join(pairs)}" if pairs else ""


def _differing_leaves(now: Any, then: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the pairs of leaves that differ.

    Raises _UnlikeError if they do not correspond.
    """
    one, other = codec.unfold(now), codec.unfold(then)
    if one is None and other is None:
        if type(now) is not type(then):
            raise _UnlikeError
        if codec.canonical(now) != codec.canonical(then):
            yield now, then
        return
    if one is None or other is None or one[0] != other[0] or len(one[1]) != len(other[1]):
        raise _UnlikeError
    mine, theirs = one[1], other[1]
    if one[0] == "dict" and now.keys() == then.keys():
        mine, theirs = tuple(now.values()), tuple(then[key] for key in now)
    for a, b in zip(mine, theirs, strict=True):
        yield from _differing_leaves(a, b)


class _Differences:
    """The params that explain the differences so far.

    `old` has their recorded values.
    """

    def __init__(self, run: Run, digests: Mapping[str, bytes]) -> None:
        self._run = run
        self._digests = digests
        self.old: dict[str, Any] = {}

    def explain(self, now: Any, then: Any) -> None:
        """Explain one difference. Raises _UnlikeError if no param does."""
        for name in self._digests:
            value = self._run.params.values[name]
            for new_side, old_side in ((now, then), (then, now)):
                if self._is_pair(name, value, new_side, old_side):
                    return
        raise _UnlikeError

    def _is_pair(self, name: str, value: Any, new_side: Any, old_side: Any) -> bool:
        if isinstance(new_side, str) and isinstance(value, str | int) and not isinstance(value, bool):
            text = str(value)
            old = _replaced(text, new_side, old_side) if text else None
            if old is None:
                return False
            if isinstance(value, str):
                return self._was(name, old)
            return old.lstrip("-").isdecimal() and self._was(name, int(old))
        if type(new_side) is not type(value) or codec.canonical(new_side) != codec.canonical(value):
            return False
        return self._was(name, old_side)

    def _was(self, name: str, old: Any) -> bool:
        """Return whether a param had this value when recorded."""
        digest = codec.digest((self._run.key or b"") + codec.digest(codec.canonical(old)))[:16]
        if digest != self._digests[name]:
            return False
        self.old[name] = old
        return True


def _replaced(text: str, new_side: str, old_side: str) -> str | None:
    """Return what stands in `old_side` in every place where `new_side` has `text`."""
    count = new_side.count(text)
    start = new_side.find(text)
    if count == 0:
        return None
    length, rest = divmod(len(old_side) - len(new_side) + count * len(text), count)
    if rest or length < 0:
        return None
    old = old_side[start : start + length]
    return old if new_side.replace(text, old) == old_side else None
