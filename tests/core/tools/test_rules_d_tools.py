"""D7: which tool a recorded step means, after restarts, edits, renames, and with factories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Engine, Missed, Outcome, Reason

Log = list[Any]
STORE = "s.db"


def module(engine: Engine, log: Log, *sources: str) -> dict[str, Any]:
    """Source texts executed as a module or notebook cells would be, with `engine` and `log` in reach."""
    names: dict[str, Any] = {"engine": engine, "log": log, "__name__": "cell"}
    for source in sources:
        exec(source, names)
    return names


def run_once(path: Path, source: str, log: Log, **options: Any) -> Outcome:
    """A process of its own: the tools of `source`, whose `agent` does the task, on the store in `path`."""
    with Engine(path / STORE, observers=[]) as engine:
        engine.set_agent(module(engine, log, source)["agent"])
        return engine("task", **options)


def why_missed(path: Path, source: str) -> Outcome:
    """The miss of a replay that must not happen; nothing may have been executed."""
    log: Log = []
    with pytest.raises(Missed) as missed:
        run_once(path, source, log, mode="replay")
    assert log == []
    outcome: Outcome = missed.value.outcome
    return outcome


SAVE = """
@engine.tool({options})
def {name}(text):
    log.append({does})

def agent(task):
    {name}("x")
