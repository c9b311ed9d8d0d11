"""Opening a PostgreSQL store: URLs, rights, foreign and newer schemas, migrations that are killed half-way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from paths import GOLDEN
from postgres_server import HOW, drop_schema, new_schema, place_of, raw, url_of

psycopg = pytest.importorskip("psycopg", reason=HOW)

from psycopg import sql

from muscle_mem import Engine
from muscle_mem.errors import ForeignStoreError, InvalidValueError, MissingExtraError, NewerStoreError, StoreError
from muscle_mem.store import open_store
from muscle_mem.store.postgres import PostgresStore, opening
from muscle_mem.store.postgres.options import parse
from muscle_mem.testing import KEY, a_trajectory, an_observation, ids, raised_by

# URLs


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("postgresql://me:hush@db/x?mm_schema=", "mm_schema"),
        ("postgresql://me:hush@db/x?mm_schema=pg_mine", "pg_mine"),
        ("postgresql://me:hush@db/x?mm_schema=" + "n" * 64, "63 bytes"),
        ("postgresql://me:hush@db/x?mm_timeout=soon", "soon"),
        ("postgresql://me:hush@db/x?mm_timeout=0", "mm_timeout"),
        ("postgresql://me:hush@db/x?mm_timeout=nan", "nan"),
        ("postgresql://me:hush@db/x?mm_connections=1.5", "mm_connections"),
        ("postgresql://me:hush@db/x?mm_pooling=maybe", "auto, session, transaction"),
        ("postgres://me:hush@db/x?mm_shema=y&password=hush", "mm_shema"),
        ("postgresql://me:hush@db:no port/x", "percent-encoded"),
        ("postgresql://me:hush@db/x?nonsense=1", "nonsense"),
    ],
)
def test_a_wrong_url_is_told_without_its_password(given: str, words: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        open_store(given)
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)


def test_what_people_see_of_a_url_has_no_secret_and_opens_the_same_store() -> None:
    options = parse("postgres://me:hu%40sh@db:99/x?mm_schema=a%20%22b%22&sslmode=require&sslpassword=hush&mm_timeout=3")
    assert options.url == "postgresql://me@db:99/x?sslmode=require&mm_schema=a%20%22b%22"
    assert options.schema == 'a "b"'
    assert options.timeout == 3.0
    assert "hu@sh" not in repr(options)
    assert options.conninfo["password"] == "hu@sh"
    again = parse(options.url)
    assert (again.url, again.schema) == (options.url, options.schema)
    assert parse("postgresql:///x?host=/var/run").url == "postgresql:///x?host=%2Fvar%2Frun"
    assert parse("postgresql://a:1,b:2/x").url == "postgresql:///x?host=a%2Cb&port=1%2C2"


@pytest.mark.parametrize(
    ("name", "within", "beyond"),
    [
        ("mm_timeout", ("0.1", "86400"), ("0.09", "86400.1", "-1")),
        ("mm_connections", ("1", "1000"), ("0", "1001", "1.5")),
        ("mm_schema", ("s", "s" * 63), ("", "s" * 64, "pg_s")),
    ],
)
def test_an_option_is_taken_up_to_its_bounds(name: str, within: tuple[str, ...], beyond: tuple[str, ...]) -> None:
    for value in within:
        assert str(getattr(parse(f"postgresql:///x?{name}={value}"), name[3:])).removesuffix(".0") == value
    for value in beyond:
        with pytest.raises(InvalidValueError, match=name):
            parse(f"postgresql:///x?{name}={value}")


def test_a_connection_has_deadlines_that_a_url_may_set(schema: str, database: str) -> None:
    assert parse("postgresql:///x").conninfo["tcp_user_timeout"] == "20000"
    assert parse("postgresql:///x?connect_timeout=9").conninfo["connect_timeout"] == "9"
    with (
        closing(PostgresStore(url_of(schema, mm_timeout=7))) as store,
        store._pool.borrow(time.monotonic() + 60) as line,
    ):
        line.run(opening.begin(line, store._options, write=True))
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        shown = [line.run(f"SHOW {name}")[0][0] for name in names]
        line.run("ROLLBACK")
        assert all(one not in ("0", "") for one in shown)
        assert [line.run(f"SHOW {name}")[0][0] for name in names] == ["0"] * 3  # nothing stays in the session


def test_a_missing_driver_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'muscle-mem\[postgres\]'") as caught:
        Engine("postgresql://me:hush@db/x")
    assert isinstance(caught.value, ImportError)


def test_the_driver_is_loaded_by_a_url_and_by_nothing_else() -> None:
    code = (
        "import sys, muscle_mem.store, muscle_mem.store.urls, muscle_mem.testing\n"
        "muscle_mem.store.open_store(); print('psycopg' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "False"


def test_a_wrong_password_or_database_is_told_at_once(database: str) -> None:
    host, port = place_of(database)
    for url in (f"postgresql://muscle:hush@{host}:{port}/postgres", database.replace("/postgres", "/nowhere")):
        with pytest.raises(StoreError) as caught:
            open_store(url)
        assert "hush" not in str(caught.value)


def test_an_old_server_is_told(schema: str, monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    monkeypatch.setattr(opening, "OLDEST_SERVER", 990000)
    with pytest.raises(StoreError, match="PostgreSQL 12"):
        PostgresStore(url_of(schema))


# what may be in the schema


def a_foreign_schema(schema: str) -> None:
    with raw("public") as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    with raw(schema) as connection:
        connection.execute("CREATE TABLE mine(x int)")


def a_foreign_meta(schema: str) -> None:
    a_foreign_schema(schema)
    with raw(schema) as connection:
        connection.execute("CREATE TABLE meta(name text, value int)")
        connection.execute("INSERT INTO meta VALUES ('version', 1)")


def a_meta_of_another_shape(schema: str) -> None:
    a_foreign_schema(schema)
    with raw(schema) as connection:
        connection.execute("CREATE TABLE meta(x text)")


def altered(*statements: str) -> Callable[[str], None]:
    def make(schema: str) -> None:
        PostgresStore(url_of(schema)).close()
        with raw(schema) as connection:
            for statement in statements:
                connection.execute(statement)

    return make


NEWER = "UPDATE meta SET value = 99 WHERE name = 'version'"
TRIGGER = """CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"""


@pytest.mark.parametrize(
    ("made", "error", "words"),
    [
        (a_foreign_schema, ForeignStoreError, "'mine'"),
        (a_foreign_meta, ForeignStoreError, "'meta'"),
        (a_meta_of_another_shape, ForeignStoreError, "'meta'"),
        (altered(NEWER, "UPDATE meta SET value = 98 WHERE name = 'min_reader'"), NewerStoreError, "version 99"),
        (altered(NEWER, "DELETE FROM meta WHERE name = 'min_reader'"), NewerStoreError, "version 99"),
        (altered("DROP TABLE use"), ForeignStoreError, "'use'"),
        (altered("ALTER TABLE standing DROP COLUMN held"), ForeignStoreError, "'standing'"),
        (
            altered(TRIGGER, "CREATE TRIGGER evil BEFORE DELETE ON trajectory FOR EACH ROW EXECUTE FUNCTION f()"),
            ForeignStoreError,
            "'evil'",
        ),
    ],
)
def test_what_is_not_ours_is_refused_and_untouched(
    made: Callable[[str], None], error: type[Exception], words: str, schema: str, database: str
) -> None:
    made(schema)
    before = shape(schema)
    with pytest.raises(error) as caught:
        PostgresStore(url_of(schema))
    assert words in str(caught.value)
    assert shape(schema) == before


def shape(schema: str) -> list[tuple[str, ...]]:
    """Tables and columns of a schema, and what its `meta` says."""
    with raw(schema) as connection:
        columns = "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = %s"
        found = sorted(connection.execute(columns, (schema,)).fetchall())
        if ("meta", "value") in found:
            found += connection.execute("SELECT name, value::text FROM meta ORDER BY name").fetchall()
        return found


def test_an_empty_schema_becomes_a_store_and_extras_of_a_person_do_no_harm(schema: str, database: str) -> None:
    with raw("public") as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    PostgresStore(url_of(schema)).close()
    with raw(schema) as connection:
        connection.execute("CREATE TABLE notes_of_mine(x int)")
        connection.execute("CREATE INDEX by_task ON trajectory(task)")
        connection.execute("ALTER TABLE trajectory ADD COLUMN later text")
        connection.execute(NEWER)  # a newer release that lets this one read
    with closing(PostgresStore(url_of(schema))) as store:
        store.seal(a_trajectory(), an_observation())
        assert ids(store.scan()) == ["t1"]


def test_many_processes_may_open_a_new_store_at_once(schema: str, database: str) -> None:
    script = (
        "import sys; from muscle_mem.store import open_store; from muscle_mem.testing import *\n"
        "store = open_store(sys.argv[1]); store.seal(a_trajectory(sys.argv[2]), an_observation()); store.close()"
    )
    url = url_of(schema)
    started = [subprocess.Popen([sys.executable, "-W", "error", "-c", script, url, str(n)]) for n in range(4)]
    assert [process.wait(60) for process in started] == [0] * 4
    with closing(PostgresStore(url)) as store:
        assert len(store.scan().stored) == 4


# rights


@pytest.fixture
def role(schema: str, database: str) -> Iterator[tuple[str, str]]:
    """A role without rights, and the URL of the store for it."""
    name = f"role {os.getpid()} {schema[-6:]}"
    host, port = place_of(database)
    with raw("public") as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'hush'").format(sql.Identifier(name)))
    base = f"postgresql://{name.replace(' ', '%20')}:hush@{host}:{port}/postgres"
    yield name, url_of(schema, at=base)
    drop_schema(schema)
    with raw("public") as connection:
        connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


def grant(what: str, schema: str, role: str) -> None:
    with raw("public") as connection:
        names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
        connection.execute(sql.SQL(what).format(**names))


def test_a_role_that_may_not_make_a_schema_is_told_how(role: tuple[str, str]) -> None:
    with pytest.raises(StoreError, match=r"GRANT CREATE ON DATABASE \"postgres\"") as caught:
        open_store(role[1])
    assert f'AUTHORIZATION "{role[0]}"' in str(caught.value)


def test_a_role_that_owns_its_schema_needs_no_other_right(role: tuple[str, str], schema: str) -> None:
    grant("CREATE SCHEMA {schema} AUTHORIZATION {role}", schema, role[0])
    with closing(open_store(role[1])) as store:
        store.seal(a_trajectory(), an_observation())
        assert store.forget() == 1


def test_a_role_that_may_only_read_replays_and_writes_nothing(role: tuple[str, str], schema: str) -> None:
    with closing(PostgresStore(url_of(schema))) as owner:
        owner.seal(a_trajectory(), an_observation())
        for words, right in (("GRANT USAGE", "USAGE ON SCHEMA {schema}"), ("GRANT SELECT", None)):
            with pytest.raises(StoreError, match=words):
                open_store(role[1])
            grant(f"GRANT {right or 'SELECT ON ALL TABLES IN SCHEMA {schema}'} TO {{role}}", schema, role[0])
        with closing(open_store(role[1])) as store:
            before = store.version(KEY)
            assert ids(store.find(KEY)) == ids(store.scan()) == ["t1"]
            for call in (lambda: store.seal(a_trajectory(), an_observation()), lambda: store.forget(("t1",))):
                error = raised_by(call)
                assert isinstance(error, StoreError)
                assert "read-only" in str(error)
            owner.seal(a_trajectory("t2"), an_observation())
            store.confirm(KEY)
            assert store.version(KEY) != before
            assert ids(store.find(KEY)) == ["t2", "t1"]


def test_a_database_that_is_set_to_reading_only_is_read(schema: str, database: str) -> None:
    with closing(PostgresStore(url_of(schema))) as owner:
        owner.seal(a_trajectory(), an_observation())
    with closing(PostgresStore(url_of(schema, options="-c default_transaction_read_only=on"))) as store:
        assert ids(store.find(KEY)) == ["t1"]
        assert "read-only" in str(raised_by(lambda: store.seal(a_trajectory(), an_observation())))


# migrations

VERSION_1 = GOLDEN / "postgres_version_1.sql"

KILLED = """
import os, sys, time
import psycopg
from muscle_mem.store.postgres import PostgresStore, connections, schema
from muscle_mem.store.postgres.options import parse
from muscle_mem.testing import a_trajectory, an_observation, ids
url, old, sql = sys.argv[1], sys.argv[2] == "old", open(sys.argv[3]).read()
latest = schema.LATEST
later = (("CREATE TABLE two(x int)", "INSERT INTO two VALUES (2)"), ("DROP TABLE two",))
for n in range(1000):
    here = f"{url}{n}"
    if old:
        with psycopg.connect(url.partition("?")[0], autocommit=True) as line:
            line.execute(sql.replace("{schema}", schema.quoted(parse(here).schema)))
    child = os.fork()
    if child == 0:
        if old:
            schema.MIGRATIONS += later
            schema.LATEST, schema.MIN_READERS = latest + 2, (*schema.MIN_READERS, latest, latest)
        left = n
        real = connections.PooledConnection.wait
        def wait(self, *args, **options):
            global left
            if left == 0:
                os._exit(9)
            left -= 1
            return real(self, *args, **options)
        connections.PooledConnection.wait = wait
        PostgresStore(here)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    store = PostgresStore(here)
    with store._pool.borrow(time.monotonic() + 60) as connection:
        name = schema.quoted(store._options.schema)
        version = dict(connection.fetch(f"SELECT name, value FROM {name}.meta"))["version"]
        two = connection.fetch("SELECT to_regclass(%s) IS NOT NULL", name + ".two")[0][0]
    assert two == (version == latest + 1), (n, version, two)
    store.seal(a_trajectory(), an_observation())
    assert ids(store.scan()) == ["t1"] + ["odd \\ud800", "a", "c", "b"] * old
    assert not store.scan().damaged and not store.inspect()
    with store._pool.borrow(time.monotonic() + 60) as connection:
        connection.run(f"DROP SCHEMA {schema.quoted(store._options.schema)} CASCADE")
    store.close()
    if code == 0:
        break
