"""C9a: calls in child processes that were forked inside a run, which no recording holds."""

from __future__ import annotations

import asyncio
import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Engine, Outcome, Reason
from unseen_desk import FORK, Desk, needs_fork

desk = Desk()


def in_child(text: str) -> None:
    desk.save(text)


def plain(text: str) -> str:
    return text


def pool(work: Callable[[str], Any]) -> None:
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=FORK) as executor:
        list(executor.map(work, ["a", "b"]))


def process(work: Callable[[str], Any]) -> None:
    assert FORK is not None
    child = FORK.Process(target=work, args=("a",))
    child.start()
    child.join()


def fork(work: Callable[[str], Any]) -> None:
    pid = os.fork()
    if not pid:
        try:
            work("a")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def fork_in_thread(work: Callable[[str], Any]) -> None:
    thread = threading.Thread(target=fork, args=(work,))
    thread.start()
    thread.join()


def grandchild(work: Callable[[str], Any]) -> None:
    fork(lambda text: fork(work))


def before_exec(work: Callable[[str], Any]) -> None:
    subprocess.run([sys.executable, "-c", ""], preexec_fn=lambda: work("a"), check=True)


WAYS = [pool, process, fork, fork_in_thread, grandchild, before_exec]


@needs_fork
@pytest.mark.parametrize("way", WAYS)
def test_c9a_a_run_whose_forked_child_calls_a_tool_is_not_learned(way: Any) -> None:
    for _ in range(2):
        outcome = desk.run(lambda: (desk.save("x"), way(in_child)), way.__name__)
        assert outcome.not_learned is Reason.FORKED
        assert "engine.bind" in outcome.not_learned_message


@needs_fork
@pytest.mark.parametrize("way", WAYS)
def test_c9a_a_fork_alone_changes_nothing(way: Any) -> None:
    for expected in (False, True):
        outcome = desk.run(lambda: (desk.save("x"), way(plain)), "plain " + way.__name__)
        assert bool(outcome) is expected
        assert outcome.learned is not expected


@needs_fork
def test_c9a_a_terminal_that_is_forked_changes_nothing() -> None:
    import pty

    def agent() -> None:
        pid, terminal = pty.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
        os.close(terminal)
        desk.save("x")

    assert desk.run(agent, "terminal").learned
    assert desk.run(agent, "terminal")


@needs_fork
def test_c9a_an_async_tool_in_a_forked_child_is_seen_too() -> None:
    async def agent(task: str) -> None:
        await desk.asave("x")
        fork(lambda text: in_child(text))

    async def once() -> Outcome:
        desk.engine.set_agent(agent)
        return await desk.engine.acall("async fork")

    assert asyncio.run(once()).not_learned is Reason.FORKED


@needs_fork
def test_c9a_a_server_that_forks_workers_goes_on_learning_in_them_and_beside_them() -> None:
    """Workers that are forked while a run is open in another thread learn, and so does that run."""
    here = Desk()
    reader, writer = os.pipe()
    forked, done = threading.Event(), threading.Event()

    def agent() -> None:
        here.save("x")
        forked.set()
        done.wait(20)

    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(here.run(agent)))
    thread.start()
    forked.wait(20)
    pid = os.fork()
    if not pid:
        try:
            found = [here.run(lambda: here.save("y"), "of a worker") for _ in range(2)]
            os.write(writer, b"1" if found[0].learned and found[1] else b"0")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reader, 1) == b"1"
    done.set()
    thread.join()
    assert outcomes[0].learned


@needs_fork
def test_c9a_an_engine_call_in_a_forked_child_of_the_run_is_work_that_is_not_recorded() -> None:
    here = Desk()
    inner = Engine(observers=[])
    inner.set_agent(lambda task: None)
    outcome = here.run(lambda: (here.save("x"), fork(lambda text: inner(text))))
    assert outcome.not_learned is Reason.FORKED


@needs_fork
def test_c9a_a_child_that_outlives_its_run_marks_no_other(tmp_path: Any) -> None:
    here = Desk()
    reader, writer = os.pipe()

    def agent() -> None:
        here.save("x")
        if not (pid := os.fork()):
            try:
                os.read(reader, 1)
                here.save("late")
            finally:
                os._exit(0)
        pids.append(pid)

    pids: list[int] = []
    assert here.run(agent).learned

    def second() -> None:
        os.write(writer, b"1")
        os.waitpid(pids[0], 0)
        here.save("y")

    for number in range(600):  # Every slot is used again.
        here.run(lambda: here.save("z"), f"number {number}")
    assert here.run(second, "second").learned


def test_c9a_a_spawned_process_cannot_be_seen() -> None:
    def agent() -> None:
        desk.save("x")
        child = multiprocessing.get_context("spawn").Process(target=in_child, args=("a",))
        child.start()
        child.join()
        assert child.exitcode == 0

    assert desk.run(agent, "spawned").learned  # A limit: the recording lacks the call.


@needs_fork
def test_c9a_a_forked_child_that_calls_after_the_agent_has_returned_cannot_be_seen() -> None:
    here = Desk()
    reader, writer = os.pipe()
    pids: list[int] = []

    def agent() -> None:
        here.save("x")
        if not (pid := os.fork()):
            try:
                os.read(reader, 1)
                here.save("late")
            finally:
                os._exit(0)
        pids.append(pid)

    assert here.run(agent).learned
    os.write(writer, b"1")
    os.waitpid(pids[0], 0)
    assert here.run(agent)  # A limit: the recording lacks the call.
