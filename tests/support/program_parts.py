"""Parts of random programs: how an agent chooses records, what it makes of them, and on what it branches.

Each part has a class. `seen`: the rules promise that no replay differs. `param`: what the agent looks up or decides by
a param, promised under `generalize="confirmed"`. `unseen`: documented as not seen by any replay.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

from program_worlds import SYNONYMS, Record

COUNTRIES = {"Lee": "KR", "Smith": "GB", "Okafor": "NG"}


@dataclass
class Data:
    """What an agent knows at a point of its run."""

    params: dict[str, Any]
    today: date
    records: list[Record] = field(default_factory=list)
    record: Record = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    answer: Any = None


class Part(NamedTuple):
    """A choice, an expression or a condition: its name, what it needs, its class, and what it does."""

    name: str
    needs: str
    kind: str
    make: Callable[[Data], Any]


def usable(parts: list[Part], known: set[str], rng: Random, careful: float) -> list[Part]:
    """Return the parts whose needs are known; for a careful program only those that are seen."""
    kinds = {"seen"} if careful < 0.6 else {"seen", "param"} if careful < 0.8 else {"seen", "param", "unseen"}
    return [part for part in parts if needed(part) <= known and part.kind in kinds]


def needed(part: Part) -> set[str]:
    """Return what a part needs; fields of the chosen record have its name before theirs."""
    needs = set(part.needs.split())
    return {f"record.{need}" if "record" in needs and need in SYNONYMS else need for need in needs}


def draw(parts: list[Part], known: set[str], rng: Random, careful: float) -> Part:
    """Return one of the usable parts."""
    return rng.choice(usable(parts, known, rng, careful))


# Choices of a record


def _first(records: list[Record], test: Callable[[Record], Any]) -> Record | None:
    return next((record for record in records if test(record)), None)


def _least(records: list[Record], name: str, most: bool = False) -> Record | None:
    return (
        (max if most else min)(records, key=lambda record: str(record[name]) if name == "day" else record[name])
        if records
        else None
    )


def _nth(records: list[Record], place: int) -> Record | None:
    return records[place] if len(records) > place else None


CHOICES = [
    Part("first", "", "seen", lambda d: _nth(d.records, 0)),
    Part("second", "", "seen", lambda d: _nth(d.records, 1)),
    Part("third", "", "seen", lambda d: _nth(d.records, 2)),
    Part("last", "", "seen", lambda d: d.records[-1] if d.records else None),
    Part("cheapest", "", "seen", lambda d: _least(d.records, "price")),
    Part("dearest", "", "seen", lambda d: _least(d.records, "price", True)),
    Part("most in stock", "qty", "seen", lambda d: _least(d.records, "qty", True)),
    Part("earliest", "day", "seen", lambda d: _least(d.records, "day")),
    Part("latest", "day", "seen", lambda d: _least(d.records, "day", True)),
    Part("first ok", "ok", "seen", lambda d: _first(d.records, lambda r: r["ok"])),
    Part("first not ok", "ok", "seen", lambda d: _first(d.records, lambda r: not r["ok"])),
    Part("first open", "state", "seen", lambda d: _first(d.records, lambda r: r["state"] == "open")),
    Part("first held", "state", "seen", lambda d: _first(d.records, lambda r: r["state"] == "held")),
    Part("last by name", "", "unseen", lambda d: _least(d.records, "name", True)),
    Part("second cheapest", "", "unseen", lambda d: _nth(sorted(d.records, key=lambda r: r["price"]), 1)),
    Part("cheapest ok", "ok", "unseen", lambda d: _least([r for r in d.records if r["ok"]], "price")),
    Part("first below limit", "", "unseen", lambda d: _first(d.records, lambda r: r["price"] < 100)),
    Part("first named early", "", "unseen", lambda d: _first(d.records, lambda r: r["name"][0] in "ABCDEFGHabcdefgh")),
    Part("by name", "text", "param", lambda d: _first(d.records, lambda r: r["name"] == d.params["text"])),
    Part("within the budget", "n", "param", lambda d: _first(d.records, lambda r: r["price"] <= d.params["n"])),
    Part("nth", "n", "param", lambda d: _nth(d.records, d.params["n"] % 4)),
]

# Ids and texts of a record


def _slug(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")


def _initials(text: str) -> str:
    return "".join(word[0] for word in text.split()).upper()


IDS = [
    Part("id", "record", "seen", lambda d: d.record["id"]),
    Part("id", "record", "seen", lambda d: d.record["id"]),
    Part("id as text", "record", "seen", lambda d: str(d.record["id"])),
    Part("id padded", "record", "seen", lambda d: f"{d.record['id']:0>6}"),
    Part("id with a prefix", "record", "seen", lambda d: f"ITEM-{d.record['id']}"),
    Part("id in a path", "record", "seen", lambda d: f"/items/{d.record['id']}/edit"),
    Part("id in a dict", "record", "seen", lambda d: {"ref": d.record["id"], "kind": "item"}),
    Part("ref of the note", "record note", "seen", lambda d: int(re.findall(r"#(\d+)", d.record["note"])[0])),
    Part("ref text of the note", "record note", "seen", lambda d: re.findall(r"#\d+", d.record["note"])[0]),
    Part("slug", "record", "seen", lambda d: _slug(d.record["name"])),
    Part("index", "record", "seen", lambda d: d.records.index(d.record)),
    Part("place", "record", "seen", lambda d: d.records.index(d.record) + 1),
    Part("ids", "", "seen", lambda d: [r["id"] for r in d.records]),
    Part("ids joined", "", "seen", lambda d: ",".join(str(r["id"]) for r in d.records)),
]

TEXTS = [
    Part("name", "record", "seen", lambda d: d.record["name"]),
    Part("name upper", "record", "seen", lambda d: d.record["name"].upper()),
    Part("name lower", "record", "seen", lambda d: d.record["name"].lower()),
    Part("first word", "record", "seen", lambda d: d.record["name"].split()[0]),
    Part("last word", "record", "seen", lambda d: d.record["name"].split()[-1]),
    Part("initials", "record", "seen", lambda d: _initials(d.record["name"])),
    Part("turned name", "record", "seen", lambda d: ", ".join(reversed(d.record["name"].split()))),
    Part("dear", "record", "seen", lambda d: f"Dear {d.record['name'].split()[0]},"),
    Part("name and id", "record", "seen", lambda d: f"{d.record['name']} ({d.record['id']})"),
    Part("name and price", "record", "seen", lambda d: f"{d.record['name']}: {d.record['price']:,.2f}"),
    Part("owner", "record owner", "seen", lambda d: d.record["owner"]),
    Part("domain", "record owner", "seen", lambda d: d.record["owner"].split("@")[1]),
    Part("local part", "record owner", "seen", lambda d: d.record["owner"].split("@")[0]),
    Part("owner's name", "record owner", "seen", lambda d: d.record["owner"].split("@")[0].replace(".", " ").title()),
    Part("person of the note", "record note", "seen", lambda d: d.record["note"].split(" of ")[1]),
    Part("state", "record state", "seen", lambda d: d.record["state"]),
    Part("state upper", "record state", "seen", lambda d: d.record["state"].upper()),
    Part("names", "", "seen", lambda d: ", ".join(r["name"] for r in d.records)),
    Part("first two names", "", "seen", lambda d: " and ".join(r["name"] for r in d.records[:2])),
    Part(
        "names of the open", "state", "seen", lambda d: ", ".join(r["name"] for r in d.records if r["state"] == "open")
    ),
    Part("count in a text", "", "seen", lambda d: f"{len(d.records)} items"),
    Part("sum in a text", "", "seen", lambda d: f"Total: {sum(r['price'] for r in d.records):,.2f}"),
    Part("account", "settings", "seen", lambda d: d.settings["account"]),
    Part("account digits", "settings", "seen", lambda d: d.settings["account"][3:]),
    Part("text", "text", "seen", lambda d: d.params["text"]),
    Part("text upper", "text", "seen", lambda d: d.params["text"].upper()),
    Part("text first word", "text", "seen", lambda d: d.params["text"].split()[0]),
    Part("text slug", "text", "seen", lambda d: _slug(d.params["text"])),
    Part("text initials", "text", "seen", lambda d: _initials(d.params["text"])),
    Part("text in a text", "text", "seen", lambda d: f"Hello {d.params['text']}!"),
    Part("text joined", "text", "seen", lambda d: f"{d.params['text']}.pdf"),
    Part("text and name", "text record", "seen", lambda d: f"{d.params['text']} / {d.record['name']}"),
    Part("country of text", "text", "param", lambda d: COUNTRIES.get(d.params["text"].split()[-1], "DE")),
    Part("length of text", "text", "param", lambda d: f"{len(d.params['text'])} letters"),
    Part("n in a text", "n", "seen", lambda d: f"{d.params['n']} pieces"),
    Part("n padded", "n", "seen", lambda d: f"No. {d.params['n']:04d}"),
    Part("n with separators", "n", "seen", lambda d: f"{d.params['n']:,} km"),
    Part("n as a word", "n", "param", lambda d: "many" if d.params["n"] > 50 else "few"),
    Part("day spelled", "date", "seen", lambda d: d.params["date"].strftime("%d.%m.%Y")),
    Part("constant", "", "seen", lambda d: "please confirm"),
    Part("today", "today", "seen", lambda d: d.today.isoformat()),
    Part("today in words", "today", "seen", lambda d: f"as of {d.today.day} {d.today:%B %Y}"),
]

FIGURES = [
    Part("price", "record", "seen", lambda d: d.record["price"]),
    Part("price rounded", "record", "seen", lambda d: round(d.record["price"])),
    Part("cents", "record", "seen", lambda d: round(d.record["price"] * 100)),
    Part("price text", "record", "seen", lambda d: f"{d.record['price']:.2f}"),
    Part("price with a comma", "record", "seen", lambda d: f"{d.record['price']:.2f}".replace(".", ",")),
    Part("price grouped", "record", "seen", lambda d: f"{d.record['price']:,.2f} EUR"),
    Part("price with tax", "record", "seen", lambda d: round(d.record["price"] * 1.19, 2)),
    Part("qty", "record qty", "seen", lambda d: d.record["qty"]),
    Part("qty more", "record qty", "seen", lambda d: d.record["qty"] + 1),
    Part("qty missing", "record qty", "seen", lambda d: max(0, 5 - d.record["qty"])),
    Part("worth", "record qty", "seen", lambda d: round(d.record["qty"] * d.record["price"], 2)),
    Part("share", "record", "seen", lambda d: f"{d.record['price'] / (sum(r['price'] for r in d.records) or 1):.0%}"),
    Part("sum", "", "seen", lambda d: round(sum(r["price"] for r in d.records), 2)),
    Part("mean", "", "seen", lambda d: round(sum(r["price"] for r in d.records) / max(1, len(d.records)))),
    Part("highest", "", "seen", lambda d: max((r["price"] for r in d.records), default=0)),
    Part("count", "", "seen", lambda d: len(d.records)),
    Part("count ok", "ok", "seen", lambda d: sum(r["ok"] for r in d.records)),
    Part("count open", "state", "seen", lambda d: sum(r["state"] == "open" for r in d.records)),
    Part("prices", "", "seen", lambda d: [r["price"] for r in d.records]),
    Part("day", "record day", "seen", lambda d: str(d.record["day"])),
    Part("day spelled", "record day", "seen", lambda d: date.fromisoformat(str(d.record["day"])).strftime("%d.%m.%Y")),
    Part("day in words", "record day", "seen", lambda d: f"{date.fromisoformat(str(d.record['day'])):%B %d, %Y}"),
    Part(
        "two weeks later", "record day", "seen", lambda d: str(date.fromisoformat(str(d.record["day"])) + timedelta(14))
    ),
    Part("weekday", "record day", "seen", lambda d: f"{date.fromisoformat(str(d.record['day'])):%A}"),
    Part("days left", "record day today", "seen", lambda d: (date.fromisoformat(str(d.record["day"])) - d.today).days),
    Part("limit", "settings", "seen", lambda d: d.settings["limit"]),
    Part("fee", "settings record", "seen", lambda d: round(d.settings["rate"] * d.record["price"], 2)),
    Part("rate", "settings", "seen", lambda d: f"{d.settings['rate']:.0%}"),
    Part("n", "n", "seen", lambda d: d.params["n"]),
    Part("n doubled", "n", "seen", lambda d: d.params["n"] * 2),
    Part("n more", "n", "seen", lambda d: d.params["n"] + 1),
    Part("n prices", "n record", "seen", lambda d: round(d.params["n"] * d.record["price"], 2)),
    Part("n percent", "n", "seen", lambda d: d.params["n"] / 100),
    Part("date", "date", "seen", lambda d: d.params["date"].isoformat()),
    Part("week after date", "date", "seen", lambda d: (d.params["date"] + timedelta(7)).isoformat()),
    Part("weekday of date", "date", "seen", lambda d: d.params["date"].strftime("%A")),
    Part("constant", "", "seen", lambda d: 7),
    Part("in a week", "today", "seen", lambda d: (d.today + timedelta(7)).isoformat()),
    Part("year", "today", "seen", lambda d: d.today.year),
]

FLAGS = [
    Part("currency", "settings", "seen", lambda d: d.settings["currency"]),
    Part("express", "settings", "seen", lambda d: d.settings["express"]),
    Part("ok", "record ok", "seen", lambda d: d.record["ok"]),
    Part(
        "next state",
        "record state",
        "seen",
        lambda d: {"open": "closed", "held": "open"}.get(d.record["state"], "held"),
    ),
    Part("any ok", "ok", "seen", lambda d: any(r["ok"] for r in d.records)),
    Part("all ok", "ok", "seen", lambda d: all(r["ok"] for r in d.records)),
    Part("in stock", "record qty", "seen", lambda d: d.record["qty"] > 0),
    Part("cheap", "record", "unseen", lambda d: "cheap" if d.record["price"] < 100 else "dear"),
    Part("constant", "", "seen", lambda d: "done"),
    Part("true", "", "seen", lambda d: True),
    Part("n is large", "n", "param", lambda d: d.params["n"] > 20),
]

CONDITIONS = [
    Part("always", "", "seen", lambda d: True),
    Part("always", "", "seen", lambda d: True),
    Part("always", "", "seen", lambda d: True),
    Part("any records", "", "seen", lambda d: bool(d.records)),
    Part("express", "settings", "seen", lambda d: d.settings["express"]),
    Part("ok", "record ok", "seen", lambda d: d.record["ok"]),
    Part("open", "record state", "seen", lambda d: d.record["state"] == "open"),
    Part("in stock", "record qty", "seen", lambda d: d.record["qty"] > 0),
    Part("answer ok", "answer", "seen", lambda d: not isinstance(d.answer, dict) or d.answer["ok"]),
    Part("all ok", "ok", "seen", lambda d: all(r["ok"] for r in d.records)),
    Part("price above 100", "record", "unseen", lambda d: d.record["price"] > 100),
    Part("many records", "", "unseen", lambda d: len(d.records) > 3),
    Part("overdue", "record day today", "unseen", lambda d: date.fromisoformat(str(d.record["day"])) < d.today),
    Part("long name", "record", "unseen", lambda d: len(d.record["name"]) > 9),
    Part("n above 20", "n", "param", lambda d: d.params["n"] > 20),
    Part("text is a person", "text", "param", lambda d: d.params["text"][0].isupper()),
]
