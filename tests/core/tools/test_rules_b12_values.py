"""B12: params that are numbers or other values, literal checks, and what is told of params in snapshots."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from form_with_checks import Form
from muscle_mem import Check, Engine, Outcome, Reason, checks

# --- numbers, and other values


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (250, 300),
        (2, 3),
        (-5, 1000),
        (1.5, 2.25),
        (True, False),
        (datetime.date(2031, 5, 1), datetime.date(2031, 6, 2)),
        ((1, 2), (3, 4)),
    ],
)
def test_b12_a_number_is_found_under_the_name_of_the_argument(first: Any, then: Any) -> None:
    form = Form(agent=lambda form, value: (form.enter(value), form.press("Submit")), generalize="at_once")
    form.enter = form.engine.tool(pre_check=Check(lambda *_: dict(form.fields)), name="enter it")(
        lambda who: form.fields.update(who=who)
    )
    form.run(first)
    assert form.run(then)
    assert not form.run(then, {"who": first}, mode="frozen")
    assert not form.run(then, {"other": then}, mode="frozen")


def test_b12_a_number_is_found_under_the_name_that_the_call_fills() -> None:
    form = Form(agent=lambda form, value: (form.fill("#amount", value), form.press("Submit")), generalize="at_once")
    form.run(250)
    assert form.run(300)


def test_b12_a_number_elsewhere_is_as_it_was_recorded() -> None:
    look = lambda form: {"status": 250, "fields": len(form.fields), "text": "250 items"}
    form = Form(look, generalize="at_once")
    form.run(250)
    assert form.run(300)


@pytest.mark.parametrize("text", ["250", "250 EUR"])
def test_b12_the_text_of_a_number_is_found_under_its_name_only(text: str) -> None:
    def look(form: Form) -> Any:
        return {"name": text.replace("250", str(form.fields.get("name", "-")))}

    form = Form(look, generalize="at_once")
    form.run(250)
    assert form.run(300)

    def elsewhere(form: Form) -> Any:
        return {"total": text.replace("250", str(form.fields.get("name", "-")))}

    form = Form(elsewhere, generalize="at_once")
    form.run(250)
    assert not form.run(300, mode="frozen")


@pytest.mark.parametrize("wanted", ["Anna", "ANN", "ann", "McAnn"])
def test_b12_a_name_inside_a_word_is_as_it_was_recorded(wanted: str) -> None:
    form = Form(lambda form: {"title": wanted if form.fields else "", **form.fields})
    form.run("Ann")
    assert form.run("Bob")


def test_b12_pictures_and_bytes_are_left_alone() -> None:
    form = Form(lambda form: (b"Ann" if form.fields else b"", form.fields.get("name", "")))
    form.run("Ann")
    assert form.run("Bob")


def test_b12_arrays_under_the_name_of_a_param_are_left_alone() -> None:
    numpy = pytest.importorskip("numpy")
    picture = numpy.arange(6).reshape(2, 3)
    form = Form(
        lambda form: {"who": picture, "name": form.fields.get("name")},
        options={"compare": lambda now, then: bool((now["who"] == then["who"]).all()) and now["name"] == then["name"]},
        generalize="at_once",
    )
    for value, other in ((250, 300), ("Ann", "Bob")):
        form.run(value, mode="record")
        assert form.run(other), value


# --- params="literal"


def test_b12_a_literal_check_compares_what_was_recorded() -> None:
    form = Form(options={"params": "literal"})
    form.run("Ann")
    outcome = form.run("Bob")
    assert outcome.status == "diverged"
    assert form.run("Ann")


def test_b12_a_check_that_becomes_literal_is_another_check(tmp_path: Path) -> None:
    path = str(tmp_path / "m.db")
    form = Form(store=path)
    form.run("Ann")
    form.engine.close()
    form = Form(store=path, options={"params": "literal"})
    assert form.run("Ann").reason is Reason.CHECK_CHANGED


def test_b12_an_unknown_word_for_params_is_refused() -> None:
    with pytest.raises(ValueError, match="params"):
        Check(lambda: 1, params="verbatim")  # type: ignore[arg-type]


@pytest.mark.parametrize("combine", [checks.all_of, checks.any_of])
def test_b12_a_literal_part_of_a_combination_stays_literal(combine: Any) -> None:
    state = {"account": "Ann", "name": ""}
    engine = Engine()
    check = checks.all_of(
        Check(lambda *_: state["account"], params="literal"), combine(Check(lambda *_: state["name"]))
    )

    @engine.tool()
    def enter(name: str) -> None:
        state["name"] = name

    @engine.tool(pre_check=check)
    def press() -> None: ...

    engine.set_agent(lambda task, name: (enter(name), press()))

    def run(name: str, account: str) -> Outcome:
        state.update(account=account, name="")
        return engine("register", name, params={"who": name}, mode="auto" if account == "Ann" else "frozen")

    run("Ann", "Ann")
    assert run("Bob", "Ann")
    assert not run("Bob", "Bob")
    assert not run("Carl", "Carl")


# --- irreversible steps


def wiring(form: Form, value: Any) -> None:
    form.enter(value)
    form.wire()


def test_b12_an_irreversible_step_counts_the_literal_until_two_recordings_agreed() -> None:
    form = Form(agent=wiring, approve=lambda *_: True)
    form.engine.set_agent(lambda task, value, handover=None: wiring(form, value) if handover is None else form.wire())
    form.run("Ann")
    assert form.run("Ann")
    outcome = form.run("Bob")
    assert outcome.status == "diverged"
    assert "'Ann' when recorded" in outcome.message
    assert outcome.learned
    for name in ("Carl", "Ann", "Bob"):
        assert form.run(name), name
    assert not form.run("Dora", {"x": "Dora"}, mode="frozen")


def test_b12_a_step_that_became_irreversible_asks_for_the_recorded_value(tmp_path: Path) -> None:
    path = str(tmp_path / "m.db")
    for effect, name, hit in (("write", "Ann", False), ("irreversible", "Bob", False), ("irreversible", "Ann", True)):
        state = {"name": ""}
        engine = Engine(path, approve=lambda *_: True)
        enter = engine.tool(name="enter")(lambda name, state=state: state.update(name=name))
        press = engine.tool(name="press", effect=effect, pre_check=Check(lambda state=state: dict(state), version=1))(
            lambda: None
        )
        engine.set_agent(lambda task, name, enter=enter, press=press: (enter(name), press()))
        outcome = engine("register", name, params={"who": name}, mode="auto" if name == "Ann" else "frozen")
        assert bool(outcome) == hit, (effect, name)
        engine.close()


# --- refresh, index, messages


def same_but_for_time(now: dict[str, Any], then: dict[str, Any]) -> bool:
    return now | {"tick": 0} == then | {"tick": 0} and now["tick"] - then["tick"] < 3


def test_b12_refresh_renews_in_the_same_form() -> None:
    form = Form(
        lambda form: {"tick": form.noise, **form.fields},
        options={"refresh": True, "compare": same_but_for_time},
    )
    names = ("Ann", "Bob", "Carl", "Dora")
    for tick, name in enumerate(names):
        form.noise = 2 * tick
        assert bool(form.run(name)) == (tick > 0), name
    form.noise = 100
    assert not form.run("Ann", mode="frozen")


def test_b12_recordings_with_other_values_are_one_observation() -> None:
    form = Form()
    for name in ("Ann", "Bob", "Carl"):
        form.run(name, mode="record")
    (entry,) = form.engine._runtime.library.entries()
    (candidate,) = entry.candidate_set.candidates
    assert len({found.row.pre for found in candidate.trajectory.candidates}) == 1


def test_b12_the_index_finds_the_observation_of_this_screen() -> None:
    asked: list[Any] = []

    def same(now: Any, then: Any) -> bool:
        asked.append(then)
        return bool(now == then)

    form = Form(options={"compare": same})
    for screen in range(20):
        form.run("Ann", {"screen": screen}, mode="record")
    for screen in range(20):
        asked.clear()
        assert form.run("Bob", {"screen": screen})
        assert asked == [{"screen": screen}, {"screen": screen, "name": "Bob"}]


@pytest.mark.parametrize("options", [{}, {"params": "literal"}])
def test_b12_a_message_says_that_only_a_param_differs(options: dict[str, Any]) -> None:
    form = Form(lambda form: {"title": "Page of {0}: {0}".format(form.fields.get("customer"))}, options=options)
    form.run("Ann", {"customer": "Ann"})
    outcome = form.run("Bob Ray", {"customer": "Bob Ray"}, mode="frozen")
    assert "differ only in param 'who', which was 'Ann' when recorded and is 'Bob Ray' now" in outcome.message
    outcome = form.run("Bob Ray", {"customer": "Carl"}, mode="frozen")
    assert "differ only" not in outcome.message


def test_b12_explain_shows_this_runs_values() -> None:
    form = Form(lambda form: {"customer": form.noise})
    for form.noise in ("Ann", "Bob"):
        form.run(form.noise, mode="record")
    form.noise = "Carl"
    explanation = form.engine.explain("register", "Carl", params={"who": "Carl"})
    assert explanation
    form.noise = "Dora"
    explanation = form.engine.explain("register", "Carl", params={"who": "Carl"})
    assert not explanation
    assert "Carl" in explanation.considered[0].expected
