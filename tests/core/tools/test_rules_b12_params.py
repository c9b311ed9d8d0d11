"""B12: params inside snapshots. A check that sees what was typed passes for another name, and only for that name."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Check, Engine, Outcome, Reason, checks


@dataclasses.dataclass(frozen=True)
class Screen:
    title: str
    amount: Any = 0


class Form:
    """A form that a test can change between runs; each tool's check sees what `look` makes of it."""

    def __init__(
        self,
        look: Callable[[Form], Any] | None = None,
        store: str | None = None,
        options: dict[str, Any] | None = None,
        agent: Callable[[Form, Any], Any] | None = None,
        **engine: Any,
    ) -> None:
        self.fields: dict[str, Any] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.noise: Any = None
        sight = look or (lambda form: dict(form.fields))
        self.engine = Engine(store, **engine)
        check = Check(lambda *_, **__: sight(self), **(options or {}))

        @self.engine.tool(pre_check=check)
        def enter(name: Any) -> None:
            self.calls.append(("enter", name))
            self.fields["name"] = name

        @self.engine.tool(pre_check=check)
        def fill(target: str, text: Any) -> None:
            self.calls.append(("fill", target, text))
            self.fields[target] = text

        @self.engine.tool(pre_check=check)
        def press(button: str) -> None:
            self.calls.append(("press", button))

        @self.engine.tool(pre_check=check, effect="irreversible")
        def wire() -> None:
            self.calls.append(("wire",))

        self.enter, self.fill, self.press, self.wire = enter, fill, press, wire
        steps = agent or (lambda form, value: (form.enter(value), form.press("Submit")))
        self.engine.set_agent(lambda task, value: steps(self, value))

    def run(self, value: Any, start: dict[str, Any] | None = None, **options: Any) -> Outcome:
        self.fields = dict(start or {})
        self.calls = []
        return self.engine("register", value, params={"who": value}, **options)


NAMES = ("Ann", "Bob Ray", "Zoë", "O'Neill", "北京市", "x" * 6000, "a {b} c", "3 chairs")


@pytest.mark.parametrize("stored", [False, True], ids=["memory", "file"])
def test_b12_a_check_that_sees_what_was_typed_passes_for_every_name(tmp_path: Path, stored: bool) -> None:
    path = str(tmp_path / "m.db") if stored else None
    form = Form(store=path)
    assert form.run("Ann").learned
    if stored:
        form.engine.close()
        form = Form(store=path)
    for name in NAMES:
        assert form.run(name), name
        assert form.calls == [("enter", name), ("press", "Submit")]
    assert len(form.engine._runtime.library) == 1


LOOKS: list[tuple[str, Callable[[Form], Any]]] = [
    ("dict", lambda form: dict(form.fields)),
    ("text", lambda form: f"Name: {form.fields.get('name', '')}\nPhone:"),
    ("list", lambda form: [["name", form.fields.get("name", "")], ["ok", True]]),
    ("tuple", lambda form: ("screen", form.fields.get("name", ""))),
    ("key of a dict", lambda form: {form.fields.get("name", "-"): 1, "other": 2}),
    ("set", lambda form: {"Save", "Quit", form.fields.get("name", "Empty")}),
    ("dataclass", lambda form: Screen(f"Form of {form.fields.get('name', '')}!")),
    ("whole", lambda form: form.fields.get("name", "")),
]


@pytest.mark.parametrize("look", [look for _, look in LOOKS], ids=[name for name, _ in LOOKS])
@pytest.mark.parametrize("compare", [None, lambda now, then: now == then], ids=["exact", "compare"])
def test_b12_a_param_is_found_in_every_kind_of_snapshot(look: Callable[[Form], Any], compare: Any) -> None:
    form = Form(look, options={"compare": compare})
    form.run("Ann")
    for name in ("Bob", "Zacharias"):
        assert form.run(name)
    form.run("Ann", mode="record")
    assert form.run("Carla")


@pytest.mark.parametrize("look", [look for _, look in LOOKS], ids=[name for name, _ in LOOKS])
@pytest.mark.parametrize("typed", [lambda name: "Ann", lambda name: name + "x", lambda name: name.lower(), str.split])
def test_b12_a_field_that_does_not_show_this_name_is_refused(look: Callable[[Form], Any], typed: Any) -> None:
    form = Form(look)
    form.run("Ann")

    def broken(target: dict[str, Any], key: str, value: Any) -> None:
        dict.__setitem__(target, key, str(typed(value)))

    class Broken(dict[str, Any]):
        __setitem__ = broken

    form.fields = Broken()
    form.calls = []
    outcome = form.engine("register", "Bob Ray", params={"who": "Bob Ray"})
    assert (outcome.status, outcome.reason) == ("diverged", Reason.CHECK_REFUSED)


