"""The actions as plain functions with JSON schemas, in a chat loop and without one."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from muscle_mem import Answered, AskAgent, Call, Finished, Reason
from playwright_desk import Desk

FORM = """<script>log = []</script><label>Name <input oninput="log.push(value)"></label>
<label>Password <input type=password name=pw></label>
<button onclick="log.push('pay')">Pay</button><p id=total>12.00 EUR</p>"""


def chat(desk: Desk, said: list[dict[str, Any]], **options: Any) -> tuple[Any, list[str]]:
    """A chat loop whose model makes these calls, then answers; returns the outcome and the results."""
    tools = {tool.__name__: tool for tool in desk.page.tools()}
    results: list[str] = []
    with desk.engine.session("a chat", **options) as session:
        while True:
            turn = session.next()
            if isinstance(turn, Call):
                try:
                    result = tools[turn.name.rpartition(".")[2]](**turn.arguments)
                except Exception as error:
                    session.done(turn, error=error)
                    results.append(f"error: {error}")
                else:
                    session.done(turn, result)
                    results.append(str(result))
            elif isinstance(turn, AskAgent):
                if said:
                    session.said([{"id": str(len(said)), **said.pop(0)}])
                else:
                    session.said([], value="done")
            elif isinstance(turn, Finished):
                return turn.outcome, results
            else:
                assert isinstance(turn, Answered)


def said(name: str) -> list[dict[str, Any]]:
    return [
        {"name": "fill", "arguments": {"label": "Name", "value": name}},
        {"name": "click", "arguments": {"role": "button", "name": "Pay"}},
        {"name": "inner_text", "arguments": {"css": "#total"}},
    ]


def test_a_model_uses_them_in_a_session(desk: Desk) -> None:
    desk.show(FORM)
    outcome, results = chat(desk, said("Ann"), params={"name": "Ann"})
    assert outcome.learned, outcome.not_learned_message
    assert results == ["None", "None", "12.00 EUR"]
    desk.show(FORM)
    outcome, results = chat(desk, [], params={"name": "Bob"})
    assert (outcome.status, outcome.steps, desk.log()) == ("hit", 3, ["Bob", "pay"]), outcome.message


def test_what_a_model_did_and_what_code_did_are_the_same_steps(desk: Desk) -> None:
    page: Any = desk.page
    desk.learn(lambda: (page.get_by_label("Name").fill("Ann"), page.get_by_role("button", name="Pay").click()), FORM)
    tools = {tool.__name__: tool for tool in page.tools()}

    def by_tools() -> None:
        tools["fill"](label="Name", value="Ann")
        tools["click"](role="button", name="Pay")

    desk.show(FORM)
    before = desk.run(by_tools, mode="record").trajectory_id
    assert before == desk.run(html=FORM).trajectory_id


def test_a_password_as_plain_text_is_refused_and_not_stored(make_desk: Any, tmp_path: Any) -> None:
    desk = make_desk(store=str(tmp_path / "memory.db"))
    desk.show(FORM)
    outcome, results = chat(
        desk,
        [
            {"name": "fill", "arguments": {"label": "Password", "value": "hunter-2"}},
            {"name": "fill_secret", "arguments": {"label": "Password", "password": "hunter-2"}},
        ],
    )
    assert "fill_secret" in results[0]
    assert outcome.learned, outcome.not_learned_message
    desk.show(FORM)
    outcome, _ = chat(desk, [], secrets={"password": "other-3"})
    assert outcome.status == "hit", outcome.message
    assert desk.real.input_value("[name=pw]") == "other-3"
    desk.engine.close()
    assert b"hunter-2" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_without_a_run_they_act_on_the_page(desk: Desk) -> None:
    desk.show(FORM)
    tools = {tool.__name__: tool for tool in desk.page.tools()}
    tools["fill"](label="Name", value="Ann")
    tools["fill_secret"](css="[name=pw]", password="x")
    assert desk.log() == ["Ann"]
    assert tools["input_value"](label="Name") == "Ann"


def test_the_schemas_are_json_and_name_what_is_needed(desk: Desk) -> None:
    tools = {tool.__name__: tool for tool in desk.page.tools()}
    assert {"click", "fill", "fill_secret", "select_option", "press", "check", "goto", "answer_dialog"} <= set(tools)
    for name, tool in tools.items():
        schema = json.loads(json.dumps(tool.schema))
        assert schema["name"] == name
        assert schema["description"] == tool.__doc__
    assert tools["fill"].schema["parameters"]["required"] == ["value"]
    assert tools["click"].schema["parameters"]["required"] == []
    signature = inspect.signature(tools["fill"])
    assert [name for name, each in signature.parameters.items() if each.default is each.empty] == ["value"]
    assert (signature.parameters["value"].annotation, signature.parameters["nth"].annotation) == (str, int | None)
    assert set(tools["goto"].schema["parameters"]["properties"]) == {"url", "tab"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "no element is given"),
        ({"role": "button", "text": "Pay"}, "got role= and text="),
        ({"name": "Pay"}, "name= goes with role="),
        ({"role": "button", "nth": "first"}, "expected a number from 0"),
        ({"role": "button", "within": "form"}, "expected a list of elements"),
        ({"role": "button", "within": [{"rolle": "form"}]}, "got 'rolle'"),
    ],
)
def test_what_does_not_say_which_element_is_an_error_that_says_so(desk: Desk, arguments: Any, message: str) -> None:
    desk.show(FORM)
    tools = {tool.__name__: tool for tool in desk.page.tools()}
    with pytest.raises((TypeError, ValueError), match=message):
        tools["click"](**arguments)
    outcome, results = chat(desk, [{"name": "click", "arguments": arguments}])
    assert message in results[0]
    assert outcome.not_learned is Reason.NO_CALLS
