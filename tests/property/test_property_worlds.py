"""Whatever world, agent and mishaps: the promises that matter, judged by an oracle that knows nothing of the engine."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from muscle_mem import Check, Diverged, Engine, Missed, Outcome, Reason, current_run
from muscle_mem.store.base import Store
from random_stories import Case, cases, tell
from random_worlds import World, alone

CASES = cases(2_000)
CHUNKS = 20
MISSES = {
    *("new_task", "first_check_refused", "tool_missing", "tool_changed", "tool_ambiguous", "check_changed"),
    *("param_missing", "param_guard", "param_ambiguous", "secret_missing", "not_replayable", "quarantined"),
    *("needs_acall", "not_approved", "no_key", "mode", "store_unavailable", "damaged"),
    *("unconfirmed", "value_varies"),
}
DIVERGENCES = {
    *("check_refused", "check_error", "tool_raised", "post_check_refused", "stale_output", "not_approved"),
    *("unsuccessful", "no_candidate", "unconfirmed", "value_varies", "unseen_answer", "returned_error"),
}
NOT_LEARNED = {
    *("agent_raised", "cancelled", "no_calls", "refused", "opaque_argument", "capture_failed", "incomplete_threads"),
    *("overlapping", "nested_run", "failed_write", "other_instance", "still_running", "mode", "store_unavailable"),
    *("too_large", "no_key", "check_failed", "unknown_effect", "repeated_prefix", "not_absorbed"),
}


class Recorded(NamedTuple):
    """A run that was learned: what was called, and under which task."""

    task: str
    params: dict[str, Any]
    tags: tuple[str, ...]
    calls: list[tuple[str, Any]]
    edits: list[int]
    id: str
    held: bool


def contents(store: Store) -> dict[str, frozenset[str]]:
    """The observations of every trajectory."""
    return {
        stored.sealed.id: frozenset(observation.id for _, observation in stored.observations)
        for stored in store.scan(limit=500).stored
    }


def swap(value: Any, old: dict[str, Any], new: dict[str, Any]) -> Any:
    """A recorded argument as it must be under other params."""
    if isinstance(value, list):
        return [swap(item, old, new) for item in value]
    for name, was in old.items():
        if type(value) is type(was) and value == was:
            return new[name]
    if isinstance(value, str):
        pairs = {str(was): str(new[name]) for name, was in old.items()}
        pairs |= {was.upper(): now.upper() for was, now in pairs.items()}
        if pairs:
            pattern = "|".join(re.escape(was) for was in sorted(pairs, key=len, reverse=True))
            return re.sub(pattern, lambda found: pairs[found.group()], value)
    return value


def one_to_one(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether params that were equal are still equal."""
    return all(new[a] == new[b] for a in old for b in old if old[a] == old[b])


