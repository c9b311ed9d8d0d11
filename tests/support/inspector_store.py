"""A store as after some weeks of work: 100 tasks, 10,000 runs, with pictures, flows and failures."""

from __future__ import annotations

import hashlib
import io
import random
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from muscle_mem import Check, Engine, checks
from muscle_mem._core import codec
from muscle_mem.store import SqliteStore, Stored
from muscle_mem.store.history import DAY, DayCount, HistoryBatch, PastRun, Picture, day_of
from muscle_mem.store.paging import each

SIZE = (480, 300)
SHOP = "Refund the order of {name}"
REPORT = "Export the monthly report"
CAUSES = (
    ("miss", "new_task"),
    ("diverged", "check_refused"),
    ("miss", "first_check_refused"),
    ("miss", "param_guard"),
    ("diverged", "probation"),
    ("diverged", "tool_raised"),
    ("raised", "TimeoutError"),
)
VERBS = ("Update the shipping address of", "Send the invoice to", "Cancel the subscription of", "Book a call with",
         "Check the delivery for", "Renew the licence of", "Close the ticket of", "Remind")  # fmt: skip
PEOPLE = ("Ada Novak", "Ben Okafor", "Chloe Martin", "Dmitri Ivanov", "Elif Kaya", "Farid Rahimi", "Greta Lindqvist",
          "Hana Sato", "Ines Costa", "Jonas Weber", "Karim Haddad", "Lea Dubois", "Mina Park")  # fmt: skip


def screen(title: str, buttons: dict[str, tuple[int, int]]) -> Image.Image:
    """A drawn desktop with a window and buttons."""
    made = Image.new("RGB", SIZE, "#dfe4ea")
    draw = ImageDraw.Draw(made)
    font = ImageFont.load_default(15)
    draw.rounded_rectangle((14, 14, 466, 286), 10, fill="#ffffff", outline="#b8c1cc")
    draw.rounded_rectangle((14, 14, 466, 46), 10, fill="#2f4b66")
    draw.text((28, 21), title, fill="#ffffff", font=font)
    for row in range(4):
        draw.rectangle((30, 66 + 26 * row, 250 - 20 * (row % 3), 76 + 26 * row), fill="#e6eaef")
    for name, (x, y) in buttons.items():
        draw.rounded_rectangle((x - 55, y - 17, x + 55, y + 17), 6, fill="#178a64", outline="#0e5f44")
        draw.text((x, y), name, fill="#ffffff", font=font, anchor="mm")
    return made


def png(picture: Image.Image) -> bytes:
    """The bytes of a picture."""
    kept = io.BytesIO()
    picture.save(kept, "PNG")
    return kept.getvalue()


def record_refunds(path: Path) -> None:
    """Two recordings of one task, in which the id of an order differs: it comes from an output."""
    engine = Engine(str(path), history="off")
    ids = iter((7, 9))

    @engine.tool(
        name="find_order",
        effect="read",
        pre_check=Check(lambda name: {"page": "orders", "signed_in": True, "user": "ops"}),
    )
    def find_order(name: str) -> dict[str, Any]:
        return {"order_id": next(ids), "customer": name, "items": [{"sku": "A-100", "price": 19.5}], "paid": True}

    @engine.tool(
        name="refund",
        effect="write",
        pre_check=Check(lambda order_id, amount, note: {"page": "refund", "balance": "open", "currency": "EUR"}),
    )
    def refund(order_id: int, amount: float, note: str) -> str:
        return "refunded"

    def agent(task: str, name: str) -> str:
        found = find_order(name)
        return refund(found["order_id"], 19.5, f"Refund for {name}, agreed by phone")

    for name in ("Ada Novak", "Ben Okafor"):
        engine.set_agent(lambda task, name=name: agent(task, name))
        engine(SHOP.format(name=name), params={"name": name}, tags=["shop"], mode="record")
    engine.close()


def record_report(path: Path) -> None:
    """A task on a screen, with pictures around each click."""
    engine = Engine(str(path), scope="acme", history="off")
    world = {"picture": screen("Reports", {"Reports": (120, 250), "Export": (380, 130)})}
    titles = iter(("Reports - May", "Reports - format", "Reports - done"))

    @engine.tool(
        name="click",
        pre_check=checks.image_similar(lambda: world["picture"], around=(220, 120), keep="pixels"),
        effect="write",
    )
    def click(x: int, y: int) -> None:
        world["picture"] = screen(next(titles), {"Reports": (120, 250), "Export": (380, 130), "CSV": (380, 200)})

    def agent(task: str) -> None:
        click(120, 250)
        click(380, 130)
        click(380, 200)

    engine.set_agent(agent)
    engine(REPORT)
    engine.close()


