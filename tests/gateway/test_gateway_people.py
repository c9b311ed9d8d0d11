"""Who approves: a person, in the client or on the command line, and never a model."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway_peers import ACCEPT, ACCEPT_UNTICKED, DECLINE, environment
from muscle_mem.integrations.mcp.rules import Rules

REFUND = "refund {order}"
STEPS = ("look", {"order": "A-1"}), ("refund", {"order": "A-1"})
NOTE = "note {order}"
NOTE_STEPS = ("look", {"order": "A-1"}), ("note", {"order": "A-1", "text": "hi"})


def test_i21_a_recording_with_an_effect_waits_for_a_person_who_sees_every_step(connect, modern):
    client = connect(modern=modern)
    learned = client.learn(NOTE, *NOTE_STEPS, order="A-1")
    assert (learned["learned"], learned["pending"]) == (True, True)
    client.person = [ACCEPT]
    assert client.run(NOTE, order="A-2")["status"] == "hit"
    (question,) = client.asked
    assert "1. look(order='A-2') [read: annotations]" in question
    assert "2. note(order='A-2', text='hi') [write: annotations]" in question
    assert client.run(NOTE, order="A-3")["status"] == "hit"  # Approved once, for other params, too.
    assert len(client.asked) == 1


@pytest.mark.parametrize("answer", [DECLINE, {"action": "cancel"}, ACCEPT_UNTICKED, {"action": "accept"}])
def test_whatever_is_not_an_approval_replays_nothing_and_learns_nothing(connect, modern, answer):
    client = connect(modern=modern)
    client.learn(NOTE, *NOTE_STEPS, order="A-1")
    client.person = [answer]
    refused = client.run(NOTE, order="A-2")
    assert (refused["status"], refused["reason"]) == ("miss", "refused_by_person")
    assert "without asking" in refused["next"]
    assert client.calls_of("note") == [{"order": "A-1", "text": "hi"}]
    assert client.done()["not_learned"] == "no_recording"


def test_an_irreversible_step_without_a_pre_check_is_asked_for_at_each_replay(connect, modern):
    client = connect(modern=modern)
    client.learn(REFUND, *STEPS, order="A-1")
    client.person = [ACCEPT]
    assert client.run(REFUND, order="A-2")["status"] == "hit"  # The person has just seen the step.
    assert "[irreversible: no annotation says otherwise]" in client.asked[0]
    client.person = [ACCEPT]
    assert client.run(REFUND, order="A-3")["status"] == "hit"
    assert 'refund(order="A-3") [irreversible' in client.asked[1]
    client.person = [DECLINE]
    refused = client.run(REFUND, order="A-4")
    assert (refused["status"], refused["reason"]) == ("diverged", "not_approved")
    assert [step["tool"] for step in refused["done"]] == ["look"]
    assert client.calls_of("refund") == [{"order": "A-1"}, {"order": "A-2"}, {"order": "A-3"}]
    client.call("mark", order="A-4")
    assert client.done("mark")["not_learned"] == "unlearnable"


def test_a_pre_check_of_the_rules_stands_for_the_person_after_the_first_replay(connect, modern):
    rules = {"tools": {"refund": {"pre_check": {"tool": "look", "arguments": {"order": "{order}"}, "part": "state"}}}}
    client = connect(modern=modern, rules=as_rules(rules))
    client.learn(REFUND, *STEPS, order="A-1")
    client.person = [ACCEPT]
    assert client.run(REFUND, order="A-2")["status"] == "hit"
    assert client.run(REFUND, order="A-3")["status"] == "hit"
    assert len(client.asked) == 1
    stopped = client.run(REFUND, order="A-3")  # It is refunded already.
    assert stopped["reason"] in ("check_refused", "unseen_answer")
    assert client.calls_of("refund") == [{"order": order} for order in ("A-1", "A-2", "A-3")]


def as_rules(data):
    import msgspec

    return msgspec.convert(data, Rules)


def test_a_client_that_cannot_ask_gets_the_command_that_approves(connect, modern, store):
    client = connect(modern=modern, person=False)
    client.learn(NOTE, *NOTE_STEPS, order="A-1")
    waits = client.run(NOTE, order="A-2")
    assert (waits["status"], waits["reason"]) == ("miss", "not_approved")
    words = waits["message"].partition("approval: ")[2].partition(" (")[0].split()
    assert words[:2] == ["muscle-mem", "approve"]
    assert words[3:] == ["--store", f"sqlite:///{store}"]
    subprocess.run([sys.executable, "-m", "muscle_mem", *words[1:]], check=True, env=environment(), capture_output=True)
    assert client.run(NOTE, order="A-2")["status"] == "hit"


def test_a_client_that_cannot_ask_never_replays_an_irreversible_step_without_a_check(connect, modern):
    client = connect(modern=modern, person=False, rules=Rules(trust="auto"))
    client.learn(REFUND, *STEPS, order="A-1")
    waits = client.run(REFUND, order="A-2")
    assert (waits["status"], waits["reason"]) == ("miss", "not_approved")
    assert "pre_check" in waits["message"]
    assert client.calls_of("refund") == [{"order": "A-1"}]


@pytest.mark.parametrize("capabilities", [{"elicitation": {"url": {}}}, {"elicitation": None}, {"sampling": {}}, {}])
def test_only_a_client_with_forms_can_ask(connect, modern, capabilities):
    client = connect(modern=modern, person=False)
    client.open(**capabilities)
    client.learn(NOTE, *NOTE_STEPS, order="A-1")
    assert client.run(NOTE, order="A-2")["reason"] == "not_approved"


def test_trust_auto_needs_no_person_but_for_irreversible_steps(connect, modern):
    client = connect(modern=modern, rules=Rules(trust="auto"))
    assert client.learn(NOTE, *NOTE_STEPS, order="A-1")["pending"] is False
    assert client.run(NOTE, order="A-2")["status"] == "hit"
    assert client.asked == []
    client.learn(REFUND, *STEPS, order="A-1")
    client.person = [ACCEPT]
    assert client.run(REFUND, order="A-2")["status"] == "hit"
    assert len(client.asked) == 1


def test_trust_of_one_tool_may_differ(connect):
    client = connect(rules=as_rules({"tools": {"note": {"trust": "auto"}}}))
    client.learn(NOTE, *NOTE_STEPS, order="A-1")
    assert client.run(NOTE, order="A-2")["status"] == "hit"
    strict = connect(rules=as_rules({"trust": "auto", "tools": {"mark": {"trust": "manual"}}}))
    assert strict.learn("mark {order}", ("mark", {"order": "A-1"}), order="A-1")["pending"] is True


def sell_twice(client):
    """Two recordings whose second step uses the id that the first returned."""
    for item in ("tea", "milk"):
        assert client.run("sell {item}", item=item)["status"] == "miss"
        made = client.call("create", item=item)["structuredContent"]["order_id"]
        client.call("note", order=made, text="sold")
        assert client.done("create", "note")["learned"]


def test_what_several_recordings_have_in_common_is_asked_for_once(connect, modern):
    sell_twice(connect(modern=modern, person=False))
    client = connect(modern=modern)
    client.person = [ACCEPT]
    assert client.run("sell {item}", item="jam")["status"] == "hit"
    (question,) = client.asked
    assert "2. note(order=" in question
    assert client.run("sell {item}", item="oil")["status"] == "hit"
    orders = [order for order, found in client.shop.orders.items() if found["notes"]]
    assert [call["order"] for call in client.calls_of("note")] == orders


def test_the_command_approves_what_several_recordings_have_in_common(connect):
    client = connect(person=False)
    sell_twice(client)
    message = client.run("sell {item}", item="jam")["message"]
    words = message.partition("approval: ")[2].partition(" (")[0].split()
    assert len(words) == 7
    subprocess.run([sys.executable, "-m", "muscle_mem", *words[1:]], check=True, env=environment(), capture_output=True)
    assert client.run("sell {item}", item="jam")["status"] == "hit"


def test_the_servers_own_question_during_a_replay_reaches_the_person(connect, modern):
    client = connect(modern=modern, rules=Rules(trust="auto"))
    client.person = [{"action": "accept", "content": {}}]
    assert client.learn("ask about {order}", ("ask", {"order": "A-1"}), order="A-1")["learned"]
    client.person = [{"action": "accept", "content": {}}]
    hit = client.run("ask about {order}", order="A-2")
    assert hit["status"] == "hit"
    assert hit["done"][0]["result"] == "accepted"
    assert client.asked == ["Really A-1?", "Really A-2?"]


def test_a_question_that_is_left_ends_the_run_and_the_next_one_begins(connect):
    client = connect(modern=True)
    client.learn(NOTE, *NOTE_STEPS, order="A-1")
    first = client.request(
        "tools/call", {"name": "muscle_mem_run", "arguments": {"task": NOTE, "params": {"order": "A-2"}}}
    )
    assert first["result"]["resultType"] == "input_required"
    client.person = [ACCEPT]
    assert client.run(NOTE, order="A-3")["status"] == "hit"
    assert client.calls_of("note")[1:] == [{"order": "A-3", "text": "hi"}]


def test_a_run_beside_a_replay_is_told_that_it_is_busy(connect):
    client = connect(rules=Rules(trust="auto"))
    client.learn("wait", ("slow", {"seconds": 0.3}))
    first = client.begin_call("muscle_mem_run", task="wait")
    assert client.run("look")["reason"] == "busy"
    assert client.wait(first)["result"]["structuredContent"]["status"] == "hit"
