"""C8b: zoned datetimes of any fixed offset, mappings of the standard library, namespaces, IP addresses, pandas."""

from __future__ import annotations

import collections
import datetime as dt
import ipaddress
import json
import random
import sys
import types
import typing
from collections import Counter, OrderedDict, defaultdict
from types import SimpleNamespace

import pydantic
import pytest

from codec_cases import refusal, same
from muscle_mem import Engine
from muscle_mem._core import codec
from muscle_mem._core.export.json_values import from_json_value, to_json_value
from muscle_mem._core.export.layout import on_one_line
from muscle_mem._core.export.literals import Imports, literal_source
from muscle_mem.errors import UnknownTypeError


def again(value: typing.Any) -> typing.Any:
    """Store and load a value in each form, and check that they agree."""
    data = codec.encode(value)
    made = codec.decode(data)
    assert codec.encode(made) == data
    assert codec.canonical(made) == codec.canonical(value)
    assert codec.encode(codec.decode(codec.canonical(value))) == codec.canonical(value)
    shown = json.loads(json.dumps(to_json_value(data)))
    assert from_json_value(shown, "here") == data
    unfolded = codec.unfold(value)
    if unfolded is not None:
        assert codec.encode(codec.fold(*unfolded)) == data
    return made


# --- zones ------------------------------------------------------------------------------------------------


class Moment(pydantic.BaseModel):
    at: dt.datetime


@pytest.mark.parametrize("zone", ["Z", "+00:00", "+02:00", "-03:30", "+05:45", "-11:00", "+14:00"])
def test_c8b_a_time_that_pydantic_parsed_is_stored_with_its_offset(zone: str) -> None:
    moment = Moment(at=f"2026-03-01T09:30:00{zone}")  # type: ignore[arg-type] # pydantic parses it
    assert type(moment.at.tzinfo) is not dt.timezone
    made = again(moment)
    assert made == moment
    assert made.at.utcoffset() == moment.at.utcoffset()
    assert codec.canonical(moment.at) == codec.canonical(dt.datetime.fromisoformat(f"2026-03-01T09:30:00{zone}"))
    assert again(moment.at.timetz()) == moment.at.timetz()


class Fixed(dt.tzinfo):
    def __init__(self, minutes: int, name: str | None = None, summer: dt.timedelta | None = None) -> None:
        self.offset, self.name, self.summer = dt.timedelta(minutes=minutes), name, summer

    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        return self.offset

    def dst(self, moment: dt.datetime | None) -> dt.timedelta | None:
        return self.summer

    def tzname(self, moment: dt.datetime | None) -> str | None:
        return self.name


def test_c8b_a_fixed_offset_of_any_class_comes_back_as_the_same_moment() -> None:
    chance = random.Random(8)
    for _ in range(200):
        minutes = chance.randint(-1439, 1439)
        name = chance.choice([None, "CET", "UTC", "+01:00", "local time"])
        value = dt.datetime(2026, chance.randint(1, 12), chance.randint(1, 28), tzinfo=Fixed(minutes, name))
        made = again(value)
        assert (made, made.utcoffset()) == (value, value.utcoffset())
        if name in ("CET", "local time"):
            assert made.tzname() == name


class Summer(Fixed):
    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        return self.offset + dt.timedelta(hours=bool(moment and 4 <= moment.month <= 9))


class Broken(Fixed):
    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        if moment is None:
            raise ValueError("no moment")
        return self.offset


@pytest.mark.parametrize("zone", [Summer(60), Broken(60), Fixed(60, summer=dt.timedelta(hours=1))])
def test_c8b_a_zone_of_several_offsets_stays_refused(zone: dt.tzinfo) -> None:
    assert "tzinfo" in str(refusal(dt.datetime(2026, 1, 1, tzinfo=zone)))


@pytest.mark.parametrize("name", ["tzutc", "tzoffset"])
def test_c8b_fixed_zones_of_dateutil(name: str) -> None:
    tz = pytest.importorskip("dateutil.tz")
    value = dt.datetime(2026, 1, 1, tzinfo=tz.tzutc() if name == "tzutc" else tz.tzoffset("BRST", -7200))
    made = again(value)
    assert (made, made.utcoffset(), made.tzname()) == (value, value.utcoffset(), value.tzname())


# --- mappings ---------------------------------------------------------------------------------------------


def test_c8b_random_mappings_come_back_as_what_they_were() -> None:
    chance = random.Random(28)

    def value(depth: int) -> typing.Any:
        if depth == 0 or chance.random() < 0.3:
            return chance.choice([None, 0, 7, 2.5, "a", "Grüße", b"\0", True, ipaddress.ip_address("192.0.2.1")])
        keys = chance.sample(["a", "b", "c d", 1, 2.5, (1, "x"), None], chance.randint(0, 4))
        items = [(key, value(depth - 1)) for key in keys]
        kind = chance.randrange(6)
        if kind == 0:
            return OrderedDict(items)
        if kind == 1:
            return defaultdict(chance.choice([None, list, dict, int, set, str, Counter]), items)
        if kind == 2:
            return Counter({key: chance.randint(-3, 3) for key in keys})
        if kind == 3:
            return SimpleNamespace(**{key: item for key, item in items if isinstance(key, str)})
        return dict(items) if kind == 4 else [item for _, item in items]

    for _ in range(300):
        made = value(4)
        assert same(again(made), made)


