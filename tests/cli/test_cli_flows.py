"""`muscle-mem flows`: lists, confirms and strikes where arguments come from (L8, L9)."""

from __future__ import annotations

import itertools
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli_cases import as_json, plain_body, plain_row, run
from flows_records import (
    STORES,
    TASK,
    entries_of,
    flows_of,
    make_store,
    paying,
    random_ids,
    record_flows,
    recordings_of,
)
from muscle_mem import Engine
from muscle_mem._core.model.learned import STRUCK, evidence_bytes
from muscle_mem._core.model.records import Guard, Lit, Ref, StepRecord
from muscle_mem._core.plan.flows import flow_id
from muscle_mem._reading.flows import learned_of
from muscle_mem.store import MemoryStore, Note, Observation, Sealed, SqliteStore
from muscle_mem.store.paging import each

LINE = "pay(order_id = create_order().order_id   2 recordings, 2 values)"


@pytest.fixture
def paid(tmp_path: Path) -> tuple[str, str]:
    """A store of two recordings with small ids, whose flow is on probation, and the id of the flows."""
    path = tmp_path / "paid.db"
    with closing(SqliteStore(path)) as store:
        record_flows(store, first=7)
        return str(path), flows_of(store).sealed.id


def status(path: str) -> tuple[str, str | None]:
    (one,) = as_json("flows", "--store", path)
    (flow,) = one["flows"]
    return flow["status"], flow["missing"]


def replayed(path: str) -> str:
    """What one more run of the task comes to."""
    engine = paying(path, itertools.count(9000))
    found = engine(TASK).reason.value
    engine.close()
    return found


def test_flows_lists_each_flow_with_its_status_and_what_is_missing(paid: tuple[str, str]) -> None:
    path, id = paid
    assert run("flows", "--store", path).output.splitlines() == [
        f"{id}  {TASK} (fresh; 2 recordings)",
        f"  1.order_id  probation  {LINE}",
        "                         missing: one more value",
    ]
    (one,) = as_json("flows", "--store", path)
    with closing(SqliteStore(path)) as store:
        parents = [stored.sealed.id for stored in recordings_of(store)]
    assert (one["id"], one["tools"], one["recordings"]) == (id, ["create_order", "pay"], parents)
    assert one["flows"][0]["sources"] == ["create_order().order_id"]
    for name in (id, id[:6], parents[0], parents[1][:8]):
        assert as_json("flows", name, "--store", path) == [one]
        assert as_json("flows", "list", name, "--store", path) == [one]
        assert as_json("show", name, "--store", path)["flows"] == [one]
        assert f"  1.order_id  probation  {LINE}" in run("show", name, "--store", path).output.splitlines()


def test_l8_a_confirmed_flow_acts_and_a_struck_one_asks_the_agent(paid: tuple[str, str]) -> None:
    path, id = paid
    done = run("flows", "confirm", id, "1.order_id", "--store", path)
    assert done.output.splitlines() == [f"Confirmed 1.order_id of {id}: {LINE}", "It is replayed from now on."]
    assert status(path) == ("acts", None)
    assert replayed(path) == "hit"
    done = run("flows", "strike", id[:8], "pay.order_id", "--store", path)
    assert done.output.splitlines()[1] == "The agent is asked before step 1 until the flow is confirmed."
    assert status(path) == ("struck", "a person rejected it")
    assert replayed(path) == "stale_output"


def test_l9_the_later_verdict_counts_however_often_it_changes(paid: tuple[str, str]) -> None:
    path, id = paid
    for verb, wanted in (("confirm", "acts"), ("strike", "struck"), ("confirm", "acts"), ("strike", "struck")) * 2:
        said = as_json("flows", verb, id, "1.order_id", "--store", path)
        assert (said["id"], said["flow"]["status"]) == (id, wanted)
        assert said["said"] == {"confirm": "confirmed", "strike": "struck"}[verb]
        assert status(path)[0] == wanted
    with closing(SqliteStore(path)) as store:
        assert sum(entry[:1] in (b"c", b"r") for entry in entries_of(flows_of(store))) == 8


