"""Paths that others can choose: a pipe, a device, a link or a huge file neither hangs nor is followed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli_cases import as_json, run
from muscle_mem import Engine, Reason
from muscle_mem._files import UnusableFileError, open_regular, read_regular, write_regular
from muscle_mem.checks import file_unchanged
from muscle_mem.errors import StoreError
from muscle_mem.store.folder import FolderStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices are files on POSIX only")


def fifo(path: Path) -> None:
    os.mkfifo(path)


def fifo_by_link(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def terminal(path: Path) -> None:
    path.symlink_to("/dev/ptmx")


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


def circle(path: Path) -> None:
    path.symlink_to(path.name)


TRAPS: list[Callable[[Path], None]] = [fifo, fifo_by_link, zeros, terminal, unix_socket, circle]


@pytest.fixture(params=TRAPS, ids=lambda trap: trap.__name__)
def trap(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    monkeypatch.chdir(tmp_path)
    made: Callable[[Path], None] = request.param
    return made


def learned(store: str) -> str:
    with Engine(store) as engine:
        act = engine.tool(name="act", effect="read", version=1)(lambda: 1)
        engine.set_agent(lambda task: act())
        id = engine("the task").trajectory_id
    assert id
    return id


def test_a_folder_store_with_a_trap_in_it_is_read(trap: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    id = learned(f"folder:///{folder}")
    trap(folder / "a.json")
    store = FolderStore(folder)
    found = store.scan()
    assert [one.sealed.id for one in found.stored] == [id]
    (damaged,) = found.damaged
    assert "'a.json'" in damaged.what
    assert store.get(id)
    store.close()
    assert learned(f"folder:///{folder}") == id  # It hits, and the store can still be written.
    assert len(as_json("ls", "--store", f"folder:///{folder}")) == 1
    assert run("verify", "--store", f"folder:///{folder}").exit_code == 1


def test_a_folder_named_like_a_file_is_not_a_trajectory(tmp_path: Path) -> None:
    id = learned(f"folder:///{tmp_path}/memory")
    (tmp_path / "memory" / "sub.json").mkdir()
    store = FolderStore(tmp_path / "memory")
    assert [one.sealed.id for one in store.scan().stored] == [id]
    assert not store.scan().damaged
    assert store.forget() == 1


def test_import_and_diff_of_a_trap_end_with_one_line(trap: Callable[[Path], None], tmp_path: Path) -> None:
    trap(tmp_path / "a.json")
    inside = tmp_path / "inside"
    inside.mkdir()
    trap(inside / "b.json")
    for given in ("a.json", "inside"):
        result = run("import", given, "--store", "memory.db")
        assert result.exit_code == 1
        assert ".json" in result.output
    learned("memory.db")
    (one,) = as_json("ls", "--store", "memory.db")
    assert run("diff", "a.json", one["id"], "--store", "memory.db").exit_code == 2


def test_an_export_into_a_trap_is_refused(trap: Callable[[Path], None], tmp_path: Path) -> None:
    id = learned("memory.db")
    trap(tmp_path / "out.json")
    for options in ([], ["--overwrite"]):
        result = run("export", id, "-o", "out.json", "--store", "memory.db", *options)
        assert result.exit_code == 1
        assert "out.json" in result.output
    assert run("export", "--all", "all", "--store", "memory.db").exit_code == 0
    (written,) = Path("all").iterdir()
    written.unlink()
    (tmp_path / "pipe").unlink(missing_ok=True)
    trap(written.absolute())
    assert run("export", "--all", "all", "--store", "memory.db").exit_code == 1


def test_a_link_in_the_way_of_an_export_of_all_is_not_followed(tmp_path: Path) -> None:
    store, mine = tmp_path / "memory.db", tmp_path / "mine.txt"
    id = learned(str(store))
    mine.write_text("mine")
    run("export", "--all", str(tmp_path / "all"), "--store", str(store))
    (written,) = (tmp_path / "all").iterdir()
    written.unlink()
    written.symlink_to(mine)
    assert run("export", "--all", str(tmp_path / "all"), "--store", str(store)).exit_code == 1
    assert mine.read_text() == "mine"
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "target.json")  # A link that the user names is followed.
    assert run("export", id, "-o", str(link), "--store", str(store)).exit_code == 0
    assert id in (tmp_path / "target.json").read_text()


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UnusableFileError, match="larger"):
        read_regular(tmp_path / "huge.json")
    assert run("import", str(tmp_path / "huge.json"), "--store", str(tmp_path / "memory.db")).exit_code == 1
    (tmp_path / "ten").write_bytes(b"0123456789")
    assert read_regular(tmp_path / "ten", 10) == b"0123456789"
    with pytest.raises(UnusableFileError):
        read_regular(tmp_path / "ten", 9)
    monkeypatch.setattr("muscle_mem.store.folder.store.LARGEST_DOCUMENT", 100)
    with Engine(FolderStore(tmp_path / "memory"), on_store_error="raise") as engine:
        act = engine.tool(name="act", version=1)(lambda: 1)
        engine.set_agent(lambda task: act())
        with pytest.raises(StoreError, match="at most 100 bytes"):
            engine("the task")
    assert not list((tmp_path / "memory").glob("*.json"))


@pytest.mark.parametrize("kind", ["fifo", "link"])
@pytest.mark.parametrize("name", ["memory.db", "folder"])
def test_a_lock_file_that_is_a_trap_costs_the_recording_only(kind: str, name: str, tmp_path: Path) -> None:
    url = str(tmp_path / name) if name.endswith(".db") else f"folder:///{tmp_path / name}"
    learned(url)
    (lock,) = [path for path in tmp_path.rglob("*") if path.name in (".lock", "memory.db-lock", "memory.db.lock")]
    lock.unlink()
    if kind == "fifo":
        os.mkfifo(lock)
    else:
        lock.symlink_to(tmp_path / "elsewhere")
    with Engine(url) as engine:
        act = engine.tool(name="act", version=1)(lambda: 1)
        engine.set_agent(lambda task: act())
        assert engine("another task").not_learned is Reason.STORE_UNAVAILABLE
    assert not (tmp_path / "elsewhere").exists()


def test_a_link_at_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    learned(f"folder:///{tmp_path}/memory")
    (file,) = (tmp_path / "memory").glob("*.json")
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    Path(f"{file}.{os.getpid()}.tmp").symlink_to(mine)
    store = FolderStore(tmp_path / "memory")
    store.seal(*_sealed(store))
    assert mine.read_text() == "mine"


def _sealed(store: FolderStore) -> tuple[Any, Any]:
    (stored,) = store.scan().stored
    return stored.sealed, stored.observations[0][1]


def test_a_check_of_a_files_content_neither_hangs_nor_reads_without_end(trap: Callable[[Path], None]) -> None:
    engine = Engine()
    trap(Path("given"))

    @engine.tool(pre_check=file_unchanged("path"))
    def send(path: str) -> str:
        return path

    engine.set_agent(lambda task: send("given"))
    outcome = engine("the task")
    assert outcome.value == "given"
    assert outcome.not_learned is Reason.CAPTURE_FAILED


def test_a_path_that_becomes_a_pipe_after_the_look_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_text("{}")
    regular = os.stat(path)
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr("muscle_mem._files.os.stat", lambda *_, **__: regular)
    with pytest.raises(UnusableFileError, match="named pipe"):
        read_regular(path)


def test_a_regular_file_is_written_and_emptied_first(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_regular(path, b"long content")
    write_regular(path, b"short")
    assert path.read_bytes() == b"short"
    path.chmod(0o400)
    os.close(open_regular(path, os.O_RDONLY))


def test_a_process_substitution_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    command = f"{sys.executable} -m muscle_mem import <(echo) --store {tmp_path}/memory.db"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "named pipe" in done.stderr


def test_a_regular_file_that_waits_for_data_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    os.mkfifo(path)
    waiting = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        monkeypatch.setattr("muscle_mem._files._ensure_regular", lambda *_: None)
        with pytest.raises(UnusableFileError, match="waiting"):
            read_regular(path)
    finally:
        os.close(waiting)
