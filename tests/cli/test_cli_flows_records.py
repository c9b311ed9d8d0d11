"""What each command makes of a record of flows, which has no steps and no snapshots."""

from __future__ import annotations

import itertools
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from cli_cases import as_json, run
from flows_records import TASK, entries_of, flows_of, paying, record_flows, recordings_of
from muscle_mem import Check, Engine
from muscle_mem._core.model.learned import CONFIRMED, REJECTED, evidence_bytes, verdict_entry
from muscle_mem._core.plan.identity import evidence_id
from muscle_mem._reading.check_lint import MANY_YES
from muscle_mem.cli.stale import stale
from muscle_mem.store import Note, Observation, SqliteStore, Stored, Tally
from muscle_mem.store.paging import each

LEAF = b"l" * 16


@pytest.fixture
def paid(tmp_path: Path) -> tuple[str, str]:
    """A store of two recordings and their flows, and the id of the flows."""
    path = tmp_path / "paid.db"
    with closing(SqliteStore(path)) as store:
        record_flows(store)
        return str(path), flows_of(store).sealed.id


def change(path: str, *notes: Note) -> None:
    with closing(SqliteStore(path)) as store:
        store.note(notes)


def add(path: str, body: bytes, id: str = "added") -> None:
    with closing(SqliteStore(path)) as store:
        store.seal(flows_of(store).sealed, Observation(id=id, body=body, created=1e9))


def loaded(path: str) -> Stored:
    with closing(SqliteStore(path)) as store:
        return flows_of(store)


def test_ls_says_that_it_is_no_recording(paid: tuple[str, str]) -> None:
    path, id = paid
    (line,) = [line for line in run("ls", "--store", path).output.splitlines() if line.startswith(id)]
    assert f"flows of recordings: {TASK}" in line
    listed = {one["id"]: one["kind"] for one in as_json("ls", "--store", path)}
    assert listed.pop(id) == "flows"
    assert set(listed.values()) == {"recording"}
    assert len(listed) == 2


def test_show_counts_its_evidence(paid: tuple[str, str]) -> None:
    path, id = paid
    add(path, evidence_bytes([verdict_entry(CONFIRMED, LEAF, (), 5.0)]))
    done = run("show", id[:8], "--store", path)
    assert done.exit_code == 0
    assert "flows of recordings, of create_order and pay" in done.output
    assert "1 verdict of people" in done.output
    found = as_json("show", id, "--store", path)
    assert (found["kind"], found["tools"], found["steps"], found["error"]) == (
        "flows",
        ["create_order", "pay"],
        [],
        None,
    )
    assert (found["evidence"]["verdicts"], found["evidence"]["unreadable"]) == (1, 0)
    assert ["confirmed", LEAF.hex(), (5000).to_bytes(8, "big").hex()] in found["observations"][0]["entries"]


def test_doctor_finds_no_damage_in_flows_and_counts_them_apart(paid: tuple[str, str]) -> None:
    path, id = paid
    report = as_json("doctor", "--store", path)
    assert (report["ok"], report["trajectories"], report["flows"], report["notices"]) == (True, 2, 1, [])
    assert "2 trajectories, 2 observations, 1 record of flows" in run("doctor", "--store", path).output
    change(path, Note(id=id, state="quarantined", reason="it failed"))
    (notice,) = as_json("doctor", "--store", path)["notices"]
    assert (notice["kind"], notice["what"]) == ("quarantined", "it failed; only `muscle-mem report-good` lifts it")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\xc1", "it cannot be decoded"),
        (msgspec.msgpack.encode([3, [], [], []]), "expected form 2, got 3"),
        (evidence_bytes([b"-short"]), "expected 17 bytes of evidence, got 6"),
        (evidence_bytes([b"?" + LEAF]), "unknown kind of evidence"),
    ],
)
def test_evidence_that_cannot_be_read_is_reported_and_the_rest_is_used(
    paid: tuple[str, str], body: bytes, words: str
) -> None:
    path, id = paid
    add(path, body, "odd")
    (problem,) = as_json("doctor", "--store", path, code=1)["problems"]
    assert (problem["kind"], problem["id"]) == ("unreadable", id)
    assert problem["what"].startswith("evidence odd: ")
    assert words in problem["what"]
    assert run("show", id, "--store", path).output.count("1 record damaged") == 1
    engine = paying(path, itertools.count(9000))
    assert engine(TASK).status == "hit"
    engine.close()


