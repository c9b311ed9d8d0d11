"""A recording as a Python function: it does what a replay does, and reads as a person would write it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli_cases import as_json, record_orders, run, step
from document_cases import VALUES
from list_shop import ListShop
from muscle_mem import Check, Engine
from muscle_mem._core import codec
from muscle_mem._core.export.layout import Group, format_lines
from muscle_mem._core.export.literals import Imports, UnwritableError, literal_source
from muscle_mem._core.export.python_source import python_source
from muscle_mem._core.export.source_options import SourceOptions
from muscle_mem._core.model.records import FORM, Body, Guard, Lit, Ref, Row, StepRecord


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
    with pytest.raises(RuntimeError, match="expected"):
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


def test_params_that_were_equal_are_asserted_to_be_so(tmp_path: Path) -> None:
    engine = Engine(str(tmp_path / "shop.db"))
    sent: list[Any] = []
    send = engine.tool(name="send", version=1)(lambda payer, payee, memo: sent.append((payer, payee, memo)))
    engine.set_agent(lambda task, payer, payee, memo: send(payer, payee, memo))
    given = {"payer": "Ann", "payee": "Ann", "memo": "rent"}
    assert engine("pay", params=given, **given).learned
    engine.close()
    (one,) = as_json("ls", "--store", str(tmp_path / "shop.db"))
    source = run(
        "export", one["id"], "--format", "python", "--name", "settle", "--store", str(tmp_path / "shop.db")
    ).stdout
    function = function_of(source, "settle")
    sent.clear()
    given = dict.fromkeys(("payer", "payee"), "Bob")
    function(types.SimpleNamespace(send=send), **given, memo="gift")
    assert sent == [("Bob", "Bob", "gift")]
    with pytest.raises(AssertionError):
        function(types.SimpleNamespace(send=send), **{**given, "payee": "Eve"}, memo="gift")
    assert len(sent) == 1


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


BRACES = ["{} {name} }}", {"{": ("}", b"{}")}]  # nothing to be filled in, as in a template
PLAIN = [*BRACES, *(value for value in VALUES if not isinstance(value, slice | type(...)))]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: type(value).__name__)
def test_every_plain_value_is_spelled_so_that_it_comes_back(value: Any, tmp_path: Path) -> None:
    data = codec.encode(value)
    imports = Imports()
    lines = format_lines(Group("", "[]", [literal_source(data, imports)]), "", "value = ")
    made: dict[str, Any] = {}
    exec("\n".join([*imports.lines, *lines]), made)
    assert codec.encode(made["value"][0]) == data


@pytest.mark.parametrize("value", [__import__("numpy").zeros(3), type("Hidden", (), {})], ids=["array", "local class"])
def test_what_has_no_plain_spelling_is_refused(value: Any) -> None:
    if isinstance(value, type):
        value = dataclasses.make_dataclass("f.<locals>.Hidden", ["x"])(1)
    with pytest.raises(UnwritableError, match=r"cannot (write|import)"):
        literal_source(codec.encode(value), Imports())


def a_function(
    *steps: StepRecord, row: dict[str, Any] | None = None, task: str = "t", id: str = "0" * 32, **options: Any
) -> str:
    count = len(steps)
    made = Row(FORM, pre=(None,) * count, post=(None,) * count, **(row or {}))
    body = Body(FORM, tuple(steps), **options)
    return python_source(body, made, task=task, id=id, options=SourceOptions()).text


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
    with pytest.raises(UnwritableError, match=r"step 1 \(look\), argument x: "):
        a_function(step("look"), bad)


def test_a_part_of_an_output_that_was_not_kept_is_told() -> None:
    with pytest.raises(UnwritableError, match="step 0"):
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


def loop_source(tmp_path: Path, shop: Any, count: int) -> str:
    shop.teach(count)
    (stored,) = shop.engine.explain("ship all orders").considered
    shop.engine.close()
    return str(run("export", stored.trajectory_id, "--format", "python", "--store", str(tmp_path / "memory.db")).stdout)


def test_l13_a_loop_over_a_whole_list_is_written_as_a_for(tmp_path: Path) -> None:
    shop = ListShop(store=str(tmp_path / "memory.db"), check=Check(lambda order_id: "open"))
    source = loop_source(tmp_path, shop, 3)
    assert source.endswith(
        """    orders = tools.list_orders()
    for item in orders["orders"]:
        require(before_ship, "open", item["id"])
        tools.ship(item["id"])
"""
    )
    scope: dict[str, Any] = {}
    exec(source, scope)
    shipped: list[str] = []
    tools = types.SimpleNamespace(
        list_orders=lambda: {"orders": [{"id": "A-1"}, {"id": "A-2"}, {"id": "A-3"}, {"id": "A-4"}]},
        ship=shipped.append,
    )
    scope["ship_all_orders"](tools, before_ship=lambda expected, order_id: expected == "open")
    assert shipped == ["A-1", "A-2", "A-3", "A-4"]


@pytest.mark.parametrize("kind", ["part of the list", "other snapshots", "other values"])
def test_l13_calls_that_are_no_loop_over_a_whole_list_are_written_one_by_one(tmp_path: Path, kind: str) -> None:
    seen = iter("abcdefgh")
    check = Check(lambda order_id: next(seen), lambda now, then: True) if kind == "other snapshots" else None
    shop = ListShop(store=str(tmp_path / "memory.db"), check=check)
    if kind == "part of the list":
        shop.agent = lambda task: [shop.ship(one["id"]) for one in shop.list_orders()["orders"][:3]] and None
    if kind == "other values":
        shop.agent = lambda task: [shop.ship(f"{one['id']}?") for one in shop.list_orders()["orders"]] and None
    source = loop_source(tmp_path, shop, 4)
    assert "    for " not in source
    assert source.count("tools.ship(") == (3 if kind == "part of the list" else 4)
