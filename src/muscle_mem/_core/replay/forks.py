"""Recordings that continue differently, and texts that distinguish them (E12)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...errors import DecodeError
from .. import codec
from ..plan.company import forks, is_rival
from ..plan.ready_trajectory import Candidate

MAX_LEAVES = 2_000
MAX_TEXT = 20_000
_WORD = re.compile(r"[^\W\d_]{2,}")


def is_forked(candidate: Candidate, made: int) -> bool:
    """Return whether other recordings continue differently after the last act.

    If they do, an answer may decide.
    """
    begin = _begin(candidate, made)
    return any(begin <= common <= made for common, _ in forks(candidate.trajectory))


def _begin(candidate: Candidate, made: int) -> int:
    """Return the number of calls up to the last act, at least one."""
    while made > 1 and candidate.trajectory.steps[made - 1].tool.is_read_only:
        made -= 1
    return made


def nearest(results: Sequence[Any], made: int, followed: Candidate, others: Sequence[Candidate]) -> Candidate | None:
    """Return the candidate whose recordings had the words of this run, or None.

    It is None if the texts do not say which, and the followed one where no words distinguish the recordings.
    """
    begin = max(0, _begin(followed, made) - 1)
    span = range(begin, min(made, len(results)))
    own = _Words(followed, span)
    here = frozenset(word for at in span for word in words_in(results[at]))
    for other in others:
        if not is_rival(followed.trajectory, other.trajectory, made):
            continue
        theirs = _Words(other, span)
        if (here in own.recorded) != (here in theirs.recorded):  # Just the words of one of the two ways.
            if here in theirs.recorded:
                return other
            continue
        mine, other_words = own.always - theirs.ever, theirs.always - own.ever
        if not mine and not other_words:
            continue
        if here & other_words and not here & mine:
            return other
        if not here & mine or here & other_words:
            return None
    return followed


class _Words:
    """The words in the outputs of some steps.

    `always` are those of all recordings of these calls, `ever` those of any, `recorded` those of each.
    """

    def __init__(self, candidate: Candidate, span: range) -> None:
        found = [
            frozenset(word for at in span for word in _stored_words(recording, at))
            for recording in candidate.trajectory.same_calls()
        ]
        self.recorded = frozenset(found)
        self.ever = frozenset[str]().union(*found)
        self.always = found[0].intersection(*found[1:]) if found else self.ever


def _stored_words(candidate: Candidate, position: int) -> Iterator[str]:
    outputs = candidate.row.outputs
    if position < len(outputs) and outputs[position]:
        try:
            yield from words_in(codec.decode(outputs[position], lenient=True))
        except DecodeError:
            return


def words_in(output: Any) -> Iterator[str]:
    """Yield the words of the texts in an output, without numbers."""
    from ..binding.outputs.index import leaf_values  # Few recordings of a task begin alike and end differently.

    for leaf in itertools.islice(leaf_values(output), MAX_LEAVES):
        if type(leaf) is str:
            yield from (word.casefold() for word in _WORD.findall(leaf[:MAX_TEXT]))
