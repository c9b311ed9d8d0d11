"""What a tool call costs while it is recorded, and when it is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from muscle_mem import Engine

from .. import workload
from ..ours import engine_of, plain
from ..scenario import Bench, Row, Target, beyond_row, ends, scenario
from ..timing import Block
from ..workload import World, block_of


def recording_block(world: World, arguments: list[Any]) -> Block:
    """Nanoseconds of one recorded call per argument, both checks attached; opening and sealing are left out."""
    engine, tool = engine_of(world, 1, both=True)

    def block(n: int) -> int:
        total = 0
        for _ in range(n):
            with engine.record("task"):
                began = time.perf_counter_ns()
                for argument in arguments:
                    tool(argument)
                total += time.perf_counter_ns() - began
            engine.cache_clear()
        return total

    return block


def bare_block(world: World, arguments: list[Any]) -> Block:
    """The same calls with the captures that recording makes, and nothing else."""
    capture, tool = world.capture, world.tool

    def bare() -> None:
        for argument in arguments:
            capture(argument)
            tool(argument)
            capture(argument)

    return block_of(bare)


@scenario("recording")
def scalar(bench: Bench) -> Iterator[Row]:
    calls = bench.pick(50, 200)
    arguments = list(range(1_000, 1_000 + calls))
    yield beyond_row(
        bench,
        "record.scalar",
        "recording a call with a scalar argument and both checks, beyond the captures",
        recording_block(plain(), arguments),
        bare_block(plain(), arguments),
        each=calls,
        prototype=("recording", {"world": "plain", "calls": calls}),
        target=Target(3),
    )


@scenario("recording")
def node(bench: Bench) -> Iterator[Row]:
    """One more plain value in an argument."""
    calls, few, many = bench.pick(10, 50), 10, 110
    blocks = {
        "few": recording_block(plain(), [[n + i for i in range(few)] for n in range(1_000, 1_000 + calls)]),
        "many": recording_block(plain(), [[n + i for i in range(many)] for n in range(1_000, 1_000 + calls)]),
    }
    race, _ = bench.race(blocks)
    found = race.beyond("many", "few", calls * (many - few))
    title = "recording, each further plain node of an argument"
    yield Row(
        "record.node",
        title,
        "us",
        found.median,
        ends(found),
        target=Target(0.2),
        prototype="keeps a reference; a list is refused",
    )


def learning_block(count: int, use: Callable[[Any], Any], answer: Any = None) -> Block:
    """Nanoseconds of CPU to learn a run with a param of this many leaves; `answer` is what its first call returns."""
    engine = Engine()
    given = [{"id": 10_000 + at, "name": f"person {at} of town", "price": at * 1.5} for at in range(count // 3)]

    @engine.tool(effect="read")
    def look() -> Any:
        return answer

    @engine.tool
    def save(value: Any) -> None: ...

    def agent(task: str) -> None:
        look()
        save(use(given))

    engine.set_agent(agent)
    params = {"rows": given} if count else None

    def learn() -> None:
        engine("save", params=params, mode="record")
        engine.cache_clear()

    return block_of(learn, time.process_time_ns)


@scenario("recording")
def learning(bench: Bench) -> Iterator[Row]:
    """What params and outputs of some size cost a run that is learned.

    The sizes are those of a full run also with `--quick`: of small ones, what any output costs would count ten times.
    """
    leaves, kilobytes = 3_000, 100
    output = [{"id": 10_000 + at, "text": f"entry {at}: nothing of note here"} for at in range(kilobytes * 20)]
    blocks = {
        "none": learning_block(0, lambda given: "hello"),
        "whole": learning_block(leaves, lambda given: given),
        "beside": learning_block(leaves, lambda given: "hello"),
        "output": learning_block(0, lambda given: "hello", output),
    }
    race, _ = bench.race(blocks)
    for name, title, each, most in (
        ("whole", "learning, 1,000 leaves of a param that is passed on", leaves / 1_000, 1),
        ("beside", "learning, 1,000 leaves of a param beside another literal", leaves / 1_000, 1),
        ("output", "learning, 100 kB of outputs", kilobytes / 100, 5),
    ):
        found = race.beyond(name, "none", each, 1e-6)
        yield Row(f"learn.{name}", title, "ms", found.median, ends(found), target=Target(most))


@scenario("recording")
def realistic(bench: Bench) -> Iterator[Row]:
    calls = bench.pick(5, 20)
    for name, title in (("page argument", "a page of 200 nodes"), ("crop argument", "64 KiB")):
        world = plain(name)
        arguments = [world.argument(i) for i in range(calls)]
        yield beyond_row(
            bench,
            f"record.{name.replace(' ', '.')}",
            f"recording a call with {title} as its argument",
            recording_block(world, arguments),
            bare_block(world, arguments),
            each=calls,
            prototype=("recording", {"world": name, "calls": calls}),
        )


@scenario("recording")
def outside(bench: Bench) -> Iterator[Row]:
    calls = 100
    _, tool = engine_of(plain(), 1, both=True)
    yield beyond_row(
        bench,
        "record.outside",
        "a tool call outside a run, beyond the plain call",
        block_of(_caller(tool, calls)),
        block_of(_caller(workload.press, calls)),
        each=calls,
        prototype=("outside", {"calls": calls}),
        target=Target(0.25),
    )


def _caller(tool: Callable[[Any], Any], calls: int) -> Callable[[], None]:
    arguments = list(range(calls))

    def call() -> None:
        for argument in arguments:
            tool(argument)

    return call


PERSONS = [
    {"id": 10_000 + i, "name": f"Person Number{i}", "price": i * 1.5, "city": "Rome", "day": f"2031-01-{1 + i % 28:02}"}
    for i in range(1_600)
]
SIZE_OF_PERSONS = 100  # kB, about


@scenario("recording")
def sources(bench: Bench) -> Iterator[Row]:
    """Where the arguments of a recording came from: looked for in outputs of 100 kB when the run is sealed."""
    cases: dict[str, tuple[str, Callable[[list[Any]], tuple[Any, ...]]]] = {
        "ids": ("an id and a text made of a record", lambda out: (out[3]["id"], f"Dear {out[3]['name']},")),
        "computed": ("a number that may be computed", lambda out: (sum(one["price"] for one in out) + 1,)),
        "none": ("texts that stand in no output", lambda out: ("press", "the button")),
    }
    for name, (what, arguments) in cases.items():
        yield Row(
            f"record.sources.{name}",
            f"sealing a recording with {SIZE_OF_PERSONS} kB of outputs, {what}",
            "ms",
            min(_sealing_seconds(arguments) for _ in range(bench.pick(3, 10))) * 1_000,
            target=Target(5) if name == "none" else None,
        )


def _sealing_seconds(arguments: Callable[[list[Any]], tuple[Any, ...]]) -> float:
    """Seconds of CPU from the agent's end to the end of the run."""
    engine = Engine()
    ended = [0.0]

    def persons() -> list[Any]:
        return PERSONS

    def ignore(*values: Any) -> None: ...

    look = engine.tool(name="look", version=1, effect="read")(persons)
    use = engine.tool(name="use", version=1, effect="write")(ignore)

    def agent(task: str) -> None:
        use(*arguments(look()))
        ended[0] = time.process_time()

    engine.set_agent(agent)
    engine("task")
    return time.process_time() - ended[0]