print(n, version)
"""


@pytest.mark.skipif(os.name != "posix", reason="forks")
@pytest.mark.parametrize(("age", "statements", "last"), [("new", 20, "2"), ("old", 25, "4")])
def test_a_making_or_migration_killed_at_any_statement_leaves_a_whole_version(
    age: str, statements: int, last: str, database: str
) -> None:
    url = url_of(new_schema() + " ")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", KILLED, url, age, str(VERSION_1)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    killed, version = done.stdout.split()
    assert int(killed) > statements
    assert version == last


def test_an_older_store_is_brought_up_step_by_step(schema: str, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from muscle_mem.store.postgres import schema as shapes

    with closing(PostgresStore(url_of(schema))) as one:
        one.seal(a_trajectory(), an_observation())
    with monkeypatch.context() as patched:
        patched.setattr(shapes, "MIGRATIONS", (*shapes.MIGRATIONS, ("CREATE TABLE half(x int)", "NONSENSE")))
        patched.setattr(shapes, "LATEST", 3)
        patched.setattr(shapes, "MIN_READERS", (1, 2, 2))
        with pytest.raises(StoreError):
            PostgresStore(url_of(schema))
        assert ("version", "2") in shape(schema)
        assert ("half", "x") not in shape(schema)
        patched.setattr(shapes, "MIGRATIONS", (*shapes.MIGRATIONS[:-1], ("CREATE TABLE whole(x int)",)))
        with closing(PostgresStore(url_of(schema))) as one:
            assert ids(one.scan()) == ["t1"]
        assert {("version", "3"), ("min_reader", "2"), ("whole", "x")} <= set(shape(schema))
