"""The parts of the gateway by themselves: seals, placeholders, pages, headers, parts of results."""

from __future__ import annotations

import msgspec
import pytest

from muscle_mem.integrations.mcp.asking import PERSON_SECONDS, Sealer, asks_forms
from muscle_mem.integrations.mcp.checks import CheckCallError, filled
from muscle_mem.integrations.mcp.frames import read_frame
from muscle_mem.integrations.mcp.header_params import header_params
from muscle_mem.integrations.mcp.own_calls import CallStoppedError, Cancellation, CancelledRunError, OwnCalls
from muscle_mem.integrations.mcp.results import data_of, output_of, part_of
from muscle_mem.integrations.mcp.rules import Rules
from muscle_mem.integrations.mcp.secret_names import revealed, with_secrets
from muscle_mem.integrations.mcp.start import GatewayOptions, default_scope, header_secrets, trusts_annotations
from muscle_mem.integrations.mcp.task_texts import are_same_calls, with_placeholders
from muscle_mem.integrations.mcp.texts import printable
from muscle_mem.integrations.mcp.tool_list import read_tool, with_own_tools


def test_a_seal_holds_for_its_call_its_arguments_and_ten_minutes():
    now = [1_000.0]
    sealer = Sealer(lambda: now[0])
    state = sealer.seal("call", "digest")
    assert sealer.opens(state, "call", "digest")
    assert not sealer.opens(state, "other", "digest")
    assert not sealer.opens(state, "call", "other")
    assert not Sealer(lambda: now[0]).opens(state, "call", "digest")  # Another process has another key.
    assert sealer.seal("call", "digest") != state
    now[0] += PERSON_SECONDS
    assert not sealer.opens(state, "call", "digest")


@pytest.mark.parametrize("state", ["", ".", "a.b", "\u00e9.\u00e9", "e30=."])
def test_what_is_no_seal_does_not_open(state):
    assert not Sealer().opens(state, "call", "digest")


@pytest.mark.parametrize(
    ("capabilities", "can"),
    [
        ({"elicitation": {}}, True),
        ({"elicitation": {"form": {}}}, True),
        ({"elicitation": {"form": {}, "url": {}}}, True),
        ({"elicitation": {"url": {}}}, False),
        ({"elicitation": True}, False),
        ({}, False),
        (None, False),
        ("elicitation", False),
    ],
)
def test_a_client_can_ask_if_it_says_that_it_has_forms(capabilities, can):
    assert asks_forms(capabilities) is can


@pytest.mark.parametrize(
    ("task", "params", "text"),
    [
        ("refund A-1 now", {"order": "A-1"}, "refund {order} now"),
        ("refund {order} now", {"order": "A-1"}, "refund {order} now"),
        ("refund A-10 and A-1", {"order": "A-1"}, "refund A-10 and {order}"),
        ("buy 2 of 2", {"count": 2}, "buy {count} of {count}"),
        ("from Rome to Rome North", {"a": "Rome", "b": "Rome North"}, "from {a} to {b}"),
        ("same x x", {"a": "x", "b": "x"}, "same {a} {a}"),
        ("nothing", {"a": "", "b": None, "c": True, "d": [1]}, "nothing"),
        ("price 3.50 (net)", {"price": "3.50 (net)"}, "price {price}"),
        ("{a} stays and a goes", {"b": "a"}, "{a} stays and {b} goes"),
    ],
)
def test_values_become_placeholders_as_whole_words(task, params, text):
    assert with_placeholders(task, params) == text


@pytest.mark.parametrize(
    ("named", "same"),
    [
        (["look", "refund"], True),
        (["mcp__shop__look", "mcp__shop__refund"], True),
        (["shop-look", "shop.refund"], True),
        (["mcp_shop_look", "refund"], True),
        (["refund", "look"], False),
        (["look"], False),
        (["look", "refund", "refund"], False),
        (["overlook", "refund"], False),
        (["do_look", "refund"], False),  # Another tool of the server.
        (["", "refund"], False),
        (["lookup", "refund"], False),
    ],
)
def test_names_of_calls_may_have_the_name_of_the_server_before_them(named, same):
    assert are_same_calls(named, ["look", "refund"], ["look", "refund", "do_look"]) is same


def test_a_page_keeps_its_fields_values_and_order():
    line = b'{"x":1.50,"result":{"a":[ 1 ],"tools":[{"name":"t","n":1e2}],"z":"\\u00e9"},"id":1}\n'
    expected = b'{"x":1.50,"result":{"a":[ 1 ],"tools":[{"name":"t","n":1e2},{"name":"o"}],"z":"\\u00e9"},"id":1}\n'
    assert with_own_tools(line, [b'{"name":"o"}']) == expected
    assert with_own_tools(b'{"id":1,"result":{}}\n', [b"{}"]) == b'{"id":1,"result":{"tools":[{}]}}\n'


def test_what_is_no_tool_of_a_list_is_passed_over():
    for wrong in (None, 5, {}, {"name": 5}, []):
        assert read_tool(wrong) is None
    tool = read_tool({"name": "t", "inputSchema": "none", "annotations": []})
    assert tool is not None
    assert (tool.schema, tool.annotations) == (None, {})


