"""Tasks through the gateway: recorded while the client's calls pass, replayed for the next client."""

from __future__ import annotations

import json

import pytest

from gateway_peers import ACCEPT
from muscle_mem.integrations.mcp.rules import Rules

AUTO = Rules(trust="auto")


def test_i19_a_task_is_recorded_from_the_clients_calls_and_replayed_without_them(connect, modern):
    client = connect(modern=modern, rules=AUTO)
    learned = client.learn(
        "note on order A-1",
        ("look", {"order": "A-1"}),
        ("note", {"order": "A-1", "text": "called"}),
        answer="noted on A-1",
        order="A-1",
    )
    assert learned == {"learned": True, "pending": False, "message": ""}
    again = connect(modern=modern, rules=AUTO)
    hit = again.run("note on order A-2", order="A-2")
    assert (hit["status"], hit["reason"]) == ("hit", "hit")
    assert again.calls_of("look") == [{"order": "A-2"}]
    assert again.calls_of("note") == [{"order": "A-2", "text": "called"}]
    assert [step["tool"] for step in hit["done"]] == ["look", "note"]
    assert hit["done"][0]["result"]["order"] == "A-2"
    assert hit["done"][1]["result"] == "noted"
    assert hit["answer"] == "noted on A-2"
    assert hit["not_done"] == []


def test_placeholders_and_values_are_the_same_task(connect):
    client = connect()
    assert client.learn("look at {order}", ("look", {"order": "A-1"}), order="A-1")["learned"]
    assert client.run("look at A-2", order="A-2")["status"] == "hit"
    assert client.run("look at {order}", order="A-3")["status"] == "hit"
    assert client.run("have a look at {order}", order="A-3")["reason"] == "new_task"


def test_the_result_of_a_run_is_json_in_a_text_for_older_clients(connect):
    client = connect()
    result = client.call("muscle_mem_run", task="look")
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    assert result["isError"] is False


def test_without_forms_of_state_a_result_has_the_type_that_its_era_knows(connect, modern):
    result = connect(modern=modern).call("muscle_mem_tasks")
    assert result.get("resultType") == ("complete" if modern else None)


def test_images_of_a_replay_are_attached(connect):
    client = connect()
    client.learn("take a picture", ("picture", {}))
    result = client.call("muscle_mem_run", task="take a picture", params={})
    assert result["structuredContent"]["done"][0]["result"] == ["a picture", {"type": "image", "attached": 1}]
    assert result["content"][1] == {"type": "image", "data": "aGk=", "mimeType": "image/png"}


def test_an_id_of_an_earlier_result_is_read_from_this_runs(connect):
    client = connect(rules=AUTO)
    for item in ("tea", "milk"):
        if client.run("sell {item}", item=item)["status"] == "hit":
            continue
        made = client.call("create", item=item)["structuredContent"]["order_id"]
        client.call("note", order=made, text="sold")
        client.done("create", "note")
    client.run("sell {item}", item="jam")
    created, noted = client.calls_of("create"), client.calls_of("note")
    assert created[-1] == {"item": "jam"}
    last = next(order for order in reversed(client.shop.orders) if client.shop.orders[order]["notes"])
    assert noted[-1] == {"order": last, "text": "sold"}


def test_a_replay_that_stops_hands_over_what_was_done_and_what_was_not(connect, modern):
    client = connect(modern=modern, rules=AUTO)
    calls = ("look", {"order": "A-1"}), ("fail", {"how": "fine"}), ("mark", {"order": "A-1"})
    assert client.learn("mark {order}", *calls, order="A-1")["learned"]
    client.shop.do_fail = lambda id, given, params: client.shop.answer(id, {"content": [], "isError": True})
    stopped = client.run("mark {order}", order="A-2")
    assert (stopped["status"], stopped["reason"]) == ("diverged", "returned_error")
    assert [step["tool"] for step in stopped["done"]] == ["look", "fail"]
    assert stopped["not_done"][-1] == {"tool": "mark", "arguments": "order='A-2'"}
    assert "muscle_mem_done" in stopped["next"]


