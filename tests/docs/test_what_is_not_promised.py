"""Each limit on the page of what is not promised is true: a test shows it, here or where its rule is tested."""

from __future__ import annotations

import re
from typing import Any

import pytest

from muscle_mem import Check, Engine
from paths import ROOT, TESTS

PAGE = (ROOT / "docs" / "explanation" / "what-is-not-promised.md").read_text(encoding="utf-8")
LIMITS = [" ".join(limit.split()) for limit in re.split(r"(?m)^- ", PAGE)[1:]]

SHOWN_BY = {
    "A step without a check": "test_d9_an_unchecked_tool_replays_with_one_warning_that_names_it",
    "A check sees what": "test_a_check_sees_what_its_capture_captures",
    "A snapshot that contains a param's value": "test_b12_",
    "Of what tools return": "test_e12_",
    "Answers that decide together": "test_three_answers_that_decide_together_are_not_seen",
    "A [loop over a list]": "test_elements_that_were_left_out_by_a_number_are_not_seen",
    "A step that two recordings lack is [optional]": "test_l17_a_step_is_never_inserted",
    "Params are [learned from task texts]": "test_a_name_that_means_more_than_itself_is_not_seen",
    "Why an agent chose a record": "test_a_choice_by_something_else_is_not_seen",
    "A flag of a record counts": "test_a_record_that_was_left_alone_is_not_seen",
    "A number that the agent computed": "test_a_sum_that_equals_a_param_is_taken_for_it",
    "The smallest and the largest record": "test_the_pages_of_a_list_are_not_compared",
    "The fingerprint of a tool": "test_the_functions_that_a_tool_calls_are_no_part_of_it",
    "Derived data is seen": "test_a_translation_is_not_seen",
    "A value that the agent only changes": "test_a_change_that_shows_for_other_data_only_is_not_seen",
    "A param is put into a text": "test_a_text_is_not_parsed",
    "Most derived forms of secrets": "test_c11a_other_forms_are_not_seen_as_the_docs_say",
    "Calls of a parallel group": "test_c10_",
    "The snapshot of a call that began": "test_c10_",
    "A replay calls the tool": "test_d8_",
    "Tool calls in spawned processes": "test_c9a_a_spawned_process_cannot_be_seen",
    "Between the verdict": "test_the_world_can_change_after_the_verdict",
    "An agent without `handover`": "test_f2_",
    "An effect is exactly once": "test_a_tool_that_raised_may_have_done_its_work",
}


def test_each_limit_on_the_page_has_a_test_that_shows_it() -> None:
    missing = [limit[:60] for limit in LIMITS if not any(limit.startswith(start) for start in SHOWN_BY)]
    assert missing == []
    assert [start for start in SHOWN_BY if not any(limit.startswith(start) for limit in LIMITS)] == []
    text = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    assert [name for name in SHOWN_BY.values() if f"def {name}" not in text] == []


class Bench:
    """An engine whose one tool writes down what it was called with."""

    def __init__(self, **options: Any) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.engine = Engine(**options)
        self.act = self.engine.tool(name="act", effect="write")(lambda *values: self.calls.append(values))

    def run(self, **params: Any) -> Any:
        self.calls.clear()
        return self.engine("task", params=params or None)