class Oracle:
    """Knows what was recorded and what the agent would do, and judges every call of an engine."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self.good: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.moved = False  # a recording was made in a state that the agent alone would not have met
        self.beyond = False  # a recording ended with what happened after its last step, which no pre-check sees

    def praised(self, id: str) -> None:
        """A person said that this one is good."""
        self.good.add(id)

    def before(self, case: Case, call: Any, mode: str, again: bool) -> None:
        self.twin: World = case.world.twin()
        self.stored = contents(case.store)
        self.info = case.engine.cache_info()
        self.whole = case.store.scan(limit=500)
        last = case.store.get(self.recorded[-1].id) if self.recorded else None
        self.usable = last is not None and last.standing.state in ("fresh", "trusted") and not self.recorded[-1].held
        self.usable = self.usable and self.specs == case.world.specs and not self.strange

    def after(
        self, case: Case, call: Any, mode: str, again: bool, outcome: Outcome | None, error: BaseException | None
    ) -> None:
        stored = contents(case.store)
        if outcome is None:
            self._raised(case, mode, error)
        else:
            self._consistent(case, outcome, mode)
        kept = outcome is not None and (outcome.learned or outcome.not_learned is Reason.FAILED_WRITE)
        if outcome is None or not kept:
            assert stored == self.stored, "a run that was not learned left something in the store"  # (d), (h)
        else:
            new = {id: rows - self.stored.get(id, frozenset()) for id, rows in stored.items()}
            assert sum(map(len, new.values())) <= 1
            assert set(self.stored) <= set(stored)
            self._keep(case, call, outcome)
        if outcome:
            self._hit(case, call, outcome)
        elif outcome is not None and outcome.status == "diverged":
            self._absorbed(case, outcome)
        if again and case.exact:
            self._same_again(case, outcome)
        assert current_run() is None  # (f)
        assert not case.engine._runtime.open_runs.frames

    def _raised(self, case: Case, mode: str, error: BaseException | None) -> None:
        """(e) Only the agent's own exception, unchanged, Missed and Diverged."""
        world = case.world
        self.counts["raised"] += 1
        if error is world.raised and error is not None:
            assert world.starts == 1
            return
        if isinstance(error, Missed):
            assert mode == "replay"
            assert not world.calls
            assert error.outcome.reason in MISSES
        elif isinstance(error, Diverged):
            irreversible = any(step.effect == "irreversible" for step in error.handover.executed)
            assert mode == "replay" or case.on_divergence == "raise" or irreversible
            assert error.handover.reason in DIVERGENCES
            assert len(error.handover.executed) == len(world.calls) > 0
        else:
            raise AssertionError(f"out of the engine came {error!r}") from error
        assert world.starts == 0

    def _consistent(self, case: Case, outcome: Outcome, mode: str) -> None:
        """(a), (g)"""
        world = case.world
        self.counts[outcome.status] += 1
        assert bool(outcome) == (outcome.status == "hit") == (outcome.reason is Reason.HIT)
        assert world.starts == (0 if outcome else 1)
        assert not (outcome.learned and outcome.not_learned is not None)
        if outcome.status == "hit":
            assert not outcome.learned
            assert outcome.not_learned is None
            assert mode in ("auto", "replay", "frozen")
            assert world.accept or not case.judged
            assert outcome.steps == len(world.calls) > 0
        else:
            assert outcome.reason in (MISSES if outcome.status == "miss" else DIVERGENCES)
            assert outcome.learned or outcome.not_learned in NOT_LEARNED
            assert outcome.status == "diverged" or outcome.steps == 0
            assert (outcome.divergence is not None) == (outcome.status == "diverged")
        assert world.accept or not case.judged or not outcome.learned
        now = case.engine.cache_info()
        if mode in ("record", "off"):
            assert outcome.reason is Reason.MODE
        if mode in ("off", "frozen"):
            assert outcome.not_learned is not None or outcome
            assert (now[:3], case.store.scan(limit=500)) == (self.info[:3], self.whole)
            return
        before = (self.info.hits, self.info.misses, self.info.diverged)
        counted = {"hit": (1, 0, 0), "miss": (0, 1, 0), "diverged": (0, 0, 1)}[outcome.status]
        assert (now.hits, now.misses, now.diverged) == tuple(map(sum, zip(before, counted, strict=True)))

    def _keep(self, case: Case, call: Any, outcome: Outcome) -> None:
        """(d) A learned run is one that ended well, with something done."""
        world = case.world
        calls = [(name, x) for name, x, returned in world.calls if returned and name not in case.left_out]
        self.moved = False
        if outcome.status == "diverged" and absorbs(case):
            done = calls[: outcome.steps]
            calls = own_calls(case, outcome)
            self.moved = any(effect_of(case, one) == "idempotent" for one in done)  # made again in a later state
        failed = [name for name, _, returned in world.calls if not returned and name not in case.left_out]
        held = any(world.specs[name].op != "read" for name in failed)
        assert calls
        assert outcome.trajectory_id is not None
        tags = call["options"]["tags"]
        self.beyond = self.beyond or world.struck == len(world.calls)
        self.specs = dict(world.specs)
        self.strange = bool(world.refusing) or world.struck > 0  # such snapshots are hardly seen again
        edits = [world.specs[name].edit for name, _ in calls]
        self.recorded.append(Recorded(call["task"], call["params"], tags, calls, edits, outcome.trajectory_id, held))

    def _hit(self, case: Case, call: Any, outcome: Outcome) -> None:
        """(b) A hit did what one recording says, in full; in an exact world, what the agent would have done."""
        world = case.world
        assert all(returned for _, _, returned in world.calls)
        done = [(name, x) for name, x, _ in world.calls]
        params = call["params"]
        fitting = [
            one
            for one in self.recorded
            if one.tags == call["options"]["tags"]
            and set(one.params) == set(params)
            and one_to_one(one.params, params)
            and swap(one.task, one.params, params) == call["task"]
            and [(name, swap(x, one.params, params)) for name, x in one.calls] == done
            and one.edits == [world.specs[name].edit for name, _ in done]
        ]
        assert fitting, f"a hit did {done}, which was never recorded"
        assert any(not one.held or one.id in self.good for one in fitting), "a hit on a run in which a write had failed"
        tickets = [x for _, x in done if isinstance(x, str) and x.startswith("T-")]
        assert not case.all_known or set(tickets) <= set(world.told), f"stale: {tickets}, but {world.told} was read"
        if case.exact and not self.beyond and world.struck < len(world.calls):
            value, error = alone(case, self.twin)
            assert error is None, f"where the agent raises {error!r}, a replay did {done}"
            assert world.effects == self.twin.effects
            assert world.state == self.twin.state
            if outcome.value_source == "step":
                assert outcome.value == value

    def _absorbed(self, case: Case, outcome: Outcome) -> None:
        """(c) What the agent repeats of the executed steps is done once, and all else that it asks for is done."""
        if not absorbs(case):
            return
        world = case.world
        calls = [(name, x) for name, x, _ in world.calls]
        rest = calls[outcome.steps :]
        left = calls[: outcome.steps]
        latest = left[::-1]
        latest = latest[: next((at for at, one in enumerate(latest) if one != latest[0]), len(latest))]
        if latest and effect_of(case, latest[0]) not in ("read", "idempotent"):
            latest = []
        if latest and effect_of(case, latest[0]) == "idempotent" and len(latest) == 1:
            latest = []  # once is no polling
        before = [one for one in left[: len(left) - len(latest)] if effect_of(case, one) != "read"]
        answered = []
        expected = []
        for name, args in world.requests:
            asked = (name, args[0] if args else None)
            if name in case.left_out:
                expected += [asked] * (len(args) < 2)
                continue
            if len(args) > 1:
                latest = []
                continue  # a call that does not even bind
            acts = effect_of(case, asked) not in ("read", "idempotent")
            if acts and asked in left:
                left.remove(asked)
                answered.append(asked)
                continue
            if not acts and asked in latest and answered == before:
                latest.remove(asked)
                continue
            latest = []
            expected.append(asked)
        assert rest == expected
        self.counts["absorbed"] += len(world.requests) > len(expected)

    def _same_again(self, case: Case, outcome: Outcome | None) -> None:
        """In an exact world what was just learned is a hit from the same state, unless it is in quarantine."""
        if self.usable and not self.moved:
            self.counts["again"] += 1
            assert outcome, f"{outcome!r} {outcome and outcome.message}"


