"""What explain says of learned flows: their evidence, what is missing, and votes on a stop (L5, L8)."""

from __future__ import annotations

import itertools
from typing import Any

from flows_records import TASK, flows_of, paying, random_ids
from muscle_mem import Engine, Reason, Secret
from muscle_mem._core.binding.inference.leaf import Leaf
from muscle_mem._core.binding.inference.levels import Facts
from muscle_mem._core.binding.references.source_text import source_text
from muscle_mem._core.model.flow import OUTPUT, PARAM, Name, Only, Source
from muscle_mem._core.model.learned import Evidence
from muscle_mem._core.model.records import Lit, Node, StepRecord
from muscle_mem._core.plan.flows import Flow, ShownFlow, flow_id
from muscle_mem._core.plan.shown_flows import place_text, shown_flow
from muscle_mem.store import MemoryStore


def statuses(engine: Engine, **options: Any) -> list[tuple[str, str]]:
    return [(flow.status, flow.missing) for flow in engine.explain(TASK, **options).flows]


def test_l8_explain_says_at_each_run_what_is_known_and_what_is_missing() -> None:
    store = MemoryStore()
    engine = paying(store, itertools.count(7))
    seen = []
    for _ in range(4):
        engine(TASK)
        seen.append(statuses(engine))
    assert seen == [[], [("probation", "one more value")], [("acts", "")], [("acts", "")]]
    explanation = engine.explain(TASK)
    (flow,) = explanation.flows
    assert (flow.step, flow.tool, flow.argument, flow.recordings, flow.values) == (1, "pay", "order_id", 3, 3)
    assert str(flow) == "pay(order_id = create_order().order_id   3 recordings, 3 values)"
    assert str(explanation).endswith(f"\n  flow of step 1: acts: {flow}")
    assert engine.dry_run(TASK) == explanation


def test_l8_explain_shows_one_recording_with_an_id_as_on_probation() -> None:
    engine = paying(MemoryStore(), random_ids())
    engine(TASK)
    (flow,) = engine.explain(TASK).flows
    assert (flow.status, flow.recordings, flow.values) == ("probation", 1, 1)
    assert f"    missing: {flow.missing}" in str(engine.explain(TASK)).splitlines()


def test_l9_explain_shows_a_flow_that_a_call_contradicted_as_struck() -> None:
    store, ids = MemoryStore(), itertools.count(7)
    engine = Engine(store)
    paid: list[int] = []
    wrong: list[int] = []

    @engine.tool(name="create_order", effect="write")
    def create_order() -> dict[str, int]:
        return {"order_id": next(ids)}

    @engine.tool(name="pay", effect="write")
    def pay(order_id: int) -> None:
        paid.append(order_id)

    def agent(task: str) -> None:
        made = create_order()["order_id"]
        pay(wrong.pop() if wrong else made)

    engine.set_agent(agent)
    for _ in range(2):
        engine(TASK)
    wrong.append(5555)
    outcome = engine(TASK)
    assert paid == [7, 8, 5555]
    assert statuses(engine) == [("varies", "no source explains all recordings")]
    assert engine.forget(outcome.trajectory_id)
    assert statuses(engine) == [("struck", "an agent's call contradicted it")]
    (flow,) = engine.explain(TASK).flows
    assert flow.sources == ("create_order().order_id",)


def test_explain_says_replay_where_only_what_recordings_have_in_common_may_start() -> None:
    store = MemoryStore()
    engine = paying(store, itertools.count(4711, 17), trust="manual")
    for _ in range(2):
        engine(TASK)
    before = engine.explain(TASK)
    assert (before.would, before.reason) == ("ask the agent", Reason.NOT_APPROVED)
    id = flows_of(store).sealed.id
    engine.report_good(id)
    explanation = engine.explain(TASK)
    assert (explanation.would, explanation.reason) == ("replay", Reason.HIT)
    assert explanation.message == f"what recordings have in common, {id}, can be replayed"
    assert [entry.would_start for entry in explanation.considered] == [False, False, True]
    assert explanation.considered[-1].trajectory_id == id
    assert explanation.plan[1].arguments == "order_id=output[0].order_id"
    outcome = engine(TASK)
    assert (outcome.status, outcome.trajectory_id) == ("hit", id)


