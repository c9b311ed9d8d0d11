"""P5: what was recorded elsewhere is replayed after a person approved it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli_cases import as_json, run
from muscle_mem import Check, Engine, Missed, Reason
from muscle_mem.store import QUARANTINED, TRUSTED, MemoryStore, SqliteStore, Standing, Store, copy_store, open_store

TASK = "pay the bill"
OTHER, KEY = b"another key of theirs", b"sixteen bytes or more"


class Shop:
    """An engine whose agent pays an account, and what was paid by whom."""

    def __init__(self, store: str | Store | None, account: str = "ACC-7781", **options: Any) -> None:
        self.paid: list[str] = []
        self.asked = 0
        self.screen = "A"
        self.engine = engine = Engine(store, **options)

        @engine.tool(pre_check=Check(lambda account: self.screen), name="pay", effect="write", version="1")
        def pay(account: str) -> str:
            self.paid.append(account)
            return "ok"

        def agent(task: str) -> str:
            self.asked += 1
            return pay(account)

        engine.set_agent(agent)

    def run(self, **options: Any) -> Any:
        return self.engine(TASK, **options)


@pytest.fixture
def theirs(tmp_path: Path) -> tuple[str, str]:
    """A file with a recording that others made, and its id."""
    path = tmp_path / "theirs.db"
    shop = Shop(str(path), "ACC-EVIL")
    id = shop.run().trajectory_id
    shop.engine.report_good(id)
    shop.engine.close()
    file = tmp_path / "theirs.json"
    assert run("export", id, "-o", str(file), "--store", str(path)).exit_code == 0
    return str(file), id


def standing(store: str, id: str) -> Standing:
    opened = open_store(store)
    found = opened.get(id)
    opened.close()
    assert found is not None
    return found.standing


@pytest.fixture(params=["ours.db", "folder:///{tmp_path}/folder"], ids=["sqlite", "folder"])
def ours(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(request.param.format(tmp_path=tmp_path)) if "{" in request.param else str(tmp_path / request.param)


@pytest.mark.parametrize("how", ["approve", "report-good", "engine"])
def test_p5_an_imported_document_is_replayed_after_it_was_approved(
    theirs: tuple[str, str], ours: str, how: str
) -> None:
    file, id = theirs
    said = run("import", file, "--store", ours)
    assert said.exit_code == 0
    assert "muscle-mem approve" in said.stdout
    assert standing(ours, id).state == QUARANTINED

    shop = Shop(ours)
    with pytest.raises(Missed) as missed:
        shop.run(mode="replay")
    assert missed.value.outcome.reason is Reason.QUARANTINED
    assert "imported" in missed.value.outcome.message
    assert shop.paid == []
    assert shop.run().status == "miss"
    assert shop.paid == ["ACC-7781"]
    shop.engine.close()

    if how == "engine":
        engine = Engine(ours)
        engine.report_good(id)
        engine.close()
    else:
        assert run(how, id, "--store", ours).exit_code == 0
    again = Shop(ours)
    assert again.run().status == "hit"
    assert again.asked == 0
    again.engine.close()


def test_p5_approve_says_so_for_all(theirs: tuple[str, str], ours: str) -> None:
    file, id = theirs
    said = run("import", file, "--approve", "--store", ours)
    assert said.stdout == "Imported 1 trajectory.\n"
    assert (standing(ours, id).state, standing(ours, id).reason) == (TRUSTED, "approved: imported")
    shop = Shop(ours, trust="manual")
    assert shop.run()
    assert shop.paid == ["ACC-EVIL"]
    shop.engine.close()


def test_p5_trust_takes_the_word_of_the_file(theirs: tuple[str, str], ours: str) -> None:
    file, id = theirs
    assert run("import", file, "--trust", "--store", ours).exit_code == 0
    assert (standing(ours, id).state, standing(ours, id).reason) == (TRUSTED, "reported good")
    both = run("import", file, "--trust", "--approve", "--store", ours)
    assert both.exit_code == 2
    assert "--approve" in both.stderr


def test_p5_importing_again_with_approve_approves_what_waits(theirs: tuple[str, str], ours: str) -> None:
    file, id = theirs
    run("import", file, "--store", ours)
    assert as_json("import", file, "--store", ours) == {"imported": [], "known": [id], "left_out": []}
    assert standing(ours, id).state == QUARANTINED
    run("import", file, "--approve", "--store", ours)
    assert standing(ours, id).state == TRUSTED


@pytest.mark.parametrize(
    ("state", "held"), [({"state": "quarantined", "reason": "reported bad", "held": True}, True),
                        ({"state": "quarantined", "reason": "untrusted_value: argument 'account'", "held": True}, True),
                        ({"state": "quarantined", "reason": "tool_raised: it was closed"}, False)],
)  # fmt: skip
@pytest.mark.parametrize("option", [(), ("--approve",), ("--trust",)])
def test_p5_a_quarantine_of_the_file_is_kept(
    theirs: tuple[str, str], ours: str, state: dict[str, Any], held: bool, option: tuple[str, ...]
) -> None:
    file, id = theirs
    document = json.loads(Path(file).read_text())
    document["standing"] = state
    Path(file).write_text(json.dumps(document))
    assert run("import", file, *option, "--store", ours).exit_code == 0
    found = standing(ours, id)
    assert (found.state, found.held) == (QUARANTINED, held)
    assert state["reason"] in found.reason
    shop = Shop(ours)
    assert shop.run().status == "miss"
    assert shop.paid == ["ACC-7781"]
    shop.engine.close()


def test_p5_ones_own_recording_of_the_same_calls_is_replayed_without_the_imported_ones(
    theirs: tuple[str, str], ours: str
) -> None:
    file, id = theirs
    document = json.loads(Path(file).read_text())
    run("import", file, "--store", ours)
    shop = Shop(ours, "ACC-EVIL")  # It is what we do as well, but on another screen.
    shop.screen = "B"
    outcome = shop.run()
    assert (outcome.learned, outcome.trajectory_id) == (True, id)
    assert shop.run()
    shop.screen = "A"
    assert shop.run().status == "miss"  # The observation of others is gone.
    shop.engine.close()
    (kept,) = as_json("show", id, "--observation", "2", "--store", ours)["observations"]
    assert kept["id"] not in [one["id"] for one in document["observations"]]


def test_p5_a_known_trajectory_gets_no_recordings_of_others_without_a_word(theirs: tuple[str, str], ours: str) -> None:
    file, id = theirs
    shop = Shop(ours, "ACC-EVIL")
    shop.screen = "B"
    assert shop.run().trajectory_id == id
    shop.engine.close()
    said = run("import", file, "--store", ours)
    assert said.exit_code == 0
    assert id in said.stderr
    assert "--approve" in said.stderr
    assert as_json("import", file, "--store", ours) == {"imported": [], "known": [id], "left_out": [id]}
    assert len(as_json("show", id, "--store", ours)["observations"]) == 1
    assert as_json("import", file, "--approve", "--store", ours) == {"imported": [], "known": [id], "left_out": []}
    assert len(as_json("show", id, "--store", ours)["observations"]) == 2
    again = Shop(ours)
    for screen in "AB":
        again.screen = screen
        assert again.run()
    again.engine.close()


def test_p5_a_poisoned_document_may_name_any_argument_and_is_not_replayed(theirs: tuple[str, str], ours: str) -> None:
    file, _ = theirs
    document = json.loads(Path(file).read_text())
    document["steps"][0]["arguments"]["account"] = "ACC-WORSE"
    document["standing"] = {"state": "trusted", "reason": "approved"}
    for one in (document, *document["observations"]):
        del one["id"]
    Path(file).write_text(json.dumps(document))
    assert run("import", file, "--store", ours).exit_code == 0
    shop = Shop(ours)
    assert shop.run().reason is Reason.QUARANTINED
    assert shop.run()
    assert shop.paid == ["ACC-7781", "ACC-7781"]
    shop.engine.close()


# --- other signing keys


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[tuple[SqliteStore, str]]:
    store = SqliteStore(tmp_path / "signed.db", signing_key=OTHER)
    id = Shop(store, "ACC-EVIL").run().trajectory_id
    yield store, id
    store.close()


KEYS = {"THEIRS": OTHER.decode(), "OURS": KEY.decode(), "SAME": OTHER.decode()}


@pytest.mark.parametrize(
    ("names", "option", "hits"),
    [
        (("THEIRS", "OURS"), (), False),
        (("THEIRS", "OURS"), ("--approve",), True),
        (("THEIRS", "SAME"), (), True),
        (("THEIRS", None), (), True),
    ],
)
def test_p5_what_another_key_signed_is_replayed_after_it_was_approved(
    signed: tuple[SqliteStore, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, str | None],
    option: tuple[str, ...],
    hits: bool,
) -> None:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    target = str(tmp_path / "ours.db")
    to = ("--to-signing-key-env", names[1]) if names[1] else ()
    done = run("copy", str(tmp_path / "signed.db"), target, "--from-signing-key-env", "THEIRS", *to, *option)
    assert done.exit_code == 0, done.stderr
    shop = Shop(target, signing_key=KEYS[names[1]] if names[1] else None)
    outcome = shop.run()
    assert bool(outcome) is hits
    assert shop.paid == ["ACC-EVIL" if hits else "ACC-7781"]
    if not hits:
        assert outcome.reason is Reason.QUARANTINED
        shop.engine.report_good(signed[1])
        shop.engine.forget(outcome.trajectory_id)
        assert shop.run()
        assert shop.paid[-1] == "ACC-EVIL"
    shop.engine.close()


def test_p5_a_copy_that_is_not_approved_adds_nothing_to_what_is_known(tmp_path: Path) -> None:
    source, target = MemoryStore(), MemoryStore()
    known = Shop(target)
    id = known.run().trajectory_id
    other = Shop(source)
    other.screen = "B"
    assert other.run().trajectory_id == id
    new = Shop(source, "ACC-EVIL")
    new.screen = "C"
    assert new.run().trajectory_id != id
    done = copy_store(source, target, approve=False)
    assert (done.trajectories, done.observations) == (1, 1)
    for _ in range(2):  # A second copy adds nothing either.
        ours = target.get(id)
        assert ours is not None
        assert len(ours.observations) == 1
        assert ours.standing.state == "fresh"
        assert copy_store(source, target, approve=False).observations == 0
    assert copy_store(source, target).observations == 1


def test_p5_rows_of_another_key_are_not_read_at_all(signed: tuple[SqliteStore, str], tmp_path: Path) -> None:
    with pytest.raises(Exception, match="another one"):
        Engine(str(tmp_path / "signed.db"), signing_key=KEY)
