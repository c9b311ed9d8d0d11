"""What an engine learns from several recordings, and what that costs: a hit, the first use of a key, a store's size."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from muscle_mem import Engine
from muscle_mem.store import MemoryStore
from muscle_mem.store.base import Store

from ..learning import findings, uses
from ..ours import must_hit, takes
from ..scenario import Bench, Row, Target, ends, ratio_row, scenario
from ..workload import block_of, fresh_block_of

STEPS = 10
PARENTS = 8
RUNS_TO_LEARN = 8
TOO_MANY = 40  # trajectories of one task, beyond which it is clear that each run adds one
NOT_LEARNED = f"skipped: a task with another id in each run was not a hit in {RUNS_TO_LEARN} runs"
TITLES: tuple[tuple[str, str, str, dict[int, float]], ...] = (
    ("found", "flows found (acting or on probation)", ">=", {2: 85.0}),
    ("acting", "flows that act", ">=", {}),
    ("precision", "acted leaves with the value of the agent", ">=", {2: 99.5, 3: 99.5, 4: 99.5}),
)


@scenario("learning")
def known_flows(bench: Bench) -> Iterator[Row]:
    """Programs whose flows are labelled, after one to four recordings; each then does its task in another world."""
    count, most = bench.pick(33, 264, 1_320), bench.pick(3, 4)
    for number, found in findings(count, bench.seed, most).items():
        after = f"after {number} recording{'s'[: number != 1]}"
        shares = {"found": found.share("found"), "acting": found.share("acting"), "precision": found.precision}
        for name, title, how, limits in TITLES:
            target = Target(limits[number], how) if number in limits else None
            row = Row(f"learning.{name}.{number}", f"{title} {after}", "%", shares[name], target=target)
            row.note = "" if shares[name] is not None else "skipped: nothing was acted upon"
            row.details = dict(found.counts)
            yield row
        counts = found.counts
        title = f"wrong writes of {counts['programs']} runs {after}"
        yield _wrong(f"learning.wrong.{number}", title, counts["wrong writes"], counts["of them by chance"])
        for name, what in (("hits", "hits"), ("handed", "handed over")):
            share = 100 * counts[what if name == "hits" else "handed over"] / counts["programs"]
            yield Row(f"learning.{name}.{number}", f"runs that were {what} {after}", "%", share)


@scenario("learning")
def known_flows_in_use(bench: Bench) -> Iterator[Row]:
    """The same programs as a user runs them: the first run, the second, and so on."""
    for number, found in uses(bench.pick(33, 132, 1_320), bench.seed, bench.pick(4, 6)).items():
        for name, title, of in (("hits", "that were hits", "runs"), ("avoided", "calls that no agent made", "calls")):
            what = f"runs number {number} {title}" if name == "hits" else f"{title} in runs number {number}"
            yield Row(f"learning.use.{name}.{number}", what, "%", found.share(name, of))
        wrong = found.counts["wrong writes"] + found.counts["writes lacking"]
        title = f"writes of runs number {number} that were wrong, made again, or lacking"
        yield _wrong(f"learning.use.wrong.{number}", title, wrong, found.counts["of them by chance"])


def _wrong(id: str, title: str, wrong: int, by_chance: int) -> Row:
    """A count of wrong writes. Those of an agent that judges are left out where its recordings agree by chance."""
    note = f"and {by_chance} by agents that judge and had picked the first, or the last, each time" if by_chance else ""
    return Row(id, title, "count", wrong - by_chance, target=Target(0, "=="), note=note)


class Shop:
    """An engine whose agent creates an order and uses its id in nine more steps."""

    def __init__(self, ids: Iterator[int], store: Store | None = None, **options: Any) -> None:
        self.engine = Engine(store, observers=[], **options)

        @self.engine.tool(name="create_order", effect="write", version=1)
        def create_order() -> dict[str, Any]:
            return {"order_id": next(ids), "state": "new"}

        @self.engine.tool(name="use_order", effect="write", version=1)
        def use_order(order_id: int, how: str) -> None:
            pass

        def agent(task: str) -> None:
            order = create_order()
            for step in range(1, STEPS):
                use_order(order["order_id"], f"way {chr(96 + step)}")

        self.engine.set_agent(agent)

    def record(self, times: int) -> Shop:
        for _ in range(times):
            self.engine("task", mode="record")
        return self

    def hit(self) -> Callable[[], None] | None:
        """A function that hits; None if no run is one."""
        for _ in range(RUNS_TO_LEARN):
            if self.engine("task"):
                return must_hit(self.engine)
        return None


def fresh(first: int = 10_007) -> Iterator[int]:
    """An id that is another one in each run."""
    return itertools.count(first, 7)


@scenario("learning")
def hit_with_references(bench: Bench) -> Iterator[Row]:
    """The same hit with the id that was recorded, and with an id that is read from this run's output."""
    title = f"hit of {STEPS} steps with inferred references, against the same with literals"
    literal, inferred = Shop(itertools.repeat(10_007)).hit(), Shop(fresh()).hit()
    if literal is None or inferred is None:
        yield Row("learning.hit", title, "x", target=Target(1.5), note=NOT_LEARNED)
        return
    note = "the loop's column is the hit with literals"
    yield ratio_row(bench, "learning.hit", title, block_of(inferred), block_of(literal), target=Target(1.5), note=note)