def test_b12_another_screen_is_refused() -> None:
    form = Form()
    form.run("Ann")
    for start in ({"phone": "1"}, {"name": "Bob"}, {"who": "Bob"}, {"note": "Ann"}):
        assert not form.run("Bob", start, mode="frozen")
        assert not form.run("Ann", start, mode="frozen")
    assert form.run("Bob")


# --- what may be chance


def test_b12_a_place_that_had_the_word_before_it_was_used_stays_as_recorded() -> None:
    form = Form()
    form.run("test", {"env": "test"})
    for word, env in (("prod", "prod"), ("test", "prod"), ("stage", "prod"), ("prod", "stage")):
        assert not form.run(word, {"env": env}, mode="frozen"), (word, env)
    for word in ("test", "prod", "stage"):
        assert form.run(word, {"env": "test"}), word


@pytest.mark.parametrize("look", [lambda form: dict(form.fields), lambda form: list(form.fields.items())])
def test_b12_a_field_that_still_held_the_name_is_filled_with_another(look: Any) -> None:
    form = Form(look)
    form.run("Ann", {"name": "Ann"})
    assert form.run("Bob", {"name": "Ann"})
    assert not form.run("Bob", {"name": "Carl"}, mode="frozen")


def test_b12_two_recordings_with_other_values_tell_that_the_screen_follows_the_param() -> None:
    form = Form()
    form.run("Ann", {"customer": "Ann"})
    assert form.run("Bob", {"customer": "Bob"}).reason is Reason.FIRST_CHECK_REFUSED
    assert form.run("Carl", {"customer": "Carl"})
    assert not form.run("Carl", {"customer": "Ann"}, mode="frozen")
    assert not form.run("Carl", {"customer": "Bob"}, mode="frozen")


def test_b12_two_recordings_with_other_values_tell_that_the_screen_does_not_follow_the_param() -> None:
    form = Form()
    form.run("test", {"env": "test"})
    form.run("prod", {"env": "test"}, mode="record")
    assert form.run("stage", {"env": "test"})
    assert not form.run("stage", {"env": "stage"}, mode="frozen")
    assert not form.run("prod", {"env": "prod"}, mode="frozen")


def test_b12_the_capture_of_the_call_that_gets_the_name_may_show_it() -> None:
    engine = Engine()
    known = {"Ann", "Bob"}

    @engine.tool(pre_check=Check(lambda name: {"name": name, "known": name in known}))
    def greet(name: str) -> None: ...

    engine.set_agent(lambda task, name: greet(name))
    engine("greet", "Ann", params={"who": "Ann"})
    assert engine("greet", "Bob", params={"who": "Bob"})
    assert not engine("greet", "Carl", params={"who": "Carl"}, mode="frozen")


def test_b12_another_leaf_of_that_capture_stays_as_recorded() -> None:
    engine = Engine()
    env = ["test"]

    @engine.tool(pre_check=Check(lambda word: {"word": word, "env": env[0]}))
    def look_up(word: str) -> None: ...

    engine.set_agent(lambda task, word: look_up(word))
    engine("look it up", "test", params={"word": "test"})
    assert engine("look it up", "prod", params={"word": "prod"})
    env[0] = "prod"
    assert not engine("look it up", "prod", params={"word": "prod"}, mode="frozen")


def deploying(account: dict[str, str], **options: Any) -> Callable[[str, str], Outcome]:
    engine = Engine()
    check = Check(lambda *_: dict(account), **options)
    name_it = engine.tool(name="name it")(lambda word: None)
    deploy = engine.tool(name="deploy", pre_check=check)(lambda: None)
    engine.set_agent(lambda task, word: (name_it(word), deploy()))

    def run(word: str, name: str) -> Outcome:
        account["name"] = name
        return engine("deploy", word, params={"word": word}, mode="frozen" if engine.cache_info().learned else "auto")

    return run


def test_b12_a_word_that_no_check_saw_before_it_was_used_is_taken_for_the_param() -> None:
    run = deploying({})
    run("test", "test")
    assert run("prod", "prod")
    run = deploying({}, params="literal")
    run("test", "test")
    assert not run("prod", "prod")


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
