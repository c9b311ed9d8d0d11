"""G7a: ids of runs, idempotency keys and ids of calls are unique across engines, processes and forks."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from muscle_mem import Call, Check, Engine, current_run

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


class Desk:
    """An engine whose tool notes the ids that it sees."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.keys: list[str] = []
        self.outside: list[str] = []
        self.world = 0
        self.engine = Engine(observers=[])

        @self.engine.tool(effect="write", pre_check=Check(lambda: self.world))
        def pay() -> None:
            run = current_run()
            assert run is not None
            self.runs.append(run.id)
            self.keys.append(run.idempotency_key)

        def agent(task: str) -> None:
            run = current_run()
            assert run is not None
            self.outside.append(run.idempotency_key)
            pay()
            pay()
            self.outside.append(run.idempotency_key)

        self.engine.set_agent(agent)

    def ids(self) -> tuple[list[str], list[str]]:
        for _ in range(3):
            self.engine("task")
        return self.runs, self.keys


def ids_of_new_engine(_: int = 0) -> tuple[list[str], list[str]]:
    return Desk().ids()


def assert_unique(found: list[tuple[list[str], list[str]]]) -> None:
    runs = [run for some, _ in found for run in dict.fromkeys(some)]
    keys = [key for _, some in found for key in some]
    assert len(runs) == len(set(runs)) == 3 * len(found)
    assert len(keys) == len(set(keys)) == 6 * len(found)


def test_g7a_ids_differ_between_engines_and_threads_of_one_process() -> None:
    found = [ids_of_new_engine() for _ in range(3)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found += pool.map(ids_of_new_engine, range(8))
    assert_unique(found)


@needs_fork
def test_g7a_ids_differ_between_forked_workers_and_their_parent() -> None:
    found = [ids_of_new_engine()]
    with concurrent.futures.ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("fork")) as pool:
        found += pool.map(ids_of_new_engine, range(9))
    assert_unique([*found, ids_of_new_engine()])


def key_of_child(engine: Desk) -> tuple[str, str]:
    """Fork inside of a call, and return the ids that the child sees."""
    reader, writer = os.pipe()
    if not (pid := os.fork()):
        try:
            run = current_run()
            assert run is not None
            os.write(writer, f"{run.id} {run.idempotency_key}".encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    with os.fdopen(reader) as file:
        id, key = file.read().split()
    return id, key


@needs_fork
def test_g7a_two_children_that_are_forked_within_a_run_have_other_keys() -> None:
    engine = Engine(observers=[])
    found: list[tuple[str, str]] = []

    @engine.tool(effect="write")
    def pay() -> None:
        run = current_run()
        assert run is not None
        before = run.id, run.idempotency_key
        found.extend([before, key_of_child(desk), key_of_child(desk)])
        assert (run.id, run.idempotency_key) == before

    desk = Desk()
    engine.set_agent(lambda task: pay())
    for _ in range(2):
        engine("task")
    assert len({id for id, _ in found}) == len({key for _, key in found}) == len(found) == 6


def test_g7a_ids_differ_between_processes() -> None:
    code = "import test_rules_g7a_ids as t; print(t.ids_of_new_engine())"
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    texts = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(texts) == 2
    assert all(texts)


def test_g7a_outside_of_calls_the_key_is_that_of_the_run_alone() -> None:
    desk = Desk()
    _, keys = desk.ids()
    assert desk.outside[0] == desk.outside[1]
    assert desk.outside[0] not in keys
    engine = Engine(observers=[])
    seen: list[str] = []

    @engine.tool(effect="write")
    def first() -> None:
        seen.append(current_run().idempotency_key)  # type: ignore[union-attr]

    @engine.tool(effect="write", pre_check=Check(lambda: len(seen) > 3))
    def second() -> None:
        seen.append(current_run().idempotency_key)  # type: ignore[union-attr]

    def agent(task: str, handover: Any = None) -> None:
        seen.append(current_run().idempotency_key)  # type: ignore[union-attr]
        if handover is None:
            first()
        second()

    engine.set_agent(agent)
    engine("task")
    engine("task")
    assert len(set(seen)) == len(seen)


def test_g7a_ids_of_calls_differ_between_sessions() -> None:
    engine = Engine(observers=[])

    @engine.tool(name="press", effect="write")
    def press(name: str) -> None: ...

    ids: list[str] = []
    for task in ("one", "two", "one"):
        with engine.session(task) as session:
            turn = session.next()
            if not isinstance(turn, Call):
                session.said([("press", {"name": "a"}), ("press", {"name": "b"})])
                turn = session.next()
            while isinstance(turn, Call):
                ids.append(turn.id)
                session.done(turn)
                turn = session.next()
            if session.outcome is None:
                session.said([])
                session.next()
    assert len(ids) == len(set(ids)) == 6
    assert all(len(id) <= 40 and id.replace("-", "").replace("_", "").isalnum() for id in ids)


def test_g7a_a_hand_over_names_its_calls_by_the_run() -> None:
    from muscle_mem import Handover

    state = {"page": "one"}
    engine = Engine(observers=[])
    ids: list[str] = []

    @engine.tool(effect="write")
    def first() -> None: ...

    @engine.tool(effect="write", pre_check=Check(lambda: state["page"]))
    def second() -> None: ...

    def agent(task: str, handover: Handover | None = None) -> None:
        if handover is None:
            first()
        else:
            messages = handover.as_messages()
            ids.append(messages[1]["tool_call_id"])
            assert messages[0]["tool_calls"][0]["id"] == ids[-1]
        second()

    engine.set_agent(agent)
    engine("task")
    for number in range(2):
        state["page"] = f"page {number}"
        assert engine("task").status == "diverged"
    assert len(set(ids)) == 2


def test_g7a_threads_within_one_run_have_keys_of_their_own() -> None:
    engine = Engine(observers=[])
    keys: list[str] = []

    @engine.tool(effect="write")
    def pay() -> None:
        keys.append(current_run().idempotency_key)  # type: ignore[union-attr]

    def agent(task: str) -> None:
        threads = [threading.Thread(target=engine.bind(pay)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    engine.set_agent(agent)
    engine("task")
    assert len(set(keys)) == 8
