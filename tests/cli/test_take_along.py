"""Export, import and diff on the command line; an exported Python function does what a replay does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli_cases import as_json, run, step
from document_cases import orders_in
from muscle_mem import Engine, Secret
from muscle_mem._core.model.records import FORM, Body, Ref, Row, StepRecord
from muscle_mem.store import QUARANTINED, TRUSTED, Observation, SqliteStore, open_store
from muscle_mem.store.document import from_document
from muscle_mem.store.folder import FolderStore


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    path = tmp_path_factory.mktemp("orders") / "orders.db"
    return path, orders_in(path)


def contents(path: Path | str) -> dict[str, Any]:
    store = open_store(str(path))
    try:
        return {
            stored.sealed.id: (
                msgspec.structs.replace(stored.sealed, state="", reason=""),
                *[observation for _, observation in stored.observations],
            )
            for stored in store.scan().stored
        }
    finally:
        store.close()


def test_all_of_a_store_goes_into_files_and_into_another_store(orders: tuple[Path, list[str]], tmp_path: Path) -> None:
    path, ids = orders
    told = as_json("export", "--all", str(tmp_path / "out"), "--store", str(path))
    assert len(told["files"]) == 3
    assert not told["failed"]
    for target in (str(tmp_path / "new.db"), f"folder:///{tmp_path}/folder"):
        assert sorted(as_json("import", str(tmp_path / "out"), "--store", target)["imported"]) == sorted(ids)
        assert contents(target) == contents(path)
        said = run("import", str(tmp_path / "out"), "--store", target).stdout
        assert said == f"Imported 0 trajectories; {len(ids)} already existed.\n"
        again = as_json("import", str(tmp_path / "out"), "--store", target)
        assert (again["imported"], sorted(again["known"])) == ([], sorted(ids))
    order = [one["task"] for one in as_json("ls", "--store", str(path))]
    assert [one["task"] for one in as_json("ls", "--store", str(tmp_path / "new.db"))] == order


def test_export_chooses_as_ls_does(orders: tuple[Path, list[str]], tmp_path: Path) -> None:
    path, ids = orders
    told = as_json("export", "--all", str(tmp_path / "out"), "--state", "quarantined", "--store", str(path))
    assert told["files"] == [f"second-task-{ids[1][:12]}.json"]


def test_trust_is_not_imported_and_distrust_is(orders: tuple[Path, list[str]], tmp_path: Path) -> None:
    path, ids = orders
    run("export", "--all", str(tmp_path / "out"), "--store", str(path))

    def states(target: Path) -> list[tuple[str, bool]]:
        store = open_store(str(target))
        found = [store.get(id) for id in ids[:2]]
        store.close()
        return [(one.standing.state, one.standing.held) for one in found if one is not None]

    assert states(path) == [(TRUSTED, False), (QUARANTINED, True)]
    run("import", str(tmp_path / "out"), "--store", str(tmp_path / "a.db"))
    assert states(tmp_path / "a.db") == [(QUARANTINED, False), (QUARANTINED, True)]
    run("import", str(tmp_path / "out"), "--trust", "--store", str(tmp_path / "a.db"))
    assert states(tmp_path / "a.db") == [(TRUSTED, False), (QUARANTINED, True)]


def test_one_wrong_file_and_nothing_is_imported(orders: tuple[Path, list[str]], tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", "--all", str(out), "--store", str(orders[0]))
    wrong = max(out.iterdir())
    wrong.write_text(wrong.read_text().replace('"Username"', '"Password"', 1))
    result = run("import", str(out), "--store", str(tmp_path / "new.db"))
    assert result.exit_code == 1
    assert str(wrong) in result.stderr
    assert "Nothing was imported" in result.stderr
    assert not (tmp_path / "new.db").exists()
    document = json.loads(wrong.read_text())
    for one in (document, *document["observations"]):
        del one["id"]
    wrong.write_text(json.dumps(document))
    assert run("import", str(out), "--store", str(tmp_path / "new.db")).exit_code == 0


class FailingStore(SqliteStore):
    """A store that is full after some seals."""

    left = 2

    def seal(self, *args: Any) -> int:
        FailingStore.left -= 1
        if FailingStore.left < 0:
            from muscle_mem import StoreError

            raise StoreError("The disk is full.")
        return super().seal(*args)


def test_a_store_that_fails_in_the_middle_keeps_nothing_new(
    orders: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("export", "--all", str(tmp_path / "out"), "--store", str(orders[0]))
    monkeypatch.setattr("muscle_mem.store.urls.SqliteStore", FailingStore)
    result = run("import", str(tmp_path / "out"), "--store", str(tmp_path / "new.db"))
    assert result.exit_code == 2
    assert "The disk is full" in result.stderr
    monkeypatch.undo()
    assert contents(tmp_path / "new.db") == {}


def test_wrong_usage_is_told(orders: tuple[Path, list[str]], tmp_path: Path) -> None:
    store = ("--store", str(orders[0]))
    id = orders[1][0]
    for arguments in (
        ("export",),
        ("export", id, "--all", "x"),
        ("export", id, "--task", "x"),
        ("export", id, "--tools-from", "a b"),
        ("export", "--all", "x", "--name", "f"),
        ("import",),
    ):
        assert run(*arguments, *store).exit_code == 2
    for arguments in (("export", "ffff"), ("import", str(tmp_path / "none.json")), ("import", str(tmp_path))):
        assert run(*arguments, *store).exit_code == 1


def test_no_secret_is_in_what_is_taken_along(tmp_path: Path) -> None:
    engine = Engine(str(tmp_path / "s.db"))
    log_in = engine.tool(name="log_in", version=1)(lambda user, password: None)
    engine.set_agent(lambda task, password: log_in("me", password.value))
    assert engine("log in", Secret("hunter2")).learned
    engine.close()
    (one,) = as_json("ls", "--store", str(tmp_path / "s.db"))
    for kind in ("json", "python"):
        text = run("export", one["id"], "--format", kind, "--store", str(tmp_path / "s.db")).stdout
        assert "password" in text
        assert "hunter2" not in text


# -- diff


def variant(path: Path, target: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    document = json.loads(text)
    for one in (document, *document["observations"]):
        del one["id"]
    target.write_text(json.dumps(document))
    from_document(document)


def test_diff_tells_what_differs_and_where(orders: tuple[Path, list[str]], tmp_path: Path) -> None:
    path, ids = orders
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    run("export", ids[0], "-o", str(one), "--store", str(path))
    assert run("diff", str(one), ids[0], "--store", str(path)).exit_code == 0
    assert as_json("diff", str(one), str(one))["equal"]
    variant(one, two, ('"Username"', '"Password"'), ('"fingerprint": "', '"fingerprint": "x'))
    changes = as_json("diff", str(one), str(two), code=1)["changes"]
    told = {(change["step"], change["what"]): (change["a"], change["b"]) for change in changes}
    assert told[0, "argument target"] == ("'Username'", "'Password'")
    assert told[0, "pre saw"][1].count("Password") == 1
    assert (0, "code of the tool") in told
    assert (1, "code of the tool") in told
    text = run("diff", str(one), str(two)).stdout
    assert "         argument target: 'Username' | 'Password'\n" in text


def test_diff_aligns_steps_and_what_leads_to_them(tmp_path: Path) -> None:
    def save(name: str, *steps: StepRecord) -> str:
        store = open_store(str(tmp_path / "d.db"))
        count = len(steps)
        row = msgspec.msgpack.encode(Row(FORM, (None,) * count, (None,) * count))
        from muscle_mem.store import Sealed

        body = msgspec.msgpack.encode(Body(FORM, steps))
        store.seal(Sealed(id=name * 32, key=bytes(32), body=body, steps=count), Observation(id="o", body=row))
        store.close()
        return name * 32

    a = save("a", step("look", "one"), step("act", Ref(0)), step("end"))
    b = save("b", step("open"), step("look", "one"), step("act", Ref(1)), step("ring"), step("end"))
    changes = as_json("diff", a, b, "--store", str(tmp_path / "d.db"), code=1)["changes"]
    assert [(one["step"], one["other"], one["what"], one["b"]) for one in changes] == [
        (None, 0, "step", "open()"),
        (None, 3, "step", "ring()"),
    ]
    changes = as_json("diff", b, a, "--store", str(tmp_path / "d.db"), code=1)["changes"]
    assert [(one["step"], one["other"]) for one in changes] == [(0, None), (3, None)]
    assert run("diff", a, "cccc", "--store", str(tmp_path / "d.db")).exit_code == 2
    assert run("diff", a, str(tmp_path / "none.json"), "--store", str(tmp_path / "d.db")).exit_code == 2


def test_a_folder_of_json_is_a_store_for_every_command(orders: tuple[Path, list[str]], tmp_path: Path) -> None:
    run("export", "--all", str(tmp_path / "out"), "--store", str(orders[0]))
    url = f"folder:///{tmp_path}/memory"
    assert run("ls", "--store", url).exit_code == 2
    run("import", str(tmp_path / "out"), "--store", url)
    id = orders[1][0]
    assert as_json("show", id, "--store", url)["id"] == id
    assert as_json("stats", "--store", url)["bytes_on_disk"] > 1000
    assert as_json("doctor", "--store", url)["ok"]
    assert as_json("report-bad", id, "--store", url)["ids"] == [id]
    assert as_json("forget", id, "--store", url)["forgotten"] == 1
    store = FolderStore(tmp_path / "memory")
    assert len(store.scan().stored) == 2
    store.close()