"""


def save(name: str = "save", does: str = "text", options: str = "") -> str:
    return SAVE.format(name=name, does=does, options=options)


# names, aliases, versions


def test_d7_an_unchanged_tool_is_found_again_by_another_process(tmp_path: Path) -> None:
    log: Log = []
    run_once(tmp_path, save(), log)
    assert run_once(tmp_path, "# moved down\n\n" + save(), log, mode="replay")
    assert log == ["x", "x"]


def test_d7_an_edited_tool_is_a_miss_that_names_it(tmp_path: Path) -> None:
    run_once(tmp_path, save(), [])
    outcome = why_missed(tmp_path, save(does="text.upper()"))
    assert outcome.reason is Reason.TOOL_CHANGED
    assert "save" in outcome.message
    assert "version=" in outcome.message


def test_d7_a_version_says_that_an_edit_does_not_matter(tmp_path: Path) -> None:
    log: Log = []
    run_once(tmp_path, save(options="version=3"), log)
    assert run_once(tmp_path, save(does="text.upper()", options="version=3"), log, mode="replay")
    assert log == ["x", "X"]
    assert why_missed(tmp_path, save(options="version=4")).reason is Reason.TOOL_CHANGED


def test_d7_a_renamed_tool_is_missing_unless_an_alias_carries_its_recordings(tmp_path: Path) -> None:
    log: Log = []
    run_once(tmp_path, save(), log)
    assert why_missed(tmp_path, save(name="store")).reason is Reason.TOOL_MISSING
    assert run_once(tmp_path, save(name="store", options="aliases=['save']"), log, mode="replay")


def test_d7_an_alias_may_be_a_single_string(tmp_path: Path) -> None:
    run_once(tmp_path, save(), [])
    assert run_once(tmp_path, save(name="store", options="aliases='save'"), [], mode="replay")


def test_d7_a_name_of_its_own_survives_any_renaming(tmp_path: Path) -> None:
    run_once(tmp_path, save(options="name='files.save'"), [])
    assert run_once(tmp_path, save(name="whatever", options="name='files.save'"), [], mode="replay")


def test_d7_an_alias_still_carries_recordings_when_another_tool_took_the_old_name(tmp_path: Path) -> None:
    log: Log = []
    run_once(tmp_path, save(), log)
    newcomer = "\n@engine.tool()\ndef save(text):\n    log.append('the newcomer')\n"
    assert run_once(tmp_path, newcomer + save(name="store", options="aliases=['save']"), log, mode="replay")
    assert log == ["x", "x"]


def test_d7_a_module_tool_of_the_same_name_replaces_the_older_one() -> None:
    log: Log = []
    engine = Engine(observers=[])
    names = module(engine, log, save())
    engine.set_agent(names["agent"])
    engine("task")
    module(engine, log, save())
    assert engine("task"), "the cell was only run again"
    module(engine, log, save(does="'edited'"))
    explanation = engine.explain("task")
    assert explanation.reason is Reason.TOOL_CHANGED
    assert "save" in explanation.message
    module(engine, log, save())
    log.clear()
    assert engine("task"), "the edit was taken back"
    assert log == ["x"]


# factories: tools made inside functions


def make_adder(engine: Engine, log: Log, amount: int) -> Callable[[], None]:
    @engine.tool()
    def add() -> None:
        log.append(amount)

    return add


def make_sender(engine: Engine, client: Log) -> Callable[[str], None]:
    @engine.tool()
    def send(text: str) -> None:
        client.append(text)

    return send


def test_d7_tools_of_a_factory_that_differ_by_a_plain_value_both_stay() -> None:
    log: Log = []
    engine = Engine(observers=[])
    one, ten = make_adder(engine, log, 1), make_adder(engine, log, 10)
    engine.set_agent(lambda task: (ten(), one()))
    engine("task")
    assert engine("task", mode="replay")
    assert log == [10, 1, 10, 1]


def test_d7_tools_of_a_factory_that_differ_by_a_plain_value_are_told_apart_from_a_store(tmp_path: Path) -> None:
    with Engine(tmp_path / STORE, observers=[]) as engine:
        _, ten = make_adder(engine, [], 1), make_adder(engine, [], 10)
        engine.set_agent(lambda task: ten())
        engine("task")
    log: Log = []
    with Engine(tmp_path / STORE, observers=[]) as engine:
        make_adder(engine, log, 10)
        make_adder(engine, log, 1)
        engine.set_agent(lambda task: None)
        assert engine("task", mode="replay")
    assert log == [10]


def test_d7_indistinguishable_tools_are_apart_within_the_process() -> None:
    left: Log = []
    right: Log = []
    engine = Engine(observers=[])
    to_left, to_right = make_sender(engine, left), make_sender(engine, right)
    for name, tool in (("left", to_left), ("right", to_right)):
        engine.set_agent(lambda task, tool=tool: tool(task))
        engine(name)
        assert engine(name, mode="replay")
    assert (left, right) == (["left"] * 2, ["right"] * 2)


def test_d7_from_a_store_an_indistinguishable_tool_is_ambiguous_and_the_message_asks_for_a_name(tmp_path: Path) -> None:
    with Engine(tmp_path / STORE, observers=[]) as engine:
        _, send = make_sender(engine, []), make_sender(engine, [])
        engine.set_agent(lambda task: send(task))
        engine("task")
    left: Log = []
    right: Log = []
    with Engine(tmp_path / STORE, observers=[]) as engine:
        make_sender(engine, left)
        make_sender(engine, right)
        engine.set_agent(lambda task: None)
        with pytest.raises(Missed) as missed:
            engine("task", mode="replay")
    assert missed.value.outcome.reason is Reason.TOOL_AMBIGUOUS
    assert "name=" in missed.value.outcome.message
    assert left == right == []


def test_d7_two_engines_on_one_store_do_not_take_each_others_indistinguishable_tools(tmp_path: Path) -> None:
    with Engine(tmp_path / STORE, observers=[]) as one, Engine(tmp_path / STORE, observers=[]) as other:
        send, _ = make_sender(one, []), make_sender(one, [])
        one.set_agent(lambda task: send(task))
        one("task")
        clients: list[Log] = [[], []]
        for client in clients:
            make_sender(other, client)
        other.set_agent(lambda task: None)
        with pytest.raises(Missed) as missed:
            other("task", mode="replay")
        assert missed.value.outcome.reason is Reason.TOOL_AMBIGUOUS
        assert clients == [[], []]


def test_d7_a_recording_made_before_a_twin_came_is_not_replayed_on_the_twin() -> None:
    left: Log = []
    right: Log = []
    engine = Engine(observers=[])
    to_left = make_sender(engine, left)
    engine.set_agent(lambda task: to_left(task))
    engine("task")
    make_sender(engine, right)
    engine("task")
    assert engine("task", mode="replay")
    assert right == []
    assert left == ["task"] * 3


def test_d7_names_keep_the_tools_of_a_factory_apart_across_processes(tmp_path: Path) -> None:
    def build(engine: Engine, left: Log, right: Log) -> list[Any]:
        def make(name: str, client: Log) -> Any:
            @engine.tool(name=name)
            def send(text: str) -> None:
                client.append(text)

            return send

        return [make("left", left), make("right", right)]

    with Engine(tmp_path / STORE, observers=[]) as engine:
        _, to_right = build(engine, [], [])
        engine.set_agent(lambda task: to_right(task))
        engine("task")
    left: Log = []
    right: Log = []
    with Engine(tmp_path / STORE, observers=[]) as engine:
        build(engine, left, right)
        engine.set_agent(lambda task: None)
        assert engine("task", mode="replay")
    assert (left, right) == ([], ["task"])


def test_d7_another_engine_may_have_its_own_tool_of_the_same_name() -> None:
    log: Log = []
    one, other = Engine(observers=[]), Engine(observers=[])
    names = module(one, log, save())
    one.set_agent(names["agent"])
    one("task")
    module(other, log, save(does="'other'"))
    assert one("task", mode="replay")
    assert log == ["x", "x"]


def test_d7_a_recording_of_a_replaced_tool_is_a_miss_and_learned_anew() -> None:
    log: Log = []
    engine = Engine(observers=[])
    engine.set_agent(module(engine, log, save())["agent"])
    engine("task")
    engine.set_agent(module(engine, log, save(does="'edited'"))["agent"])
    outcome = engine("task")
    assert outcome.reason is Reason.TOOL_CHANGED
    assert outcome.learned
    log.clear()
    assert engine("task")
    assert log == ["edited"]
