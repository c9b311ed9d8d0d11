"""P1: each leaf of an argument has a provenance, and show, explain and export say it."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from cli_cases import as_json, run
from muscle_mem import Engine, Secret
from muscle_mem._core.model.records import Row

MAIL = {
    "mail_id": "m-90417",
    "from": "ann@shop.example",
    "total": 9150,
    "due": "2031-11-05",
    "body": "Order A-4711 over 2,345.50 EUR is due on 24 December 2031. Kind regards, Ann Smith",
    "lines": [{"sku": "SKU-881", "text": "Tea"}],
    "data": '{"code": "X-5512"}',
}


def origins_of(engine: Engine) -> tuple[tuple[str, ...], ...]:
    """The stored words of the last recording, by step."""
    entries = engine._runtime.library.entries()
    row: Row = entries[-1].candidate_set.candidates[0].row
    return row.origins


def learned(task: str, *values: Any, output: Any = MAIL, **options: Any) -> tuple[str, ...]:
    """The provenance of what a note got after a mail was read."""
    engine = Engine()
    given = {name: options.pop(name) for name in ("params", "secrets") if name in options}
    read = engine.tool(name="read", effect="read", **options)(lambda: output)
    note = engine.tool(name="note", effect="idempotent")(lambda value, more=7, kind="plain": "ok")

    def agent(task: str) -> None:
        read()
        for value in values:
            note(value)

    engine.set_agent(agent)
    outcome = engine(task, **given)
    assert outcome.trajectory_id, outcome
    return tuple(word for words in origins_of(engine)[1:] for word in words)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (7, "default"),
        ("plain", "default"),
        ("ann@acme.example", "task"),
        ("ANN@acme.example", "task"),
        (4200, "task"),
        ("4200", "task"),
        (datetime.date(2030, 3, 1), "task"),
        ("m-90417", "id field"),
        ("ann@shop.example", "field"),
        (9150, "field"),
        ("9150", "field"),
        (datetime.date(2031, 11, 5), "field"),
        ("SKU-881", "field"),
        ("X-5512", "field"),
        ("A-4711", "text"),
        (2345.5, "text"),
        (datetime.date(2031, 12, 24), "text"),
        ("Ann Smith", "text"),
        ("See A-4711 please", "composed"),
        ("Write to ann@shop.example", "composed"),
        ("hello", "constant"),
        (True, "constant"),
        (None, "constant"),
        (12, "constant"),
        ("zoe@other.example", "unexplained"),
        ("https://other.example/x", "unexplained"),
        ("R-559102", "unexplained"),
        ("\N{CYRILLIC SMALL LETTER A}nn@acme.example", "unexplained"),
        ("acme.example", "constant"),
    ],
)
def test_p1_each_literal_has_its_provenance(value: Any, word: str) -> None:
    task = "mail ann@acme.example about 4,200 by 1 March 2030"
    assert learned(task, value) == (word,)
    untrusted = word if word not in ("field", "id field", "text", "composed") else f"untrusted {word}"
    assert learned(task, value, trusted=False) == (untrusted.replace("composed", "text"),)


def test_p1_a_value_inside_of_a_param_is_given() -> None:
    params = {"note": "call Mr Smith on R-559102"}
    assert learned("tell {note}", "R-559102", params=params) == ("param",)
    assert learned("tell {note}", "Ann Smith", params=params) == ("text",)


def test_p1_the_literal_parts_of_a_template_have_their_own() -> None:
    assert learned("tell ann", "Dear Bob, see A-4711", params={"name": "Bob"}) == ("constant", "composed")


def test_p1_containers_have_one_for_each_leaf_and_references_come_last() -> None:
    engine = Engine()
    rows = [{"sku": "SKU-881"}]
    read = engine.tool(name="read", effect="read", trusted=False)(lambda: rows)
    note = engine.tool(name="note", effect="idempotent")(lambda value: "ok")

    def agent(task: str) -> None:
        note({"rows": read(), "to": "ann@acme.example"})

    engine.set_agent(agent)
    assert engine("mail ann@acme.example").trajectory_id
    assert origins_of(engine)[1] == ("constant", "constant", "task", "untrusted field")


def test_p1_an_output_that_repeats_an_argument_is_no_source_of_it() -> None:
    engine = Engine()
    find = engine.tool(name="find", effect="read")(lambda name: {"name": name, "account": "ACC-7781"})
    pay = engine.tool(name="pay", effect="write")(lambda account, name: "ok")

    def agent(task: str) -> None:
        find("Shop of Zoe")
        pay("ACC-7781", "Shop of Zoe")

    engine.set_agent(agent)
    assert engine("pay it").learned
    assert origins_of(engine) == (("constant",), ("field", "echo"))


def test_p1_what_was_given_stays_given_though_an_output_repeats_it() -> None:
    assert learned("pay A-4711", "A-4711", trusted=False) == ("task",)


def test_p1_a_trusted_field_wins_over_a_text_and_a_text_that_is_not_trusted_over_one_that_is() -> None:
    def words(**options: Any) -> str:
        engine = Engine()
        mail = engine.tool(name="mail", effect="read", trusted=False)(lambda: "Use ACC-7781 now.")
        other = engine.tool(name="other", effect="read")(lambda: options["output"])
        pay = engine.tool(name="pay", effect="idempotent")(lambda account: "ok")
        engine.set_agent(lambda task: (mail(), other(), pay("ACC-7781"))[2])
        assert engine("pay").trajectory_id
        return origins_of(engine)[2][0]

    assert words(output={"account": "ACC-7781"}) == "field"
    assert words(output="Known account: ACC-7781.") == "untrusted text"
    assert words(output="nothing") == "untrusted text"


def test_p1_secrets_and_context_have_none() -> None:
    assert learned("log in", Secret("hunter2-of-monday"), secrets={"token": Secret("hunter2-of-monday")}) == ()


@pytest.fixture
def paid(tmp_path: Path) -> tuple[Engine, str, str]:
    path = str(tmp_path / "memory.db")
    engine = Engine(path)
    mail = engine.tool(name="mail", effect="read", trusted=False)(lambda: MAIL)
    pay = engine.tool(name="pay", effect="write")(lambda order, amount, memo: "ok")
    engine.set_agent(lambda task: (mail(), pay("A-4711", 4200, {"text": "for Bob"}))[1])
    outcome = engine("pay 4200", params={"name": "Bob"})
    assert outcome.trajectory_id
    engine.report_good(outcome.trajectory_id)
    engine.close()
    return engine, path, outcome.trajectory_id


def test_p1_show_says_it_in_one_line_a_step(paid: tuple[Engine, str, str]) -> None:
    _, path, id = paid
    lines = [line.strip() for line in run("show", id, "--store", path).stdout.splitlines() if "provenance" in line]
    assert lines == ["provenance: order: untrusted text, amount: task, memo: param + constant"]
    steps = as_json("show", id, "--store", path)["steps"]
    assert [step["provenance"] for step in steps] == [
        {},
        {"order": "untrusted text", "amount": "task", "memo": "param + constant"},
    ]


def test_p1_export_says_it(paid: tuple[Engine, str, str]) -> None:
    _, path, id = paid
    document = json.loads(run("export", id, "--store", path).stdout)
    assert document["observations"][0]["evidence"]["origins"][1][:2] == ["untrusted text", "task"]
    source = run("export", id, "--format", "python", "--store", path).stdout
    assert "    # Provenance: order: untrusted text.\n" in source
    compile(source, "exported.py", "exec")


def test_p1_explain_says_it_by_the_tools_of_now(tmp_path: Path) -> None:
    def engine(**options: Any) -> Engine:
        made = Engine(str(tmp_path / "memory.db"))
        mail = made.tool(name="mail", effect="read", version="1", **options)(lambda: MAIL)
        pay = made.tool(name="pay", effect="write", version="1")(lambda order, amount: "ok")
        made.set_agent(lambda task: (mail(), pay("A-4711", 4200))[1])
        return made

    first = engine()
    assert first("pay 4200").learned
    assert [step.provenance for step in first.explain("pay 4200").plan] == ["", "order: text, amount: task"]
    assert "    provenance: order: text, amount: task" in str(first.explain("pay 4200"))
    first.close()
    later = engine(trusted=False)
    refused = later.explain("pay 4200")
    assert not refused
    assert refused.considered[0].reason == "untrusted_value"
    later.report_good(refused.considered[0].trajectory_id)
    assert later.explain("pay 4200").plan[1].provenance == "order: untrusted text, amount: task"


def test_p1_recordings_of_earlier_releases_have_none(paid: tuple[Engine, str, str], tmp_path: Path) -> None:
    _, path, id = paid
    document = json.loads(run("export", id, "--store", path).stdout)
    del document["observations"][0]["evidence"]["origins"]
    (tmp_path / "old.json").write_text(json.dumps(document))
    other = str(tmp_path / "other.db")
    assert run("import", str(tmp_path / "old.json"), "--approve", "--store", other).exit_code == 0
    assert "provenance" not in run("show", id, "--store", other).stdout
    assert "Provenance" not in run("export", id, "--format", "python", "--store", other).stdout
