"""The command line on a PostgreSQL store."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from click.testing import CliRunner, Result

from postgres_server import HOW, raw, url_of

pytest.importorskip("psycopg", reason=HOW)

from muscle_mem.cli import main
from muscle_mem.store import SqliteStore, open_store
from muscle_mem.testing import a_trajectory, an_observation


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_looking_makes_no_store(schema: str, database: str) -> None:
    for words in (["ls"], ["doctor"], ["verify"], ["migrate"]):
        shown = run(*words, "--store", url_of(schema))
        assert shown.exit_code == 2
        assert "not found" in shown.output
    with raw("public") as connection:
        assert connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is None


def test_the_commands_work_and_show_no_password(schema: str, database: str, tmp_path: object) -> None:
    url = url_of(schema)
    with closing(open_store(url)) as store:
        store.seal(a_trajectory(), an_observation())
    for words in (["ls"], ["verify"], ["migrate"], ["migrate", "--json"], ["report-bad", "t1"], ["forget", "t1"]):
        shown = run(*words, *(["--yes"] if words[0] == "forget" else []), "--store", url)
        assert shown.exit_code == 0, shown.output
        assert database.partition("@")[0].rpartition(":")[2] not in shown.output
    assert json.loads(run("migrate", "--json", "--store", url).output)["to"] == 2


def test_stats_say_nothing_of_a_disk_that_is_the_servers(schema: str, database: str, tmp_path: object) -> None:
    with closing(open_store(url_of(schema))) as store:
        store.seal(a_trajectory(), an_observation())
    assert "on disk" not in run("stats", "--store", url_of(schema)).output
    assert json.loads(run("stats", "--json", "--store", url_of(schema)).output)["bytes_on_disk"] is None


def test_copy_moves_a_file_into_a_database(schema: str, database: str, tmp_path: object) -> None:
    file = f"{tmp_path}/memory.db"
    with closing(SqliteStore(file)) as store:
        store.seal(a_trajectory(), an_observation())
    shown = run("copy", file, url_of(schema))
    assert shown.exit_code == 0, shown.output
    assert database.partition("@")[0].rpartition(":")[2] not in shown.output
    with closing(open_store(url_of(schema))) as copied:
        assert len(copied.scan().stored) == 1
