"""B12: params inside snapshots. A check that sees what was typed passes for another name, and only for that name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from form_with_checks import NAMES, Form, Screen
from muscle_mem import Check, Engine, Outcome, Reason


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
