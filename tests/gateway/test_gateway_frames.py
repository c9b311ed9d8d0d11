"""The relay forwards every frame as it came: ids, `_meta`, unknown fields, spaces and all, in both directions."""

from __future__ import annotations

import json

import pytest

from gateway_peers import Client, LocalClient, ProcessClient, environment, gateway_command, server_command
from muscle_mem.integrations.mcp.rules import Rules

ODD = [
    b'{"jsonrpc":"2.0","id":"caf\\u00e9 1","method":"shop/extension","params":{"x":[1.50,1e3,-0],"_meta":{"a":1}}}\n',
    b'{ "method" : "shop/extension" , "id" : 900719925474099312345 , "jsonrpc" : "2.0" , "x-frame" : {"y":null} }\n',
    b'{"jsonrpc":"2.0","id":7.5,"method":"shop/extension","params":{"text":"\xc3\xa9\\ud83d\\ude00 \\u0000"}}\n',
    b'{"jsonrpc":"2.0","id":-1,"method":"nonsense/method","params":{}}\n',
    b'{"jsonrpc":"2.0","method":"notifications/roots/list_changed","params":{"_meta":{"trace":"00-abc"}}}\n',
    b'[{"jsonrpc":"2.0","id":50,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/x"}]\n',
    b"this is not JSON\n",
    b'{"jsonrpc":"2.0","id":"odd","method":"tools/call","params":{"name":"look","arguments":{"order":"A-1"},"x-p":2}}\n',
    b'{"jsonrpc":"2.0","id":"worse","method":"tools/call","params":{"name":5}}\n',
    b"\n",
]


def tell(client: Client) -> None:
    """Say what a client says, and then what no SDK says."""
    client.open(sampling={"x": {}}, elicitation={})
    client.request("shop/extension", {"deep": {"er": [None, True, 0.1]}}, progressToken="p-1", traceparent="00-1")
    client.request("tools/call", {"name": "look", "arguments": {"order": "A-1"}, "x-param": 1}, progressToken=3)
    client.request("tools/call", {"name": "picture"})
    client.request("tools/call", {"name": "unknown", "arguments": {}})
    client.person = [{"action": "accept", "content": {}, "x-answer": 1}]
    client.request("tools/call", {"name": "ask", "arguments": {"order": "A-1"}})
    client.request("tools/call", {"name": "fail", "arguments": {"how": "garbage"}})
    for line in ODD:
        client.send(line)
    client.request("shop/extension", {"last": True})


def process_clients(modern: bool, *options: str) -> tuple[ProcessClient, ProcessClient]:
    bare = ProcessClient(server_command(*options), environment(), modern=modern)
    return bare, ProcessClient(gateway_command(server=server_command(*options)), environment(), modern=modern)


def test_i19_frames_are_the_same_on_both_sides_and_as_without_the_gateway(modern, tmp_path):
    log = tmp_path / "frames"
    bare = ProcessClient(server_command(), environment(), modern=modern)
    relayed = ProcessClient(gateway_command(), environment(SHOP_LOG=str(log)), modern=modern)
    for client in (bare, relayed):
        tell(client)
        client.close()
    assert log.read_bytes() == b"".join(relayed.sent)  # The server got what the client sent.
    assert relayed.got == bare.got  # The client got what the server says.
    assert any(b"x-vendor" in line for line in relayed.got)
    assert any(b'"id":  900719925474099312345' in line for line in relayed.got)


def test_frames_of_a_recorded_task_are_the_same_too(connect, modern):
    client = connect(modern=modern)
    client.run("look at {order}", order="A-1")
    begun, seen = len(client.sent), len(client.got)
    bare = LocalClient(None, modern=modern)
    try:
        bare.open(elicitation={})
        bare._id = client._id
        before = len(bare.got)
        for each in (client, bare):
            each.request("tools/call", {"name": "look", "arguments": {"order": "A-1"}, "x-param": 1}, progressToken=3)
            each.request("tools/call", {"name": "note", "arguments": {"order": "A-1", "text": "\u00e9"}}, x=1)
        assert client.got[seen:] == bare.got[before:]
        assert [line.encode() for line in client.shop.lines[-2:]] == client.sent[begun:]
    finally:
        bare.close()


def test_only_the_last_page_of_the_list_has_ours_and_all_else_stays(modern):
    for options in ((), ("pages",)):
        bare, relayed = process_clients(modern, *options)
        for client in (bare, relayed):
            client.open()
            client.names()
            client.close()
        assert len(bare.got) == len(relayed.got)
        assert relayed.got[:-1] == bare.got[:-1]
        plain, added = json.loads(bare.got[-1]), json.loads(relayed.got[-1])
        own = [tool["name"] for tool in added["result"]["tools"][-3:]]
        assert own == ["muscle_mem_tasks", "muscle_mem_run", "muscle_mem_done"]
        del added["result"]["tools"][-3:]
        assert added == plain
        assert list(added["result"]) == list(plain["result"])
        tools = bare.got[-1].partition(b'"tools":  [')[2].partition(b'}], "')[0]
        assert tools in relayed.got[-1].replace(b',{"', b', {"')


