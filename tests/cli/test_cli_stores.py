"""The commands that tend whole stores: verify, backup, copy, migrate, doctor --app, and what each says to bad names."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from muscle_mem.cli import main
from muscle_mem.store import Note, SqliteStore
from muscle_mem.store.sqlite import schema
from muscle_mem.testing import a_trajectory, an_observation, ids
from paths import GOLDEN
from store_cases import a_foreign_database, a_store_of_the_future, a_text, raw

KEY = "a key of sixteen bytes or more"


def run(*arguments: object, **env: str) -> Result:
    result = CliRunner().invoke(main, [str(one) for one in arguments], env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def as_json(*arguments: object, code: int = 0, **env: str) -> Any:
    result = run(*arguments, "--json", **env)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(SqliteStore(tmp_path / 'it\'s my "store".db')) as store:
        store.seal(a_trajectory("first"), an_observation(blobs=(b"blob",)))
        store.seal(a_trajectory("second"), an_observation(), Note(id="second", hits=4))
        return Path(store.path)


def spoil(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("UPDATE standing SET hits = 99 WHERE n = 1")


# --- verify


def test_verify_says_whole_or_what_is_wrong(path: Path) -> None:
    said = as_json("verify", "--store", path)
    assert (said["ok"], said["trajectories"], said["observations"], said["blobs"]) == (True, 2, 2, 1)
    assert "intact" in run("verify", "--store", path).stdout
    spoil(path)
    said = as_json("verify", "--store", path, code=1)
    assert said["troubles"] == [{"kind": "damaged", "id": "first", "what": "the standing fails its digest"}]
    result = run("verify", "--store", path)
    assert (result.exit_code, "1 problem" in result.stdout) == (1, True)
    assert "the standing fails its digest" in result.stdout


# --- backup


def test_backup_makes_a_private_copy_and_tells_of_damage(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "a copy.db"
    assert as_json("backup", target, "--store", path)["ok"] is True
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    result = run("backup", target, "--store", path)
    assert (result.exit_code, "not touched" in result.stderr) == (2, True)
    assert run("backup", target, "--overwrite", "--store", path).exit_code == 0
    assert ids_in(target) == ["second", "first"]
    spoil(path)
    result = run("backup", tmp_path / "damaged.db", "--store", path)
    assert (result.exit_code, "fails its digest" in result.stdout) == (1, True)
    assert (tmp_path / "damaged.db").exists()


def ids_in(path: Path, key: str | None = None) -> list[str]:
    with closing(SqliteStore(path, signing_key=key)) as store:
        return ids(store.scan())


# --- copy


def test_copy_moves_a_store_under_a_key_and_out_again(path: Path, tmp_path: Path) -> None:
    signed, plain = tmp_path / "signed.db", tmp_path / "plain.db"
    said = as_json("copy", path, signed, "--to-signing-key-env", "OURS", OURS=KEY)
    assert (said["ok"], said["trajectories"], said["present"]) == (True, 2, 0)
    assert ids_in(signed, KEY) == ["second", "first"]
    again = run("copy", path, signed, "--to-signing-key-env", "OURS", OURS=KEY)
    assert again.stdout == "Copied 0 trajectories and 0 observations; 2 already existed.\n"
    assert as_json("verify", "--store", signed, MUSCLE_MEM_SIGNING_KEY=KEY)["ok"] is True
    refused = run("copy", signed, plain)
    assert (refused.exit_code, "signing_key" in refused.stderr) == (2, True)
    assert not plain.exists()
    assert as_json("copy", signed, plain, "--from-signing-key-env", "OURS", OURS=KEY)["ok"] is True
    assert ids_in(plain) == ["second", "first"]
    for result in (again, refused):
        assert KEY not in result.output


def test_copy_tells_damage_and_kept_standings(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.db"
    with closing(SqliteStore(target)) as store:
        store.seal(a_trajectory("second"), an_observation())
    spoil(path)
    said = as_json("copy", path, target, code=1)
    assert [one["id"] for one in said["damaged"]] == ["first"]
    assert said["kept_standing"] == ["second"]
    result = run("copy", path, target)
    assert "not copied: first: the standing fails its digest" in result.stderr
    assert "second: " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["copy", "{path}", "{path}"], "into itself"),
        (["copy", "{path}", "memory:"], "'memory:'"),
        (["copy", "memory:", "{path}"], "'memory:'"),
        (["copy", "{path}.none", "{path}"], ".db.none"),
        (["copy", "{path}", "{folder}"], "{folder}"),
        (["copy", "{path}", "{folder}/nowhere/x.db"], "nowhere"),
        (["copy", "{path}", "{folder}/x.db", "--to-signing-key-env", "NOT_SET"], "NOT_SET"),
        (["copy", "{path}", "{folder}/x.db", "--to-signing-key-env", "SHORT"], "signing_key"),
        (["copy", "{path}", "mysql://me:hush@host/x"], "mysql"),
        (["copy", "{path}"], "Missing argument"),
    ],
)
def test_copy_refuses_what_cannot_be(arguments: list[str], words: str, path: Path) -> None:
    before = path.read_bytes()
    result = run(*(one.format(path=path, folder=path.parent) for one in arguments), SHORT="hush")
    assert result.exit_code == 2, result.output
    assert words.format(folder=path.parent) in result.stderr
    assert "hush" not in result.stderr
    assert path.read_bytes() == before
    assert not (path.parent / "x.db").exists()


# --- migrate


def test_migrate_tells_and_does(path: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    shutil.copy(GOLDEN / "store-v1.db", old)
    before = old.read_bytes()
    said = as_json("migrate", "--dry-run", "--store", old)
    assert (said["from"], said["to"], said["migrated"]) == (1, schema.LATEST, False)
    assert old.read_bytes() == before
    told = run("migrate", "--dry-run", "--store", old).stdout
    assert f"would be migrated from version 1 to version {schema.LATEST}" in told
    assert f"was migrated from version 1 to version {schema.LATEST}" in run("migrate", "--store", old).stdout
    assert f"is up to date (version {schema.LATEST})" in run("migrate", "--store", old).stdout
    assert as_json("migrate", "--store", path)["migrated"] is False


# --- keys


def test_every_command_uses_the_key_of_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "signed.db"
    with closing(SqliteStore(path, signing_key=KEY)) as store:
        store.seal(a_trajectory("first"), an_observation())
    for command in (["ls"], ["stats"], ["doctor"], ["verify"], ["migrate"], ["backup", tmp_path / "copy.db"]):
        result = run(*command, "--store", path)
        assert (result.exit_code, "signing_key" in result.stderr) == (2, True), command
        assert run(*command, "--store", path, MUSCLE_MEM_SIGNING_KEY="another key of some length").exit_code == 2
        result = run(*command, "--store", path, MUSCLE_MEM_SIGNING_KEY=KEY)
        assert "first" in result.output or result.exit_code in (0, 1)
        assert "signing_key" not in result.output
        assert KEY not in result.output
    result = run("ls", "--store", path, MUSCLE_MEM_SIGNING_KEY="short")
    assert (result.exit_code, "signing_key" in result.stderr, "short" in result.stderr) == (2, True, False)


# --- bad names


def a_missing_file(path: Path) -> None: ...


def an_empty_file(path: Path) -> None:
    path.touch()


def a_folder(path: Path) -> None:
    path.mkdir()


def a_damaged_file(path: Path) -> None:
    shutil.copy(GOLDEN / "store-v2.db", path)
    with open(path, "r+b") as file:
        file.truncate(20_000)


@pytest.mark.parametrize("command", [["verify"], ["migrate"], ["migrate", "--dry-run"], ["backup", "to.db"], ["copy"]])
@pytest.mark.parametrize(
    "made", [a_missing_file, an_empty_file, a_folder, a_text, a_foreign_database, a_store_of_the_future]
)
def test_a_store_that_cannot_be_used_is_told(
    command: list[str], made: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "odd 'name\".db"
    made(path)
    arguments = ["copy", path, "to.db"] if command == ["copy"] else [*command, "--store", path]
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert "odd" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "to.db").exists()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cut.db"
    a_damaged_file(path)
    result = run("verify", "--store", path)
    assert result.exit_code in (1, 2)
    assert "damaged" in result.output or "cannot be read" in result.output
    result = run("backup", tmp_path / "to.db", "--store", path)
    assert result.exit_code == 2
    assert not (tmp_path / "to.db").exists()


@pytest.mark.parametrize("name", ["nul\0.db", "sqlite:///nul%00.db", "sqlite:///", "memory:", ""])
def test_names_that_name_no_file(name: str) -> None:
    for command in ("verify", "migrate"):
        result = run(command, "--store", name)
        assert result.exit_code == 2
        assert result.stderr


# --- doctor --app

APP = """
from muscle_mem import Check, Engine
engine = Engine({store!r}, scope={scope!r})