@pytest.mark.parametrize("is_checked", [False, True])
@pytest.mark.parametrize("effect", ["read", "idempotent", "write", "irreversible", None])
@pytest.mark.parametrize("ids", ["small", "large", "random"])
def test_l1_a_store_alone_shows_what_the_engine_that_recorded_says(ids: str, effect: Any, is_checked: bool) -> None:
    store = MemoryStore()
    made = random_ids() if ids == "random" else itertools.count(7 if ids == "small" else 4711, 17)
    engine = paying(store, made, effect=effect, is_checked=is_checked)
    seen = []
    for _ in range(4):
        key = recordings_of(store)[0].sealed.key if len(recordings_of(store)) > 1 else b""
        if key:
            (one,) = learned_of(store, key)
            shown = engine.explain(TASK).flows
            assert [msgspec.structs.replace(flow, votes=()) for flow in shown] == list(one.shown())
            seen += [flow.status for flow in shown]
        engine(TASK, mode="record")
    first = "probation" if ids == "small" or effect == "irreversible" else "acts"
    assert seen == [first, "probation" if effect == "irreversible" and not is_checked else "acts"]


def test_an_engine_that_runs_takes_a_verdict_up(paid: tuple[str, str]) -> None:
    path, id = paid
    engine = paying(path, itertools.count(9000))
    assert [flow.status for flow in engine.explain(TASK).flows] == ["probation"]
    assert run("flows", "confirm", id, "1.order_id", "--store", path).exit_code == 0
    assert [flow.status for flow in engine.explain(TASK).flows] == ["acts"]
    assert engine(TASK).status == "hit"
    engine.close()


@pytest.mark.parametrize("kind", STORES[1:])
def test_a_verdict_goes_into_any_store_and_along_with_a_copy(kind: str, tmp_path: Path) -> None:
    with closing(make_store(kind, tmp_path)) as store:
        record_flows(store, first=7)
        url, id = store.url, flows_of(store).sealed.id
    copied = str(tmp_path / "copied.db")
    assert run("flows", "strike", id, "1.order_id", "--store", url).exit_code == 0
    assert run("copy", url, copied).exit_code == 0
    assert status(copied) == ("struck", "a person rejected it")
    assert run("flows", "confirm", id, "1.order_id", "--store", copied).exit_code == 0
    assert run("copy", url, copied).exit_code == 0
    assert status(copied)[0] == "acts"


def test_recordings_without_a_stored_record_have_flows_and_take_a_verdict(paid: tuple[str, str]) -> None:
    path, id = paid
    with closing(SqliteStore(path)) as store:
        store.forget((id,))
        before = {one.sealed.id for one in each(store)}
    assert as_json("flows", "--store", path)[0]["id"] == id
    assert as_json("flows", id, "--store", path)[0]["id"] == id
    assert run("flows", "confirm", id, "1.order_id", "--store", path).exit_code == 0
    with closing(SqliteStore(path)) as store:
        assert {one.sealed.id for one in each(store)} == {*before, id}
        assert flows_of(store).sealed.task == TASK
    assert replayed(path) == "hit"
    assert as_json("doctor", "--store", path)["ok"]


def test_what_cannot_be_judged_is_refused_in_words(paid: tuple[str, str]) -> None:
    path, id = paid
    for place in ("0.item", "order_id", "1.order", "2.order_id", "create_order.order_id", "1."):
        done = run("flows", "confirm", id, place, "--store", path)
        assert done.exit_code == 1
        assert f"STEP.ARGUMENT: expected one of 1.order_id, got {place!r}. Pass one of these." in done.output
    assert run("flows", "confirm", "ffffffff", "1.order_id", "--store", path).exit_code == 1
    assert run("flows", "confirm", id, "--store", path).exit_code == 2
    engine = paying(path, itertools.count(7))
    other = engine("another task").trajectory_id
    engine.close()
    done = run("flows", "strike", str(other), "1.order_id", "--store", path)
    assert done.exit_code == 1
    assert "has no flows: expected two recordings with equal calls" in done.output
    with closing(SqliteStore(path)) as store:
        assert not any(entry[:1] in (b"c", b"r") for entry in entries_of(flows_of(store)))


def test_the_store_may_be_named_before_and_after_the_subcommand(paid: tuple[str, str]) -> None:
    path, id = paid
    listed = run("flows", "--store", path).output
    for words in (
        ("--store", path, "flows"),
        ("flows", f"--store={path}"),
        ("flows", "--store", path, "list"),
        ("flows", "--store", path, id),
        ("flows", "list", id, "--store", path),
        ("--store", "none.db", "flows", "--store", path, id),
    ):
        assert run(*words).output == listed
    assert run("flows", "--store", path, "confirm", id, "1.order_id").exit_code == 0
    assert run("flows", "strike", id, "1.order_id", env={"MUSCLE_MEM_STORE": path}).exit_code == 0
    assert "confirm" in run("flows", "--help").output
    assert run("flows", "--store").exit_code == 2


def test_a_store_without_flows_says_so(tmp_path: Path) -> None:
    path = str(tmp_path / "empty.db")
    SqliteStore(path).close()
    assert run("flows", "--store", path).output.startswith("No flows: ")
    assert as_json("flows", "--store", path) == []
    assert run("flows", "--store", str(tmp_path / "none.db")).exit_code == 2


