"""Looks at the results of a replay: failures (C5a) and unknown answers (E12).

An answer is unknown if no recording continued after it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..binding.outputs.answers import WORD, name_parts, read
from ..binding.outputs.failures import NOTHING_DONE, failure_of
from ..model.reason import Reason
from ..model.text import long_repr, safe_repr
from ..plan.answers import Looks, page_of, prepare_looks
from ..plan.places import Unseen
from ..plan.ready_trajectory import Candidate
from ..plan.step import Refusal
from ..run.effects import Effect
from ..run.run import Run

if TYPE_CHECKING:
    from .selection import Selection

MAX_GIVEN = 2_000
"""Values in params and arguments among which an answer is looked for."""


def failure_refusal(run: Run, looks: Looks, position: int) -> Refusal | None:
    """Return why the replay stops after a call, if its result is a failure."""
    tool, output = looks.tool, run.progress.results[position]
    try:
        if not looks.is_judged or not looks.has_failed(output):
            return None
        is_harmless = failure_of(tool, output) == NOTHING_DONE
    except Exception as error:
        message = f"failed= of {tool.name!r} raised {long_repr(error)}"
        return Refusal(Reason.RETURNED_ERROR, message, position, tool.name, error=error)
    seen = long_repr(output)
    message = f"{tool.name!r} returned an error: {seen}"
    return Refusal(Reason.RETURNED_ERROR, message, position, tool.name, seen=seen, did_nothing=is_harmless)


class Verdict(msgspec.Struct, frozen=True):
    """What the recordings of a candidate say of the answers so far.

    `unseen` is the first answer that none of them had, at the step `at`. `is_exact` says that one of them had all.
    """

    at: int
    unseen: Unseen | None
    is_exact: bool
    has_many: bool

    @property
    def is_known(self) -> bool:
        """Return whether one recording had all these answers."""
        return self.unseen is None and self.is_exact

    @property
    def accepts(self) -> bool:
        """Return whether a replay may go on if no other recording differs."""
        return self.unseen is None and (self.is_exact or self.has_many)


def settle_answers(
    run: Run, selection: Selection | None, position: int, followed: Candidate, made: int = 0
) -> Generator[Effect, Any, Candidate | Refusal | None]:
    """Return why the replay stops, or a candidate that had these answers.

    `made` is how many calls were made if the step is not the last of them. None if the followed candidate's had them.
    Where recordings with the same calls so far differ in what comes next, the one is followed that had just these
    answers; if none had, an answer may be what they differ for.
    """
    looks = followed.trajectory.steps[position].looks
    if looks is None or not (looks.settled or looks.is_early):
        return None
    made = made or position + 1
    verdict = _verdict(run, followed, made)
    if verdict.is_known:
        return (yield from _settle_fork(run, selection, made, followed)) if looks.has_rivals else None
    others = [] if selection is None else (yield from selection.others_after(made, followed, looks.has_pages))
    loose = [followed] if verdict.accepts else []
    for other in others:
        theirs = _verdict(run, other, made)
        if theirs.is_known:
            return other
        if theirs.accepts:
            loose.append(other)
    if not looks.settled:
        return None  # The steps up to the next one that acts only read.
    for chosen in loose[:1]:
        if not _is_forked(chosen, made):
            return None if chosen is followed else chosen
    return _refusal(followed, verdict, made)


def _settle_fork(
    run: Run, selection: Selection | None, made: int, followed: Candidate
) -> Generator[Effect, Any, Candidate | Refusal | None]:
    """Return the candidate to follow where recordings continue differently.

    They had the same answers, and other tools come next.

    A text may have distinguished them. If the words in this run's texts do not, the replay stops.
    """
    from .forks import nearest  # Loaded where two recorded ways meet.

    others = [] if selection is None else (yield from selection.others_after(made, followed))
    chosen = nearest(run.progress.results, made, followed, others)
    if chosen is None or (chosen is not followed and not _verdict(run, chosen, made).is_known):
        return _refusal(followed, Verdict(made - 1, None, False, False), made)
    return None if chosen is followed else chosen


def _is_forked(candidate: Candidate, made: int) -> bool:
    from .forks import is_forked

    return is_forked(candidate, made)


def _verdict(run: Run, candidate: Candidate, made: int) -> Verdict:
    """Return whether recordings had the answers in the first results."""
    if not candidate.trajectory.has_looks:
        prepare_looks(candidate.trajectory)
    last: Looks | None = None
    results, page = run.progress.results, page_of(candidate.row)
    has_given = False  # A word of a param, which was another one in each recording.
    steps = candidate.trajectory.steps[:made]
    ends = (step.looks for step in steps if step.looks is not None and step.looks.is_last)
    ending = {at for looks in ends for at, _ in looks.settled}
    first = made - 1 if candidate.trajectory.loop_steps else 0  # There, each step is decided when it is done.
    for at, step in enumerate(steps[first:], first):
        if step.looks is None:
            continue
        last = step.looks
        if last.place is None or at >= len(results) or at in run.progress.skipped:
            continue
        output = results[at]
        found = last.place.unseen_at_end(output) if at in ending else last.place.unseen(output)
        for unseen in found:
            if not is_given(unseen, _given(run, at)):
                return Verdict(at, unseen, False, False)
            has_given = True
    if last is None or has_given or run.progress.skipped or last.is_combination(results, page):
        return Verdict(made - 1, None, True, False)
    return Verdict(last.varying[-1][0], None, False, last.is_mixture(results, page))


def has_pages(candidate: Candidate, made: int) -> bool:
    """Return whether recordings of the first calls had other answers on other pages."""
    if not candidate.trajectory.has_looks:
        prepare_looks(candidate.trajectory)
    return any(step.looks is not None and step.looks.has_pages for step in candidate.trajectory.steps[:made])


def accepts_answers(run: Run, candidate: Candidate, made: int) -> bool:
    """Return whether a candidate may follow the first results."""
    verdict = _verdict(run, candidate, made)
    return verdict.accepts and (verdict.is_exact or not _is_forked(candidate, made))


def _given(run: Run, at: int) -> list[tuple[str, Any]]:
    """Return the params of a run and the arguments of its calls up to a step, by name."""
    given = list(run.params.values.items())
    for step, args, kwargs in run.progress.calls[: at + 1]:
        given += step.tool.name_arguments(args[1:] if step.method else args, kwargs)
    return given


def is_given(found: Unseen, given: Sequence[tuple[str, Any]]) -> bool:
    """Return whether an answer repeats what was given.

    A word may stand anywhere in it, any other value under its own name.

    `given` are the params of a run and the arguments of its calls so far, by name.
    """
    category = read(found.value, found.name).category
    if category[0] == WORD:
        word = re.compile(rf"(?<![^\W_]){re.escape(category[1:])}(?![^\W_])")
        texts = (leaf for _, value in given for leaf in _texts_in(value))
        return any(word.search(text.casefold()) for text in texts)
    if not found.name:
        return False
    name = name_parts(found.name)
    return any(name_parts(other) == name and read(value, other).category == category for other, value in given)


def _texts_in(value: Any) -> Iterator[str]:
    if type(value) is str:
        yield value
    elif type(value) in (dict, list, tuple):
        from ..binding.outputs.index import leaf_values  # Few replays look into a given container.

        for leaf in itertools.islice(leaf_values(value), MAX_GIVEN):
            if type(leaf) is str:
                yield leaf


def _refusal(followed: Candidate, verdict: Verdict, stop: int) -> Refusal:
    tool = followed.trajectory.steps[verdict.at].tool.name
    reason = Reason.LOOP_UNCLEAR if verdict.at in followed.trajectory.loop_steps else Reason.UNSEEN_ANSWER
    found = verdict.unseen
    if found is None:
        message = (
            f"{tool!r} (step {verdict.at}) and the steps before it returned answers that no recording had together. "
            "One more recording makes them known, or declare answers='any'"
        )
        return Refusal(reason, message, stop, tool)
    seen = safe_repr(found.value)
    known = " or ".join(category.removeprefix(WORD) for category in found.known)
    where = f" at {found.place!r}" if found.place else ""
    message = (
        f"{tool!r} (step {verdict.at}) returned {seen}{where}, and no recording continued after that: recorded was "
        f"{known}. The agent's run records it, or declare answers='any'"
    )
    return Refusal(reason, message, stop, tool, seen=seen, expected=known)