def test_flows_under_another_id_or_of_another_length_are_reported(paid: tuple[str, str]) -> None:
    path, _ = paid
    with closing(SqliteStore(path)) as store:
        known = flows_of(store)
        store.seal(msgspec.structs.replace(known.sealed, id="other", steps=7), known.observations[0][1])
    whats = [one["what"] for one in as_json("doctor", "--store", path, code=1)["problems"]]
    assert sorted(whats) == [
        "its id is not that of its key and calls, so its evidence is not used",
        "steps: expected 7 by its row, got 2 tools",
    ]


def test_stats_counts_hits_of_flows_by_what_their_recordings_took(paid: tuple[str, str]) -> None:
    path, id = paid
    before = as_json("stats", "--store", path)
    assert (before["trajectories"], before["flows"], before["keys"], before["unreadable"]) == (2, 1, 1, 0)
    assert before["observations"] == 2
    change(path, Note(id=id, hits=10))
    after = as_json("stats", "--store", path)
    assert after["hits"] == before["hits"] + 10
    with closing(SqliteStore(path)) as store:
        from muscle_mem._reading.loading import newest_row

        row = newest_row(recordings_of(store)[0])
    assert row is not None
    assert after["agent_seconds_saved"] == pytest.approx(before["agent_seconds_saved"] + 10 * row.agent_seconds)
    (task,) = after["top_tasks"]
    assert (task["hits"], task["trajectories"]) == (10, 2)
    assert "flows             1 of several recordings" in run("stats", "--store", path).output
    with closing(SqliteStore(path)) as store:
        store.forget(tuple(one.sealed.id for one in recordings_of(store)))
    assert as_json("stats", "--store", path)["agent_seconds_saved"] == 0


def test_diff_and_python_refuse_flows_in_words(paid: tuple[str, str], tmp_path: Path) -> None:
    path, id = paid
    with closing(SqliteStore(path)) as store:
        other = recordings_of(store)[0].sealed.id
    for pair in ((id, other), (other, id)):
        done = run("diff", *pair, "--store", path)
        assert done.exit_code == 2
        assert "it holds flows of recordings, not steps. Pass a recording's id." in done.output
    done = run("export", id, "--format", "python", "--store", path)
    assert done.exit_code == 1
    assert "flows of recordings have no steps" in done.output
    folder = tmp_path / "python"
    done = run("export", "--all", str(folder), "--format", "python", "--store", path)
    assert (done.exit_code, done.output) == (0, f"Wrote 2 trajectories to {folder}.\n")
    assert len(list(folder.iterdir())) == 2


def test_flows_go_through_files_and_joining_them_again_changes_nothing(paid: tuple[str, str], tmp_path: Path) -> None:
    path, id = paid
    folder, target = str(tmp_path / "files"), str(tmp_path / "target.db")
    with closing(SqliteStore(path)) as store:
        row = evidence_bytes([verdict_entry(CONFIRMED, LEAF, (), 5.0), b"-" + b"s" * 16])
        known = flows_of(store)
        store.forget((id,))
        store.seal(known.sealed, Observation(id=evidence_id(id, row), body=row, created=1e9))
    assert run("export", "--all", folder, "--store", path).exit_code == 0
    assert as_json("import", folder, "--trust", "--store", target)["imported"].count(id) == 1
    assert loaded(target).sealed == loaded(path).sealed
    assert entries_of(loaded(target)) == entries_of(loaded(path))
    before = loaded(target)
    for option in ("--trust", "--approve"):
        assert id in as_json("import", folder, option, "--store", target)["known"]
        assert loaded(target).observations == before.observations
    engine = paying(target, itertools.count(9000))
    assert engine(TASK).status == "hit"
    engine.close()
    assert as_json("doctor", "--store", target)["ok"]


@pytest.mark.parametrize("is_known", [False, True])
def test_p5_only_evidence_against_flows_is_taken_without_approval(
    paid: tuple[str, str], tmp_path: Path, is_known: bool
) -> None:
    path, id = paid
    against = {b"-" + b"s" * 16, verdict_entry(REJECTED, LEAF, (), 5.0)}
    for entries in ({b"+" + bytes(32), verdict_entry(CONFIRMED, LEAF, (), 6.0), b"-" + b"s" * 16}, against):
        row = evidence_bytes(entries)
        add(path, row, evidence_id(id, row))
    file, target = str(tmp_path / "flows.json"), str(tmp_path / "target.db")
    assert run("export", id, "-o", file, "--store", path).exit_code == 0
    with closing(SqliteStore(target)) as store:
        if is_known:
            record_flows(store, first=8000)
    before = entries_of(loaded(target)) if is_known else set()
    found = as_json("import", file, "--store", target)
    assert found == {"imported": [] if is_known else [id], "known": [id] if is_known else [], "left_out": [id]}
    assert entries_of(loaded(target)) == before | against
    assert loaded(target).standing.state == "fresh"
    again = loaded(target)
    assert as_json("import", file, "--store", target)["known"] == [id]
    assert loaded(target) == again
    assert as_json("import", file, "--approve", "--store", target)["left_out"] == []
    assert entries_of(loaded(target)) == before | entries_of(loaded(path))