def test_a_list_that_the_server_refuses_is_refused(connect):
    client = connect()
    client.shop.list_tools = lambda id, params: client.shop.out(
        {"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no tools"}}
    )
    assert client.request("tools/list")["error"]["message"] == "no tools"
    missed = client.run("look")
    assert (missed["status"], missed["reason"]) == ("miss", "unavailable")
    assert client.done()["not_learned"] == "no_recording"


def test_calls_of_the_gateway_have_ids_that_no_client_gives(connect, modern):
    client = connect(modern=modern)
    client.learn("look at {order}", ("look", {"order": "A-1"}), order="A-1")
    client.run("look at {order}", order="A-2")
    frames = [json.loads(line) for line in client.shop.lines]
    own = [frame["id"] for frame in frames if isinstance(frame.get("id"), str)]
    assert len(own) == len(set(own)) >= 3
    assert all(id.startswith("muscle-mem-") for id in own)
    answered = [json.loads(line).get("id") for line in client.got]
    assert not set(own) & set(answered)


def test_calls_of_the_gateway_say_who_the_client_is_where_each_request_says_it(connect):
    client = connect(modern=True)
    client.learn("look at {order}", ("look", {"order": "A-1"}), order="A-1")
    client.run("look at {order}", order="A-2")
    own = [frame for line in client.shop.lines if isinstance((frame := json.loads(line)).get("id"), str)]
    assert own
    for frame in own:
        meta = frame["params"]["_meta"]
        assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
        assert meta["io.modelcontextprotocol/clientCapabilities"] == {"elicitation": {}}


def test_a_batch_or_garbage_in_a_recording_makes_it_unlearnable(connect):
    client = connect()
    client.run("look at {order}", order="A-1")
    client.call("look", order="A-1")
    client.send(b'[{"jsonrpc":"2.0","id":77,"method":"tools/call","params":{"name":"look"}}]\n')
    client.call("look", order="A-1")
    assert client.done("look", "look")["not_learned"] == "unlearnable"


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_every_version_of_the_handshake_is_the_clients_and_the_servers(connect, version):
    client = connect(rules=Rules(trust="auto"))
    opened = client.request("initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "c"}})
    assert opened["result"]["protocolVersion"] == version
    client.learn("look at {order}", ("look", {"order": "A-1"}), order="A-1")
    assert client.run("look at {order}", order="A-2")["status"] == "hit"


@pytest.mark.parametrize("params", [b'{"name":5}', b'{"name":"look","arguments":[1]}', b'{"name":"look\\ud800"}', b"7"])
def test_a_call_that_is_not_valid_is_the_servers_to_refuse_and_not_learned(connect, params):
    client = connect()
    client.run("look at {order}", order="A-1")
    client.call("look", order="A-1")
    line = b'{"jsonrpc":"2.0","id":"odd","method":"tools/call","params":' + params + b"}\n"
    client.send(line)
    client.call("look", order="A-1")
    assert line.decode() in client.shop.lines
    assert client.done("look", "look")["not_learned"] == "unlearnable"


def test_numbers_of_any_size_are_replayed_as_they_were(connect):
    client = connect(rules=Rules(trust="auto"))
    big = {"order": "A-1", "text": 900719925474099312345, "price": 1.5, "none": None, "deep": [{"x": -0.1}]}
    client.learn("note", ("note", big))
    assert client.run("note")["status"] == "hit"
    assert client.calls_of("note") == [big, big]


@pytest.mark.parametrize("extra", [{"resultType": "x-deferred"}, {"task": {"taskId": "t-1"}}])
def test_an_answer_of_another_kind_is_passed_on_and_neither_learned_nor_waited_for(connect, extra):
    client = connect(rules=Rules(trust="auto"))
    client.learn("mark", ("mark", {"order": "A-1"}))
    works = client.shop.do_mark
    client.shop.do_mark = lambda id, given, params: client.shop.answer(id, extra)
    assert client.run("mark")["done"][0]["error"]
    client.run("mark again")
    assert client.call("mark", order="A-1") == extra
    assert client.done("mark")["not_learned"] == "unlearnable"
    client.shop.do_mark = works


def test_frames_of_megabytes_pass_in_both_directions_also_at_once():
    client = ProcessClient(gateway_command(), environment())
    client.open()
    text = "\u00e9" * 500_000
    ids = [client.begin("shop/extension", {"text": text, "number": number}) for number in range(8)]
    for number, id in enumerate(ids):
        assert client.wait(id)["result"]["echo"] == {"text": text, "number": number}
    client.close()


def test_a_hundred_calls_at_once_are_all_answered_and_recorded(connect, modern):
    client = connect(modern=modern)
    client.run("look at all")
    ids = [client.begin_call("look", order=f"A-{number}") for number in range(100)]
    for number, id in enumerate(ids):
        assert client.wait(id)["result"]["structuredContent"]["order"] == f"A-{number}"
    assert client.done(*["look"] * 100)["learned"]
    assert client.run("look at all")["status"] == "hit"
    assert client.calls_of("look") == [{"order": f"A-{number}"} for number in range(100)] * 2