@engine.tool(effect="read")
def look(at):
    return {body}

{more}

engine.set_agent(lambda task: look(task))
not_an_engine = 42
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Writes a module of the user's, with the code that is asked for, under a new name each time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    made: list[str] = []

    def write(body: str = "at", scope: str = "", more: str = "", extra: str = "") -> str:
        made.append(f"app_{os.getpid()}_{len(made)}")
        code = APP.format(store=str(tmp_path / "app.db"), body=body, scope=scope, more=more) + textwrap.dedent(extra)
        (tmp_path / f"{made[-1]}.py").write_text(code)
        return made[-1]

    yield write
    for name in made:
        module = sys.modules.pop(name, None)
        if module is not None and hasattr(module, "engine"):
            module.engine.close()


def test_doctor_compares_with_the_code_of_now(app: Callable[..., str], tmp_path: Path) -> None:
    recorded = app(extra="engine('a task')\nengine('another task')\n")
    said = as_json("doctor", "--app", f"{recorded}:engine")
    assert (said["ok"], said["trajectories"]) == (True, 2)
    changed = as_json("doctor", "--app", f"{app(body='at.upper()')}:engine", code=1)
    assert [one["kind"] for one in changed["problems"]] == ["stale", "stale"]
    assert changed["problems"][0]["what"].startswith("tool_changed: ")
    checked = app(more="engine.tool(pre_check=Check(lambda at: at), effect='read')(look)")
    problems = as_json("doctor", "--store", tmp_path / "app.db", "--app", f"{checked}:engine", code=1)["problems"]
    assert {one["what"].split(":")[0] for one in problems} == {"check_changed"}
    assert as_json("doctor", "--app", f"{app(body='at.upper()', scope='other')}:engine")["ok"] is True


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nonsense", "module:engine"),
        (":engine", "module:engine"),
        ("no_such_module_here:engine", "ModuleNotFoundError"),
        ("{app}:nothing", "AttributeError"),
        ("{app}:not_an_engine", "int"),
        ("{raising}:engine", "ZeroDivisionError"),
    ],
)
def test_doctor_tells_what_is_wrong_with_the_name_of_an_app(name: str, words: str, app: Callable[..., str]) -> None:
    result = run("doctor", "--app", name.format(app=app(), raising=app(more="1 / 0")))
    assert result.exit_code == 2
    assert words in result.stderr


def test_doctor_shows_what_waits_for_a_verdict(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(SqliteStore(path)) as store:
        store.seal(a_trajectory("wrote", state="quarantined", reason="failed_write: pay raised"), an_observation())
    kinds = {one["kind"]: one["what"] for one in as_json("doctor", "--store", path, code=1)["notices"]}
    assert "report-good" in kinds["unresolved"]