def test_a_value_that_no_source_explains_varies_and_cannot_be_confirmed(tmp_path: Path) -> None:
    path = str(tmp_path / "guess.db")
    engine, guesses = Engine(path), itertools.count(501, 13)

    @engine.tool(name="guess", effect="write")
    def guess(number: int, order: dict[str, Any]) -> None: ...

    engine.set_agent(lambda task: guess(next(guesses), {"lines": [{"id": next(guesses)}]}))
    for _ in range(2):
        engine(TASK, mode="record")
    engine.close()
    lines = run("flows", "--store", path).output.splitlines()
    assert lines[1].split() == ["0.number", "varies", "guess(number", "=", "?", "2", "recordings,", "2", "values)"]
    assert "missing: no source explains all recordings" in lines[2]
    (one,) = as_json("flows", "--store", path)
    assert [flow["name"] for flow in one["flows"]] == ["0.number", "0.order['lines'][0]['id']"]
    done = run("flows", "confirm", one["id"], "0.number", "--store", path)
    assert done.exit_code == 1
    assert "no source explains all recordings. Declare it with flows=." in done.output
    said = as_json("flows", "strike", one["id"], "guess.order", "--store", path)  # An argument with one leaf.
    assert said["flow"]["status"] == "struck"


def test_a_contradicted_flow_is_struck_and_stays_so_when_confirmed(paid: tuple[str, str]) -> None:
    path, id = paid
    with closing(SqliteStore(path)) as store:
        known = flows_of(store)
        (one,) = learned_of(store, known.sealed.key)
        (leaf,) = one.flows.leaves
        struck = [STRUCK + flow_id(leaf.step, leaf.leaf, source) for source in leaf.sources]
        row = msgspec.structs.replace(known.observations[0][1], id="struck", body=evidence_bytes(struck))
        store.seal(known.sealed, row)
    assert status(path) == ("struck", "an agent's call contradicted it")
    done = run("flows", "confirm", id, "1.order_id", "--store", path)
    assert done.exit_code == 1
    assert "an agent's call contradicted it" in done.output
    assert status(path)[0] == "struck"


def test_flows_of_another_state_say_so(paid: tuple[str, str]) -> None:
    path, id = paid
    with closing(SqliteStore(path)) as store:
        store.note((Note(id=id, state="quarantined", reason="it failed"),))
    assert "(quarantined; 2 recordings)" in run("flows", "--store", path).output
    with closing(SqliteStore(path)) as store:
        store.note(tuple(Note(id=one.sealed.id, state="quarantined") for one in recordings_of(store)))
    assert as_json("flows", "--store", path) == []


@pytest.mark.parametrize(
    "body",
    [
        plain_body(),
        plain_body(StepRecord("create_order", "f", (("item", Lit(b"\xff")),)), StepRecord("pay", "f", ())),
        plain_body(StepRecord("pay", "f", (("order_id", Ref(7, (3,))),), guards=(Guard(5, (9, 9), b""),))),
        b"\xc1",
    ],
)
def test_bytes_that_no_engine_wrote_do_not_hide_other_flows(paid: tuple[str, str], body: Any) -> None:
    path, id = paid
    with closing(SqliteStore(path)) as store:
        key = flows_of(store).sealed.key
        data = body if isinstance(body, bytes) else msgspec.msgpack.encode(body)
        row = msgspec.msgpack.encode(plain_row(1 if isinstance(body, bytes) else len(body.steps)))
        for at in range(2):
            store.seal(Sealed(id=f"odd-{at}", key=key, body=data, steps=1), Observation(id="o", body=row))
    (one,) = as_json("flows", "--store", path)
    assert (one["id"], one["flows"][0]["status"]) == (id, "probation")
    assert run("flows", "odd-0", "--store", path).exit_code == 1


def test_names_of_others_are_escaped(tmp_path: Path) -> None:
    path = str(tmp_path / "evil.db")
    engine, ids, evil = Engine(path), itertools.count(4711, 17), "\x1b[31mid\u202e"

    @engine.tool(name="create", effect="write")
    def create() -> dict[str, int]:
        return {evil: next(ids)}

    @engine.tool(name="pay", effect="write")
    def pay(**order: Any) -> None: ...

    engine.set_agent(lambda task: pay(**{evil: create()[evil]}))
    for _ in range(2):
        engine(f"{TASK} \x1b[0m")
    engine.close()
    output = run("flows", "--store", path).output
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert "create()['\\x1b[31mid\\u202e']" in output
