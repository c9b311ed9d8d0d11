"""Options that declare where arguments come from: `ref()`, `flows=`, `const=` and `outputs=`."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from muscle_mem import DeclaredFlow, Engine, InvalidTypeError, InvalidValueError, MuscleMemError, ref
from muscle_mem._core.binding.outputs.paths import follow, plain_copy
from muscle_mem._core.binding.references.declared_flows import (
    FlowError,
    declared_sources,
    find_value,
    is_declared,
    may_be_source,
    path_items,
)
from muscle_mem._core.model.flow import Element, Name, Slot, Source
from muscle_mem._core.model.records import Lit, Ref
from muscle_mem._core.tools.tool import Tool, ToolSpec

FLOW = ref("create_order", "order_id")


def pay(order_id: int, currency: str = "EUR", *more: int, **named: int) -> None: ...


def refund(order_id: int, currency: str = "EUR", token: str = "") -> None: ...


# -- ref()


def test_a_ref_keeps_the_tool_and_the_path() -> None:
    flow = ref("list_orders", "orders", -1, "id")
    assert (flow.tool, flow.path) == ("list_orders", ("orders", -1, "id"))
    assert ref("list_orders").path == ()
    assert flow == ref("list_orders", "orders", -1, "id") != ref("list_orders", "orders", 0, "id")
    assert len({flow, copy.copy(flow), pickle.loads(pickle.dumps(flow))}) == 1
    assert eval(repr(flow), {"ref": ref}) == flow


def test_a_ref_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        FLOW.tool = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((3,), InvalidTypeError, "expected the name of a tool, got 3"),
        ((pay, "id"), InvalidTypeError, "expected the name of a tool, got <function pay"),
        ((None,), InvalidTypeError, "expected the name of a tool, got None"),
        (("create_order", True), InvalidTypeError, "expected strings and ints in the path, got True"),
        (("create_order", 0, 1.0), InvalidTypeError, "expected strings and ints in the path, got 1.0"),
        (("create_order", ["id"]), InvalidTypeError, r"expected strings and ints in the path, got \['id'\]"),
        (("",), InvalidValueError, "expected a name of a tool without empty names"),
        (("create_order", "a", ""), InvalidValueError, "expected a path without empty names"),
    ],
)
def test_a_ref_that_can_lead_nowhere_is_rejected(
    arguments: tuple[Any, ...], error: type[MuscleMemError], words: str
) -> None:
    with pytest.raises(error, match=words):
        ref(*arguments)


# -- options


REJECTED: list[tuple[Callable[..., Any], dict[str, Any], type[MuscleMemError], str]] = [
    (pay, {"flows": FLOW}, InvalidTypeError, "expected a dict by the names of arguments"),
    (pay, {"flows": [("order_id", FLOW)]}, InvalidTypeError, "expected a dict"),
    (pay, {"flows": {"order_id": "create_order"}}, InvalidTypeError, r"a ref\(\) or each\(\), got 'create_order'"),
    (pay, {"flows": {"order_id": ("create_order", "order_id")}}, InvalidTypeError, r"expected a ref\(\)"),
    (pay, {"flows": {"order_id": None}}, InvalidTypeError, r"expected a ref\(\) or each\(\), got None"),
    (pay, {"flows": {3: FLOW}}, InvalidTypeError, "expected the names of arguments, got 3"),
    (
        refund,
        {"flows": {"order": FLOW}},
        InvalidValueError,
        r"one of its parameters \((self, )?order_id, .*got 'order'",
    ),
    (refund, {"const": ["currncy"]}, InvalidValueError, "one of its parameters .*got 'currncy'"),
    (refund, {"const": 5}, InvalidTypeError, "expected a name or several, got 5"),
    (pay, {"flows": {"more": FLOW}}, InvalidValueError, "the name of one argument, got 'more'"),
    (pay, {"flows": {"named": FLOW}}, InvalidValueError, "the name of one argument, got 'named'"),
    (pay, {"const": ["named"]}, InvalidValueError, "the name of one argument, got 'named'"),
    (pay, {"const": ["order_id"], "flows": {"order_id": FLOW}}, InvalidValueError, "'order_id' is in const= as well"),
    (pay, {"ignore": ["order_id"], "flows": {"order_id": FLOW}}, InvalidValueError, "'order_id' is in ignore= as"),
    (pay, {"inject": {"order_id": 1}, "flows": {"order_id": FLOW}}, InvalidValueError, "'order_id' is in inject= as"),
    (refund, {"secret": ["token"], "flows": {"token": FLOW}}, InvalidValueError, "'token' is in secret= as well"),
    (refund, {"secret": ["token"], "const": ["token"]}, InvalidValueError, "'token' is in secret= as well"),
    (refund, {"ignore": ["token"], "const": ["token"]}, InvalidValueError, "'token' is in ignore= as well"),
    (refund, {"const": ["token", "token"]}, InvalidValueError, "got 'token' twice"),
    (pay, {"outputs": 3}, InvalidTypeError, "expected a name or several, got 3"),
    (pay, {"outputs": [0]}, InvalidTypeError, "expected a name or several"),
    (pay, {"outputs": ["order..id"]}, InvalidValueError, "expected names of fields, got 'order..id'"),
    (pay, {"outputs": [""]}, InvalidValueError, "expected names of fields, got ''"),
    (pay, {"outputs": ["a", "b", "a"]}, InvalidValueError, r"each field once, got \['a', 'b', 'a'\]"),
]


@pytest.mark.parametrize(("fn", "options", "error", "words"), REJECTED)
@pytest.mark.parametrize("decorator", ["tool", "function", "method"])
def test_what_can_never_be_meant_is_rejected_at_registration(
    decorator: str, fn: Callable[..., Any], options: dict[str, Any], error: type[MuscleMemError], words: str
) -> None:
    if decorator == "method":  # The object comes first.
        source = "def {0}(self, {1}) -> None: ..."
        arguments = "order_id, currency='EUR', " + ("*more, **named" if fn is pay else "token=''")
        made: dict[str, Any] = {}
        exec(source.format(fn.__name__, arguments), made)
        fn = made[fn.__name__]
    with pytest.raises(error, match=words):
        getattr(Engine(), decorator)(**options)(fn)


@pytest.mark.parametrize(
    "options",
    [
        {"flows": None, "const": (), "outputs": None},
        {"flows": {}, "const": [], "outputs": []},
        {"flows": MappingProxyType({"order_id": FLOW}), "const": "currency", "outputs": "order.id"},
        {"flows": {"any_name": FLOW}, "const": {"other"}},  # It takes **named.
        {"any": ["order_id"], "flows": {"order_id": FLOW}},
    ],
)
def test_what_can_be_meant_is_accepted(options: dict[str, Any]) -> None:
    engine = Engine()
    engine.tool(**options)(pay)
    engine.function(**options)(pay)


def test_a_later_change_of_the_dict_is_not_seen() -> None:
    engine = Engine()
    flows = {"order_id": FLOW}
    engine.tool(flows=flows)(refund)
    flows["order_id"] = ref("other")
    assert next(iter(engine._runtime.tools)).flows == {"order_id": FLOW}


def test_the_options_are_no_part_of_the_fingerprint() -> None:
    def fingerprint(**options: Any) -> str:
        engine = Engine()
        engine.tool(**options)(refund)
        return str(next(iter(engine._runtime.tools)).fingerprint)

    assert fingerprint() == fingerprint(flows={"order_id": FLOW}, const=["currency"], outputs=["id"])


def test_class_methods_and_methods_follow_declared_flows() -> None:
    ids, paid = iter(range(7, 20)), []
    engine = Engine()

    class Shop:
        @engine.tool
        @classmethod
        def create_order(cls) -> dict[str, int]:
            return {"order_id": next(ids)}

        @engine.method(flows={"order_id": ref("Shop.create_order", "order_id")})
        def pay(self, order_id: int) -> None:
            paid.append(order_id)

        @engine.tool(flows={"order_id": ref("create_order", "order_id")})
        @classmethod
        def ship(cls, order_id: int) -> None:
            paid.append(-order_id)

    shop = Shop()
    engine.set_context(shop)

    def agent(task: str) -> None:
        order = Shop.create_order()["order_id"]
        shop.pay(order)
        Shop.ship(order)

    engine.set_agent(agent)
    assert engine("buy").learned
    assert engine("buy")
    assert paid == [7, -7, 8, -8]


# -- sources


def tools() -> list[Tool]:
    create = Tool(refund, ToolSpec(name="Shop.create_order", aliases=("make",)))
    paying = Tool(pay, ToolSpec(name="pay", flows={"order_id": ref("create_order", "orders", -1)}))
    by_alias = Tool(pay, ToolSpec(name="pay", flows={"order_id": ref("make"), "currency": ref("other")}))
    return [create, create, paying, by_alias]


def test_the_declared_sources_are_the_calls_that_had_ended_the_latest_first() -> None:
    ended = {0: frozenset[int](), 1: frozenset({0}), 2: frozenset({1, 0}), 3: frozenset({0, 2})}
    path = (Name("orders"), Element(-1))
    assert declared_sources(tools(), ended) == [
        {},
        {},
        {"order_id": (Source("output", 1, path=path), Source("output", 0, path=path))},
        {"order_id": (Source("output", 0),), "currency": ()},
    ]


@pytest.mark.parametrize(
    ("outputs", "path", "expected"),
    [
        (None, ("anything",), True),
        ((), ("anything",), False),
        (("order",), ("order",), True),
        (("order",), ("order", "id"), True),
        (("order.id",), ("order",), False),
        (("order.id",), ("order", "id"), True),
        (("orders.id",), ("orders", 3, "id"), True),
        (("order",), ("orders",), False),
        (("order",), (), False),
        (("id",), (0, "id"), True),
        (("id",), ("order", "id"), False),
    ],
)
def test_outputs_allow_a_name_and_what_is_below_it(outputs: Any, path: tuple[Any, ...], expected: bool) -> None:
    tool = Tool(refund, ToolSpec(outputs=outputs))
    assert may_be_source(tool, path_items(ref("t", *path))) is expected


def test_positions_in_tuples_are_no_names() -> None:
    assert may_be_source(Tool(refund, ToolSpec(outputs=("id",))), (Slot(0), Name("id")))


def test_a_value_is_found_with_the_path_that_a_reference_stores() -> None:
    found = find_value({"orders": [{"id": 5}, {"id": 6}]}, ref("t", "orders", -1, "id"))
    assert found.value == 6
    assert found.path == (1, -1, 1)
    reference = found.reference(2)
    assert (reference.step, reference.path, reference.keys) == (2, found.path, found.keys)
    sources = [*tools()[:2], Tool(refund, ToolSpec(name="t"))]
    assert is_declared(reference, ref("t", "orders", -1, "id"), sources)
    for other in (ref("t", "orders", 1, "id"), ref("t", "orders", -1), ref("t", "order", -1, "id"), ref("u")):
        assert not is_declared(reference, other, sources)
    assert not is_declared(Lit(b""), ref("t"), sources)
    assert not is_declared(Ref(9), ref("t"), sources)


class Order:
    def __init__(self) -> None:
        self.lines = [5, 6]
        self.order_id = 7


@pytest.mark.parametrize("path", [("order_id",), ("lines", -1), ("lines", 0)])
def test_a_copy_of_an_object_has_the_path_of_the_object(path: tuple[Any, ...]) -> None:
    order = {"item": "tea", "order": Order()}
    found = find_value(plain_copy(order), ref("t", "order", *path))
    assert found.value == follow(order, found.path, found.keys)
    assert found == find_value(order, ref("t", "order", *path))


def test_a_part_of_a_json_text_is_not_shared_between_reads() -> None:
    text = '{"ids": [1]}'
    find_value(text, ref("t", "ids")).value.append(2)
    assert find_value(text, ref("t", "ids")).value == [1]


@pytest.mark.parametrize("value", [5, None, b"x", "x", "[", {1, "a"}, object(), print, int, 2.5, ("a",)])
def test_values_without_fields_have_none(value: Any) -> None:
    with pytest.raises(FlowError, match="no field 'a'"):
        find_value(value, ref("t", "a"))


def test_a_declared_flow_is_a_public_class() -> None:
    assert type(FLOW) is DeclaredFlow
