"""Export, import and diff on the command line; an exported Python function does what a replay does."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import msgspec
import pytest

from muscle_mem import Check, Engine, Secret
from muscle_mem._core import codec
from muscle_mem._core.layout import Group, laid_out
from muscle_mem._core.literals import Imports, UnwritableError, spelled
from muscle_mem._core.model import FORM, Body, Guard, Lit, Ref, Row, StepRecord
from muscle_mem._core.python_function import python_source
from muscle_mem.store import FRESH, QUARANTINED, TRUSTED, Observation, SqliteStore, open_store
from muscle_mem.store.document import from_document
from muscle_mem.store.folder import FolderStore
from test_cli import as_json, no_store_in_the_environment, record_orders, run
from test_documents import VALUES, classes_become_unknown_again, orders_in

__all__ = ["classes_become_unknown_again", "no_store_in_the_environment"]


@dataclasses.dataclass
class Order:
    id: int
    rows: list[str]


class Shop:
    """A world with tools of every kind."""

    def __init__(self, store: Path) -> None:
        self.engine = Engine(str(store), observers=[lambda event: None])
        self.log: list[Any] = []
        self.stock = {"milk": 3}
        self.number = 4711
        tool = self.engine.tool

        def find_order(what: str, since: Any) -> Order:
            self.log.append(("find", what, since))
            return Order(self.number, [what, f"no. {self.number}"])

        def pay(amount: Any, *rest: Any, to: str, memo: str, password: str) -> str:
            self.log.append(("pay", amount, rest, to, memo, password))
            return "paid"

        self.find_order = tool(name="find_order", version=1, effect="read")(find_order)
        self.pay = tool(
            name="pay",
            version=1,
            pre_check=Check(lambda *args, **kwargs: dict(self.stock), version=1),
            post_check=Check(lambda *args, **kwargs: len(self.log), lambda now, then: True, version=1),
        )(pay)
        self.engine.set_agent(self.agent)

    def agent(self, task: str) -> str:
        order = self.find_order("milk", dt.datetime(2024, 1, 2, tzinfo=dt.UTC))
        amounts = [decimal.Decimal("1.10"), order.rows]
        return self.pay(amounts, 4711, "x", to=self.to, memo=f'Dear {self.to}, "thanks" {{}}', password="hunter2")

    def do(self, to: str, **options: Any) -> Any:
        self.to = to
        return self.engine("pay the bill", params={"to": to}, secrets={"password": "hunter2"}, **options)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path / "shop.db")
    assert shop.do("John").learned
    return shop


def exported(shop: Shop, tmp_path: Path, *options: str) -> str:
    shop.engine.close()
    (one,) = as_json("ls", "--store", str(tmp_path / "shop.db"))
    result = run("export", one["id"], "--format", "python", "--store", str(tmp_path / "shop.db"), *options)
    assert result.exit_code == 0, result.output
    return result.stdout


def function_of(source: str, name: str = "pay_the_bill") -> Any:
    made: dict[str, Any] = {}
    exec(compile(source, "exported", "exec"), made)
    return made[name]


def test_an_exported_function_does_what_a_replay_does(shop: Shop, tmp_path: Path) -> None:
    shop.log.clear()
    assert shop.do("Jane", mode="replay")
    replayed = list(shop.log)
    source = exported(shop, tmp_path)
    tools = types.SimpleNamespace(find_order=shop.find_order, pay=shop.pay)
    shop.log.clear()
    function = function_of(source)
    assert function(tools, to="Jane", password="hunter2", before_pay=None, after_pay=None) == "paid"
    assert shop.log == replayed


def test_its_checks_are_arguments_and_stop_it(shop: Shop, tmp_path: Path) -> None:
    tools = types.SimpleNamespace(find_order=shop.find_order, pay=shop.pay)
    function = function_of(exported(shop, tmp_path))
    asked: list[Any] = []

    def before(expected: Any, amount: Any, *rest: Any, **given: Any) -> bool:
        asked.append((expected, rest, given["to"]))
        return expected == shop.stock

    given: dict[str, Any] = {"to": "Jane", "password": "p", "before_pay": before}
    function(tools, **given, after_pay=lambda seen, *args, **kwargs: seen == 2)
    assert asked == [({"milk": 3}, (4711, "x"), "Jane")]
    shop.stock["milk"] = 0
    shop.log.clear()
    with pytest.raises(RuntimeError, match="not as expected"):
        function(tools, **given, after_pay=None)
    assert [entry[0] for entry in shop.log] == ["find"]


def test_a_number_read_from_an_output_is_asserted(shop: Shop, tmp_path: Path) -> None:
    source = exported(shop, tmp_path)
    assert "assert order.id == 4711" in source
    shop.number = 4712
    shop.log.clear()
    tools = types.SimpleNamespace(find_order=shop.find_order, pay=shop.pay)
    with pytest.raises(AssertionError):
        function_of(source)(tools, to="Jane", password="p", before_pay=None, after_pay=None)
    assert [entry[0] for entry in shop.log] == ["find"]


def test_it_reads_as_a_person_would_write_it(shop: Shop, tmp_path: Path) -> None:
    source = exported(shop, tmp_path, "--tools-from", "shop", "--name", "pay")
    assert "hunter2" not in source
    assert "from shop import find_order, pay\n" in source
    source = exported(shop, tmp_path, "--tools-from", "shop")
    lines = source.splitlines()
    assert "def pay_the_bill(*, to, password, before_pay, after_pay):" in lines
    assert '    """pay the bill"""' in lines
    assert '    order = find_order("milk", datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC))' in lines
    assert "        memo=f'Dear {to}, \"thanks\" {{}}'," in lines
    assert lines[-1] == "    return pay_result"
    assert max(map(len, lines[1:])) <= 88


def formatted(source: str, tmp_path: Path) -> str:
    ruff = Path(sys.executable).with_name("ruff")
    command = [str(ruff), "format", "--isolated", "--line-length", "88", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True, cwd=tmp_path).stdout


def test_a_formatter_would_change_nothing(shop: Shop, tmp_path: Path) -> None:
    plain, imported = exported(shop, tmp_path), exported(shop, tmp_path, "--tools-from", "shop")
    record_orders(tmp_path / "orders.db")
    run("export", "--all", str(tmp_path / "out"), "--format", "python", "--store", str(tmp_path / "orders.db"))
    written = [path.read_text() for path in (tmp_path / "out").glob("*.py")]
    assert len(written) == 3
    for source in (plain, imported, *written):
        assert formatted(source, tmp_path) == source


PLAIN = [value for value in VALUES if not isinstance(value, slice | type(...))]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: type(value).__name__)
def test_every_plain_value_is_spelled_so_that_it_comes_back(value: Any, tmp_path: Path) -> None:
    data = codec.encode(value)
    imports = Imports()
    lines = laid_out(Group("", "[]", [spelled(data, imports)]), "", "value = ")
    made: dict[str, Any] = {}
    exec("\n".join([*imports.lines, *lines]), made)
    assert codec.encode(made["value"][0]) == data


@pytest.mark.parametrize("value", [__import__("numpy").zeros(3), type("Hidden", (), {})], ids=["array", "local class"])
def test_what_has_no_plain_spelling_is_refused(value: Any) -> None:
    if isinstance(value, type):
        value = dataclasses.make_dataclass("f.<locals>.Hidden", ["x"])(1)
    with pytest.raises(UnwritableError, match=r"no plain spelling|cannot be imported"):
        spelled(codec.encode(value), Imports())


def a_function(
    *steps: StepRecord, row: dict[str, Any] | None = None, task: str = "t", id: str = "0" * 32, **options: Any
) -> str:
    count = len(steps)
    made = Row(FORM, pre=(None,) * count, post=(None,) * count, **(row or {}))
    body = Body(FORM, tuple(steps), **options)
    return python_source(body, made, task=task, id=id)


def step(tool: str, *arguments: Any, **options: Any) -> StepRecord:
    named = tuple((f"a{n}", one if isinstance(one, Ref) else Lit(codec.encode(one))) for n, one in enumerate(arguments))
    return StepRecord(tool=tool, fingerprint="v:1", arguments=named, **options)


def test_nothing_in_a_store_gets_out_of_its_quotes() -> None:
    evil = '"""\n\\"+__import__("os").system("x")\u202e\x00'
    source = a_function(
        step("look", evil, {evil: evil}),
        step("act", evil, guards=(Guard(0, (), codec.canonical(evil)),), pre="x"),
        row={"outputs": (codec.encode(evil), b"")},
        task=evil * 3,
        id=evil,
        params=(evil,),
        fixed=((evil, b""),),
    )
    tree = compile(source, "exported", "exec", flags=1024)  # only the syntax
    assert "__import__" not in {getattr(node, "id", "") for node in __import__("ast").walk(tree)}
    assert "\u202e" not in source
    seen: list[Any] = []
    tools = types.SimpleNamespace(look=lambda a0, a1: seen.append((a0, a1)) or evil, act=lambda a0: seen.append(a0))
    name = next(line for line in source.splitlines() if line.startswith("def ")).split("(")[0].removeprefix("def ")
    function_of(source, name)(tools)
    assert seen == [(evil, {evil: evil}), evil]