def test_what_the_client_does_after_a_replay_that_stopped_is_learned(connect):
    client = connect(rules=AUTO)
    client.learn("mark {order}", ("look", {"order": "A-1"}), ("fail", {"how": "fine"}), order="A-1")
    works = client.shop.do_fail
    client.shop.do_fail = lambda id, given, params: client.shop.answer(id, {"content": [], "isError": True})
    assert client.run("mark {order}", order="A-1")["status"] == "diverged"
    client.call("mark", order="A-1")
    done = client.done("mark")
    assert done["not_learned"] == "unknown_effect"  # A write that failed may have happened.
    client.shop.do_fail = works


def test_i20_other_calls_than_those_that_passed_are_not_learned(connect, modern):
    client = connect(modern=modern)
    client.run("look at {order}", order="A-1")
    client.call("look", order="A-1")
    client.call("look", order="B-9")  # Of another conversation in this process.
    done = client.done("look")
    assert (done["learned"], done["not_learned"]) == (False, "other_calls")
    assert "look, look" in done["message"]
    assert client.run("look at {order}", order="A-1")["reason"] == "new_task"


def test_a_second_run_ends_the_recording_of_the_first(connect):
    client = connect()
    client.run("look at {order}", order="A-1")
    client.call("look", order="A-1")
    client.run("mark it")
    assert client.done()["not_learned"] == "no_calls"
    assert client.run("look at {order}", order="A-1")["reason"] == "new_task"


def test_done_without_a_run_or_after_a_failure_learns_nothing(connect):
    client = connect()
    assert client.done()["not_learned"] == "no_recording"
    client.run("look at {order}", order="A-1")
    client.call("look", order="A-1")
    assert client.done("look", succeeded=False)["not_learned"] == "refused"
    assert client.done("look")["not_learned"] == "no_recording"
    assert client.run("look at {order}", order="A-1")["reason"] == "new_task"


def test_calls_that_overlap_are_recorded_as_they_were(connect):
    client = connect()
    client.run("look twice")
    ids = [client.begin_call("look", order=order) for order in ("A-1", "A-2")]
    for id in ids:
        client.wait(id)
    assert client.done("look", "look")["learned"]
    assert client.run("look twice")["status"] == "hit"
    assert client.calls_of("look") == [{"order": "A-1"}, {"order": "A-2"}] * 2


def test_a_call_without_an_answer_is_not_learned(connect):
    client = connect()
    client.run("hang")
    client.begin_call("fail", how="hang")
    assert client.done("fail")["not_learned"] == "still_running"


def test_calls_that_failed_are_judged_as_by_any_agent(connect):
    client = connect(rules=AUTO)
    client.run("look at {order}", order="A-1")
    refused = client.request("tools/call", {"name": "nonsense", "arguments": {}})  # Never ran, so it is left out.
    assert refused["error"]["code"] == -32602
    client.call("look", order="A-1")
    assert client.done("nonsense", "look")["learned"]
    assert client.run("look at {order}", order="A-2")["status"] == "hit"
    client.run("try it")
    client.call("fail", how="error")
    client.call("look", order="A-1")
    assert client.done("fail", "look")["not_learned"] is not None
    assert client.run("try it")["reason"] == "quarantined"


def test_the_tasks_of_this_server_are_listed_with_their_params(connect, modern):
    client = connect(modern=modern)
    for number in range(25):
        client.learn(f"look number {number} at {{order}}", ("look", {"order": "A-1"}), order="A-1")
    listed = client.call("muscle_mem_tasks")["structuredContent"]["tasks"]
    assert len(listed) == 20
    assert listed[0] == {"task": "look number 24 at {order}", "params": ["order"]}
    found = client.call("muscle_mem_tasks", query="NUMBER 7")["structuredContent"]["tasks"]
    assert [task["task"] for task in found] == ["look number 17 at {order}", "look number 7 at {order}"]
    other = connect(scope="other:{}".format)
    assert other.call("muscle_mem_tasks")["structuredContent"] == {"tasks": []}
    assert other.run("look number 1 at {order}", order="A-1")["reason"] == "new_task"


