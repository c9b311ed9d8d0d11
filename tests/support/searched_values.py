"""Random outputs and params as tools return them: lists of records, nested values, and texts that hold others."""

from __future__ import annotations

import datetime
import json
import random
from decimal import Decimal
from typing import Any

NAMES = ["Ann", "Bob", "Müller", "Zoë", "Jean-Luc", "O'Neil", "anna", "Łukasz", "東京"]
WORDS = "open closed pending yes no not available sold out red priority may march monday".split()
KEYS = "id name price city day status order_id count currency tags title index total next".split()
ODD_TEXTS = ["", " ", "-", "[", "{}", "[1, 2]", "id: 5", "a\nb", "-5", "0", "0.0", "x\0y", "5!", "12 of 15", "x" * 200]


def text(rng: random.Random) -> str:
    kinds = (
        lambda: f"{rng.choice(NAMES)} {rng.choice(NAMES)}",
        lambda: str(rng.randrange(10 ** rng.randrange(1, 8))),
        lambda: f"{rng.randrange(99_999) / 100:.2f} EUR",
        lambda: f"{rng.randrange(1, 99):,}.{rng.randrange(100, 999)},50",
        lambda: f"2031-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
        lambda: f"{rng.randrange(1, 29)} March 2031 at {rng.randrange(24)}:{rng.randrange(60):02}",
        lambda: rng.choice(WORDS),
        lambda: json.dumps({"id": rng.randrange(1_000), "name": rng.choice(NAMES)}),
        lambda: f"order {rng.randrange(100, 999)} for {rng.choice(NAMES)}: {rng.choice(WORDS)}",
        lambda: rng.choice(ODD_TEXTS),
        lambda: table(rng),
    )
    return rng.choice(kinds)()


def table(rng: random.Random) -> str:
    """A text that holds a table, or nearly one."""
    rows = [[rng.choice(NAMES), str(rng.randrange(900)), rng.choice(WORDS)] for _ in range(rng.randrange(1, 5))]
    if rng.random() < 0.2:
        rng.choice(rows).append("A-17")
    forms = (
        lambda: "\n".join(map(",".join, [["name", "price", "status"], *rows])),
        lambda: "\n".join(f"| {' | '.join(row)} |" for row in [["name", "price", "status"], ["---"] * 3, *rows]),
        lambda: "\n\n".join("\n".join(map(": ".join, zip(KEYS, row, strict=False))) for row in rows),
        lambda: "\n".join(f"{at}. {', '.join(row)}" for at, row in enumerate(rows)),
        lambda: "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in rows),
        lambda: "\n".join(" ".join(row) for row in rows),
    )
    return rng.choice(forms)()


def columns(rng: random.Random) -> dict[str, Any]:
    """Lists of equal length that stand side by side."""
    count = rng.randrange(1, 12)
    return {key: [text(rng) for _ in range(count)] for key in rng.sample(KEYS, rng.randrange(1, 4))}


def leaf(rng: random.Random) -> Any:
    kinds = (
        lambda: text(rng),
        lambda: rng.randrange(-5, 10 ** rng.randrange(1, 7)),
        lambda: rng.randrange(10_000) / rng.choice([1, 10, 100, 7]),
        lambda: rng.choice([True, False, None, 0, -1, 200, 404, 0.0, -0.0]),
        lambda: rng.choice([datetime.date(2031, 3, rng.randrange(1, 29)), Decimal("12.50"), b"abc", 2**70, (1, 2)]),
    )
    return rng.choice(kinds)()


def records(rng: random.Random, most: int = 40) -> list[dict[Any, Any]]:
    """Records with the same keys, but for a few of some lists."""
    keys = rng.sample(KEYS, rng.randrange(1, 6))
    made = {key: rng.choice([text, leaf, lambda r: r.randrange(700), lambda r: {"x": r.randrange(3)}]) for key in keys}
    rows: list[dict[Any, Any]] = [{key: made[key](rng) for key in keys} for _ in range(rng.randrange(most))]
    if rows and rng.random() < 0.3:
        rng.choice(rows)[rng.choice([*KEYS, 5])] = leaf(rng)
    return rows


def value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(9) if depth < 3 else 0
    if kind < 1:
        return leaf(rng)
    if kind < 4:
        return records(rng)
    if kind < 5:
        return {"items": records(rng), "total": rng.randrange(40), "next": rng.choice([None, "x2"])}
    if kind < 6:
        return {key: value(rng, depth + 1) for key in rng.sample(KEYS, rng.randrange(5))}
    if kind < 7:
        return columns(rng)
    return [value(rng, depth + 1) for _ in range(rng.randrange(8))]


def leaves(given: Any) -> list[Any]:
    if isinstance(given, dict):
        return [leaf for pair in given.items() for part in pair for leaf in leaves(part)]
    return [leaf for part in given for leaf in leaves(part)] if isinstance(given, list | tuple) else [given]


def literal(rng: random.Random, pool: list[Any]) -> Any:
    """An argument that an agent may make of what it has seen."""
    base = rng.choice(pool)
    kinds = (
        lambda: base,
        lambda: f"Dear {base},",
        lambda: str(base).upper(),
        lambda: " ".join(str(rng.choice(pool)) for _ in range(5))[:300],
        lambda: {"to": base, "all": [rng.choice(pool) for _ in range(4)]},
        lambda: leaf(rng),
    )
    return rng.choice(kinds)()
