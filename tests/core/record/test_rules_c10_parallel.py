"""Rule C10: overlapping calls of one run form a parallel group."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from muscle_mem import Check, Engine, Outcome, Reason
from muscle_mem.cli import main as cli
from muscle_mem.store import MemoryStore, open_store
from overlapping_calls import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


# --- recorded and replayed


def test_a_group_is_replayed_in_start_order_its_checks_before_the_first_and_after_the_last(bench: Bench) -> None:
    bench.gathers("a", "b", "c", then="d")
    assert bench().learned
    outcome = bench()
    assert (outcome.status, outcome.steps, outcome.value) == ("hit", 4, {"of": "d"})
    together = ["pre a", "pre b", "pre c", "a", "b", "c", "post a", "post b", "post c"]
    assert bench.log == [*together, "pre d", "d", "post d"]


def test_calls_of_a_task_group_are_a_group(bench: Bench) -> None:
    async def plan() -> None:
        async with asyncio.TaskGroup() as group:
            for name in "ab":
                group.create_task(bench.act(name))

    bench.plan = plan
    assert bench().learned
    assert bench()
    assert bench.log == ["pre a", "pre b", "a", "b", "post a", "post b"]


@pytest.mark.parametrize("style", ["to_thread", "pool"])
def test_calls_in_threads_that_overlap_are_a_group(style: str) -> None:
    engine = Engine()
    log: list[str] = []
    meet = threading.Barrier(2, timeout=60)
    recording = [True]

    @engine.tool(pre_check=Check(lambda what: log.append(f"pre {what}"), version=1), effect="write")
    def act(what: str) -> str:
        if recording:
            meet.wait()  # both are in progress
        log.append(what)
        return what

    async def aagent(task: str) -> None:
        await asyncio.gather(asyncio.to_thread(act, "a"), asyncio.to_thread(act, "b"))

    def agent(task: str) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(engine.bind(act), "ab"))

    engine.set_agent(agent if style == "pool" else aagent)

    def call() -> Outcome:
        return engine("t") if style == "pool" else asyncio.run(engine.acall("t"))

    assert call().learned
    recording.clear()
    log.clear()
    assert call().steps == 2
    assert sorted(log[:2]) == ["pre a", "pre b"]
    assert sorted(log[2:]) == ["a", "b"]


def test_many_threads_lose_neither_a_call_nor_an_overlap() -> None:
    engine = Engine()
    count = 24
    meet = threading.Barrier(count, timeout=60)
    recording = [True]
    act = engine.tool(name="act", effect="read")(lambda n: recording and meet.wait() and None)

    def agent(task: str) -> None:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(engine.bind(act), range(100, 100 + count)))

    engine.set_agent(agent)
    assert engine("t").learned
    assert engine.explain("t")
    (trajectory,) = engine._runtime.library.entries()[0].trajectories
    assert [record.group for record in trajectory.body.steps] == [1] * count
    recording.clear()
    assert engine("t").steps == count


def test_a_hit_gives_this_runs_result_of_a_members_call(bench: Bench) -> None:
    bench.gathers("a", "b")
    assert bench().value == {"of": "b"}
    outcome = bench()
    assert (outcome.value, outcome.value_source) == ({"of": "b"}, "step")


def test_a_read_that_failed_within_a_group_is_left_out_of_it(bench: Bench) -> None:
    async def plan() -> None:
        await asyncio.gather(bench.look("x"), bench.act("a"), bench.act("b"), return_exceptions=True)
        await bench.act("c")

    bench.plan = plan
    bench.fails.add("x")
    assert bench().learned
    assert bench().steps == 3
    assert bench.log == ["pre a", "pre b", "a", "b", "post a", "post b", "pre c", "c", "post c"]


# --- matched by content


def test_the_same_calls_started_in_another_order_are_one_trajectory_and_each_row_keeps_to_its_calls() -> None:
    bench = Bench(store := MemoryStore())
    ids = set()
    for names, seen in (("ab", 1), ("ba", 3)):
        bench.state = {"pre a": seen, "pre b": seen + 1}
        bench.gathers(*names, then="c")
        ids.add(bench(mode="record").trajectory_id)
    assert len(ids) == 1
    (stored,) = store.scan().stored
    assert len(stored.observations) == 2
    for pair, hits in (((1, 2), True), ((3, 4), True), ((2, 1), False), ((4, 3), False), ((1, 4), False)):
        bench.state = {"pre a": pair[0], "pre b": pair[1]}
        assert bool(bench(mode="frozen")) is hits, pair
        if hits:
            assert [entry for entry in bench.log if len(entry) == 1] == ["a", "b", "c"]  # as it was stored first


def test_references_lead_to_the_same_calls_whatever_started_first(bench: Bench) -> None:
    take = bench.engine.tool(name="take")(lambda got: bench.log.append(f"took {got['of']}"))
    ids = set()
    for names in ("ab", "ba", "ab"):

        async def plan(names: str = names) -> None:
            found = dict(zip(names, await asyncio.gather(*map(bench.bare, names)), strict=True))
            take(found["b"])

        bench.plan = plan
        ids.add(bench(mode="record").trajectory_id)
        assert bench()
        assert bench.log[-1] == "took b"
    assert len(ids) == 1


def test_the_same_calls_one_after_the_other_are_another_trajectory(bench: Bench) -> None:
    async def in_order() -> None:
        await bench.act("a")
        await bench.act("b")

    together = bench.gathers("a", "b")
    ids = set()
    for bench.plan in (together, in_order):
        ids.add(bench(mode="record").trajectory_id)
    assert len(ids) == 2


def test_another_recording_takes_over_behind_a_group_that_both_begin_with_in_whatever_order(bench: Bench) -> None:
    for names, then in (("ab", "c"), ("ba", "d")):
        bench.state = {"pre c": int(then == "c"), "pre d": int(then == "d")}
        bench.gathers(*names, then=then)
        bench(mode="record")
    for then in "cd":
        bench.state = {"pre c": int(then == "c"), "pre d": int(then == "d")}
        assert bench(mode="frozen"), then
        assert bench.log.count("a") == bench.log.count("b") == bench.log.count(then) == 1


def test_another_row_takes_over_at_a_groups_post_checks(bench: Bench) -> None:
    bench.gathers("a", "b")
    for seen in (1, 2):
        bench.state = {"post a": seen, "post b": seen}
        bench(mode="record")
    for seen in (1, 2):
        bench.state = {"post a": seen, "post b": seen}
        assert bench(mode="frozen")
    bench.state = {"post a": 1, "post b": 2}
    outcome = bench(mode="frozen", on_divergence="continue")
    assert (outcome.status, outcome.reason) == ("diverged", Reason.POST_CHECK_REFUSED)


def test_a_shadow_run_in_another_order_agrees(bench: Bench) -> None:
    bench.gathers("a", "b", then="c")
    bench()
    bench.gathers("b", "a", then="c")
    shadow = bench(mode="shadow").shadow
    assert shadow is not None
    assert (shadow.agreed, shadow.accepted) == (True, 3)
    bench.gathers("b", "x", then="c")
    shadow = bench(mode="shadow").shadow
    assert shadow is not None
    assert not shadow.agreed


# --- late members: they began when another one had ended


def strands(bench: Bench, *, same: bool) -> Callable[[], Any]:
    """Two strands at once: `a`, then one more call, and `b`, which is in progress all the while."""
    held: list[asyncio.Event] = []

    @bench.engine.tool(name="long", version=1, effect="write")
    async def long(what: str) -> None:
        bench.log.append(what)
        if held:
            await held.pop().wait()

    @bench.engine.tool(name="use", version=1, pre_check=Check(lambda got: bench.log.append(f"pre {got['of']}")))
    async def use(got: Any) -> None:
        bench.log.append(f"used {got['of']}")

    async def plan() -> None:
        over = asyncio.Event()
        held.append(over)

        async def strand() -> None:
            found = await bench.act("a")
            await use(found if same else {"of": "it"})
            over.set()

        await asyncio.gather(strand(), long("b"))

    bench.plan = plan
    return plan


@pytest.mark.parametrize("same", [True, False])
def test_a_late_member_is_judged_in_its_place_since_it_may_depend_on_what_had_ended(bench: Bench, same: bool) -> None:
    strands(bench, same=same)
    assert bench().learned
    outcome = bench()
    assert (outcome.status, outcome.steps) == ("hit", 3)
    got = "a" if same else "it"
    assert bench.log == ["pre a", "a", "b", "post a", f"pre {got}", f"used {got}"]  # `a` had ended before `use` began


def test_an_output_of_a_call_still_in_progress_cannot_be_told_from_an_earlier_one(bench: Bench) -> None:
    page = object()
    noted, over = asyncio.Event(), asyncio.Event()

    async def capture() -> int:
        noted.set()
        await over.wait()
        return 1

    @bench.engine.tool(post_check=Check(capture), effect="read")
    async def open_page() -> Any:
        return page

    @bench.engine.tool(effect="read")
    async def click(on: Any) -> None:
        over.set()

    async def plan() -> None:
        opening = asyncio.create_task(open_page())
        await noted.wait()
        await click(page)
        await opening

    bench.plan = plan
    outcome = bench()
    assert outcome.not_learned is Reason.OVERLAPPING
    assert "click" in outcome.not_learned_message
    assert "open_page" in outcome.not_learned_message


# --- kept and shown


def test_a_group_is_kept_in_a_file_and_marked_by_show(tmp_path: Path) -> None:
    path = str(tmp_path / "memory.db")
    for turn, names in enumerate(("ba", "ab", "ab")):
        bench = Bench(open_store(path))
        bench.gathers(*names, then="c")
        assert bool(bench(mode="record" if turn < 2 else "auto")) is (turn == 2)
        bench.engine.close()
    with Engine(path) as engine:
        (stored,) = engine._runtime.library.store.scan().stored
    shown = CliRunner().invoke(cli, ["show", stored.sealed.id, "--store", path])
    assert shown.exit_code == 0, shown.output
    assert [line.split()[1] for line in shown.output.splitlines() if "act(" in line and "# " in line][:2] == ["∥", "∥"]
    assert shown.output.count("parallel group of step 0") == 2
    assert CliRunner().invoke(cli, ["doctor", "--store", path]).exit_code == 0