def absorbs(case: Case) -> bool:
    return case.on_divergence == "absorb" or (case.on_divergence == "auto" and not case.plan.takes_handover)


def own_calls(case: Case, outcome: Outcome) -> list[tuple[str, Any]]:
    """What a restarted agent asked for and got: executed steps answer for their effects, the rest is in the log."""
    calls = list(case.world.calls)
    done, made = calls[: outcome.steps], [one for one in calls[outcome.steps :] if one[0] not in case.left_out]
    found = []
    for name, args in case.world.requests:
        asked = (name, args[0] if args else None)
        if name in case.left_out or len(args) > 1:
            continue
        if made and made[0][:2] == list(asked):
            went = made.pop(0)[2]
        else:
            went = next(one[2] for one in done if one[:2] == list(asked))
        if went:
            found.append(asked)
    return found


def effect_of(case: Case, call: tuple[str, Any]) -> str | None:
    return case.world.specs[call[0]].effect


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_hit_is_what_was_recorded_and_nothing_is_done_twice(chunk: int, tmp_path: Path) -> None:
    totals: Counter[str] = Counter()
    for number in range(chunk, CASES, CHUNKS):
        seed = zlib.crc32(f"world {number}".encode())
        case = Case(seed, tmp_path)
        oracle = Oracle()
        try:
            tell(case, oracle)
        except BaseException as error:
            error.add_note(f"seed {seed}: exact={case.exact} {case.kind} {case.on_divergence} {case.world.specs}")
            error.add_note(f"plan: {case.plan}")
            raise
        totals += oracle.counts
    for what in ("hit", "miss", "diverged", "raised", "absorbed", "again"):
        assert totals[what] >= CASES // CHUNKS // 20, f"hardly any {what} in {totals}"


def test_a_run_in_which_a_write_failed_adds_no_row_to_a_good_trajectory() -> None:
    engine = Engine(observers=[])
    world = {"mode": "calm"}
    done: list[str] = []
    check = Check(lambda: world["mode"])

    @engine.tool(check)
    def start() -> None:
        done.append("start")

    @engine.tool(check)
    def half() -> None:
        done.append("half")
        raise OSError("late")

    @engine.tool(check)
    def stop() -> None:
        done.append("stop")

    @engine.set_agent
    def agent(task: str) -> None:
        start()
        if world["mode"] == "wild":
            with suppress(OSError):
                half()
        stop()

    def outcomes(mode: str) -> tuple[str, Any]:
        world["mode"] = mode
        done.clear()
        outcome = engine("t")
        assert done == (["start", "half", "stop"] if mode == "wild" else ["start", "stop"])
        return outcome.status, outcome.not_learned

    assert outcomes("wild") == ("miss", "failed_write")
    assert outcomes("wild") == ("miss", "failed_write")
    assert outcomes("calm") == ("miss", None)  # the same calls, and nothing failed: that lifts the quarantine
    assert outcomes("calm") == ("hit", None)
    assert outcomes("wild") == ("miss", "failed_write")
    assert outcomes("wild") == ("miss", "failed_write")
    assert outcomes("calm") == ("hit", None)