@scenario("learning")
def hits_after_many_recordings(bench: Bench) -> Iterator[Row]:
    """Parents and recordings add nothing to a hit."""
    base = Shop(fresh()).record(3).hit()
    for count in (PARENTS, bench.pick(30, 1_000)):
        id, title = f"learning.parents.{count}", f"hit after {count:,} recordings, against after three"
        hit = Shop(fresh()).record(count).hit() if base else None
        if base is None or hit is None:
            yield Row(id, title, "x", target=Target(1.2), note=NOT_LEARNED)
            continue
        note = "with another id in each run; the loop's column is the hit after three recordings"
        yield ratio_row(bench, id, title, block_of(hit), block_of(base), target=Target(1.2), note=note)


@scenario("learning")
def first_use_of_a_key(bench: Bench) -> Iterator[Row]:
    """An engine without memory loads eight recordings of ten steps; what that costs beyond the same without learning.

    Without an option to learn nothing, the base is one recording, and the row says what loading the others costs, too.
    """
    many, one = MemoryStore(), MemoryStore()
    Shop(fresh(), many).record(PARENTS)
    Shop(fresh(), one).record(1)
    off: dict[str, Any] = {"learn_flows": False} if takes("learn_flows") else {}

    def first(store: Store, **options: Any) -> Callable[[int], int]:
        def make() -> Callable[[], Any]:
            engine = Shop(fresh(), store, **options).engine
            return lambda: engine.explain("task")

        return fresh_block_of(make)

    race, _ = bench.race({"loop": first(many if off else one, **off), "ours": first(many)})
    found = race.beyond("ours", "loop", scale=1e-6)
    title = f"deriving a key's expressions at first use: {PARENTS} recordings of {STEPS} steps"
    base = "without learning" if off else "of one recording"
    row = Row("learning.derive", title, "ms", found.median, ends(found), target=Target(5))
    row.loop, row.loop_unit = race.spread("loop", 1e-6).median, "ms"
    row.note = f"milliseconds beyond the loop's column, the first use {base}"
    yield row


@scenario("learning")
def kept_with_fresh_ids(bench: Bench) -> Iterator[Row]:
    """A task that gets another id in each run must not fill its store."""
    runs, store = bench.pick(20, 1_000), MemoryStore()
    shop, hits, made, kept = Shop(fresh(), store), 0, 0, 0
    while made < runs and kept <= TOO_MANY:
        hits += bool(shop.engine("task"))
        made += 1
        kept = len(store.scan(limit=2 * TOO_MANY).stored)
    yield Row(
        "learning.kept",
        f"trajectories kept after {runs:,} runs with another id in each",
        "count",
        kept,
        target=Target(PARENTS + 1),
        note="" if made == runs else f"counted after {made} runs: each run still adds one",
        details={"hits": hits, "runs": made},
    )
