"""What a hit costs, in operations: counted, since times differ from machine to machine."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from muscle_mem import Check, Engine, Reason
from muscle_mem._core import codec
from muscle_mem._core.model.records import Row
from muscle_mem.checks import equal
from muscle_mem.store.base import Observation, Sealed
from muscle_mem.store.memory import MemoryStore

STEPS = 10


class Counted:
    """An engine with one tool that is called STEPS times, whose check counts its captures and compares."""

    def __init__(self, store: Any = None, *, exact: bool = False, first: int = 0, **options: Any) -> None:
        self.counts: Counter[str] = Counter()
        self.world: dict[int, Any] = {}
        self.first = first
        self.engine = Engine(store, **options)

        def capture(i: int) -> Any:
            self.counts["captures"] += 1
            return self.world.get(i if i < STEPS else 0, "calm")

        def compare(current: Any, candidate: Any) -> bool:
            self.counts["compares"] += 1
            return bool(current == candidate)

        @self.engine.tool(pre_check=equal(capture) if exact else Check(capture, compare))
        def act(i: int) -> None:
            self.counts["acts"] += 1

        def agent(task: str) -> None:
            self.counts["agent"] += 1
            for i in (self.first or 0, *range(1, STEPS)):
                act(i)

        self.engine.set_agent(agent)

    def call(self) -> Any:
        """One call, counted anew."""
        self.counts.clear()
        return self.engine("task")

    @property
    def asked(self) -> tuple[int, int]:
        return self.counts["captures"], self.counts["compares"]


def test_a_hit_makes_one_capture_and_one_compare_a_step() -> None:
    case = Counted()
    case.call()
    for _ in range(3):
        assert case.call()
        assert case.counts == {"captures": STEPS, "compares": STEPS, "acts": STEPS}


def test_the_same_under_acall(anyio_free_run: Callable[[Any], Any]) -> None:
    case = Counted()
    case.call()
    case.counts.clear()
    assert anyio_free_run(case.engine.acall("task"))
    assert case.counts == {"captures": STEPS, "compares": STEPS, "acts": STEPS}


@pytest.fixture
def anyio_free_run() -> Callable[[Any], Any]:
    import asyncio

    return asyncio.run


@pytest.mark.parametrize("exact", [False, True])
def test_a_hit_encodes_digests_and_binds_nothing_and_asks_the_store_for_its_version_alone(
    exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Watched()
    case = Counted(store, exact=exact)
    case.call()
    assert case.call()
    done: Counter[str] = Counter()
    for name in ("encode", "canonical", "digest", "decode"):
        monkeypatch.setattr(codec, name, counting(done, name, getattr(codec, name)))
    monkeypatch.setattr("inspect.Signature.bind", counting(done, "bind", lambda *_: None))
    store.asked.clear()
    assert case.call()
    assert not done
    assert store.asked == ["version"]


def test_a_hit_of_values_that_can_change_decodes_each_once_and_the_recorded_stay_what_they_were() -> None:
    engine = Engine()
    spoiled: list[Any] = []

    def compare(current: dict[str, Any], candidate: dict[str, Any]) -> bool:
        same = current == candidate
        candidate.clear()
        spoiled.append(same)
        return same

    @engine.tool(pre_check=Check(lambda: {"rows": [1, 2]}, compare), effect="read")
    def look() -> None:
        pass

    engine.set_agent(lambda task: look())
    engine("task")
    spoiled.clear()
    assert all(engine("task") for _ in range(5))
    assert spoiled == [True] * 5


def test_a_hundred_thousand_hits_would_leave_no_memory_behind() -> None:
    case = Counted(observers=())
    case.call()
    for _ in range(1_200):  # past the first write of counted hits
        case.call()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(2_000):
        assert case.call()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 2**20 * 2_000 / 100_000


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("which", [0, 1, 5_000, 9_999])
def test_any_of_ten_thousand_observations_is_found_by_one_more_look(
    many: Callable[[bool], Counted], exact: bool, which: int
) -> None:
    case = many(exact)
    case.world = {0: f"seen {which}", 3: f"later {which}"}
    assert case.call()
    captures, compares = case.asked
    assert captures <= STEPS + 1
    assert compares <= STEPS + 2
    assert case.counts["acts"] == STEPS


@pytest.fixture(scope="module")
def many() -> Callable[[bool], Counted]:
    """A case with ten thousand observations of the same calls, which differ at two steps."""
    made: dict[bool, Counted] = {}

    def make(exact: bool) -> Counted:
        if exact not in made:
            store = MemoryStore()
            case = made[exact] = Counted(store, exact=exact)
            case.call()
            observe(store, 10_000, lambda n: {0: f"seen {n}", 3: f"later {n}"})
        return made[exact]

    return make


def observe(store: MemoryStore, count: int, world: Callable[[int], dict[int, str]]) -> None:
    """Put more observations of the only trajectory into a store, as runs in other worlds would."""
    (stored,) = store.scan().stored
    row = msgspec.msgpack.decode(stored.observations[0][1].body, type=Row)
    sealed: Sealed = stored.sealed
    for number in range(count):
        pre = list(row.pre)
        for place, seen in world(number).items():
            pre[place] = codec.canonical(seen)
        body = msgspec.msgpack.encode(msgspec.structs.replace(row, pre=tuple(pre)))
        store.seal(sealed, Observation(id=f"{number:032x}", body=body, created=0.0))


def test_observations_that_differ_late_are_gone_over_to_without_judging_what_was_judged() -> None:
    store = MemoryStore()
    case = Counted(store)
    case.call()
    observe(store, 1_000, lambda n: {STEPS - 1: f"last {n}"})
    case.world = {STEPS - 1: "last 17"}
    assert case.call()
    captures, compares = case.asked
    assert captures <= STEPS + 1
    assert compares <= STEPS + 2


def test_a_miss_among_ten_thousand_looks_once_where_the_check_is_exact(many: Callable[[bool], Counted]) -> None:
    case = many(True)
    case.world = {0: "never seen"}
    outcome = judged(case)
    assert outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert case.counts["captures"] == 1


def test_a_miss_among_ten_thousand_judges_no_more_than_max_lookups(many: Callable[[bool], Counted]) -> None:
    case = many(False)
    case.world = {0: "never seen"}
    judged(case)
    captures, compares = case.asked
    assert captures == 1
    assert compares <= 256 + 1


def judged(case: Counted) -> Any:
    """What a call came to that may not ask the agent."""
    from muscle_mem import Missed

    case.counts.clear()
    with pytest.raises(Missed) as missed:
        case.engine("task", mode="replay")
    return missed.value.outcome


@pytest.mark.parametrize("exact", [False, True])
def test_of_a_hundred_recordings_with_arguments_of_their_own_the_index_guesses_the_right_one(exact: bool) -> None:
    case = Counted(exact=exact)
    for number in range(STEPS, STEPS + 100):
        case.first = number
        case.world = {0: f"seen {number}"}
        case.engine("task", mode="record")
    for number in (STEPS, STEPS + 50, STEPS + 99):
        case.world = {0: f"seen {number}"}
        assert case.call()
        assert case.counts["captures"] <= STEPS + 4


def test_a_miss_pays_nothing_for_recordings_under_other_keys() -> None:
    store = Watched()
    case = Counted(store, first=0)
    for number in range(50):
        case.engine(f"task {number}")
    store.asked.clear()
    case.counts.clear()
    with pytest.raises(Exception, match="new_task"):
        case.engine("another task", mode="replay")
    assert not case.counts
    assert len(store.asked) <= 2


def counting(done: Counter[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, counted."""

    def counted(*args: Any, **kwargs: Any) -> Any:
        done[name] += 1
        return function(*args, **kwargs)

    return counted


class Watched(MemoryStore):
    """A store that tells what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in ("find", "get", "seal", "note", "forget", "scan", "version"):
            self.asked.append(name)
        return super().__getattribute__(name)
