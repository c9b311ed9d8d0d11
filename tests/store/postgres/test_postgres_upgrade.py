"""A rolling upgrade: workers of the last release beside those of this one, in both directions."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from last_release import WHY_NOT, source
from paths import GOLDEN, SUPPORT
from postgres_server import HOW, raw, url_of

pytest.importorskip("psycopg", reason=HOW)

from psycopg import sql

from muscle_mem.store import Note
from muscle_mem.store.postgres import PostgresStore
from muscle_mem.testing import KEY, a_trajectory, an_observation, ids
from paying_engine import an_engine

OLD = """
import sys
sys.path[:0] = sys.argv[1], sys.argv[2]
import muscle_mem
assert muscle_mem.__version__ == "0.3.0", muscle_mem.__version__
from muscle_mem.errors import NewerStoreError, StoreError
from muscle_mem.store import open_store
from muscle_mem.testing import a_trajectory, an_observation
url = sys.argv[3]
"""

WRITING = (
    OLD
    + """
store = open_store(url)
for n in range(100_000):
    try:
        store.seal(a_trajectory(str(n)), an_observation())
    except StoreError as error:
        print("ended", flush=True)
        break
    print(str(n), flush=True)
"""
)

REPLAYING = (
    OLD
    + """
from paying_engine import an_engine
engine = an_engine(url)
print(*(engine("pay the bill").status for _ in range(2)), flush=True)
for line in sys.stdin:
    print(engine("pay the bill").status, flush=True)
"""
)

OPENING = (
    OLD
    + """
try:
    open_store(url)
except NewerStoreError as error:
    print("refused")
"""
)


@pytest.fixture(scope="module")
def last() -> Path:
    """Where the last release is imported from."""
    found = source()
    if found is None:
        pytest.skip(WHY_NOT)
    return found


def old(script: str, last: Path, url: str) -> subprocess.Popen[str]:
    """A worker of the last release."""
    command = [sys.executable, "-c", script, str(last), str(SUPPORT), url]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_nothing_that_an_old_worker_acknowledged_is_lost_when_a_new_one_migrates(
    last: Path, schema: str, database: str
) -> None:
    url = url_of(schema)
    with old(WRITING, last, url) as one, old(WRITING.replace("str(n)", "'b' + str(n)"), last, url) as two:
        assert one.stdout is not None
        assert two.stdout is not None
        said = [worker.stdout.readline().strip() for _ in range(10) for worker in (one, two)]
        with closing(PostgresStore(url)) as store:
            said += [line.strip() for worker in (one, two) for line in worker.stdout or ()]
            assert said.count("ended") == 2
            stored = {one.sealed.id for one in store.scan(limit=1_000_000).stored}
            assert {one for one in said if one != "ended"} <= stored
            store.seal(a_trajectory("new"), an_observation(), Note(id="new", hits=1))
            assert ids(store.find(KEY))[0] == "new"


def test_an_old_worker_runs_its_agent_after_the_migration_and_replays_nothing_stale(
    last: Path, schema: str, database: str
) -> None:
    url = url_of(schema)
    with old(REPLAYING, last, url) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert worker.stdout.readline().split() == ["miss", "hit"]
        engine = an_engine(url)
        assert engine("pay the bill").status == "hit"  # what the old worker recorded
        statuses: list[str] = []
        until = time.monotonic() + 60
        while statuses[-3:] != ["miss"] * 3:  # until its next poll, half a second later
            assert time.monotonic() < until
            time.sleep(0.01)  # leaves its thread that polls some time
            worker.stdin.write("\n")
            worker.stdin.flush()
            statuses.append(worker.stdout.readline().strip())
        assert engine("pay the bill").status == "hit"  # what it did since changes nothing
        engine.close()


def test_the_last_release_refuses_a_migrated_store_and_leaves_it_alone(last: Path, schema: str, database: str) -> None:
    url = url_of(schema)
    with closing(PostgresStore(url)) as store:
        store.seal(a_trajectory(), an_observation())
        with old(OPENING, last, url) as worker:
            assert worker.stdout is not None
            assert worker.stdout.read().strip() == "refused"
        assert ids(store.scan()) == ["t1"]
        assert not store.inspect()


def test_roles_that_could_use_the_tables_of_version_1_can_use_those_of_version_2(schema: str, database: str) -> None:
    text = (GOLDEN / "postgres_version_1.sql").read_text()
    with raw("public") as connection:
        connection.execute(text.replace("{schema}", sql.Identifier(schema).as_string(None)))
        for role, rights in (("mm_worker", "SELECT, INSERT, UPDATE, DELETE"), ("mm_reader", "SELECT")):
            names = {"role": sql.Identifier(role), "schema": sql.Identifier(schema), "rights": sql.SQL(rights)}
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {role}").format(**names))
            connection.execute(sql.SQL("CREATE ROLE {role}").format(**names))
            connection.execute(sql.SQL("GRANT {rights} ON ALL TABLES IN SCHEMA {schema} TO {role}").format(**names))
    try:
        PostgresStore(url_of(schema)).close()
        with raw(schema) as connection:
            look = "SELECT has_table_privilege(%s, %s, %s)"
            for table in ("change", "horizon", "evidence", "lease"):
                found = [
                    connection.execute(look, (role, table, right)).fetchone()[0]
                    for role in ("mm_worker", "mm_reader")
                    for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
                ]
                assert found == [True] * 5 + [False] * 3, table
    finally:
        with raw("public") as connection:
            connection.execute("DROP OWNED BY mm_worker, mm_reader; DROP ROLE mm_worker, mm_reader")
