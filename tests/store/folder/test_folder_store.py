"""A folder of JSON files as a store: the contract of every store, and what a folder in git brings with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from muscle_mem import Engine, InvalidTypeError, InvalidValueError, StoreError
from muscle_mem.store import Store, open_store
from muscle_mem.store.base import Note
from muscle_mem.store.folder import FolderStore
from muscle_mem.testing import KEY, OTHER_KEY, StoreContract, a_trajectory, an_observation, ids


class TestTheContract(StoreContract):
    def make_store(self, tmp_path: Path) -> Store:
        return FolderStore(tmp_path / "store")

    def reopen(self, tmp_path: Path) -> Store:
        return FolderStore(tmp_path / "store")

    def damage(self, tmp_path: Path, what: str, id: str) -> bool:
        if what == "blob":  # they are parts of observations here, and nobody shares them
            return False
        for path in (tmp_path / "store").glob("*.json"):
            document = json.loads(path.read_text())
            if what == "observation":
                for one in document["observations"]:
                    if one["id"] == id:
                        one["created"] += 1
            elif document["id"] != id:
                continue
            elif what == "standing":
                document["standing"]["hits"] = 7
            else:
                document["task"] += "!"
            path.write_text(json.dumps(document))
        return True

    def saved(self, tmp_path: Path) -> Callable[[], object]:
        shutil.copytree(tmp_path / "store", tmp_path / "saved")

        def restore() -> None:
            shutil.rmtree(tmp_path / "store")
            (tmp_path / "saved").rename(tmp_path / "store")

        return restore


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix == ".json")


def test_each_trajectory_is_one_file_with_its_task_in_its_name(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.seal(a_trajectory("0" * 32, task="Pay: the Bill!"), an_observation())
    store.seal(a_trajectory("1" * 32, task="\0\ud800"), an_observation())
    assert files(tmp_path) == ["pay-the-bill-000000000000.json", "trajectory-111111111111.json"]
    assert (tmp_path / ".gitignore").read_text().splitlines()[1:] == [".lock", "*.tmp", ".leading/", ".history.db*"]
    store.close()


def test_looking_makes_no_folder(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "a" / "b")
    assert not store.scan().stored
    assert store.version(KEY) == 0
    store.note(())
    assert not (tmp_path / "a").exists()
    store.seal(a_trajectory(), an_observation())
    assert (tmp_path / "a" / "b").is_dir()
    store.close()


def test_no_other_file_is_left_behind(tmp_path: Path) -> None:
    with_lock = {".gitignore", ".lock"}
    store = FolderStore(tmp_path)
    store.seal(a_trajectory(), an_observation())
    store.note((Note(id="t1", hits=1),))
    store.forget()
    store.close()
    assert {path.name for path in tmp_path.iterdir()} <= with_lock


def test_numbers_that_two_branches_gave_twice_are_told_apart(tmp_path: Path) -> None:
    """Merging two branches of a repository brings files together that never met."""
    for name, id in (("one", "b"), ("two", "a"), ("three", "c")):
        store = FolderStore(tmp_path / name)
        store.seal(a_trajectory(id), an_observation())
        store.close()
    (tmp_path / "merged").mkdir()
    for name in ("one", "two", "three"):
        for path in (tmp_path / name).glob("*.json"):
            (tmp_path / "merged" / f"{name}.json").write_bytes(path.read_bytes())
    store = FolderStore(tmp_path / "merged")
    assert ids(store.find(KEY)) == ["c", "b", "a"]
    assert len({stored.seq for stored in store.find(KEY).stored}) == 3
    first = store.scan(limit=1).stored
    assert ids(store.scan(after=first[0].seq, limit=1)) == ["b"]
    assert store.seal(a_trajectory("a"), an_observation()) > first[0].seq
    assert ids(store.find(KEY)) == ["a", "c", "b"]
    store.close()


def test_a_file_of_rubbish_is_told_and_hinders_nothing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.seal(a_trajectory(), an_observation())
    for name, text in (("a", "{"), ("b", "[]"), ("c", '{"muscle_mem": 1, "id": "x", "key": 3}'), ("d", "\ud800")):
        (tmp_path / f"{name}.json").write_text(text, errors="surrogatepass")
    found = store.scan()
    assert ids(found) == ["t1"]
    assert len(found.damaged) == 4
    assert ids(store.find(KEY)) == ["t1"]
    assert store.find(KEY).damaged == ()
    store.close()


def test_every_change_of_one_byte_is_noticed(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.seal(a_trajectory("t1", body=b"\x01\x02"), an_observation(), Note(id="t1", hits=2))
    (path,) = tmp_path.glob("*.json")
    whole = path.read_bytes()
    before = store.get("t1")
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found = store.scan()
        assert found.damaged or found.stored == (before,), whole[at - 20 : at + 20]
    store.close()


def test_an_engine_learns_into_a_folder_and_another_replays_from_it(tmp_path: Path) -> None:
    def make() -> tuple[Engine, list[str]]:
        engine = Engine(f"folder:///{tmp_path}/memory")
        log: list[str] = []
        act = engine.tool(name="act", version=1)(log.append)

        def agent(task: str) -> None:
            log.append("agent")
            act("x")

        engine.set_agent(agent)
        return engine, log

    engine, _ = make()
    assert engine("do it").learned
    engine.close()
    engine, log = make()
    assert engine("do it")
    assert log == ["x"]
    engine.close()


def test_urls_of_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_store("folder:///here"), FolderStore)
    assert open_store(f"folder:///{tmp_path}/a%20b").url.endswith("/a b")
    again = open_store(open_store("folder:///x").url)
    assert again.url == f"folder:///{(tmp_path / 'x').resolve()}"
    for url in ("folder://host/x", "folder:///", "folder:///x?a=b"):
        with pytest.raises(InvalidValueError):
            open_store(url)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="not a folder"):
        FolderStore(tmp_path / "file")
    with pytest.raises(InvalidTypeError):
        FolderStore(3)
    with pytest.raises(InvalidValueError):
        FolderStore("")


def test_a_folder_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = FolderStore(tmp_path / "gone")
    (tmp_path / "gone").write_text("in the way")
    with pytest.raises(StoreError):
        store.seal(a_trajectory(key=OTHER_KEY), an_observation())
    store.close()


def test_a_signed_folder_refuses_what_was_written_without_the_key(tmp_path: Path) -> None:
    key = "a key of sixteen bytes or more"
    store = FolderStore(tmp_path, signing_key=key)
    store.seal(a_trajectory("signed"), an_observation())
    store.close()
    plain = FolderStore(tmp_path)
    assert [one.id for one in plain.scan().damaged] == ["signed"]
    plain.seal(a_trajectory("plain"), an_observation())
    plain.close()
    again = open_store(f"folder:///{tmp_path}", signing_key=key)
    assert ids(again.scan()) == ["signed"]
    assert [one.id for one in again.scan().damaged] == ["plain"]
    again.close()