def record_simple(path: Path, count: int) -> None:
    """Further tasks with one or two steps each."""
    engine = Engine(str(path), history="off")

    @engine.tool(name="look_up", effect="read", pre_check=Check(lambda who: f"signed in as ops, customer {who} open"))
    def look_up(who: str) -> dict[str, Any]:
        return {"who": who, "since": 2019, "plan": "team"}

    @engine.tool(name="submit", effect="write", pre_check=Check(lambda what, who: {"form": what, "errors": []}))
    def submit(what: str, who: str) -> str:
        return "ok"

    def agent(task: str) -> str:
        who = " ".join(task.split()[-2:])
        look_up(who)
        return submit(task.split()[0].lower(), who)

    engine.set_agent(agent)
    for at in range(count):
        verb, who = VERBS[at % len(VERBS)], PEOPLE[(at // len(VERBS)) % len(PEOPLE)]
        engine(f"{verb} {who}", tags=["support"])
    engine.close()


def masked(one: Stored) -> str:
    """The text of a task with its params masked, as the engine counts it."""
    return SHOP if one.sealed.task.startswith(SHOP.split("{")[0]) else one.sealed.task


def add_history(store: SqliteStore, runs: int, now: float) -> None:
    """Counts of so many runs of the last 30 days, and the last single ones."""
    chance = random.Random(7)
    stored = [one for one in each(store) if one.sealed.steps]
    counts: dict[tuple[bytes, int, str, str], DayCount] = {}
    for _ in range(runs):
        one = stored[min(int(chance.expovariate(0.06)), len(stored) - 1)]
        day = day_of(now) - min(29, int(chance.betavariate(1, 1.6) * 30))
        hit = chance.random() < 0.86 - 0.012 * (day_of(now) - day)
        status, reason = ("hit", "hit") if hit else chance.choices(CAUSES, (30, 22, 10, 9, 8, 5, 1))[0]
        key = (one.sealed.key, day, status, reason)
        before = counts.get(key) or DayCount(key=key[0], day=day, status=status, reason=reason, task=masked(one),
                                             scope=one.sealed.scope)  # fmt: skip
        spent = chance.uniform(4, 40)
        counts[key] = DayCount(
            key=key[0], day=day, status=status, reason=reason, scope=one.sealed.scope, task=masked(one),
            runs=before.runs + 1,
            seconds=before.seconds + (0.2 if hit else spent),
            agent_seconds=before.agent_seconds + (0 if hit else spent),
            saved_seconds=before.saved_seconds + (spent if hit else 0),
            saved_tokens=before.saved_tokens + (int(900 + 60 * spent) if hit else 0),
            saved_calls=before.saved_calls + (one.sealed.steps if hit else 0),
            timed=before.timed + hit,
            metered=before.metered + hit,
            last=max(before.last, min(now, day * DAY + chance.uniform(0, DAY))),
        )  # fmt: skip
    store.add_history(HistoryBatch(id="counts", counts=tuple(counts.values())))
    store.add_history(single_runs(stored, now, chance))


def single_runs(stored: list[Stored], now: float, chance: random.Random, count: int = 120) -> HistoryBatch:
    """The last runs that were no plain hit."""
    report = next((one for one in stored if one.sealed.task == REPORT), stored[0])
    before, after = screen("Reports - May", {"Export": (380, 130)}), screen("Reports - May", {"Export": (300, 200)})
    made = [Picture(hash=hashlib.sha256(data).hexdigest(), data=data, at=now, key=report.sealed.key)
            for data in (png(before.crop((270, 70, 480, 230))), png(after.crop((270, 70, 480, 230))))]  # fmt: skip
    found = []
    for at in range(count):
        one = stored[chance.randrange(len(stored))]
        status, reason = chance.choices(CAUSES, (30, 22, 10, 9, 8, 5, 1))[0]
        found.append(_run(one, at, status, reason, now - 600.0 * (count - at), chance))
    found.append(
        PastRun(
            id="run-report", at=now - 240, status="diverged", reason="check_refused", key=report.sealed.key,
            scope=report.sealed.scope, task=report.sealed.task, step=1, tool="click",
            message="pre-check failed for 'click': expected at least 0.85 alike, got 0.31",
            seen="220 x 120 pixels at x=270, y=70, 0.31 alike",
            expected="220 x 120 pixels at x=270, y=70, at least 0.85 alike",
            expected_picture=made[0].hash, seen_picture=made[1].hash,
            trajectory_id=report.sealed.id, calls=("click(x=300, y=200)", "click(x=380, y=200)"),
            seconds=21.4, agent_seconds=19.8, learned=True,
        )
    )  # fmt: skip
    return HistoryBatch(id="runs", runs=tuple(found), pictures=tuple(made))


def _run(one: Stored, at: int, status: str, reason: str, when: float, chance: random.Random) -> PastRun:
    stopped = status == "diverged" and reason in ("check_refused", "tool_raised")
    expected = {"page": "refund", "balance": "open", "currency": "EUR", "rows": [1, 2, 3]}
    seen = {"page": "refund", "balance": "closed", "currency": "EUR", "rows": [1, 2], "banner": "Please reload"}
    return PastRun(
        id=f"run-{at}", at=when, status=status, reason=reason, key=one.sealed.key, scope=one.sealed.scope,
        task=masked(one), step=1 if stopped else -1, tool="submit" if stopped else "",
        message="pre-check failed for 'submit': the page shows another balance" if stopped else "",
        seen=repr(seen) if stopped else "", expected=repr(expected) if stopped else "",
        seen_data=codec.encode(seen) if stopped else b"", expected_data=codec.encode(expected) if stopped else b"",
        trajectory_id=one.sealed.id if status == "diverged" else "",
        calls=("look_up(who='Ada Novak')", "submit(what='update', who='Ada Novak')"),
        seconds=chance.uniform(5, 40), agent_seconds=chance.uniform(4, 30), learned=status == "miss",
    )  # fmt: skip


def make_store(path: Path, *, tasks: int = 100, runs: int = 10_000, now: float | None = None) -> None:
    """Record so many tasks, and a history of so many runs."""
    record_simple(path, tasks - 2)
    record_report(path)
    record_refunds(path)
    engine = Engine(str(path), history="off")
    with closing(SqliteStore(path)) as store:
        some = [one.sealed.id for one in each(store)]
    engine.report_bad(some[10], "paid the wrong invoice")
    engine.report_good(some[12], "looked at it")
    engine.close()
    with closing(SqliteStore(path)) as store:
        add_history(store, runs, now or time.time())
