"""A store that stays small: limits by number, bytes and age; memory that is bounded; what checks said (S14)."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from many_screens import many_screens
from muscle_mem import Check, Engine, InvalidTypeError, InvalidValueError, Pruned
from muscle_mem._core import codec
from muscle_mem._library.cache import Cache
from muscle_mem._library.limits import GrowthMonitor
from muscle_mem.cli import main
from muscle_mem.store import MemoryStore, Note, Observation, Sealed, SqliteStore, Store, Surveying, Tally
from muscle_mem.store.pruning import Limits, prune

DAY = 86_400.0
NOW = 1_700_000_000.0


class Clock:
    """A clock that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOW
        monkeypatch.setattr("muscle_mem._library.library.time.time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(params=["memory", "sqlite", "plain"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made: Any = MemoryStore() if request.param != "sqlite" else SqliteStore(tmp_path / "m.db")
    yield Plain(made) if request.param == "plain" else made
    made.close()


class Plain:
    """A store of the eight methods and no more."""

    def __init__(self, store: Store) -> None:
        self.url = store.url
        for name in ("find", "get", "seal", "note", "forget", "scan", "version", "close"):
            setattr(self, name, getattr(store, name))

    find = get = seal = note = forget = scan = version = close = None


def fill(store: Any, *ages: float, size: int = 100) -> None:
    """Trajectories t0, t1, ... that were recorded so many days ago."""
    for number, age in enumerate(ages):
        made = NOW - age * DAY
        store.seal(
            Sealed(id=f"t{number}", key=bytes([number]) * 32, body=bytes(size), steps=1, created=made),
            Observation(id="o", body=b"", created=made),
        )


def left(store: Any) -> list[str]:
    return sorted(stored.sealed.id for stored in store.scan(limit=1000).stored)


def test_what_is_too_old_goes_and_what_comes_from_the_future_is_young(store: Any) -> None:
    fill(store, 9, 1, -5, 8)
    assert prune(store, Limits(ttl=7 * DAY), NOW, dry_run=True) == Pruned(2, 200, 2, 2, 200)
    assert left(store) == ["t0", "t1", "t2", "t3"]
    assert prune(store, Limits(ttl=7 * DAY), NOW) == Pruned(2, 200, 2, 2, 200)
    assert left(store) == ["t1", "t2"]


def test_what_is_as_old_as_it_may_get_stays_and_what_is_a_second_older_goes(store: Any) -> None:
    fill(store, 7, 7 + 1 / DAY)
    assert prune(store, Limits(ttl=7 * DAY), NOW).expired == 1
    assert left(store) == ["t0"]
    assert prune(store, Limits(ttl=7 * DAY), NOW + 1).expired == 1


def test_what_is_as_old_as_it_may_get_is_replayed_and_a_second_later_expired(clock: Clock) -> None:
    desk = Desk(None, ttl=7 * DAY)
    desk.engine("task")
    clock.now += 7 * DAY
    assert desk.engine("task")
    clock.now += 1
    assert desk.engine("task", mode="frozen").reason == "expired"


def test_the_least_recently_used_go_first_the_useless_before_them_a_persons_verdict_last(store: Any) -> None:
    fill(store, 6, 5, 4, 3, 2, 1)
    store.note(
        (
            Note(id="t0", hits=1, last_hit=NOW - 0.5 * DAY),  # recorded first and hit last
            Note(id="t1", state="quarantined", reason="reported bad", held=True, by_person=True),
            Note(id="t3", state="quarantined", reason="tool_raised"),
            Note(id="t4", state="retired", reason="expired"),
        )
    )
    order = []
    for most in range(5, -1, -1):
        before = left(store)
        prune(store, Limits(max_items=most), NOW)
        order += [id for id in before if id not in left(store)]
    assert order == ["t4", "t3", "t2", "t5", "t0", "t1"]


def test_bytes_are_kept_to_and_what_is_at_work_goes_after_the_rest(store: Any) -> None:
    fill(store, 0, 0.5, 1, 2)
    store.note((Note(id="t3", hits=1, last_hit=NOW - 30),))
    assert prune(store, Limits(max_bytes=250), NOW).kept_bytes == 200
    assert left(store) == ["t0", "t3"]
    assert prune(store, Limits(max_items=0), NOW, in_use={"t0"}).kept == 1
    assert left(store) == ["t0"]


def test_many_go_in_small_transactions(tmp_path: Path) -> None:
    calls: list[int] = []

    class Watched(MemoryStore):
        def drop(self, ids: tuple[str, ...]) -> int:
            calls.append(len(ids))
            return super().drop(ids)

    store = Watched()
    assert isinstance(store, Surveying)
    for number in range(250):
        store.seal(Sealed(id=str(number), key=b"k", body=b"", steps=0), Observation(id="o", body=b""))
    assert prune(store, Limits(max_items=10), NOW).dropped == 240
    assert calls == [100, 100, 40]


class Desk:
    """An engine with one tool that reads."""

    def __init__(self, store: Any, **options: Any) -> None:
        self.events: list[Any] = []
        self.runs = 0
        self.engine = Engine(store, observers=self.events.append, **options)
        self.tool = self.engine.tool(effect="read", name="tool")(lambda task: task)
        self.engine.set_agent(self.agent)

    def agent(self, task: str) -> str:
        self.runs += 1
        return str(self.tool(task))


def test_an_engine_with_a_limit_keeps_to_it_by_itself(store: Any, clock: Clock) -> None:
    desk = Desk(store, max_items=20)
    for number in range(100):
        clock.now += 100
        assert desk.engine(f"task {number}").learned
        assert len(left(store)) <= 21
    assert desk.engine("task 99")
    assert desk.engine.cache_info().pruned == 100 - len(left(store))
    assert sum(e.dropped for e in desk.events if type(e).__name__ == "PruneEvent") == 100 - len(left(store))


def test_looking_through_the_store_is_done_once_in_a_while() -> None:
    growth = GrowthMonitor(Limits(max_items=1000))
    looks, kept = 0, 0
    for _ in range(10_000):
        kept += 1
        growth.note_sealed(10)
        limits = growth.begin_pruning(NOW)
        if limits is not None:
            looks += 1
            kept = min(kept, limits.max_items or 0)
            growth.end_pruning(Pruned(0, 0, 0, kept, 0), NOW)
        assert kept <= 1001
    assert looks < 100


def test_hits_that_nobody_has_written_yet_count(store: Any, clock: Clock) -> None:
    desk = Desk(store)
    for number in range(4):
        clock.now += 1000
        desk.engine(f"task {number}")
    clock.now += 1000
    assert desk.engine("task 0")
    clock.now += 1000
    assert desk.engine.prune(max_items=1).kept == 1
    assert desk.engine("task 0")


def test_the_engines_limits_are_the_defaults_of_prune(clock: Clock) -> None:
    desk = Desk(None, max_items=50, ttl=10 * DAY)
    for number in range(5):
        desk.engine(f"task {number}")
    assert desk.engine.prune() == desk.engine.prune(max_items=50)
    assert desk.engine.prune(max_items=2).kept == 2
    clock.now += 11 * DAY
    assert desk.engine.prune().expired == 2


def test_what_is_no_limit_is_refused() -> None:
    for name in ("max_items", "max_bytes", "ttl", "library_bytes", "miss_wait"):
        for wrong in ("3", True, [], 1j):
            with pytest.raises(InvalidTypeError, match=name):
                Engine(**{name: wrong})
        with pytest.raises(InvalidValueError, match=name):
            Engine(**{name: -1})
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(InvalidValueError, match="ttl"):
            Engine(ttl=wrong)
    with pytest.raises(InvalidValueError, match="no limit to prune by"):
        Engine().prune()
    with pytest.raises(InvalidTypeError, match="max_items"):
        Engine().prune(max_items=1.5)


def test_what_has_expired_is_not_replayed_stays_expired_and_becomes_young_again(store: Any, clock: Clock) -> None:
    desk = Desk(store, ttl=7 * DAY)
    id = desk.engine("task").trajectory_id
    clock.now += 6 * DAY
    assert desk.engine("task")
    clock.now += 2 * DAY
    frozen = desk.engine("task", mode="frozen")
    assert (frozen.reason, store.get(id).standing.state) == ("expired", "fresh")
    assert desk.engine.explain("task").reason == "expired"
    failing, desk.engine._runtime.agent = desk.engine._runtime.agent, None
    with pytest.raises(LookupError, match="expired"):
        desk.engine("task", mode="replay")
    assert store.get(id).standing.state == "retired"
    desk.engine._runtime.agent = failing
    clock.now = NOW  # a clock set back revives nothing, also for an engine that knows no limit
    assert desk.engine("task", mode="frozen").reason == "expired"
    assert Desk(store).engine("task", mode="frozen").reason in ("expired", "tool_changed")
    clock.now = NOW + 8 * DAY
    again = desk.engine("task")
    assert (again.reason, again.learned, again.trajectory_id) == ("expired", True, id)
    clock.now += 6 * DAY
    assert desk.engine("task")
    clock.now += 2 * DAY
    assert desk.engine("task").reason == "expired"


def test_memory_is_bounded_and_the_least_recently_used_leave() -> None:
    desk = Desk(None, library_bytes=100_000)
    for number in range(60):
        desk.engine(f"task {number}")
        assert desk.engine(f"task {number}")
        assert desk.engine("task 0")
    info = desk.engine.cache_info()
    assert 2 <= info.loaded < 40
    assert info.loaded_bytes <= 100_000
    runs = desk.runs
    for number in range(60):
        assert desk.engine(f"task {number}")  # what had left is found in the store
    assert desk.runs == runs
    tiny = Desk(None, library_bytes=0)
    tiny.engine("a")
    tiny.engine("b")
    assert tiny.engine("a")
    assert tiny.engine.cache_info().loaded == 1


@pytest.mark.parametrize("size", [10, 3_000, 50_000])
def test_the_estimate_of_memory_is_near_the_truth(size: int, tmp_path: Path) -> None:
    seen = {"n": 0}
    store = SqliteStore(tmp_path / "m.db")
    engine = Engine(store, observers=[lambda event: None])
    look = Check(lambda n: f"{seen['n']:09}" + "x" * size)
    tool = engine.tool(look, effect="read", name="tool")(lambda n: n)
    engine.set_agent(lambda task: [tool(n) for n in range(5)] and None)
    for number in range(40):
        seen["n"] = number
        engine(f"task {number}")
    library = engine._runtime.library
    keys = [stored.sealed.key for stored in store.scan().stored]
    library.cache = Cache(2**40)
    library.find(keys[0])
    before_size = library.cache.size
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for key in keys[1:]:
            for one in library.find(key).trajectories:
                for candidate in one.candidates:
                    candidate.snapshots(False)
                    candidate.snapshots(True)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    estimated = library.cache.size - before_size
    assert taken / 2 < estimated < taken * 2, (taken, estimated)
    engine.close()


def test_a_screen_in_fifty_observations_is_stored_once_in_the_file(tmp_path: Path) -> None:
    engine = many_screens(SqliteStore(tmp_path / "m.db"), 50)
    engine.close()
    assert (tmp_path / "m.db").stat().st_size < 4 * 102_400
    assert SqliteStore(tmp_path / "m.db").scan().stored[0].observations[0][1].blobs == (
        codec.encode(bytes(range(256)) * 400),
    )


def test_a_check_that_says_no_is_counted_and_written_with_the_next_recording(store: Any) -> None:
    ok = {"pre": True, "post": True}
    writes: list[Any] = []
    engine = Engine(store, observers=[lambda event: None])
    check = (Check(lambda: 1, lambda a, b: ok["pre"]), Check(lambda: 1, lambda a, b: ok["post"]))
    click = engine.tool(*check, effect="read", name="click")(lambda: "clicked")
    engine.set_agent(lambda task: click())
    id = engine("task").trajectory_id
    for _ in range(3):
        assert engine("task")
    original = store.note
    store.note = lambda notes: (writes.append(notes), original(notes))[1]
    ok.update(pre=False)
    assert engine("task", mode="frozen").reason == "first_check_refused"  # nothing is counted
    with pytest.raises(LookupError):
        engine("task", mode="replay")
    with pytest.raises(LookupError):
        engine("task", mode="replay")
    assert not writes
    ok.update(pre=True, post=False)
    engine("task", on_divergence="absorb")
    engine._runtime.library.flush()
    standing = store.get(id).standing
    assert set(standing.checks) == {Tally("click pre", no=2), Tally("click post", no=1)}
    assert standing.hits == 3


def test_what_is_counted_is_bounded() -> None:
    from muscle_mem._library.counters import MAX_TRAJECTORIES, Counters

    counts = Counters(Engine()._runtime.library.history)
    for number in range(MAX_TRAJECTORIES + 50):
        counts.count_refusal(str(number), "t pre")
    assert len(counts) == MAX_TRAJECTORIES
    assert len(counts.drain()) == MAX_TRAJECTORIES
    assert not counts.drain()


def test_the_command_prunes_by_age_number_and_size(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "m.db")
    for number in range(5):
        made = time.time() - number * DAY
        store.seal(
            Sealed(id=f"t{number}", key=b"k" * 32, body=bytes(100), steps=1, created=made),
            Observation(id="o", body=b"", created=made),
        )
    store.close()

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(main, ["prune", "--store", str(tmp_path / "m.db"), *arguments])

    assert json.loads(run("--ttl", "84h", "--dry-run", "--json").stdout)["dropped"] == 1
    assert "1 trajectory (1 by age)" in run("--ttl", "3.5d", "--dry-run").stdout
    assert "1 trajectory" in run("--ttl", "302400").stdout
    assert json.loads(run("--max-items", "3", "--json").stdout) == {
        "dropped": 1,
        "dropped_bytes": 100,
        "expired": 0,
        "kept": 3,
        "kept_bytes": 300,
        "dry_run": False,
    }
    assert json.loads(run("--max-bytes", "0.2k", "--json").stdout)["kept"] == 2
    assert run().exit_code == 2
    wrong = run("--ttl", "soon")
    assert wrong.exit_code == 2
    assert "30d" in wrong.stderr
