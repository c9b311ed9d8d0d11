"""Worlds of random programs: records, settings and a day, the shapes in which tools return them, and their changes."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import asdict, dataclass, field, make_dataclass
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Any, NamedTuple

FIRST = "Ann Bob Carla Dmitri Elif Femi Greta Hugo Ines Jonas Kofi Lena Mira Noor Olga Pavel".split()
LAST = "Lee Smith Okafor Novak Garcia Haddad Ivanova Jensen Kim Lopez Mehta Nilsson Park Quinn".split()
GOODS = "desk lamp,oak chair,steel rack,cable reel,paper box,ink pad,wall clock,tea pot,floor mat,drill set".split(",")
STATES = ["open", "closed", "pending", "held"]
SYNONYMS = {
    "id": ["id", "item_id", "ref", "key"],
    "name": ["name", "title", "label"],
    "price": ["price", "cost", "amount"],
    "qty": ["qty", "quantity", "stock"],
    "day": ["day", "due", "date"],
    "state": ["state", "status"],
    "ok": ["ok", "available", "active"],
    "owner": ["owner", "email", "contact"],
    "note": ["note", "remark"],
}
CANONICAL = {actual: name for name, actuals in SYNONYMS.items() for actual in actuals}
SHAPES = (
    "dicts wrapped json csv markdown lines dataclasses tuples mcp keyed columns namedtuples html groups prose".split()
)
Record = dict[str, Any]


@dataclass
class World:
    """All that the tools of a program return and change."""

    records: list[Record]
    settings: dict[str, Any]
    today: date
    names: dict[str, str]
    shape: str
    id_style: str
    price_style: str
    money: str  # how a text spells a price
    page_size: int = 0
    writes: list[tuple[Any, ...]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)


def new_world(rng: Random) -> World:
    """Return a world with two to seven records of four to nine fields."""
    extra = [name for name in SYNONYMS if name not in ("id", "name", "price")]
    fields = ["id", "name", "price", *rng.sample(extra, rng.randint(2, len(extra)))]
    world = World(
        records=[],
        settings={
            "currency": rng.choice(["EUR", "USD", "CHF"]),
            "limit": rng.choice([3, 40, 250, 1000]),
            "rate": rng.choice([0.1, 0.19, 0.25]),
            "express": rng.random() < 0.5,
            "account": f"AC-{rng.randint(1000, 9999)}",
        },
        today=date(2025, 1, 1) + timedelta(days=rng.randint(0, 700)),
        names={name: rng.choice(SYNONYMS[name]) for name in fields},
        shape=rng.choice(SHAPES),
        id_style=rng.choice("small small large code hex name".split()),
        price_style=rng.choice("small whole cents cents".split()),
        money=rng.choice(["{:.2f}", "{:,.2f}", "{:,.2f} EUR", "${:,.2f}", "{}"]),
        answers={"ok": True, "code": rng.randint(10000, 99999)},
    )
    world.records = [new_record(rng, world) for _ in range(rng.randint(2, 7))]
    return world


def new_record(rng: Random, world: World) -> Record:
    """Return a record with an id and a name that no other has."""
    taken = {record["id"] for record in world.records}
    name = f"{rng.choice(FIRST)} {rng.choice(LAST)}" if rng.random() < 0.5 else rng.choice(GOODS)
    while name in {record["name"] for record in world.records}:
        name = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
    number = new_id(rng, world, name)
    while number in taken:
        number = new_id(rng, world, f"{name} {rng.randint(2, 99)}")
    everything = {
        "id": number,
        "name": name,
        "price": new_price(rng, world),
        "qty": rng.choice([0, 1, 2, 3, 5, 8, 12, 150]),
        "day": world.today + timedelta(days=rng.randint(-40, 90)),
        "state": rng.choice(STATES),
        "ok": rng.random() < 0.6,
        "owner": f"{rng.choice(FIRST).lower()}.{rng.choice(LAST).lower()}@{rng.choice(['acme', 'globex'])}.com",
        "note": f"see order #{rng.randint(100, 99999)} of {rng.choice(FIRST)}",
    }
    return {key: everything[key] for key in world.names}


def new_id(rng: Random, world: World, name: str) -> int | str:
    """Return an id in the style of the world."""
    match world.id_style:
        case "small":
            return rng.randint(1, 30)
        case "large":
            return rng.randint(1000, 99999)
        case "code":
            return f"{rng.choice('ABC')}-{rng.randint(100, 999)}"
        case "hex":
            return f"{rng.getrandbits(32):08x}"
    return name.lower().replace(" ", "-")


def new_price(rng: Random, world: World) -> int | float:
    """Return a price in the style of the world; a few are equal by chance."""
    match world.price_style:
        case "small":
            return rng.randint(1, 20)
        case "whole":
            return rng.choice([100, 150, 1000, rng.randint(20, 5000)])
    return rng.choice([9.99, 1250.5, round(rng.uniform(1, 3000), 2)])


def change(world: World, rng: Random) -> None:
    """Change the world as time does: nothing, one thing or a few."""
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
        rng.choice(CHANGES)(world, rng)


def _shift_ids(world: World, rng: Random) -> None:
    """Ids move on: all of them, or two records exchange theirs."""
    if rng.random() < 0.5 and len(world.records) > 1:
        one, other = rng.sample(world.records, 2)
        one["id"], other["id"] = other["id"], one["id"]
        return
    for record in world.records:
        record["id"] = new_id(rng, world, f"{record['name']} {rng.randint(2, 99)}")


def _reprice(world: World, rng: Random) -> None:
    for record in rng.sample(world.records, min(len(world.records), rng.choice([1, 1, 2, 9]))):
        record["price"] = new_price(rng, world)


def _equal_by_chance(world: World, rng: Random) -> None:
    """A field of one record becomes what another has, or the limit what a price is."""
    if len(world.records) < 2:
        return
    one, other = rng.sample(world.records, 2)
    name = rng.choice([key for key in world.names if key not in ("id", "name")])
    one[name] = other[name]
    if rng.random() < 0.2:
        world.settings["limit"] = int(one["price"])


def _grow(world: World, rng: Random) -> None:
    world.records.insert(rng.randint(0, len(world.records)), new_record(rng, world))


def _shrink(world: World, rng: Random) -> None:
    if len(world.records) > 1 or rng.random() < 0.3:
        world.records and world.records.pop(rng.randrange(len(world.records)))


def _reorder(world: World, rng: Random) -> None:
    rng.shuffle(world.records)


def _rename(world: World, rng: Random) -> None:
    name = rng.choice(list(world.names))
    world.names[name] = rng.choice(SYNONYMS[name])


def _edit(world: World, rng: Random) -> None:
    """Another value in any field but the id."""
    if world.records:
        record = rng.choice(world.records)
        fresh = new_record(rng, world)
        for name in rng.sample(list(world.names), rng.choice([1, 1, 2])):
            if name != "id":
                record[name] = fresh[name]


def _flip(world: World, rng: Random) -> None:
    """A bool, a state, or an answer of a write becomes another one."""
    if rng.random() < 0.25:
        world.answers["ok"] = not world.answers["ok"]
    for record in world.records:
        if rng.random() < 0.3 and "ok" in record:
            record["ok"] = not record["ok"]
        if rng.random() < 0.3 and "state" in record:
            record["state"] = rng.choice(STATES)


def _reset(world: World, rng: Random) -> None:
    """One of the settings becomes another one."""
    other = new_world(rng).settings
    name = rng.choice(list(other))
    world.settings[name] = other[name]


def _next_day(world: World, rng: Random) -> None:
    world.today += timedelta(days=rng.choice([1, 1, 7, 30]))


def _next_code(world: World, rng: Random) -> None:
    world.answers["code"] = rng.randint(10000, 99999)


CHANGES = [
    _shift_ids,
    _reprice,
    _reprice,
    _equal_by_chance,
    _grow,
    _shrink,
    _reorder,
    _rename,
    _edit,
    _edit,
    _flip,
    _reset,
    _next_day,
    _next_code,
]


# Shapes: what a tool returns, and how an agent reads it.


@cache
def _class(names: tuple[str, ...], kind: str) -> Any:
    """Return a class of records with these fields."""
    return NamedTuple("Row", [(name, Any) for name in names]) if kind == "namedtuples" else make_dataclass("Row", names)


def show(world: World, records: list[Record]) -> Any:
    """Return records in the shape of the world."""
    named = [{world.names[key]: value for key, value in record.items()} for record in records]
    plain = [{key: _plain(value) for key, value in record.items()} for record in named]
    texts = [{world.names[key]: _text(world, key, value) for key, value in record.items()} for record in records]
    header = list(world.names.values())
    match world.shape:
        case "dicts":
            return named
        case "wrapped":
            return {"items": plain, "total": len(plain), "source": "main"}
        case "json":
            return json.dumps(plain)
        case "mcp":
            return {"content": [{"type": "text", "text": json.dumps({"rows": plain})}], "isError": False}
        case "csv":
            return _csv(header, texts)
        case "markdown":
            lines = ["| " + " | ".join(row.values()) + " |" for row in texts]
            return "\n".join(["| " + " | ".join(header) + " |", "|" + " --- |" * len(header), *lines])
        case "lines":
            return "\n\n".join("\n".join(f"{key}: {value}" for key, value in row.items()) for row in texts)
        case "dataclasses" | "namedtuples":
            return [_class(tuple(header), world.shape)(**row) for row in named]
        case "tuples":
            return [tuple(row.values()) for row in named]
        case "keyed":
            key = world.names["id"]
            return {row[key]: {name: value for name, value in row.items() if name != key} for row in plain}
        case "columns":
            return {name: [row[name] for row in plain] for name in header}
        case "html":
            cells = [header, *(list(row.values()) for row in texts)]
            rows = ["".join(f"<td>{cell}</td>" for cell in row) for row in cells]
            return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"
        case "groups":
            return {"groups": [{"rows": plain[:2]}, {"rows": plain[2:]}]}
    lines = ["; ".join(f"{name} = {value}" for name, value in row.items()) for row in texts]
    return f"Found {len(lines)} rows.\n" + "\n".join(f"{place}. {line}" for place, line in enumerate(lines, 1))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _text(world: World, name: str, value: Any) -> str:
    if name == "price":
        return world.money.format(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(_plain(value))


def _csv(header: list[str], texts: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, header)
    writer.writeheader()
    writer.writerows(texts)
    return out.getvalue()


def read(shape: str, names: list[str], output: Any) -> list[Record]:
    """Return the records of an output, as the agent reads them; `names` are the fields of the first run in order."""
    return [_typed(row) for row in _rows(shape, names, output)]


def _rows(shape: str, names: list[str], output: Any) -> list[Record]:
    match shape:
        case "dicts":
            return output
        case "wrapped":
            return output["items"]
        case "json":
            return json.loads(output)
        case "mcp":
            return json.loads(output["content"][0]["text"])["rows"]
        case "csv":
            return list(csv.DictReader(io.StringIO(output)))
        case "markdown":
            cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in output.split("\n")]
            return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]
        case "lines":
            blocks = [block.split("\n") for block in output.split("\n\n") if block]
            return [dict(line.split(": ", 1) for line in block) for block in blocks]
        case "dataclasses":
            return [asdict(row) for row in output]
        case "namedtuples":
            return [row._asdict() for row in output]
        case "tuples":
            return [dict(zip(names, row, strict=True)) for row in output]
        case "keyed":
            return [{"id": key, **row} for key, row in output.items()]
        case "columns":
            return [dict(zip(output, row, strict=True)) for row in zip(*output.values(), strict=True)]
        case "html":
            cells = [re.findall("<td>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", output)]
            return [dict(zip(cells[0], row, strict=True)) for row in cells[1:]]
        case "groups":
            return [row for group in output["groups"] for row in group["rows"]]
    lines = [line.split(". ", 1)[1] for line in output.split("\n")[1:] if line]
    return [dict(part.split(" = ", 1) for part in line.split("; ")) for line in lines]


def _typed(row: Record) -> Record:
    return {CANONICAL[name]: _value(CANONICAL[name], value) for name, value in row.items()}


def _value(name: str, value: Any) -> Any:
    """Return what a text spells; other values are what they are."""
    if not isinstance(value, str):
        return value
    match name:
        case "id" if value.isdigit() and len(value) < 8:
            return int(value)
        case "price":
            figure = re.sub("[^0-9.]", "", value)
            return float(figure) if "." in figure else int(figure)
        case "qty":
            return int(value)
        case "day":
            return date.fromisoformat(value)
        case "ok":
            return value == "yes"
    return value
