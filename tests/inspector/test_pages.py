"""What the pages show: runs, tasks, trajectories, reviews, findings, and what changes do."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest

from cli_cases import run
from inspector_server import Client, served
from inspector_store import REPORT, SHOP
from inspector_texts import seal_text
from muscle_mem import Engine
from muscle_mem._reading.flows import all_learned
from muscle_mem._reading.loading import holds_flows
from muscle_mem.inspector.diffs import MOST_LINES, side_by_side
from muscle_mem.inspector.finder import Question, find
from muscle_mem.inspector.pages.runs import MOST_OPEN
from muscle_mem.inspector.plot import Bar, nice_ceiling, plot
from muscle_mem.store import MemoryStore, SqliteStore, Stored, open_store
from muscle_mem.store.history import HistoryBatch, PastRun
from muscle_mem.store.paging import each
from muscle_mem.store.verdicts import bad


def one_of(store: SqliteStore, task: str) -> Stored:
    """The newest recording of a task, by the beginning of its text."""
    return next(one for one in each(store) if one.sealed.task.startswith(task) and not holds_flows(one))


def refund(store: SqliteStore) -> Stored:
    return one_of(store, SHOP.split("{")[0])


def test_the_overview_has_rate_savings_reasons_and_tasks(client: Client, store: SqliteStore) -> None:
    page = client.get("/").text
    counts = store.history_counts()
    hits = sum(one.runs for one in counts if one.status == "hit")
    total = sum(one.runs for one in counts)
    assert total == 300
    assert f"<strong>{100 * hits / total:.0f}%</strong>" in page
    assert f"{hits} of {total} runs" in page
    for reason in {one.reason for one in counts if one.status != "hit"}:
        assert f'<span class="name">{reason}</span>' in page
    assert SHOP in page
    assert '<svg class="plot"' in page
    assert " style=" not in page


@pytest.mark.parametrize(
    ("sort", "amount"), [("saves", "saved_seconds"), ("costs", "agent_seconds"), ("runs", "runs"), ("last", "last")]
)
def test_tasks_are_sorted_by_what_they_save_or_cost(client: Client, store: SqliteStore, sort: str, amount: str) -> None:
    sums: dict[bytes, float] = {}
    for one in store.history_counts():
        sums[one.key] = max(sums.get(one.key, 0), one.last) if amount == "last" else (
            sums.get(one.key, 0) + getattr(one, amount))  # fmt: skip
    page = client.get(f"/?sort={sort}").text
    places = {key: page.find(f"/task/{key.hex()}") for key in sums}
    found = sorted((key for key in sums if places[key] >= 0), key=lambda key: places[key])
    assert len(found) > 5
    assert [sums[key] for key in found] == sorted(sums.values(), reverse=True)[: len(found)]


def test_a_store_without_history_says_so(path: Any) -> None:
    class Plain:
        """A store of the eight methods alone."""

        def __init__(self, store: SqliteStore) -> None:
            for name in ("url", "find", "get", "seal", "note", "forget", "scan", "version", "close"):
                setattr(self, name, getattr(store, name))

    store = SqliteStore(path)
    with served(Plain(store)) as client:  # type: ignore[arg-type]
        assert "keeps no history" in client.get("/").text
        assert "keeps no history" in client.get("/runs").text
        one = refund(store)
        for page in (f"/task/{one.sealed.key.hex()}", f"/trajectory/{one.sealed.id}", "/review", "/lint"):
            assert client.get(page).status == 200
    store.close()


def test_a_trajectory_shows_where_each_argument_comes_from(client: Client, store: SqliteStore) -> None:
    page = client.get(f"/trajectory/{refund(store).sealed.id}").text
    assert '<mark class="param">name</mark>' in page
    assert '<b>find_order</b>(<span class="name">name=</span><span class="p-param">name</span>)' in page
    assert '<span class="p-template">f&#39;Refund for {name}, agreed by phone&#39;</span>' in page
    assert '<span class="p-inferred">9</span>' in page
    assert "find_order().order_id" in page
    assert "missing: one more value" in page
    assert "&#34;balance&#34;: &#34;open&#34;" in page


def test_pictures_are_shown_beside_what_was_seen(client: Client, store: SqliteStore) -> None:
    one = one_of(store, REPORT)
    page = client.get(f"/trajectory/{one.sealed.id}").text
    assert page.count("/picture?of=pre.1.") >= 6  # In the filmstrip and in the steps.
    assert "/difference?a=run." in page
    for name in ("pre.1.0", "pre.1.2"):
        found = client.get(f"/picture?of={name}.{one.sealed.id}")
        assert (found.status, found.headers["content-type"]) == (200, "image/png")
        assert found.body.startswith(b"\x89PNG")
    run = store.history_runs(trajectory_id=one.sealed.id, limit=1)[0]
    query = urlencode({"a": f"run.{run.expected_picture}", "b": f"run.{run.seen_picture}"})
    assert client.get(f"/difference?{query}").headers["content-type"] == "image/png"
    for name in ("pre.2.0", "pre.1.9", "post.1.0", "odd.1.0", "pre.x.0", "pre.1", "", "run.00", "picture.1.0"):
        assert client.get(f"/picture?of={name}.{one.sealed.id}").status == 404


@pytest.mark.parametrize(
    ("verdict", "state", "reason"),
    [("approved", "trusted", "approved: seen"), ("good", "trusted", "reported good: seen"),
     ("bad", "quarantined", "reported bad: seen")],
)  # fmt: skip
def test_a_verdict_is_stored_with_its_reason(
    client: Client, store: SqliteStore, verdict: str, state: str, reason: str
) -> None:
    id = refund(store).sealed.id
    found = client.post("/judge", id=id, verdict=verdict, why="  seen ")
    assert (found.status, found.headers["location"]) == (303, f"/trajectory/{id}?done={verdict}")
    standing = store.get(id).standing  # type: ignore[union-attr]
    assert (standing.state, standing.reason, standing.held) == (state, reason, verdict == "bad")
    assert reason in client.get(f"/trajectory/{id}?done={verdict}").text


def test_a_trajectory_is_forgotten_and_cannot_be_judged_then(client: Client, store: SqliteStore) -> None:
    id = refund(store).sealed.id
    assert client.post("/forget", id=id).status == 303
    assert store.get(id) is None
    for answer in (
        client.get(f"/trajectory/{id}"),
        client.post("/judge", id=id, verdict="good"),
        client.post("/forget", id=id),
        client.get(f"/export?id={id}"),
        client.get(f"/compare?a={id}&b={id}"),
    ):
        assert answer.status == 404
        assert "forgotten" in answer.text


def test_the_source_of_an_argument_is_confirmed_and_struck(client: Client, store: SqliteStore) -> None:
    one, (learned,) = refund(store), all_learned(store)
    given = {"id": one.sealed.id, "flows": learned.id, "place": "1.order_id"}
    for verdict, status in (("confirmed", "acts"), ("struck", "struck"), ("confirmed", "acts")):
        assert client.post("/flow", verdict=verdict, **given).status == 303
        (now,) = all_learned(store)
        assert now.shown()[0].status == status
        assert f"flow-{status}" in client.get(f"/trajectory/{one.sealed.id}").text
    assert client.post("/flow", verdict="confirmed", **{**given, "place": "0.name"}).status == 409
    assert client.post("/flow", verdict="confirmed", **{**given, "flows": "x"}).status == 409
    assert client.post("/flow", verdict="odd", **given).status == 400


def test_a_review_lists_what_waits(client: Client, store: SqliteStore) -> None:
    page = client.get("/review").text
    assert "reported bad: paid the wrong invoice" in page
    assert "Arguments on probation" in page
    assert "find_order().order_id" in page
    (held,) = (one.sealed.id for one in each(store) if one.standing.held)
    found = client.post("/judge", id=held, verdict="good", back="review")
    assert found.headers["location"] == "/review?done=good"
    assert "paid the wrong invoice" not in client.get("/review").text


def test_lint_says_what_doctor_says(client: Client, store: SqliteStore) -> None:
    page = client.get("/lint?file=1").text
    assert "No problems" in page
    assert "paid the wrong invoice" in page


def test_two_trajectories_are_compared(client: Client, store: SqliteStore) -> None:
    a, b = [one.sealed.id for one in each(store) if one.sealed.key == refund(store).sealed.key and not holds_flows(one)]
    page = client.get(f"/compare?a={a}&b={b}").text
    assert "argument order_id" in page
    assert '<div class="before">9</div><div class="after">7</div>' in page
    assert "Equal: the same calls" in client.get(f"/compare?a={a}&b={a}").text
    flows = next(one.sealed.id for one in each(store) if holds_flows(one))
    assert client.get(f"/compare?a={a}&b={flows}").status == 409


def test_an_export_is_what_the_command_writes(client: Client, store: SqliteStore, path: Any) -> None:
    id = refund(store).sealed.id
    for kind in ("json", "python"):
        found = client.get(f"/export?id={id}&format={kind}")
        assert found.headers["content-disposition"].startswith("attachment; filename=")
        assert found.text == run("export", id, "--format", kind, "--store", str(path)).stdout
    assert client.get(f"/export?id={id}&format=odd").status == 400


def ask(client: Client, one: Stored, **given: str) -> str:
    return client.get(f"/task/{one.sealed.key.hex()}?{urlencode(given)}").text


def test_a_form_says_what_a_task_would_find_and_why_not(client: Client, store: SqliteStore) -> None:
    one = refund(store)
    found = ask(client, one, ask="Refund the order of Zoe", **{"p.name": "Zoe"}, tags="shop")
    assert found.count("<strong>yes</strong>, if its checks pass") == 2
    found = ask(client, one, ask="Refund the order of Zoe", **{"p.name": "Zoe"})
    assert found.count("<strong>no</strong>: it has another key") == 2
    assert "<code>new_task</code>" in found
    store.note((bad(one.sealed.id, "wrong"),))
    found = ask(client, one, ask="Refund the order of Zoe", **{"p.name": "Zoe"}, tags="shop")
    assert "it is quarantined: reported bad: wrong" in found
    assert found.count("<strong>yes</strong>") == 1


def test_the_form_agrees_with_an_engine_about_the_key() -> None:
    store = MemoryStore()
    engine = Engine(store, scope="s")

    @engine.tool(effect="read")
    def look(at: str, count: int) -> str:
        return at

    engine.set_agent(lambda task: look(task.split()[-1], 3))
    engine("look three times at door", params={"at": "door"}, tags=["b", "a"])
    (stored,) = each(store)
    asked = Question("look three times at gate", (("at", "gate"),), "s", "a, b")
    found = find(store, asked, [stored])
    assert found.key == stored.sealed.key
    assert [answer.why for answer in found.answers] == [""]
    other = find(store, Question("look three times at gate", (("to", "gate"),), "s", "a, b"), [stored])
    assert [answer.why[:22] for answer in other.others] == ["it has another key: th"]


def test_a_run_shows_what_it_saw_and_what_the_agent_did(client: Client, store: SqliteStore) -> None:
    run = next(one for one in store.history_runs(limit=200) if one.seen_data)
    page = client.get(f"/run/{run.seq}").text
    for text in (
        "&#34;balance&#34;: &#34;<mark>open</mark>&#34;",
        "<mark>closed</mark>",
        "submit(what=",
        "Stopped at step 1",
    ):
        assert text in page
    assert client.get("/run/999999").status == 404
    assert client.get("/runs?reason=check_refused").text.count("chip miss") == 0
    assert client.get(f"/runs?key={run.key.hex()}").text.count(f"/task/{run.key.hex()}") > 1
    assert client.get("/runs?after=40").status == 200


@contextmanager
def listening(client: Client, after: int) -> Iterator[Iterator[tuple[str, Any]]]:
    """The events of the live page."""
    connection = http.client.HTTPConnection("127.0.0.1", client.serving.port, timeout=10)
    connection.request("GET", f"/runs/live?after={after}", headers={"Cookie": client.cookie})
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")

    def events() -> Iterator[tuple[str, Any]]:
        name = ""
        while line := answer.readline().decode():
            if line.startswith("event: "):
                name = line[7:].strip()
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])

    try:
        yield events()
    finally:
        answer.close()
        connection.close()


def test_a_run_is_live_within_two_seconds(client: Client, store: SqliteStore) -> None:
    newest = store.history_runs(limit=1)[0].seq
    with listening(client, newest) as events:
        assert next(events)[0] == "counts"
        for at in range(3):
            run = PastRun(id=f"r{at}", at=time.time(), status="miss", reason="new_task", task="<b>new</b>")
            store.add_history(HistoryBatch(id=f"new-{at}", runs=(run,)))
            began = time.monotonic()
            name, value = next(events)
            assert time.monotonic() - began < 2
            assert (name, value["seq"], value["task"]) == ("run", newest + 1 + at, "<b>new</b>")


def test_live_pages_are_bounded_and_end_with_the_server(client: Client) -> None:
    with ExitStack() as opened:
        for _ in range(MOST_OPEN):
            next(opened.enter_context(listening(client, 0)))
        assert client.get("/runs/live").status == 503


def test_texts_are_compared_line_by_line_and_word_by_word() -> None:
    lines = side_by_side("a\nthe old word\nc", "a\nthe new word\nc\nd")
    assert [line.kind for line in lines] == ["same", "changed", "same", "added"]
    assert lines[1].left == ((False, "the "), (True, "old"), (False, " word"))
    assert lines[1].right == ((False, "the "), (True, "new"), (False, " word"))
    many = "\n".join(map(str, range(200)))
    folded = side_by_side(many, many.replace("\n100\n", "\nhundred\n"))
    assert [line.hidden for line in folded if line.kind == "gap"] == [97, 96]
    assert len(side_by_side("x\n" * 10_000, "y\n" * 10_000)) == MOST_LINES
    assert side_by_side("a b " * 1000, "a c " * 1000)[0].kind == "changed"


def test_a_plot_has_a_bar_for_each_day_and_no_styles() -> None:
    found = plot([Bar("2026-11-01", 3, 1, 2), Bar("2026-11-02"), Bar("<day>", 0, 0, 7)])
    assert found.count('class="day"') == 3
    assert "3 hits, 1 diverged, 2 misses; hit rate 50%" in found
    assert "&lt;day&gt;" in found
    assert "style" not in found
    assert plot([]).startswith("<svg")
    assert [nice_ceiling(most) for most in (1, 7, 11, 999, 1000, 1001)] == [1, 8, 20, 1000, 1000, 2000]


@pytest.mark.parametrize("url", ["memory:", "folder:///{path}"])
def test_each_page_opens_on_other_stores(url: str, tmp_path: Any) -> None:
    with closing(open_store(url.format(path=tmp_path / "folder"))) as opened:
        id, other = seal_text(opened, 1, "one"), seal_text(opened, 2, "two")  # type: ignore[arg-type]
        with served(opened) as client:
            key = (1).to_bytes(32, "big").hex()
            pages = ("/", "/runs", "/run/1", "/trajectories", "/review", "/lint?file=1", f"/trajectory/{id}",
                     f"/task/{key}", f"/compare?a={id}&b={other}", f"/export?id={id}")  # fmt: skip
            for page in pages:
                assert client.get(page).status == 200, page
            assert client.post("/judge", id=id, verdict="approved").status == 303
            assert client.post("/forget", id=other).status == 303
        assert [one.standing.state for one in each(opened)] == ["trusted"]


def test_a_search_finds_texts_and_ids(client: Client, store: SqliteStore) -> None:
    one = refund(store)
    assert client.get("/trajectories?task=refund+the").text.count("data-item") == 3
    assert "None of the" in client.get("/trajectories?task=nothing+like+it").text
    found = client.get(f"/trajectories?task={one.sealed.id}")
    assert (found.status, found.headers["location"]) == (303, f"/trajectory/{one.sealed.id}")
    assert client.get(f"/trajectories?task={one.sealed.id[:10]}").text.count("data-item") == 1
    assert client.get("/trajectories?state=quarantined").text.count("data-item") == 1
    assert client.get("/trajectories?after=2").text.count("data-item") == 1