def test_l5_explain_gives_every_vote_with_its_value_on_a_stop() -> None:
    engine = Engine(MemoryStore())
    amounts = iter([48211.0, 93377.0])

    @engine.tool(name="pay", effect="write")
    def pay(amount: int) -> None: ...

    engine.set_agent(lambda task: pay(int(next(amounts))))
    for amount in (48211.0, 93377.0):
        engine("pay", params={"amount": amount})
    explanation = engine.explain("pay", params={"amount": 71123.5})
    assert (explanation.would, explanation.reason) == ("ask the agent", Reason.FLOW_UNCLEAR)
    assert "int(param amount) is not found" in explanation.message
    (flow,) = explanation.flows
    assert flow.votes == ("not found",)
    assert f"    {flow.sources[0]} is not found now" in str(explanation).splitlines()


def test_explain_shows_no_secret_in_flows() -> None:
    engine = paying(MemoryStore(), random_ids())
    for _ in range(2):
        engine(TASK, secrets={"pin": Secret("create_order().order_id")})
    text = str(engine.explain(TASK, secrets={"pin": Secret("create_order().order_id")}))
    assert "flow of step 1" in text
    assert "create_order().order_id" not in text


def test_a_flow_is_shown_with_its_counts_and_its_other_sources() -> None:
    flow = ShownFlow(2, "pay", "order['id']", "acts", ("a().id", "list[0].id", "list[-1].id"), 1, 1)
    assert str(flow) == "pay(order['id'] = a().id   1 recording, 1 value; also list[0].id, list[-1].id)"
    assert str(ShownFlow(0, "pay", "id", "varies", (), 2, 0)) == "pay(id = ?   2 recordings, 0 values)"


def test_a_flow_with_a_source_left_is_not_struck_for_another_that_was() -> None:
    gone, left = (Source(OUTPUT, 0, path=(Name(name),)) for name in ("gone", "left"))
    records = [StepRecord("find", "f", ()), StepRecord("pay", "f", (("id", Lit(b"")),))]
    leaf = Leaf(1, 0, "id", (), (b"a", b"b"), (gone, left), "read", Facts())
    evidence = Evidence(struck=frozenset({flow_id(1, 0, gone)}))
    shown = shown_flow(Flow(1, 0, "id", (), (left,), "varies", 2, 2, "one more value"), leaf, records, evidence)
    assert (shown.status, shown.sources, shown.missing) == ("varies", ("find().left",), "one more value")
    shown = shown_flow(Flow(1, 0, "id", (), (), "varies", 2, 2, "none"), leaf, records, evidence)
    assert (shown.status, shown.sources) == ("struck", ("find().gone", "find().left"))


def test_names_of_others_in_sources_are_escaped() -> None:
    evil = "\x1b[31m\u202eid"
    inner = Source(PARAM, name=evil)
    source = Source(OUTPUT, 0, path=(Only((evil, 0), inner), Name(evil)))
    for one in (source, inner):
        text = source_text(one, ["find"])
        assert text.isprintable()
        assert repr(evil) in text


def test_the_place_of_a_leaf_is_spelled_as_python_reads_it() -> None:
    from muscle_mem._core import codec

    lit = Lit(codec.encode({"lines": [{"id": 1}, {"id": 2}]}))
    record = StepRecord("pay", "f", (("order", lit), ("pair", Node("list", (Lit(codec.encode(1)), lit)))))
    assert place_text(record, "order", (1, 1, 1)) == "order['lines'][1]['id']"
    assert place_text(record, "pair", (1, 1, 0)) == "pair[1]['lines'][0]"
    assert place_text(record, "pair", (0, 3)) == "pair[0][#3]"
    assert place_text(record, "pair", (9,)) == "pair[#9]"
    assert place_text(record, "other", ()) == "other"