class Pages(Bench):
    """A bench with a read tool that returns the pages of a list."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[list[dict[str, Any]]] = []
        self.look = self.engine.tool(name="look", effect="read")(lambda page: self.pages[page])


def test_a_record_that_was_left_alone_is_not_seen() -> None:
    bench = Pages()

    def agent(task: str) -> None:
        if bench.look(0)[-1]["free"]:
            bench.act("book the last one")
        bench.act("done")

    bench.engine.set_agent(agent)
    bench.pages = [[{"room": f"R-10{at}", "free": free} for at, free in enumerate([True, False, False])]]
    bench.run()
    bench.pages = [[{"room": f"R-10{at}", "free": free} for at, free in enumerate([True, False, True])]]
    assert bench.run()
    assert bench.calls == [("done",)]  # the agent would book R-102, too


def test_the_pages_of_a_list_are_not_compared() -> None:
    bench = Pages()
    bench.engine.set_agent(
        lambda task: bench.act(min(bench.look(0) + bench.look(1), key=lambda record: record["cost"])["room"])
    )
    bench.pages = [[{"room": "R-101", "cost": 310}], [{"room": "R-102", "cost": 420}]]
    bench.run()
    bench.pages = [[{"room": "R-101", "cost": 310}], [{"room": "R-102", "cost": 120}]]
    assert bench.run()
    assert bench.calls == [("R-101",)]  # the agent would take R-102


def test_a_check_sees_what_its_capture_captures() -> None:
    world = {"title": "Invoice", "amount": 100}
    engine = Engine()
    pay = engine.tool(Check(lambda: world["title"]), name="pay", effect="write")(lambda: None)
    engine.set_agent(lambda task: pay())
    engine("task")
    world["amount"] = 1_000_000
    assert engine("task")


def test_three_answers_that_decide_together_are_not_seen() -> None:
    bench = Bench()
    today: list[bool] = []
    ask = bench.engine.tool(name="ask", effect="read")(lambda at: {"ready": today[at]})

    def agent(task: str) -> None:
        answers = [ask(at)["ready"] for at in range(3)]
        bench.act("all" if all(answers) else "not all")

    bench.engine.set_agent(agent)
    for day in ((True, True, False), (True, False, True), (False, True, True), (False, False, False)):
        today[:] = day
        bench.run()
    today[:] = (True, True, True)
    assert bench.run()
    assert bench.calls == [("not all",)]


def test_elements_that_were_left_out_by_a_number_are_not_seen() -> None:
    bench = Bench()
    prices: list[int] = []
    goods = bench.engine.tool(name="goods", effect="read")(
        lambda: [{"code": f"X-{price}{at}7173", "price": price} for at, price in enumerate(prices)]
    )
    bench.engine.set_agent(lambda task: [bench.act(one["code"]) for one in goods() if one["price"] > 100] and None)
    for prices[:] in ([250, 180], [300, 120, 145], [199, 20]):
        outcome = bench.run()
    assert outcome
    assert bench.calls == [("X-19907173",), ("X-2017173",)]


def test_a_list_that_no_tool_returned_is_not_seen() -> None:
    folder = ["a.txt", "b.txt"]
    bench = Bench()
    bench.engine.set_agent(lambda task: [bench.act(name) for name in folder] and None)
    bench.run()
    folder.append("c.txt")
    assert bench.run()
    assert bench.calls == [("a.txt",), ("b.txt",)]


def test_a_name_that_means_more_than_itself_is_not_seen() -> None:
    bench = Bench(learn_params=True, observers=[])

    def agent(task: str) -> None:
        if "Acme" not in task:
            bench.act(task.split()[-1])

    bench.engine.set_agent(agent)
    for name in ("Ann", "Bob", "Cid"):
        bench.engine(f"Send the invoice to {name}")
    bench.calls.clear()
    assert bench.engine("Send the invoice to Acme")
    assert bench.calls == [("Acme",)]


def test_a_choice_by_something_else_is_not_seen() -> None:
    bench = Bench()
    liked = ["tea"]
    shop = bench.engine.tool(name="shop", effect="read")(
        lambda: [{"name": name, "code": f"X-{at}81723"} for at, name in enumerate(("milk", "tea", "rye bread"), 5)]
    )
    bench.engine.set_agent(lambda task: bench.act(next(one["code"] for one in shop() if one["name"] == liked[0])))
    bench.run()
    liked[0] = "rye bread"
    assert bench.run()
    assert bench.calls == [("X-681723",)]


def test_the_functions_that_a_tool_calls_are_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    engine = Engine()

    @engine.tool(name="send")
    def send() -> None:
        done.append(helper())

    engine.set_agent(lambda task: send())
    engine("task")
    monkeypatch.setitem(globals(), "helper", lambda: "another")
    assert engine("task")
    assert done == ["one", "another"]


def helper() -> str:
    """What a tool calls."""
    return "one"


def test_a_sum_that_equals_a_param_is_taken_for_it() -> None:
    bench = Bench()
    prices = [700, 800]
    look = bench.engine.tool(name="look", effect="read")(lambda: list(prices))
    bench.engine.set_agent(lambda task: bench.act(sum(look())))
    bench.run(budget=1500)
    assert bench.run(budget=2500)
    assert bench.calls == [(2500,)]  # the agent would send 1500


def test_a_translation_is_not_seen() -> None:
    words = {"red": "rouge", "blue": "bleu"}
    bench = Bench()
    color = ["red"]

    def agent(task: str) -> None:
        bench.act("en", color[0])
        bench.act("fr", words[color[0]])

    bench.engine.set_agent(agent)
    bench.run(color="red")
    color[0] = "blue"
    assert bench.run(color="blue")
    assert bench.calls == [("en", "blue"), ("fr", "rouge")]


def test_a_change_that_shows_for_other_data_only_is_not_seen() -> None:
    bench = Bench()
    name = ["ann"]
    bench.engine.set_agent(lambda task: bench.act(name[0].lower()))
    bench.run(name="ann")
    name[0] = "Bob"
    assert bench.run(name="Bob")
    assert bench.calls == [("Bob",)]


def test_a_text_is_not_parsed() -> None:
    bench = Bench()
    query = ["tea"]
    bench.engine.set_agent(lambda task: bench.act(f"https://shop/?q={query[0].replace('&', '%26')}"))
    bench.run(query="tea")
    query[0] = "salt & pepper"
    assert bench.run(query="salt & pepper")
    assert bench.calls == [("https://shop/?q=salt & pepper",)]


def test_the_world_can_change_after_the_verdict() -> None:
    world = {"page": "shop"}
    seen: list[str] = []

    def look() -> str:
        page = world["page"]
        world["page"] = "bank"  # between the capture and the tool's own effect
        return page

    engine = Engine()
    press = engine.tool(Check(look), name="press", effect="write")(lambda: seen.append(world["page"]))
    engine.set_agent(lambda task: press())
    for _ in range(2):
        world["page"] = "shop"
        outcome = engine("task")
    assert outcome
    assert seen == ["bank", "bank"]


def test_a_tool_that_raised_may_have_done_its_work() -> None:
    sent: list[str] = []
    fails = [False]
    engine = Engine()

    @engine.tool(name="send", effect="write")
    def send() -> None:
        sent.append("mail")
        if fails[0]:
            raise TimeoutError("no answer")

    engine.set_agent(lambda task: send())
    engine("task")
    fails[0] = True
    with pytest.raises(TimeoutError):
        engine("task")
    assert len(sent) == 2  # The mail of the replay went out, although its call raised.