def test_a_frozen_gateway_replays_and_records_nothing(connect):
    connect().learn("look at {order}", ("look", {"order": "A-1"}), order="A-1")
    frozen = connect(mode="frozen")
    assert frozen.run("look at {order}", order="A-2")["status"] == "hit"
    missed = frozen.run("look again at {order}", order="A-2")
    assert missed["status"] == "miss"
    assert "not recorded" in missed["next"]
    frozen.call("look", order="A-2")
    assert frozen.done("look")["not_learned"] == "no_recording"


def test_under_replay_mode_a_miss_is_an_answer_like_any_other(connect):
    client = connect(mode="replay")
    missed = client.run("look at {order}", order="A-2")
    assert (missed["status"], missed["reason"]) == ("miss", "mode")
    assert "not recorded" in missed["next"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("muscle_mem_run", {}),
        ("muscle_mem_run", {"task": 5}),
        ("muscle_mem_run", {"task": "look", "approve": True}),
        ("muscle_mem_done", {"succeeded": True}),
        ("muscle_mem_done", {"succeeded": True, "calls": "look"}),
        ("muscle_mem_tasks", {"limit": 1000}),
    ],
)
def test_arguments_that_are_not_valid_are_an_error_that_names_them(connect, name, arguments):
    error = connect().request("tools/call", {"name": name, "arguments": arguments})["error"]
    assert error["code"] == -32602
    assert name in error["message"]


def test_two_gateways_on_one_store_learn_from_each_other(connect):
    one, other = connect(rules=AUTO), connect(rules=AUTO)
    one.learn("mark {order}", ("mark", {"order": "A-1"}), order="A-1")
    assert other.run("mark {order}", order="A-2")["status"] == "hit"
    other.learn("look at {order}", ("look", {"order": "A-1"}), order="A-1")
    assert one.run("look at {order}", order="A-2")["status"] == "hit"


def test_without_a_store_tasks_are_remembered_until_the_end(connect):
    client = connect(store=None)
    client.learn("look at {order}", ("look", {"order": "A-1"}), order="A-1")
    assert client.run("look at {order}", order="A-2")["status"] == "hit"


def test_a_store_that_fails_does_not_keep_the_client_from_its_tools(connect):
    def broken(name: str) -> str:
        raise OSError("no space")

    client = connect(scope=broken)
    failed = client.request("tools/call", {"name": "muscle_mem_run", "arguments": {"task": "look"}})
    assert "OSError" in failed["error"]["message"]
    assert client.call("look", order="A-1")["structuredContent"]["state"] == "paid"


def test_the_person_that_approves_is_not_asked_for_tasks_that_only_read(connect):
    client = connect()
    client.learn("look at {order}", ("look", {"order": "A-1"}), order="A-1")
    client.person = [ACCEPT]
    assert client.run("look at {order}", order="A-2")["status"] == "hit"
    assert client.asked == []


def test_a_replay_ends_the_recording_before_it(connect):
    client = connect()
    client.learn("look at {order}", ("look", {"order": "A-1"}), order="A-1")
    client.run("mark it")
    client.call("mark", order="A-1")
    assert client.run("look at {order}", order="A-2")["status"] == "hit"
    assert client.done("mark")["not_learned"] == "no_recording"
    assert client.run("mark it")["reason"] == "new_task"


def test_a_model_that_knows_the_tools_by_longer_names_is_understood(connect):
    client = connect()
    client.run("look at {order}", order="A-1")
    client.call("look", order="A-1")
    assert client.done("mcp__shop__look")["learned"]
