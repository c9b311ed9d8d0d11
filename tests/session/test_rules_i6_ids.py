"""I6: the ids that a session gives to calls are never given again."""

from __future__ import annotations

import re
import subprocess
import sys

from scripted_framework import Bench, asked, handed

STORY = """
from muscle_mem import Engine
engine = Engine()
tool = engine.tool(name="press")(lambda name: name)
with engine.session("task") as session:
    session.next()
    session.said([("press", {"name": "a"})])
    print(session.next().id)
"""


def test_i6_ids_of_calls_are_twelve_hex_digits_and_a_number_and_differ_from_run_to_run() -> None:
    bench = Bench()
    bench.learn("ab")
    met: set[str] = set()
    for _ in range(20):
        with bench.session() as session:
            for number in range(2):
                call = handed(session)
                assert re.fullmatch(f"call_mm_[0-9a-f]{{12}}{number}", call.id)
                met.add(call.id)
                session.done(call, f"pressed {call.arguments['name']}")
            session.next()
    assert len(met) == 40


def test_i6_other_processes_give_other_ids() -> None:
    told = {subprocess.run([sys.executable, "-c", STORY], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(told) == 2


def test_i6_a_hand_over_names_the_calls_by_the_ids_they_were_handed_out_with() -> None:
    bench = Bench()
    bench.learn("abc")
    bench.state["c"] = "moved"
    with bench.session() as session:
        ids = []
        for _ in range(2):
            call = handed(session)
            ids.append(call.id)
            session.done(call, f"pressed {call.arguments['name']}")
        turn = session.next()
        messages = turn.handover.as_messages()  # type: ignore[union-attr]
        assert [message["tool_call_id"] for message in messages if message["role"] == "tool"] == ids
        session.said([("press", {"name": "d"})])
        assert handed(session).id not in ids


def test_i6_the_models_own_ids_stay() -> None:
    bench = Bench()
    session = asked(bench.session())
    session.said([("press", {"name": "a"}, "toolu_1")])
    assert handed(session).id == "toolu_1"
