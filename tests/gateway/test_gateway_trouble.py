"""Servers that cannot start, die, hang or answer garbage, and clients that cancel or leave."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import pytest

from gateway_peers import ProcessClient, environment, gateway_command
from muscle_mem.integrations.mcp.rules import Rules

AUTO = Rules(trust="auto")
LOOK = ("look", {"order": "A-1"})


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_server_that_cannot_start_is_a_clear_error_to_each_request():
    client = ProcessClient(gateway_command(server=["/nowhere/no-server"]), environment())
    for method in ("server/discover", "initialize"):
        error = client.request(method)["error"]
        assert error["code"] == -32000
        assert "cannot be started: '/nowhere/no-server': No such file or directory" in error["message"]
    assert client.close() == 1
    assert b"cannot be started" in client.stderr


def test_a_server_that_dies_in_a_call_is_an_error_and_the_end(modern):
    client = ProcessClient(gateway_command(), environment(), modern=modern)
    client.open()
    client.run("die")
    error = client.request("tools/call", {"name": "fail", "arguments": {"how": "die"}})["error"]
    assert (error["code"], error["message"]) == (-32000, "the server has ended: exit code 3")
    assert client.process.wait(20) == 1
    client.close()


def test_a_server_that_dies_in_a_replay_stops_it_and_nothing_is_learned(connect, modern):
    client = connect(modern=modern, rules=AUTO)
    client.learn("try", LOOK, ("fail", {"how": "fine"}))
    client.shop.do_fail = lambda id, given, params: client.shop.die()
    stopped = client.request("tools/call", {"name": "muscle_mem_run", "arguments": {"task": "try"}})
    said = stopped["result"]["structuredContent"]
    assert (said["status"], said["reason"]) == ("diverged", "tool_raised")
    assert "the server has ended: exit code 3" in said["done"][-1]["error"]
    assert client.request("tools/call", {"name": "look"})["error"]["message"] == "the server has ended: exit code 3"


def test_a_server_that_hangs_in_a_replay_is_given_up_and_told_so(connect, modern):
    client = connect(modern=modern, rules=Rules(trust="auto", timeout=0.1))
    client.learn("try", ("fail", {"how": "fine"}))
    client.shop.do_fail = lambda id, given, params: None
    stopped = client.run("try")
    assert (stopped["status"], stopped["reason"]) == ("diverged", "tool_raised")
    assert "did not answer tools/call within 0.1 seconds" in stopped["done"][0]["error"]
    until = time.monotonic() + 10
    while (cancelled := json.loads(client.shop.lines[-1]))["method"] == "tools/call" and time.monotonic() < until:
        time.sleep(0.01)  # The server reads its input in a thread.
    assert cancelled["method"] == "notifications/cancelled"
    assert cancelled["params"]["requestId"].startswith("muscle-mem-")


def test_a_server_that_lists_nothing_in_time_is_no_hindrance(connect):
    client = connect(rules=Rules(check_timeout=0.1))
    client.shop.list_tools = lambda id, params: None
    missed = client.run("look")
    assert (missed["status"], missed["reason"]) == ("miss", "unavailable")
    assert client.call("look", order="A-1")["structuredContent"]["order"] == "A-1"


@pytest.mark.parametrize("how", ["empty", "garbage"])
def test_answers_that_are_not_valid_stop_a_replay_or_are_passed_over(connect, how):
    client = connect(rules=AUTO)
    client.learn("try {how}", ("fail", {"how": "fine"}), how="fine")
    result = client.run("try {how}", how=how)
    if how == "empty":
        assert "not valid: no result and no error" in result["done"][0]["error"]
    else:
        assert b"this is not JSON\n" in client.got  # A server that prints is a server like many.
        assert result["done"][0]["result"] == "after garbage"


def test_a_cancelled_run_gets_no_answer_and_its_call_is_cancelled(connect, modern):
    client = connect(modern=modern, rules=AUTO)
    client.learn("try", ("fail", {"how": "fine"}), LOOK)
    client.shop.do_fail = lambda id, given, params: None
    id = client.begin_call("muscle_mem_run", task="try")
    wait_until(lambda: len(client.calls_of("fail")) == 2)
    client.notify("notifications/cancelled", requestId=id)
    wait_until(lambda: "notifications/cancelled" in client.shop.lines[-1])
    assert json.loads(client.shop.lines[-1])["params"]["requestId"] != id
    assert client.done()["not_learned"] == "no_recording"
    assert not client.has_answer(id)
    assert len(client.calls_of("look")) == 1


def test_a_cancelled_call_of_a_recording_is_passed_on_and_not_learned(connect):
    client = connect(rules=AUTO)
    client.run("try")
    client.call("look", order="A-1")
    id = client.begin_call("fail", how="hang")
    wait_until(lambda: client.calls_of("fail"))
    client.notify("notifications/cancelled", requestId=id)
    wait_until(lambda: json.loads(client.shop.lines[-1]).get("params") == {"requestId": id})
    done = client.done("look", "fail")
    assert done["learned"] is False or client.run("try")["reason"] == "quarantined"


def test_a_call_that_was_cancelled_before_it_was_sent_is_not_made(connect):
    rules = {"tools": {"note": {"pre_check": {"tool": "slow", "arguments": {"seconds": 0.3}}}}}
    import msgspec

    client = connect(rules=msgspec.convert(rules, Rules))
    client.run("note it")
    id = client.begin_call("note", order="A-1", text="x")
    client.notify("notifications/cancelled", requestId=id)
    client.call("look", order="A-1")
    assert client.calls_of("note") == []
    client.done("note", "look")


def test_progress_of_a_replay_is_reported_under_the_clients_token(connect, modern):
    client = connect(modern=modern, rules=AUTO)
    client.learn("mark {order}", ("look", {"order": "A-1"}), ("mark", {"order": "A-1"}), order="A-1")
    run = {"name": "muscle_mem_run", "arguments": {"task": "mark {order}", "params": {"order": "A-2"}}}
    assert client.request("tools/call", run, progressToken="p")["result"]["structuredContent"]["status"] == "hit"
    told = [note["params"] for note in client.notes if note["method"] == "notifications/progress"]
    assert [(each["progressToken"], each["progress"], each["message"]) for each in told] == [
        ("p", 1, "step 1: look"),
        ("p", 2, "step 2: mark"),
    ]


def test_a_list_that_changes_in_a_recording_is_read_again(connect):
    client = connect(rules=AUTO)
    client.run("change")
    client.call("fail", how="changed")
    assert client.notes[-1]["method"] == "notifications/tools/list_changed"
    client.call("note", order="A-1", text="new")
    assert client.done("fail", "note")["learned"]
    lists = [line for line in client.shop.lines if '"tools/list"' in line]
    assert len(lists) == 2
    assert client.run("change")["status"] == "hit"


def test_a_recording_without_a_call_for_long_ends_unlearned(connect):
    client = connect(idle_seconds=0.05)
    client.run("look at {order}", order="A-1")
    client.call("look", order="A-1")
    wait_until(lambda: client.gateway._desk.recording is None)
    assert client.done("look")["not_learned"] == "no_recording"
    assert client.run("look at {order}", order="A-1")["reason"] == "new_task"


def test_thirty_minutes_are_the_default():
    from muscle_mem.integrations.mcp.desk import IDLE_SECONDS

    assert IDLE_SECONDS == 30 * 60


@pytest.mark.parametrize("end", ["close", "SIGTERM", "SIGINT"])
def test_the_server_and_what_it_started_end_with_the_gateway(tmp_path, end):
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pids)!r} + '.new', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(pids)!r} + '.new', {str(pids)!r})\n"
        "sys.stdin.read()\n"
    )
    client = ProcessClient(gateway_command(server=[sys.executable, "-c", code]), environment())
    wait_until(pids.exists)
    found = [int(pid) for pid in pids.read_text().split()]
    if end != "close":
        client.process.send_signal(signal.Signals[end])
        assert client.process.wait(20) == 0
    client.close()
    wait_until(lambda: not any(map(is_alive, found)))


def test_a_server_that_ignores_the_end_of_its_input_is_killed():
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    client = ProcessClient(gateway_command(server=[sys.executable, "-c", code]), environment())
    wait_until(lambda: client.got)
    begun = time.monotonic()
    assert client.close() == 0
    assert time.monotonic() - begun < 20
