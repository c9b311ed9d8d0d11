"""The answer of a hit, once all steps are replayed (I5)."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from .. import codec
from ..binding.references.resolve import Env, make_resolver
from ..binding.suspicions.kinds import local_day
from ..binding.tasks.key import result_digest
from ..model.outcome import Source
from ..model.records import FORM, Expr, FinalAnswer, Row
from ..model.text import long_repr
from ..plan.evidence import Circumstances, Conditions
from ..plan.ready_trajectory import Candidate
from ..run.effects import Effect, RunCallback
from ..run.run import Run
from ..tools.tool import Tool, ToolSpec

ASKED = "all steps were replayed, and the model was asked only for its answer"


def answer_from(make: Any, name: str, run: Run) -> Generator[Effect, Any, tuple[Any, Source]]:
    """Return what a user's function makes of this run's results."""
    try:
        return (yield RunCallback(make, (run.progress.live_results,))), "result"
    except Exception as error:
        run.notify("warning", "result", f"{name} raised {long_repr(error)}, so the hit has no value", "")
        return None, "none"


def may_ask(run: Run) -> bool:
    """Return whether the model may be asked for the answer of a hit."""
    return run.is_stepped and run.answer in ("auto", "model") and run.mode != "replay"


def recorded_answer(run: Run, candidate: Candidate) -> tuple[Any] | None:
    """Return the recorded answer, in a tuple; None if it does not hold here.

    It holds if this run's results are what it rests on.

    The followed recording comes first, then the others with the same calls, newest first.
    """
    own: list[bytes] | None = None
    for row in _rows(candidate):
        final = row.final
        if final is None:
            continue
        own = _result_digests(run) if own is None else own
        if list(final.results) != own or not _is_valid(run, candidate, final):
            continue
        found = _resolved(final.expr, run)
        if found is not None:
            return found
    return None


def _rows(candidate: Candidate) -> Iterator[Row]:
    yield candidate.row
    for other in candidate.trajectory.candidates:
        if other is not candidate:
            yield other.row


def _result_digests(run: Run) -> list[bytes]:
    progress, redactor = run.progress, run.redactor
    found: list[bytes] = []
    for position, result in enumerate(progress.results):
        if position in progress.skipped:
            found.append(b"")
            continue
        try:
            data = codec.encode(result)
        except Exception:  # A result that changed since, or that a user's type cannot encode.
            found.append(b"")
            continue
        found.append(result_digest(data, run.params, redactor))
    return found


def _is_valid(run: Run, candidate: Candidate, final: FinalAnswer) -> bool:
    """Return whether the literals of an answer hold in this run.

    They may depend on its params, its day and its process.
    """
    if not final.suspicions and len(run.params.values) < 2 and run.policy.generalize != "confirmed":
        return True
    rows = [
        Row(FORM, (), (), suspicions=(row.final.suspicions,), witness=row.witness)
        for row in _rows(candidate)
        if row.final is not None and row.final.expr == final.expr
    ]
    conditions = Conditions(rows)
    now = run.policy.wall_clock()
    here = Circumstances(run.key or b"", run.params, local_day(now), run.policy.process)
    doubt, order = conditions.refusal(here) if conditions.restricts_start else (None, "")
    if doubt is not None or order:
        return False
    return run.policy.generalize != "confirmed" or not conditions.unseen_params(here)


def _resolved(expr: Expr, run: Run) -> tuple[Any] | None:
    """Return an answer's value in this run, in a tuple; None if there is none."""
    try:
        make = make_resolver(expr, _NO_TOOL, "")
        return None if make is None else (make(Env(run.params.values, [], ())),)
    except Exception:  # A class that this process does not know, or a param of another type.
        return None


def _no_tool() -> None:
    """Stand for a tool where there is none."""


_NO_TOOL = Tool(_no_tool, ToolSpec(name="answer"))
