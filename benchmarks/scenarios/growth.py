"""What many hits, many observations and many recordings of one key do to a hit and to a miss."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from muscle_mem import Check, Engine
from muscle_mem.store import MemoryStore

from .. import bulk, workload
from ..child import ask
from ..ours import check_of, engine_of, must_hit, plain, recorded
from ..scenario import Bench, Row, Target, ratio_row, scenario
from ..timing import Block
from ..workload import block_of, loop_of

LOOKUPS = 256  # the engine's default for max_lookups


@scenario("growth")
def hundred_thousandth_hit(bench: Bench) -> Iterator[Row]:
    """The first hits and the last of very many, each in turns with the loop: a processor does not keep its pace."""
    hits = bench.pick(2_000, 100_000)
    hit = must_hit(recorded(plain(), 1))
    blocks = {"loop": block_of(loop_of(plain(), 1)), "ours": block_of(hit)}
    first = bench.race(blocks)[0].ratio("ours", "loop")
    for _ in range(hits):
        hit()
    last = bench.race(blocks)[0].ratio("ours", "loop")
    yield Row(
        "hits.last",
        f"hit number {hits:,} against the first ones",
        "x",
        last.median / first.median,
        loop=first.median,
        loop_unit="x the loop (first ones)",
        target=Target(1.2),
        note="medians, each as a multiple of the loop",
    )


@scenario("growth")
def memory_of_hits(bench: Bench) -> Iterator[Row]:
    hits = bench.pick(2_000, 100_000)
    ours = ask("hits_memory", hits=hits)
    theirs = bench.prototype.measure("hits_memory", {"hits": hits // 10})
    yield Row(
        "hits.memory",
        f"memory that {hits:,} hits add",
        "MiB",
        ours["bytes"] / 2**20,
        prototype=theirs.get("cannot") or theirs["bytes"] / 2**20 * 10,
        target=Target(1, "<"),
        note="" if "cannot" in theirs else "the prototype's from a tenth of the hits",
    )
    yield Row(
        "hits.blocks",
        f"allocated blocks that {hits:,} hits add",
        "blocks",
        ours["blocks"],
        prototype=theirs.get("cannot") or theirs["blocks"] * 10,
    )


@scenario("growth")
def many_observations(bench: Bench) -> Iterator[Row]:
    """Recordings of the same calls with other snapshots; any of them hit, against the hit of a single one."""
    steps, count = 10, bench.pick(200, 10_000)
    chance = bench.random()
    mould = bulk.Mould(plain(), steps)
    shape = mould.shape()
    store = MemoryStore()
    bulk.fill(store, (shape.cast(mould.key, "task", f"page {i}") for i in range(count)))
    hit_of_many = must_hit(engine_of(plain(), steps, store)[0])
    hit_of_one = must_hit(recorded(plain(), steps))

    def any_of_many() -> None:
        workload.state["page"] = f"page {chance.randrange(count)}"
        hit_of_many()

    try:
        yield ratio_row(
            bench,
            f"rows.{count}",
            f"hit on any of {count:,} observations of {steps} steps, against a single one",
            block_of(any_of_many),
            _at_page("page 0", block_of(hit_of_one)),
            prototype=("rows", {"steps": steps, "count": count, "seed": bench.seed}),
            target=Target(2),
            note="the loop's column is the hit with a single observation",
        )
        yield from _counted_rows(steps, store, f"page {count // 2}")
    finally:
        workload.state["page"] = "page 0"


def _at_page(page: str, block: Block) -> Block:
    def there(n: int) -> int:
        workload.state["page"] = page
        return block(n)

    return there


def _counted_rows(steps: int, of: MemoryStore, page: str) -> Iterator[Row]:
    """Captures and compares of one such hit; the same observations under counting checks."""
    world = plain("counted")
    mould = bulk.Mould(world, steps)
    shape, store = mould.shape(), MemoryStore()
    count = len(of.scan(limit=1).stored[0].observations)
    bulk.fill(store, (shape.cast(mould.key, "task", f"page {i}") for i in range(count)))
    engine, _ = engine_of(world, steps, store)
    workload.state["page"] = page
    hit = must_hit(engine)
    hit()
    workload.reset_counts()
    hit()
    for what, more in (("captures", 1), ("compares", 2)):
        yield Row(
            f"rows.{what}",
            f"{what} of such a hit",
            "count",
            workload.counts[what],
            loop=steps,
            loop_unit="count",
            target=Target(steps + more),
        )


@scenario("growth")
def many_recordings_of_a_key(bench: Bench) -> Iterator[Row]:
    """Recordings with arguments of their own under key="same": a hit on the newest, and a miss on all."""
    steps, count = 4, bench.pick(50, 1_000)
    for name, world_check in (("exact", True), ("opaque", False)):
        world = plain("counted")
        check = Check(world.capture) if world_check else check_of(world)
        many = _same_key(steps, count, check)
        workload.reset_counts()
        must_hit(many, key="same")()
        captures, compares = workload.counts["captures"], workload.counts["compares"]
        limit = Target(steps + 4)
        what = f"{count:,} recordings of a key, {name} checks"
        yield Row(f"same.{name}.captures", f"{what}: captures of a hit", "count", captures, target=limit)
        yield Row(f"same.{name}.compares", f"{what}: compares of a hit", "count", compares)
        yield from _misses(bench, name, what, many, _same_key(steps, 1, check))


def _same_key(steps: int, count: int, check: Check) -> Engine:
    world = plain("counted")
    mould, store = bulk.Mould(world, steps, check), MemoryStore()
    key = next(bulk.keys_of({}, ["task"], key="same"))
    pages = [f"page of recording {i}" for i in range(count - 1)]  # with the same page they would contradict each other
    bulk.fill(store, (mould.shape(1_000 * i).cast(key, "task", page) for i, page in enumerate([*pages, None])))
    return engine_of(world, steps, store, check=check)[0]


def _misses(bench: Bench, name: str, what: str, many: Engine, one: Engine) -> Iterator[Row]:
    """Every check says no: what a miss costs, in captures and in time against that of a single recording."""
    workload.state["page"] = "another page"
    for engine in (many, one):
        engine.set_agent(lambda task: None)
    try:
        workload.reset_counts()
        _miss(many)()
        captures, compares = workload.counts["captures"], workload.counts["compares"]
        bound = Target(LOOKUPS)
        yield Row(f"same.{name}.miss.captures", f"{what}: captures of a miss", "count", captures, target=bound)
        yield Row(f"same.{name}.miss.compares", f"{what}: compares of a miss", "count", compares, target=bound)
        yield ratio_row(
            bench,
            f"same.{name}.miss",
            f"{what}: a miss against that of a single one",
            block_of(_miss(many)),
            block_of(_miss(one)),
            target=Target(2) if name == "exact" else None,
            note="the loop's column is the miss with a single recording",
        )
    finally:
        workload.state["page"] = "page 0"


def _miss(engine: Engine) -> Callable[[], None]:
    def miss() -> None:
        if engine("task", key="same").status != "miss":
            raise RuntimeError("no miss where one was expected")

    return miss
