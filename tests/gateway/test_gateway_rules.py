"""The rules file: effects, checks, failures, aliases, trust; and what a file may not say."""

from __future__ import annotations

import msgspec
import pytest

from gateway_peers import ACCEPT
from muscle_mem.errors import InvalidValueError
from muscle_mem.integrations.mcp.effects import effect_of
from muscle_mem.integrations.mcp.rules import Rules, ToolRules, read_rules
from muscle_mem.integrations.mcp.tool_list import ServerTool

STATE_CHECK = {"tool": "look", "arguments": {"order": "{order}"}, "part": "state"}
MARK = ("mark {order}", ("mark", {"order": "A-1"}))


def rules(**data) -> Rules:
    return msgspec.convert({"trust": "auto", **data}, Rules)


def tool_rules(**tools) -> Rules:
    return rules(tools=tools)


FULL = """
trust = "auto"
trust_annotations = true
timeout = 10
check_timeout = 5.5
public = ["REPO"]

[tools.refund]
effect = "write"
pre_check = { tool = "look", arguments = { order = "{order}" }, part = "state", wait = 1 }
post_check = { tool = "look" }
failed = { part = "state", is = ["declined"], nothing_done = true }
secret = ["note"]
aliases = ["give_back"]
trust = "manual"
trusted = false
sink = ["order"]
const = ["currency"]
any = ["text"]

[tools.look]
failed = false
"""


def test_a_file_says_everything_that_the_page_names(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(FULL)
    found = read_rules(path)
    assert (found.trust, found.trust_annotations, found.timeout, found.public) == ("auto", True, 10.0, ["REPO"])
    refund = found.tools["refund"]
    assert (refund.effect, refund.trust, refund.trusted, refund.aliases) == ("write", "manual", False, ["give_back"])
    assert refund.pre_check is not None
    assert (refund.pre_check.part, refund.pre_check.wait) == ("state", 1.0)
    assert found.tools["look"].failed is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trust = ", "not valid TOML"),
        ("trust = 'always'", "Invalid enum value 'always' - at `$.trust`"),
        ("turst = 'auto'", "unknown field `turst`"),
        ("[tools.pay]\neffect = 'reads'", "$.tools"),
        ("[tools.pay]\napprove = true", "unknown field `approve`"),
        ("[tools.pay]\nfailed = true", "failed = false or a table"),
        ("[tools.pay]\nfailed = { part = 'x' }", "failed needs `is` or `text`"),
        ("[tools.pay]\npre_check = { tool = 'pay' }", "cannot call the tool that it checks"),
        ("[tools.pay]\npre_check = { arguments = {} }", "missing required field `tool`"),
        ("[tools.pay]\npre_check = { tool = 'look', wait = -1 }", "expected wait from 0"),
        ("timeout = 0", "expected timeout above 0"),
        ("\xff", "not valid TOML"),
    ],
)
def test_a_file_that_says_something_else_is_refused_with_the_place(tmp_path, text, message):
    path = tmp_path / "rules.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidValueError) as raised:
        read_rules(path)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InvalidValueError, match="No such file"):
        read_rules(tmp_path / "none.toml")


HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint")


@pytest.mark.parametrize(
    ("hints", "effect"),
    [
        ((None, None, None), "irreversible"),
        ((True, None, None), "read"),
        ((True, False, None), "read"),
        ((True, True, None), "irreversible"),  # It contradicts itself.
        ((False, None, None), "irreversible"),
        ((False, None, True), "irreversible"),  # Repeating it does nothing more; once is enough.
        ((False, False, None), "write"),
        ((None, False, None), "write"),
        ((False, False, True), "idempotent"),
        ((False, True, True), "irreversible"),
        (("true", None, None), "irreversible"),
        ((1, "false", None), "irreversible"),
    ],
)
def test_an_annotation_that_is_missing_means_destructive(hints, effect):
    annotations = {name: value for name, value in zip(HINTS, hints, strict=True) if value is not None}
    tool = ServerTool("pay", None, annotations, "v")
    assert effect_of(tool, ToolRules(), trusts_annotations=True).name == effect
    untrusted = effect_of(tool, ToolRules(), trusts_annotations=False)
    assert untrusted.name == "irreversible"
    assert untrusted.origin == ("annotations are not trusted" if effect != "irreversible" else untrusted.origin)
    ruled = effect_of(tool, ToolRules(effect="write"), trusts_annotations=False)
    assert (ruled.name, ruled.origin) == ("write", "rules")


def test_a_pre_check_asks_a_read_only_tool_while_recording_and_before_the_replayed_step(connect, modern):
    client = connect(modern=modern, rules=tool_rules(mark={"pre_check": STATE_CHECK}))
    client.learn(*MARK, order="A-1")
    assert client.calls_of("look") == [{"order": "A-1"}]
    assert client.run("mark {order}", order="A-2")["status"] == "hit"
    assert client.calls_of("look") == [{"order": "A-1"}, {"order": "A-2"}]
    client.shop.order("A-3")["state"] = "lost"
    refused = client.run("mark {order}", order="A-3")
    assert (refused["status"], refused["reason"]) == ("miss", "first_check_refused")
    assert "'lost'" in refused["message"]
    assert client.calls_of("mark") == [{"order": "A-1"}, {"order": "A-2"}]


def test_a_post_check_is_asked_before_the_client_gets_its_answer(connect):
    client = connect(rules=tool_rules(note={"post_check": {**STATE_CHECK, "part": "notes"}}))
    client.learn("note {order}", ("note", {"order": "A-1", "text": "x"}), order="A-1")
    asked = [line for line in client.shop.lines if '"look"' in line]
    assert len(asked) == 1
    assert client.run("note {order}", order="A-2")["status"] == "hit"
    stopped = client.run("note {order}", order="A-2")  # There are two notes now.
    assert (stopped["status"], stopped["reason"]) == ("diverged", "post_check_refused")


