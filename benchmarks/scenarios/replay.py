"""A replayed step: against the plain loop, first and steady, alone, under acall, with a tool that takes its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from muscle_mem import Check, Engine
from muscle_mem.store import MemoryStore

from .. import workload
from ..ours import acall_block, check_of, engine_of, must_hit, must_learn, plain, recorded
from ..scenario import Bench, Row, Target, ends, ratio_row, scenario
from ..timing import Block
from ..workload import block_of, fresh_block_of, loop_of

SIZES = (1, 10, 100, 1_000)


def of(steps: int) -> str:
    return f"{steps:,} step{'' if steps == 1 else 's'}"


@scenario("replay")
def first_hit(bench: Bench) -> Iterator[Row]:
    """The hit after the miss in one engine, as the prototype has it too."""
    targets = {10: Target(12.5)}
    for steps in bench.pick((10,), SIZES):
        yield ratio_row(
            bench,
            f"first.{steps}",
            f"first hit, {of(steps)}",
            fresh_block_of(_first_hit(steps)),
            block_of(loop_of(plain(), steps)),
            prototype=("first", {"world": "plain", "steps": steps}),
            target=targets.get(steps),
        )


def _first_hit(steps: int) -> Callable[[], Callable[[], None]]:
    return lambda: must_hit(recorded(plain(), steps))


@scenario("replay")
def first_hit_both_cold(bench: Bench) -> Iterator[Row]:
    """The same held against a loop in the same place: run once, after a task was learned.

    Learning leaves nothing of either in the processor's caches, and a loop takes twice as long there, too.
    """
    for steps in bench.pick((10,), (1, 10)):
        loop = loop_of(plain(), steps)

        def loop_after_learning(steps: int = steps, loop: Callable[[], None] = loop) -> Callable[[], None]:
            recorded(plain(), steps)
            return loop

        yield ratio_row(
            bench,
            f"first.cold.{steps}",
            f"first hit, {of(steps)}, against a loop that is run once after a task was learned",
            fresh_block_of(_first_hit(steps)),
            fresh_block_of(loop_after_learning),
            prototype="is in the row without",
            target={10: Target(12.5)}.get(steps),
        )


@scenario("replay")
def first_hit_anew(bench: Bench) -> Iterator[Row]:
    """A new engine over a filled memory store: the recording is read, verified and joined with the tools."""
    for steps in bench.pick((10,), (10, 1_000)):
        store = MemoryStore()
        recorded(plain(), steps, store)
        yield ratio_row(
            bench,
            f"anew.{steps}",
            f"first hit of a new engine over a filled store, {of(steps)}",
            fresh_block_of(_first_hit_over(store, steps)),
            block_of(loop_of(plain(), steps)),
            prototype="keeps no store",
        )


def _first_hit_over(store: MemoryStore, steps: int) -> Callable[[], Callable[[], None]]:
    return lambda: must_hit(engine_of(plain(), steps, store)[0])


@scenario("replay")
def steady(bench: Bench) -> Iterator[Row]:
    targets = {10: Target(8), 100: Target(6), 1_000: Target(6)}
    for steps in bench.pick((10, 100), SIZES):
        yield ratio_row(
            bench,
            f"steady.{steps}",
            f"steady hit, {of(steps)}",
            block_of(must_hit(recorded(plain(), steps))),
            block_of(loop_of(plain(), steps)),
            prototype=("replay", {"world": "plain", "steps": steps}),
            target=targets.get(steps),
            note="the prototype as after twenty hits: it looks at twenty recordings, and each hit adds one",
        )


@scenario("replay")
def steady_exact(bench: Bench) -> Iterator[Row]:
    """`Check(capture)` without a compare of the user's; the loop says `==` itself."""
    for steps in bench.pick((10,), (10, 1_000)):
        plan = [(n, workload.look(n)) for n in range(steps)]

        def loop(
            plan: list[tuple[int, str]] = plan,
            look: Callable[[int], str] = workload.look,
            press: Callable[[int], str] = workload.press,
        ) -> None:
            for n, expected in plan:
                if look(n) != expected:
                    break
                press(n)

        engine = recorded(plain(), steps, check=Check(workload.look))
        yield ratio_row(
            bench,
            f"exact.{steps}",
            f"steady hit, {steps:,} steps, check without a compare",
            block_of(must_hit(engine)),
            block_of(loop),
            prototype="needs a compare",
        )