def test_headers_of_arguments_are_those_that_the_schema_marks():
    schema = {
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "dry": {"type": "boolean", "x-mcp-header": "Dry"},
            "deep": {"properties": {"count": {"type": "integer", "x-mcp-header": "Count"}}},
            "plain": {"type": "string"},
        }
    }
    arguments = {"region": "eu", "dry": True, "deep": {"count": 3}, "plain": "x"}
    assert header_params(schema, arguments) == {
        "mcp-param-Region": "eu",
        "mcp-param-Dry": "true",
        "mcp-param-Count": "3",
    }
    assert header_params(schema, {"region": None, "deep": 5}) == {}
    assert header_params(None, arguments) == {}


def test_an_output_is_the_data_of_a_result_once():
    result = {"content": [{"type": "text", "text": "{}", "_meta": 1, "annotations": 2}], "_meta": {"ms": 1}}
    assert output_of(result) == {"content": [{"type": "text", "text": "{}"}]}
    assert output_of({**result, "structuredContent": {"a": 1}}) == {"structuredContent": {"a": 1}}
    assert output_of({**result, "structuredContent": {"a": 1}, "isError": True}) == {
        "content": [{"type": "text", "text": "{}"}],
        "isError": True,
    }
    assert output_of({"content": "odd"}) == {"content": []}


def test_a_part_of_a_result_is_found_by_names_and_numbers():
    output = {"content": [{"type": "text", "text": '{"a": [{"b": 1}, 2]}'}]}
    assert data_of(output) == {"a": [{"b": 1}, 2]}
    assert part_of(output, "a.0.b") == 1
    assert part_of(output, "") == {"a": [{"b": 1}, 2]}
    for wrong in ("c", "a.x", "a.5", "a.0.b.c"):
        with pytest.raises(LookupError):
            part_of(output, wrong)
    assert data_of({"content": [{"type": "text", "text": "5"}]}) == "5"  # A text that looks like a number.
    assert data_of({"content": []}) == []


def test_arguments_of_a_check_keep_their_types():
    template = {"id": "{id}", "text": "order {id}", "deep": [{"x": "{n}"}, 5]}
    assert filled(template, {"id": "A-1", "n": 2}) == {"id": "A-1", "text": "order A-1", "deep": [{"x": 2}, 5]}
    with pytest.raises(CheckCallError, match="'id'"):
        filled(template, {"n": 2})


def test_secrets_are_wrapped_under_their_names_and_come_back():
    arguments = {"user": "bob", "auth": {"token": "t-1", "list": [1]}, "password": "p", "pin": None, "cvv": ""}
    wrapped = with_secrets(arguments, ["password"])
    assert repr(wrapped["auth"]["token"]) == "Secret('***')"
    assert wrapped["password"] == "p"  # The tool declares it.
    assert revealed(wrapped) == arguments


def test_invisible_characters_are_shown_by_their_codes():
    assert printable("a\u202eb\x1b\n\u200b\u00e9\u4e2d") == "a\\u202eb\\u001b\\u000a\\u200b\u00e9\u4e2d"
    assert printable("abc", 2) == "ab\u2026"


def test_scopes_differ_by_command_url_and_name():
    options = [GatewayOptions(command=("a", "b")), GatewayOptions(command=("a b",)), GatewayOptions(url="a")]
    scopes = {default_scope(each, name) for each in options for name in ("", "shop")}
    assert len(scopes) == 6
    assert default_scope(options[0], "shop") == default_scope(options[0], "shop")


def test_annotations_are_believed_for_a_command_and_where_the_rules_say_so():
    command, url = GatewayOptions(command=("server",)), GatewayOptions(url="http://127.0.0.1")
    assert trusts_annotations(command, Rules()) is True
    assert trusts_annotations(url, Rules()) is False
    assert trusts_annotations(command, Rules(trust_annotations=False)) is False
    assert trusts_annotations(url, Rules(trust_annotations=True)) is True


def test_what_stands_behind_a_scheme_in_a_header_is_a_secret_too():
    variables = {"Authorization": "AUTH", "X-Key": "KEY"}
    found = header_secrets(variables, {"Authorization": "Bearer t-1", "X-Key": "k-1 and more"})
    assert set(found.values()) == {"Bearer t-1", "t-1", "k-1 and more"}


def test_a_call_of_the_gateway_ends_with_its_peer_and_with_its_run():
    sent: list[bytes] = []
    calls = OwnCalls(sent.append, "server")
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(CancelledRunError):
        calls.call("tools/list", None, seconds=5, cancellation=cancellation)
    assert b"notifications/cancelled" in sent[-1]
    with pytest.raises(CallStoppedError, match=r"did not answer tools/list within 0.01 seconds"):
        calls.call("tools/list", None, seconds=0.01)
    calls.end("the server has ended")
    before = len(sent)
    with pytest.raises(CallStoppedError, match="the server has ended"):
        calls.call("tools/list", None, seconds=5)
    assert len(sent) == before


def test_a_late_answer_to_a_call_of_the_gateway_is_dropped():
    sent: list[bytes] = []
    calls = OwnCalls(sent.append, "server")
    with pytest.raises(CallStoppedError):
        calls.call("tools/list", None, seconds=0.01)
    id = msgspec.json.decode(sent[0])["id"]
    assert calls.is_own(id)
    frame = read_frame(msgspec.json.encode({"id": id, "result": {}}))
    assert frame is not None
    calls.resolve(frame)


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"5", b'{"id":true}', b'{"id":{}}', b'{"method":5}', b"\xff", b"[" * 9_999]
)
def test_what_is_not_one_message_is_no_frame(line):
    frame = read_frame(line)
    assert frame is None