def test_a_tool_without_a_name_is_refused_and_says_what_to_do() -> None:
    for tool in ("<lambda>", "my tool", "f.<locals>.<lambda>", "class"):
        with pytest.raises(UnwritableError, match="name="):
            a_function(step(tool))


def test_an_argument_that_cannot_be_written_is_told_with_its_step() -> None:
    bad = step("look")
    bad = msgspec.structs.replace(bad, arguments=(("x", Lit(codec.encode(__import__("numpy").zeros(2)))),))
    with pytest.raises(UnwritableError, match=r"step 1 \(look\), argument x: an array"):
        a_function(step("look"), bad)


def test_a_part_of_an_output_that_was_not_kept_is_told() -> None:
    with pytest.raises(UnwritableError, match="was not kept"):
        a_function(step("look"), step("act", Ref(0, (1,))), row={"outputs": (b"", b"")})


def test_names_never_clash() -> None:
    source = a_function(
        step("find_order"),
        step("find_order", Ref(0), "x"),
        step("Page.click", Ref(1), method=True),
        row={"outputs": (b"", b"", b""), "result": 2},
        task="class",
        params=("order", "tools", "class"),
    )
    compile(source, "exported", "exec")
    assert "def class_(tools, page):" in source
    assert "order_2 = tools.find_order(" in source


def test_calls_that_overlapped_are_made_one_after_the_other(tmp_path: Path) -> None:
    parts = [step("look", n, group=1) for n in range(2)] + [step("act")]
    lines = a_function(*parts).splitlines()
    assert lines[-4:] == [
        "    # These calls overlapped when they were recorded.",
        "    tools.look(a0=0)",
        "    tools.look(a0=1)",
        "    tools.act()",
    ]


# -- JSON, there and back


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
        assert said == f"Imported 0 trajectories; {len(ids)} {'was' if len(ids) == 1 else 'were'} there already.\n"
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
    assert states(tmp_path / "a.db") == [(FRESH, False), (QUARANTINED, True)]
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
    assert "leave the id out" in result.stderr
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
