"""L3, L4: the ways that lead from an output, an argument or a param to a value in several recordings."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, NamedTuple

import pydantic
import pytest

from inferred import digest_of, explained, last_leaf, parent, record
from muscle_mem._core import codec
from muscle_mem._core.binding.inference.infer import NO_OUTPUT, Parent, infer
from muscle_mem._core.binding.references.sources import CONVERT, Unclear, agreed, read, source_digest, source_text
from muscle_mem._core.model.flow import (
    ARGUMENT,
    OUTPUT,
    PARAM,
    Between,
    Element,
    Extreme,
    Get,
    Name,
    NthKey,
    Only,
    Parsed,
    Slot,
    Source,
)
from muscle_mem._core.model.records import Par, Suspicion

ONE, TWO = "ORD-48213", "ORD-90517"


@dataclasses.dataclass
class Order:
    id: str
    price: float = 1.5


class Pair(NamedTuple):
    kind: str
    id: str


class Slots:
    __slots__ = ("id",)

    def __init__(self, id: str) -> None:
        self.id = id


def flows(*pairs: tuple[Any, Any]) -> list[Parent]:
    """A recording for each output and the argument made of it."""
    return [parent(("make", {}, output), ("use", {"id": value}, None)) for output, value in pairs]


def items(*rows: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(("id", "name", "price"), row, strict=False)) for row in rows]


SHAPES = [
    pytest.param(lambda i: i, ["make()"], id="whole output"),
    pytest.param(lambda i: {"id": i}, ["make().id"], id="dict"),
    pytest.param(lambda i: {"data": {"order id": i}}, ["make().data['order id']"], id="nested"),
    pytest.param(lambda i: {"id": i, "self": {"ref": i}}, ["make().id", "make().self.ref"], id="twice"),
    pytest.param(lambda i: (True, i), ["make()[1]"], id="tuple"),
    pytest.param(lambda i: Order(i), ["make().id"], id="dataclass"),
    pytest.param(lambda i: Pair("order", i), ["make().id"], id="named tuple"),
    pytest.param(lambda i: SimpleNamespace(id=i), ["make().id"], id="namespace"),
    pytest.param(lambda i: [i], ["make()[-1]", "make()[0]"], id="list of one"),
    pytest.param(lambda i: [i, "x", "y"], ["make()[0]"], id="first"),
    pytest.param(lambda i: {"rows": [{"id": "x"}, {"id": i}]}, ["make().rows[-1].id"], id="last"),
    pytest.param(lambda i: json.dumps({"id": i}), ["json(make()).id"], id="JSON"),
    pytest.param(lambda i: {"body": json.dumps([{"id": i}, {}])}, ["json(make().body)[0].id"], id="JSON in a field"),
    pytest.param(lambda i: json.dumps({"a": json.dumps({"id": i})}), ["json(json(make()).a).id"], id="JSON in JSON"),
    pytest.param(
        lambda i: {"content": [{"type": "text", "text": json.dumps({"id": i})}], "isError": False},
        ["json(make().content[0].text).id"],
        id="MCP",
    ),
    pytest.param(lambda i: [{"type": "text", "text": json.dumps({"id": i})}], ["json(make()[0].text).id"], id="blocks"),
    pytest.param(
        lambda i: f"Ticket {i} was opened.", ["text between 'Ticket ' and ' was opened.' in make()"], id="text"
    ),
    pytest.param(lambda i: f"Order no: {i}", ["text after 'Order no: ' in make()"], id="text at the end"),
    pytest.param(lambda i: {"msg": f"{i} created"}, ["text before ' created' in make().msg"], id="text at the start"),
    pytest.param(lambda i: {"id": i.lower()}, ["upper(make().id)"], id="upper case"),
    pytest.param(lambda i: {"id": f" {i}\n"}, ["strip(make().id)"], id="white space"),
    pytest.param(lambda i: {"id": i[:3], "rest": i[3:]}, [], id="joined: nothing"),
    pytest.param(lambda i: {"ids": {i}}, [], id="set: nothing"),
    pytest.param(lambda i: {7: i}, [], id="number as a key: nothing"),
]


@pytest.mark.parametrize(("shape", "wanted"), SHAPES)
def test_l3_a_value_is_found_by_the_ways_that_both_recordings_have(shape: Any, wanted: list[str]) -> None:
    parents = flows((shape(ONE), ONE), (shape(TWO), TWO))
    assert sorted(explained(parents)) == sorted(wanted)
    assert last_leaf(parents).facts.can_act == bool(wanted)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        (lambda i: ["x", i, "y"], ["make()[1]"]),
        (lambda i: {"a": 1, i: 2, "z": 3}, ["make().keys[1]"]),
        (lambda i: {"a": 1, i: 2}, ["make().keys[-1]", "make().keys[1]"]),
        (lambda i: {i: {"price": 3}}, ["make().keys[-1]", "make().keys[0]"]),
        (lambda i: items(("A", "x", 3), (i, "y", 1), ("C", "z", 2)), ["make()[1].id", "make()[smallest price].id"]),
    ],
)
def test_l3_positions_and_extremes_vote_but_do_not_act(shape: Any, wanted: list[str]) -> None:
    parents = flows((shape(ONE), ONE), (shape(TWO), TWO))
    assert sorted(explained(parents)) == wanted
    assert not last_leaf(parents).facts.can_act


CONVERTED = [
    pytest.param({"n": "48213"}, 48213, {"n": "90517"}, 90517, ["int(make().n)"], id="number of a text"),
    pytest.param({"n": "48.25"}, 48.25, {"n": "90517.5"}, 90517.5, ["int(make().n)"], id="fraction of a text"),
    pytest.param({"n": 48213}, "48213", {"n": 90517}, "90517", ["str(make().n)"], id="text of a number"),
    pytest.param({"n": 48213}, 48213.0, {"n": 90517}, 90517.0, [], id="another type of number"),
    pytest.param({"n": "048213"}, 48213, {"n": "090517"}, 90517, [], id="a leading zero is no number"),
    pytest.param(
        {"n": Decimal("48213.5")}, 48213.5, {"n": Decimal("90517.5")}, 90517.5, [], id="a Decimal is no float"
    ),
    pytest.param({"u": "Ann.Lee@x.io"}, "ann.lee@x.io", {"u": "Bo@y.io"}, "bo@y.io", ["lower(make().u)"], id="lower"),
]


@pytest.mark.parametrize(("first", "one", "second", "two", "wanted"), CONVERTED)
def test_l3_a_conversion_leads_from_the_source_to_the_value(
    first: Any, one: Any, second: Any, two: Any, wanted: list[str]
) -> None:
    assert explained(flows((first, one), (second, two))) == wanted


def test_l3_the_date_of_a_date_time_is_found_under_its_name() -> None:
    days = ("2026-03-10", "2026-04-01", "2025-12-31")
    parents = [parent(("make", {}, {"day": f"{day}T10:00:00Z"}), ("use", {"day": day}, None)) for day in days]
    assert explained(parents) == ["date(make().day)"]
    parents = [
        parent(
            ("make", {}, {"day": datetime.datetime.fromisoformat(f"{day}T10:00:00")}),
            ("use", {"day": datetime.date.fromisoformat(day)}, None),
        )
        for day in days
    ]
    assert explained(parents) == ["date(make().day)"]


class Color(enum.Enum):
    RED = "red-48213"


class Block(pydantic.BaseModel):
    type: str = "text"
    text: str


class Answer(pydantic.BaseModel):
    content: list[Block]
    data: dict[str, Any] | None = None


def test_l3_an_mcp_result_is_read_in_its_contents_and_its_data() -> None:
    def both(value: str) -> Answer:
        return Answer(content=[Block(text=json.dumps({"id": value}))], data={"id": value})

    stored = [(codec.decode(codec.encode(both(one)), lenient=True), one) for one in (ONE, TWO)]
    assert explained(flows(*stored)) == ["make().data.id", "json(make().content[0].text).id"]
    source = last_leaf(flows(*stored)).sources[1]
    assert read(source, [Answer(content=[Block(text='{"id": 5}'), Block(text="more")])], _no_argument, {}) == 5


def test_l3_the_words_around_a_value_are_those_that_all_recordings_share() -> None:
    texts = [
        (f"At 10:05 Ann opened ticket {ONE} for Bob.", ONE),
        (f"At 11:10 Ann opened ticket {TWO} for Cy.", TWO),
        ("At 12:00 Dee opened ticket ORD-33871 for Cy.", "ORD-33871"),
    ]
    assert explained(flows(*texts[:2])) == ["text between ' Ann opened ticket ' and ' for ' in make()"]
    assert explained(flows(*texts)) == ["text between ' opened ticket ' and ' for ' in make()"]


def test_l3_a_number_in_a_text_is_found_between_words() -> None:
    parents = flows(("Created order 48213 for Ann.", 48213), ("Created order 90517 for Bob.", 90517))
    assert explained(parents) == ["int(text between 'Created order ' and ' for ' in make())"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(f"A {ONE} B", f"C {TWO} D", id="other words"),
        pytest.param(f"Ticket {ONE} was Ticket x", f"Ticket {TWO} was Ticket y", id="the words twice"),
        pytest.param(f"Ticket {ONE} is {ONE}", f"Ticket {TWO} is {TWO}", id="the value twice"),
        pytest.param(f"Ticket X{ONE}", f"Ticket X{TWO}", id="inside a word"),
        pytest.param(f"- {ONE}", f"- {TWO}", id="no words"),
    ],
)
def test_l3_a_place_in_a_text_that_is_not_unique_is_no_source(first: str, second: str) -> None:
    assert explained(flows((first, ONE), (second, TWO))) == []


def test_l3_an_element_is_found_by_a_field_that_equals_an_earlier_argument() -> None:
    def run(name: str, *rows: tuple[Any, ...]) -> Parent:
        found = next(row[0] for row in rows if row[1] == name)
        listed = [{"note": None, "is_new": True, "text": "", **row} for row in items(*rows)]
        return parent(("find", {"q": name}, {"items": listed}), ("use", {"id": found}, None))

    parents = [
        run("Ann Lee", ("U-10001", "Bob"), ("U-10002", "Ann Lee"), ("U-10003", "Cy")),
        run("Dora Q", ("U-20001", "Dora Q"), ("U-20002", "Eve"), ("U-20003", "Fay"), ("U-20004", "Gil")),
    ]
    assert explained(parents) == ["find().items[name == q].id"]


def test_l3_a_constant_argument_selects_an_element_by_a_word_but_not_by_a_small_number() -> None:
    def run(argument: Any, ids: list[str], at: int, field: str) -> Parent:
        rows = [{"id": one, field: argument if place == at else "none"} for place, one in enumerate(ids)]
        return parent(("find", {"only": argument}, rows), ("use", {"id": ids[at]}, None))

    moved = lambda argument, field: [
        run(argument, ["U-10001", "U-10002", "U-10003"], 1, field),
        run(argument, ["U-20001", "U-20002", "U-20003"], 2, field),
    ]
    assert explained(moved("open", "state")) == ["find()[state == only].id"]
    assert explained(moved(1, "rank")) == []
    assert explained(moved(1, "only")) == ["find()[only == only].id"]
    assert explained(moved(True, "only")) == []


def test_l3_an_element_is_found_by_a_param_of_which_the_recording_has_the_digest() -> None:
    def run(name: str, at: int) -> Parent:
        rows = items(*((f"U-{hash_of(name)}{place}", name if place == at else f"x{place}") for place in range(4)))
        return parent(("all", {}, rows), ("use", {"id": rows[at]["id"]}, None), params={"who": name})

    def hash_of(name: str) -> str:
        return str(sum(map(ord, name)) + 10_000)

    parents = [run("Ann Lee", 1), run("Bob Ray", 2)]
    assert explained(parents) == []
    assert explained(parents, digest_of=digest_of) == ["all()[name == who].id"]
    source = last_leaf(parents, digest_of=digest_of).sources[0]
    rows = items(("U-1", "Ann"), ("U-2", "Cy Fox"))
    assert read(source, [rows], _no_argument, {"who": "Cy Fox"}) == "U-2"


def test_l3_a_param_that_equals_the_leaf_in_both_recordings_is_a_source() -> None:
    def run(value: Any, given: Any, form: str) -> Parent:
        return parent(
            ("use", {"nick": value}, None), params={"who": given}, suspicions=[(Suspicion(0, "param", ("who",), form),)]
        )

    assert explained([run("Q8-x1", "Q8-x1", "same"), run("Z7-y2", "Z7-y2", "same")]) == ["param who"]
    assert explained([run("48213", 48213, "converted"), run("90517", 90517, "converted")]) == ["str(param who)"]
    assert explained([run(48213, "48213", "converted"), run(90517, "90517", "converted")]) == ["int(param who)"]
    assert explained([run("Q8-x1", "Q8-x1", "same"), run("Z7-y2", "Z7-y2", "joined")]) == []
    assert explained([run("Q8-x1", "Q8-x1", "same"), run("Z7-y2", "Q8-x1", "same")]) == []
    lacking = parent(("use", {"nick": "Z7-y2"}, None), params={"who": "Z7-y2"})
    assert explained([run("Q8-x1", "Q8-x1", "same"), lacking]) == []


def test_l3_an_earlier_argument_is_a_source() -> None:
    parents = [parent(("put", {"row": {"id": one, "n": [1]}}, None), ("use", {"id": one}, None)) for one in (ONE, TWO)]
    assert explained(parents) == ["argument row of put().id"]


def test_l3_only_steps_that_had_ended_in_every_recording_are_sources() -> None:
    def run(one: str, ended: frozenset[int]) -> Parent:
        calls = (("make", {}, {"id": one}), ("use", {"id": one}, None))
        return parent(*calls, ended=[frozenset(), ended])

    assert explained([run(ONE, frozenset([0])), run(TWO, frozenset([0]))]) == ["make().id"]
    assert explained([run(ONE, frozenset([0])), run(TWO, frozenset())]) == []


def test_l3_an_output_that_was_not_stored_is_no_source() -> None:
    assert explained(flows(({"id": ONE}, ONE), (NO_OUTPUT, TWO))) == []
    assert explained(flows((NO_OUTPUT, ONE), ({"id": TWO}, TWO))) == []


def _no_argument(step: int, name: str) -> Any:
    raise LookupError(name)


ROWS = items(("A", "ann", 3), ("B", "bob", 1), ("C", "ann", 7))
READ = [
    pytest.param((Element(0), Name("id")), "A", id="first"),
    pytest.param((Element(-1), Name("id")), "C", id="last"),
    pytest.param((Element(3), Name("id")), None, id="too short"),
    pytest.param((Element(-4), Name("id")), None, id="too short from the back"),
    pytest.param((Only(("name",), Source(PARAM, name="who")), Name("id")), "B", id="only"),
    pytest.param((Only(("name",), Source(PARAM, name="two")), Name("id")), None, id="two elements"),
    pytest.param((Only(("name",), Source(PARAM, name="none")), Name("id")), None, id="no element"),
    pytest.param((Only(("nick",), Source(PARAM, name="who")), Name("id")), None, id="no such field"),
    pytest.param((Only(("name",), Source(PARAM, name="absent")), Name("id")), None, id="no such param"),
    pytest.param((Extreme(("price",), True), Name("id")), "C", id="largest"),
    pytest.param((Extreme(("price",), False), Name("id")), "B", id="smallest"),
    pytest.param((Extreme(("name",), False), Name("id")), None, id="no order"),
    pytest.param((Slot(0), Name("id")), None, id="a list is no tuple"),
    pytest.param((Name("id"),), None, id="a list has no names"),
    pytest.param((Element(0),), None, id="a dict is no leaf"),
    pytest.param((Element(0), NthKey(1)), "name", id="second key"),
    pytest.param((Element(0), NthKey(3)), None, id="too few keys"),
    pytest.param((Parsed(), Name("id")), None, id="a list is no text"),
]


@pytest.mark.parametrize(("path", "wanted"), READ)
def test_l3_a_value_is_read_or_not_there(path: tuple[Any, ...], wanted: Any) -> None:
    source = Source(OUTPUT, 0, "", path)
    params = {"who": "bob", "two": "ann", "none": "zed"}
    if wanted is None:
        with pytest.raises(LookupError):
            read(source, [ROWS], _no_argument, params)
    else:
        assert read(source, [ROWS], _no_argument, params) == wanted


UTC = datetime.UTC
COLUMNS = [
    pytest.param([3, 1.5, Decimal(7)], (1, 2), id="numbers"),
    pytest.param([3, float("nan")], None, id="NaN"),
    pytest.param([Decimal("sNaN"), Decimal(1)], None, id="signaling NaN"),
    pytest.param([True, False], None, id="bools"),
    pytest.param([None, 1], None, id="None"),
    pytest.param(["2026-03-10", "2025-12-31"], (1, 0), id="dates"),
    pytest.param([datetime.date(2026, 1, 2), datetime.date(2025, 1, 2)], (1, 0), id="date objects"),
    pytest.param([datetime.datetime(2026, 1, 2, tzinfo=UTC), datetime.datetime(2025, 1, 2)], None, id="zones"),
    pytest.param(["9 EUR", "$10.50", "11"], (0, 2), id="amounts"),
    pytest.param(["9 EUR", "ten EUR"], None, id="words"),
    pytest.param([1, 1, 2], (None, 2), id="two that are equal"),
    pytest.param([5], (0, 0), id="one element"),
    pytest.param([], None, id="empty"),
]


@pytest.mark.parametrize(("column", "wanted"), COLUMNS)
def test_l3_an_extreme_is_the_only_element_with_the_most_or_the_least(column: list[Any], wanted: Any) -> None:
    rows = [{"id": f"I{at}", "v": value} for at, value in enumerate(column)]
    for is_largest, at in zip((False, True), wanted or (None, None), strict=True):
        source = Source(OUTPUT, 0, "", (Extreme(("v",), is_largest), Name("id")))
        if at is None:
            with pytest.raises(LookupError):
                read(source, [rows], _no_argument, {})
        else:
            assert read(source, [rows], _no_argument, {}) == f"I{at}"


@pytest.mark.parametrize(
    ("container", "item", "found"),
    [
        (collections.deque(["a", "b"]), Element(-1), "b"),
        (({"id": "a"}, {"id": "b"}), Element(-1), None),
        (("a", 1), Slot(0), "a"),
        (("a", 1), Element(0), None),
        (({"id": 1}, {"id": 2}), Slot(0), None),
        (Pair("a", "b"), Slot(1), None),
        (Pair("a", "b"), Element(1), None),
        ({"a", "b"}, Element(0), None),
        ("ab", Element(0), None),
    ],
)
def test_l3_positions_are_those_of_lists_and_slots_those_of_tuples(container: Any, item: Any, found: Any) -> None:
    if found is None:
        with pytest.raises(LookupError):
            read(Source(OUTPUT, 0, "", (item,)), [container], _no_argument, {})
    else:
        assert read(Source(OUTPUT, 0, "", (item,)), [container], _no_argument, {}) == found


def test_l3_a_tuple_of_records_is_a_list() -> None:
    parents = flows((({"id": ONE}, {"id": "x"}), ONE), (({"id": TWO}, {"id": "y"}, {"id": "z"}), TWO))
    assert explained(parents) == ["make()[0].id"]


def test_l3_a_list_of_another_class_is_read_without_its_code() -> None:
    class Trap(list[Any]):
        def __getitem__(self, at: Any) -> Any:
            raise AssertionError

        def __iter__(self) -> Any:
            raise AssertionError

        def __len__(self) -> int:
            raise AssertionError

    assert read(Source(OUTPUT, 0, "", (Element(-1),)), [Trap(["a", "b"])], _no_argument, {}) == "b"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Ticket T-1 was opened", "T-1"),
        ("A Ticket T-1 was opened, and it was late", "T-1"),
        ("Ticket T-1 was opened. Ticket T-2 was opened", None),
        ("Ticket T-1 is open", None),
        ("Ticket  was opened", None),
        ("Ticket T\n1 was opened", None),
        ("Ticket " + "x" * 300 + " was", None),
        (b"Ticket T-1 was opened", None),
    ],
)
def test_l3_a_text_between_words_is_one_short_line_behind_words_that_are_there_once(text: Any, wanted: Any) -> None:
    source = Source(OUTPUT, 0, "", (Between("Ticket ", " was"),))
    if wanted is None:
        with pytest.raises(LookupError):
            read(source, [text], _no_argument, {})
    else:
        assert read(source, [text], _no_argument, {}) == wanted


@pytest.mark.parametrize(
    "live",
    [
        {"id": ONE},
        Order(ONE),
        Pair("x", ONE),
        Slots(ONE),
        SimpleNamespace(id=ONE),
        type("Other", (), {"__init__": lambda self: setattr(self, "id", ONE)})(),
    ],
    ids=lambda live: type(live).__name__,
)
def test_l3_a_field_is_read_from_any_live_object(live: Any) -> None:
    assert read(Source(OUTPUT, 0, "", (Name("id"),)), [live], _no_argument, {}) == ONE


def test_l3_reading_runs_no_code_of_the_user() -> None:
    class Trap:
        @property
        def id(self) -> str:
            raise AssertionError("read")

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    with pytest.raises(LookupError):
        read(Source(OUTPUT, 0, "", (Name("id"),)), [Trap()], _no_argument, {})


def test_l3_an_unknown_class_is_read_by_its_stored_fields() -> None:
    made = codec.encode(Order(ONE))
    unknown = codec.decode(made.replace(b":Order", b":Ordex"), lenient=True)
    assert type(unknown) is codec.Record
    assert explained([*flows((unknown, ONE)), *flows((Order(TWO), TWO))]) == ["make().id"]


@pytest.mark.parametrize(
    "source",
    [
        Source(OUTPUT, 5),
        Source(OUTPUT, -1),
        Source(PARAM, name="absent"),
        Source(ARGUMENT, 0, "absent"),
        Source("elsewhere"),
        Source(OUTPUT, 0, "", (), "unknown"),
        Source(OUTPUT, 0, "", (), "number"),
    ],
)
def test_l3_what_is_not_there_is_a_lookup_error(source: Source) -> None:
    with pytest.raises(LookupError):
        read(source, ["text"], _no_argument, {})


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("", "x", "x"),
        ("number", "7", 7),
        ("number", "-1.50", -1.5),
        ("number", "1,000", None),
        ("number", "07", None),
        ("number", 7, None),
        ("number", "9" * 50, None),
        ("text", 7, "7"),
        ("text", 1.5, "1.5"),
        ("text", 1e30, None),
        ("text", True, None),
        ("text", "7", None),
        ("lower", "Ab", "ab"),
        ("lower", 1, None),
        ("upper", "Ab", "AB"),
        ("strip", " a ", "a"),
        ("date", "2026-01-02T03:04:05Z", "2026-01-02"),
        ("date", "2026-01-02 03:04", "2026-01-02"),
        ("date", "2026-01-02", None),
        ("date", "2026-01-02T03:04 or so", None),
        ("date", datetime.datetime(2026, 1, 2, 3), datetime.date(2026, 1, 2)),
        ("date", datetime.date(2026, 1, 2), None),
    ],
)
def test_l3_a_conversion_gives_a_value_or_a_value_error(name: str, value: Any, wanted: Any) -> None:
    if wanted is None:
        with pytest.raises(ValueError, match="not a"):
            CONVERT[name](value)
    else:
        found = CONVERT[name](value)
        assert (type(found), found) == (type(wanted), wanted)


def test_l5_all_sources_that_can_be_read_must_agree() -> None:
    first, last = Source(OUTPUT, 0, "", (Element(0),)), Source(OUTPUT, 0, "", (Element(-1),))
    third = Source(OUTPUT, 0, "", (Element(2),))
    value = lambda sources, output, **named: agreed(Get(sources), [output], _no_argument, {}, **named)
    assert value((first, last), ["a"]) == "a"
    assert value((first, third), ["a", "b"]) == "a"
    with pytest.raises(Unclear) as unclear:
        value((first, last, third), ["a", "b"])
    assert unclear.value.votes == [(first, "'a'"), (last, "'b'"), (third, "not found")]
    with pytest.raises(Unclear):
        value((first, last), [True, 1])
    with pytest.raises(Unclear):
        value((first,), [])


def test_l5_a_source_that_may_act_must_be_among_them_and_the_type_as_recorded() -> None:
    second = Source(OUTPUT, 0, "", (Element(1),))
    with pytest.raises(Unclear):
        agreed(Get((second,)), [["a", "b"]], _no_argument, {})
    whole = Get((Source(OUTPUT, 0),))
    assert agreed(whole, ["7"], _no_argument, {}, kind=str) == "7"
    with pytest.raises(Unclear) as unclear:
        agreed(whole, [7], _no_argument, {}, kind=str)
    assert unclear.value.votes == [(whole.sources[0], "7")]


@pytest.mark.parametrize("value", [None, True, "", Color.RED, [], {}], ids=repr)
def test_l5_l6_what_is_never_inferred_is_never_the_result(value: Any) -> None:
    with pytest.raises(Unclear):
        agreed(Get((Source(OUTPUT, 0, "", (Name("next"),)),)), [{"next": value}], _no_argument, {})


def test_l5_a_position_does_not_act_for_an_element_that_is_not_found_by_its_field() -> None:
    first = Source(OUTPUT, 0, "", (Element(0), Name("id")))
    only = Source(OUTPUT, 0, "", (Only(("name",), Source(PARAM, name="who")), Name("id")))
    given = Source(ARGUMENT, 0, "id")
    value = lambda who, *sources: agreed(Get(sources), [ROWS], lambda step, name: "A", {"who": who})
    assert value("bob", only) == "B"
    assert value("zed", first) == "A"
    for who in ("zed", "ann"):
        with pytest.raises(Unclear) as unclear:
            value(who, first, only)
        assert unclear.value.votes == [(first, "'A'"), (only, "not found")]
    assert value("zed", first, only, given) == "A"


def test_l3_a_source_has_the_same_digest_in_every_process() -> None:
    source = Source(
        OUTPUT, 2, "", (Name("items"), Only(("name",), Source(ARGUMENT, 0, "q")), Parsed(), Between("a", "")), "number"
    )
    assert source_digest(source).hex() == "e724b46dc0e5e1f7a5e6759c9fbc98dc"
    assert source_digest(Source(OUTPUT, 2)) != source_digest(Source(OUTPUT, 3))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (Source(OUTPUT, 0, "", (Name("id"),)), "find#1().id"),
        (Source(OUTPUT, 2, "", (Name("a b"), Element(-1), Slot(1))), "find#2()['a b'][-1][1]"),
        (Source(OUTPUT, 1, "", (Only(("at", 0), Source(PARAM, name="who")), Name("id"))), "take()[at.0 == who].id"),
        (
            Source(OUTPUT, 1, "", (Only((), Source(PARAM, "", path=(Name("x"),), name="who")),)),
            "take()[element == param who.x]",
        ),
        (Source(OUTPUT, 1, "", (Extreme(("price",), False), NthKey(2))), "take()[smallest price].keys[2]"),
        (Source(ARGUMENT, 1, "title"), "argument title of take()"),
        (Source(PARAM, name="qty", convert="number"), "int(param qty)"),
        (Source(OUTPUT, 9), "output[9]"),
    ],
)
def test_l3_a_source_is_shown_as_source_text(source: Source, text: str) -> None:
    assert source_text(source, ["find", "take", "find"]) == text


def test_l3_parts_of_an_argument_that_are_bound_are_no_leaves() -> None:
    parents = [Parent([record("use", id=Par("who"))], [None], [frozenset()]) for _ in range(2)]
    assert infer(parents, [None]) == []