def test_c8b_order_counts_for_an_ordered_dict_alone() -> None:
    ordered = OrderedDict(a=1, b=2)
    turned = OrderedDict(a=1, b=2)
    turned.move_to_end("a")
    assert list(again(turned)) == ["b", "a"]
    assert codec.canonical(ordered) != codec.canonical(turned)
    for one, two in [
        (Counter(a=1, b=2), Counter(b=2, a=1)),
        (defaultdict(int, a=1, b=2), defaultdict(int, b=2, a=1)),
        (SimpleNamespace(a=1, b=2), SimpleNamespace(b=2, a=1)),
    ]:
        assert codec.canonical(one) == codec.canonical(two)
        assert codec.encode(one) != codec.encode(two)
    kinds = (dict, OrderedDict, Counter, lambda **items: defaultdict(int, items), SimpleNamespace)
    assert len({codec.canonical(kind(a=1)) for kind in kinds}) == len(kinds)  # type: ignore[operator]


def test_c8b_a_default_factory_still_works_after_loading() -> None:
    made = again(defaultdict(list, a=[1]))
    made["b"].append(2)
    assert made == {"a": [1], "b": [2]}
    assert again(Counter("hello")).most_common(1) == [("l", 2)]


class Words(OrderedDict):  # type: ignore[type-arg]
    pass


@pytest.mark.parametrize(
    "value",
    [
        defaultdict(lambda: 0, a=1),
        defaultdict(Words),
        Words(a=1),
        collections.UserDict(a=1),
        OrderedDict(a=object()),
        SimpleNamespace(a=object()),
        types.MappingProxyType({"a": 1}),
    ],
)
def test_c8b_what_could_not_come_back_whole_stays_refused(value: object) -> None:
    refusal(value)


def test_c8b_attributes_beside_the_items_are_not_lost_silently() -> None:
    for value in (OrderedDict(a=1), Counter(a=1)):
        value.note = "x"  # type: ignore[attr-defined]
        assert "'note'" in str(refusal(value))
    namespace = SimpleNamespace()
    vars(namespace)["a\0b"] = 1
    refusal(namespace)
    value = SimpleNamespace(deep=[OrderedDict(key=SimpleNamespace(inner=object()))])
    assert refusal(value).path == ".deep[0]['key'].inner"


def test_c8b_a_mapping_that_contains_itself_is_refused() -> None:
    for value in (OrderedDict(), Counter(), SimpleNamespace()):
        if isinstance(value, SimpleNamespace):
            value.own = value
        else:
            value["own"] = value  # type: ignore[assignment]
        assert "contains itself" in str(refusal(value))


# --- addresses --------------------------------------------------------------------------------------------


def test_c8b_ip_addresses_networks_and_interfaces() -> None:
    chance = random.Random(6)
    for _ in range(300):
        bits = chance.choice([32, 128])
        number, prefix = chance.getrandbits(bits), chance.randint(0, bits)
        address = ipaddress.IPv4Address(number) if bits == 32 else ipaddress.IPv6Address(number)
        network = ipaddress.ip_network((address, prefix), strict=False)
        for value in (address, network, ipaddress.ip_interface((address, prefix))):
            made = again(value)
            assert (type(made), made) == (type(value), value)
            assert codec.is_immutable(value)
    assert again(ipaddress.ip_interface("fe80::1%eth0/64")) == ipaddress.ip_interface("fe80::1%eth0/64")


# --- source -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        OrderedDict([("b", 1), (2, [3])]),
        defaultdict(list, {"a": [1]}),
        defaultdict(None, {"a": 1}),
        defaultdict(Counter, {"a": Counter("ab")}),
        Counter({"a": 2}),
        SimpleNamespace(a=1, b=SimpleNamespace()),
        ipaddress.ip_address("192.0.2.1"),
        ipaddress.ip_network("2001:db8::/32"),
    ],
)
def test_c8b_exported_source_makes_the_value(value: object) -> None:
    imports = Imports()
    text = on_one_line(literal_source(codec.encode(value), imports))
    names: dict[str, typing.Any] = {}
    exec("\n".join(imports.lines), names)
    assert same(eval(text, names), value)


# --- in runs ----------------------------------------------------------------------------------------------