@scenario("replay")
def step_alone(bench: Bench) -> Iterator[Row]:
    """One step in microseconds: the whole hit of a one-step task, and what one more step adds."""
    few, many = 10, bench.pick(60, 210)
    blocks = {
        "loop": block_of(loop_of(plain(), 1)),
        "one": block_of(must_hit(recorded(plain(), 1))),
        "few": block_of(must_hit(recorded(plain(), few))),
        "many": block_of(must_hit(recorded(plain(), many))),
    }
    race, missing = bench.race(blocks, ("replay", {"world": "plain", "steps": 1}))
    loop = race.spread("loop").median
    whole, more = race.spread("one"), race.beyond("many", "few", many - few)
    row = Row("one.whole", "one step, whole hit", "us", whole.median, ends(whole), missing or None, None, loop, "us")
    row.target = Target(5, "<")
    if not missing:
        theirs = race.spread("prototype")
        row.prototype, row.prototype_spread = theirs.median, ends(theirs)
    yield row
    yield Row(
        "one.more",
        "one step, what one more adds",
        "us",
        more.median,
        ends(more),
        loop=loop,
        loop_unit="us",
        target=Target(5, "<"),
    )


@scenario("replay")
def counted(bench: Bench) -> Iterator[Row]:
    """Exactly one capture, one compare and one call a step."""
    steps = 10
    hit = must_hit(recorded(plain("counted"), steps))
    hit()
    workload.reset_counts()
    hit()
    ours = dict(workload.counts)
    theirs = bench.prototype.measure("counted", {"steps": steps})
    for what, count in ours.items():
        yield Row(
            f"counted.{what}",
            f"{what} of a hit of {steps} steps",
            "count",
            count,
            prototype=theirs.get("cannot", theirs.get(what)),
            loop=steps,
            loop_unit="count",
            target=Target(steps, "=="),
        )


@scenario("replay")
def under_acall(bench: Bench) -> Iterator[Row]:
    """Plain tools under acall against the plain loop; async ones against a loop that awaits them."""
    for steps in bench.pick((100,), (10, 1_000)):
        yield ratio_row(
            bench,
            f"acall.{steps}",
            f"steady hit under acall, {steps:,} steps",
            acall_block(recorded(plain(), steps)),
            block_of(loop_of(plain(), steps)),
            prototype="has no acall",
            target={1_000: Target(6)}.get(steps),
        )
    steps = bench.pick(10, 1_000)
    yield ratio_row(
        bench,
        f"acall.async.{steps}",
        f"the same with an async tool, {steps:,} steps",
        acall_block(_async_engine(steps)),
        _awaiting_block(steps),
        prototype="has no acall",
    )


def _async_engine(steps: int) -> Engine:
    engine = Engine()

    @engine.tool(pre_check=check_of(plain()))
    async def press(n: int) -> int:
        return n

    async def agent(task: str) -> None:
        for n in range(steps):
            await press(n)

    engine.set_agent(agent)
    asyncio.run(_learn(engine))
    return engine


async def _learn(engine: Engine) -> None:
    if not (await engine.acall("task")).learned:
        raise RuntimeError("nothing was learned")


def _awaiting_block(steps: int) -> Block:
    async def press(n: int) -> int:
        return n

    look, same = workload.look, workload.same
    plan = [(n, look(n)) for n in range(steps)]

    async def several(n: int) -> int:
        began = time.perf_counter_ns()
        for _ in range(n):
            for number, expected in plan:
                if not same(look(number), expected):
                    break
                await press(number)
        return time.perf_counter_ns() - began

    return lambda n: asyncio.run(several(n))


@scenario("replay")
def slow_tool(bench: Bench) -> Iterator[Row]:
    steps = bench.pick(2, 10)
    yield ratio_row(
        bench,
        "slow",
        f"steady hit, {steps} steps, a tool that takes 1 ms",
        block_of(must_hit(recorded(plain("slow"), steps))),
        block_of(loop_of(plain("slow"), steps)),
        prototype=("replay", {"world": "slow", "steps": steps}),
        target=Target(1.01, "<"),
    )


@scenario("replay")
def realistic(bench: Bench) -> Iterator[Row]:
    """Snapshots and arguments of a real size: a page of 200 nodes, a screenshot crop of 64 KiB."""
    steps = 10
    for name, title in (
        ("page", "snapshots are a page of 200 nodes"),
        ("crop", "snapshots are 64 KiB"),
        ("page argument", "arguments are a page of 200 nodes"),
        ("crop argument", "arguments are 64 KiB"),
    ):
        world = plain(name)
        engine, _ = engine_of(world, steps)
        must_learn(engine)
        yield ratio_row(
            bench,
            f"real.{name.replace(' ', '.')}",
            f"steady hit, {steps} steps, {title}",
            block_of(must_hit(engine)),
            block_of(loop_of(world, steps)),
            prototype=("replay", {"world": name, "steps": steps}),
        )