def test_a_check_by_a_tool_that_does_not_only_read_is_never_called(connect):
    check = {"tool": "refund", "arguments": {"order": "{order}"}}
    client = connect(rules=tool_rules(mark={"pre_check": check}))
    assert client.learn(*MARK, order="A-1")["not_learned"] == "capture_failed"
    assert client.calls_of("refund") == []


@pytest.mark.parametrize(
    "check",
    [
        {"tool": "nonsense"},
        {"tool": "look", "arguments": {"order": "{number}"}},
        {**STATE_CHECK, "part": "state.deeper"},
        {**STATE_CHECK, "part": "nowhere"},
    ],
)
def test_a_check_that_cannot_be_asked_costs_the_recording_and_not_the_call(connect, check):
    client = connect(rules=tool_rules(mark={"pre_check": check}))
    done = client.learn(*MARK, order="A-1")
    assert done["not_learned"] == "capture_failed"
    assert client.calls_of("mark") == [{"order": "A-1"}]


def test_results_that_a_rule_calls_failures_stop_a_replay(connect):
    failed = {"part": "state", "is": ["lost"]}
    client = connect(rules=tool_rules(look={"failed": failed}))
    client.learn("look at {order}", ("look", {"order": "A-1"}), order="A-1")
    client.shop.order("A-2")["state"] = "lost"
    assert client.run("look at {order}", order="A-2")["reason"] == "returned_error"
    client.shop.order("A-3")["state"] = "sent"
    assert client.run("look at {order}", order="A-3")["reason"] != "returned_error"


def test_a_text_may_mean_failure(connect):
    client = connect(rules=tool_rules(mark={"failed": {"text": "DECLINED"}}))
    client.learn(*MARK, order="A-1")
    client.shop.do_mark = lambda id, given, params: client.shop.answer(
        id, {"content": [{"type": "text", "text": "It was declined."}]}
    )
    assert client.run("mark {order}", order="A-2")["reason"] == "returned_error"


def test_an_alias_carries_recordings_over_to_a_new_name(connect):
    connect(rules=rules()).learn(*MARK, order="A-1")
    client = connect(rules=tool_rules(label={"aliases": ["mark"]}))
    tools = [{**tool, "name": "label"} if tool["name"] == "mark" else tool for tool in client.shop.tools()]
    client.shop.tools = lambda: tools
    client.shop.do_label = client.shop.do_mark
    assert client.run("mark {order}", order="A-2")["status"] == "hit"
    assert client.calls_of("label") == [{"order": "A-2"}]


def test_a_rule_may_make_a_tool_stricter_or_looser(connect):
    client = connect(rules=tool_rules(mark={"effect": "irreversible"}, refund={"effect": "idempotent"}))
    client.learn(*MARK, order="A-1")
    client.person = [ACCEPT]
    assert client.run("mark {order}", order="A-2")["status"] == "hit"
    assert "irreversible: rules" in client.asked[0]
    client.learn("refund {order}", ("refund", {"order": "A-1"}), order="A-1")
    assert client.run("refund {order}", order="A-2")["status"] == "hit"
    assert len(client.asked) == 1


def test_rules_that_do_not_fit_a_tool_replay_and_record_nothing(connect):
    client = connect(rules=tool_rules(mark={"any": ["ordre"]}))
    client.shop.tools()
    tools = [
        {**tool, "inputSchema": {**tool["inputSchema"], "additionalProperties": False}} for tool in client.shop.tools()
    ]
    client.shop.tools = lambda: tools
    missed = client.run("mark {order}", order="A-1")
    assert (missed["status"], missed["reason"]) == ("miss", "unavailable")
    assert "the rules of 'mark' do not fit the tool" in missed["message"]
    client.call("mark", order="A-1")
    assert client.done("mark")["not_learned"] == "no_recording"


def test_a_tool_that_the_server_does_not_list_is_irreversible(connect):
    client = connect(rules=rules())
    client.shop.do_hidden = client.shop.do_mark
    client.learn("do it", ("hidden", {"order": "A-1"}))
    client.person = [ACCEPT]
    missed = client.run("do it")
    assert (missed["status"], missed["reason"]) == ("miss", "tool_missing")


def test_a_check_that_changed_is_not_the_recorded_one(connect):
    connect(rules=tool_rules(mark={"pre_check": STATE_CHECK})).learn(*MARK, order="A-1")
    for changed in ({**STATE_CHECK, "part": "notes"}, {"tool": "look", "arguments": {"order": "A-1"}, "part": "state"}):
        client = connect(rules=tool_rules(mark={"pre_check": changed}))
        assert client.run("mark {order}", order="A-2")["reason"] == "check_changed"
    longer = connect(rules=tool_rules(mark={"pre_check": {**STATE_CHECK, "wait": 1}}))
    assert longer.run("mark {order}", order="A-2")["status"] == "hit"


def test_a_check_may_wait_until_it_passes(connect):
    client = connect(rules=tool_rules(mark={"pre_check": {**STATE_CHECK, "wait": 20}}))
    client.learn(*MARK, order="A-1")
    looks = client.shop.do_look

    def later(id, given, params):
        client.shop.order("A-2")["state"] = "paid" if len(client.calls_of("look")) > 3 else "new"
        looks(id, given, params)

    client.shop.do_look = later
    assert client.run("mark {order}", order="A-2")["status"] == "hit"
    assert len(client.calls_of("look")) == 4