def test_p5_unapproved_flows_without_doubts_are_left_out_and_a_quarantine_is_kept(
    paid: tuple[str, str], tmp_path: Path
) -> None:
    path, id = paid
    file, target = str(tmp_path / "flows.json"), str(tmp_path / "target.db")
    row = evidence_bytes([b"+" + bytes(32)])
    add(path, row, evidence_id(id, row))
    assert run("export", id, "-o", file, "--store", path).exit_code == 0
    assert as_json("import", file, "--store", target) == {"imported": [], "known": [], "left_out": [id]}
    change(path, Note(id=id, state="quarantined", reason="it failed", held=True, by_person=True))
    assert run("export", id, "-o", file, "--overwrite", "--store", path).exit_code == 0
    assert as_json("import", file, "--store", target)["imported"] == [id]
    found = loaded(target)
    assert (found.standing.state, found.standing.held, entries_of(found)) == ("quarantined", True, set())


def test_copies_and_backups_take_flows_along(paid: tuple[str, str], tmp_path: Path) -> None:
    path, _ = paid
    wanted = loaded(path)
    assert as_json("verify", "--store", path)["ok"]
    assert run("copy", path, f"folder:///{tmp_path}/folder").exit_code == 0
    assert run("copy", f"folder:///{tmp_path}/folder", str(tmp_path / "again.db")).exit_code == 0
    assert run("backup", str(tmp_path / "backup.db"), "--store", path).exit_code == 0
    for name in ("again.db", "backup.db"):
        found = loaded(str(tmp_path / name))
        assert (found.sealed, entries_of(found)) == (wanted.sealed, entries_of(wanted))


def test_flows_are_not_stale_themselves(paid: tuple[str, str]) -> None:
    path, id = paid
    engine = Engine(path)
    with closing(SqliteStore(path)) as store:
        found = list(each(store))
    assert {one.id for one in stale(engine, found)} == {one.sealed.id for one in found} - {id}
    engine.close()


def test_answers_of_checks_in_hits_of_flows_count(tmp_path: Path) -> None:
    path = tmp_path / "checked.db"
    engine, ids = Engine(str(path)), itertools.count(4711, 17)

    @engine.tool(name="create_order", effect="write", pre_check=Check(lambda item: 1, lambda now, then: True))
    def create_order(item: str) -> dict[str, int]:
        return {"order_id": next(ids)}

    @engine.tool(effect="write")
    def pay(order_id: int) -> None: ...

    def agent(task: str) -> None:
        pay(create_order("chair")["order_id"])

    engine.set_agent(agent)
    for _ in range(2):
        engine(TASK)
    engine.close()
    id = loaded(str(path)).sealed.id
    assert as_json("doctor", "--store", str(path))["notices"] == []
    change(str(path), Note(id=id, hits=MANY_YES))
    (notice,) = as_json("doctor", "--store", str(path))["notices"]
    assert notice["what"].startswith("the pre-check of create_order passed ")
    change(str(path), Note(id=id, checks=(Tally("create_order pre", 0, 1),)))
    assert as_json("doctor", "--store", str(path))["notices"] == []


def test_an_engine_writes_flows_to_the_store_of_a_test(tmp_path: Path) -> None:
    from muscle_mem.testing.recordings import Recording

    engine = paying(str(tmp_path / "own.db"), itertools.count(4711))
    recording = Recording(tmp_path / "folder", tmp_path / "staging", "new_episodes")
    recording.use(engine)
    for _ in range(2):
        engine(TASK)
    assert flows_of(recording.store).sealed.task == TASK
    recording.settle(passed=True)
    engine.close()
    with closing(SqliteStore(tmp_path / "own.db")) as own:
        assert not own.scan().stored
    assert len(list((tmp_path / "folder").iterdir())) == 3