def test_c8b_params_are_bound_inside_the_new_containers() -> None:
    engine, seen = Engine(), []

    @engine.tool
    def send(what: object) -> None:
        seen.append(what)

    def agent(task: str, who: str) -> None:
        send(OrderedDict(z=1, to=who))
        send(SimpleNamespace(to=who, n=[who]))
        send(Counter({who: 1}))
        send(defaultdict(list, {"to": [who]}))

    engine.set_agent(agent)
    for who in ("Ann Lee", "Bob Ray"):
        seen.clear()
        outcome = engine("greet", who, params={"who": who})
        assert seen == [
            OrderedDict(z=1, to=who),
            SimpleNamespace(to=who, n=[who]),
            {who: 1},
            {"to": [who]},
        ]
        assert [type(one) for one in seen] == [OrderedDict, SimpleNamespace, Counter, defaultdict]
    assert outcome


def test_c8b_a_guard_finds_an_attribute_of_a_namespace_by_its_name() -> None:
    engine, bought = Engine(), []
    stock = [SimpleNamespace(name="shirt", id=4711)]

    @engine.tool(effect="read")
    def look() -> SimpleNamespace:
        return stock[0]

    @engine.tool
    def buy(id: int) -> None:
        bought.append(id)

    engine.set_agent(lambda task: buy(look().id))
    engine("buy")
    stock[0] = SimpleNamespace(id=4711, name="shirt")
    assert engine("buy")
    stock[0] = SimpleNamespace(id=4712, name="shirt")
    assert not engine("buy")
    assert bought == [4711, 4711, 4712]


# --- pandas -----------------------------------------------------------------------------------------------


def test_c8b_timestamps_of_pandas() -> None:
    pd = pytest.importorskip("pandas")
    values = [
        pd.Timestamp("2026-03-01"),
        pd.Timestamp("2026-03-01T10:00:00.123456789"),
        pd.Timestamp("2026-03-01T10:00:00.123456789", tz="UTC"),
        pd.Timestamp("2026-10-25T02:30:00", tz=dt.timezone(dt.timedelta(hours=-3))),
        pd.Timestamp("2026-10-25T00:30:00", tz="UTC").tz_convert("Europe/Berlin"),
        pd.Timestamp("2026-10-25T01:30:00", tz="UTC").tz_convert("Europe/Berlin"),
        pd.Timestamp("1500-01-01").as_unit("s"),
        pd.Timestamp(Moment(at="2026-03-01T10:00+02:00").at),  # type: ignore[arg-type]
        pd.Timedelta(days=1, nanoseconds=3),
        pd.Timedelta(5, "s").as_unit("ms"),
        pd.NaT,
    ]
    for value in values:
        made = again(value)
        assert type(made) is type(value)
        assert made is pd.NaT if value is pd.NaT else made == value
        if isinstance(value, pd.Timestamp):
            assert (made.unit, made.utcoffset(), made.nanosecond) == (value.unit, value.utcoffset(), value.nanosecond)
        assert codec.is_immutable(value)
    assert len({codec.canonical(value) for value in values}) == len(values)


def test_c8b_a_zone_of_pytz_in_a_timestamp_is_the_one_of_zoneinfo() -> None:
    pd, pytz = pytest.importorskip("pandas"), pytest.importorskip("pytz")
    value = pd.Timestamp("2026-10-25T01:30:00", tz=pytz.UTC).tz_convert(pytz.timezone("Europe/Berlin"))
    made = again(value)
    assert (made, made.utcoffset()) == (value, value.utcoffset())
    assert again(pd.Timestamp("2026-10-25", tz=pytz.FixedOffset(90))).utcoffset() == dt.timedelta(minutes=90)


def test_c8b_a_timestamp_is_a_record_where_pandas_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes.fromhex("019529a954696d657374616d70") + b"\x05\xa1s\xc0"
    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    with pytest.raises(UnknownTypeError, match="pandas"):
        codec.decode(data)
    record = codec.decode(data, lenient=True)
    assert (record.kind, record.number, record.unit, record.tz) == ("Timestamp", 5, "s", None)
    assert codec.encode(record) == data


def test_c8b_a_run_with_values_of_pandas_is_learned_and_hits() -> None:
    pd = pytest.importorskip("pandas")
    engine, booked = Engine(), []
    found = {"when": pd.Timestamp("2031-03-01T10:00+02:00"), "none": pd.NaT, "span": pd.Timedelta(days=2)}

    @engine.tool(effect="read")
    def look() -> dict[str, object]:
        return found

    @engine.tool
    def book(at: object, none: object = None, span: object = None) -> None:
        booked.append((at, none, span))

    engine.set_agent(lambda task, day: (book(*look().values()), book(day), book(pd.NaT)))
    for day in ("2031-05-01", "2031-05-01"):
        outcome = engine("t", pd.Timestamp(day), params={"day": pd.Timestamp(day)})
        assert outcome or outcome.learned
    assert outcome
    assert booked[3:] == booked[:3]
