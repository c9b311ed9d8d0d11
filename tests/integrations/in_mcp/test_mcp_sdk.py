"""The gateway between the official SDK's client and server, in both eras of the protocol, over stdio and HTTP."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("mcp.server.mcpserver", reason="the SDK of MCP is not installed")

import anyio

from sdk_peers import SHOP, sdk_client

ACCEPT = {"action": "accept", "content": {"approve": True}}
OURS = {"muscle_mem_tasks", "muscle_mem_run", "muscle_mem_done"}
ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}


@pytest.fixture(params=["stdio", "http"])
def server(request):
    """The words of the command line that name the server."""
    if request.param == "stdio":
        return ["--", sys.executable, str(SHOP)]
    pytest.importorskip("httpx2", reason="httpx2 is not installed")
    return ["--url", request.getfixturevalue("url")]


def gateway(server, *options):
    return [sys.executable, "-m", "muscle_mem", "mcp", *options, *server]


async def run(client, task, **params):
    result = await client.call_tool("muscle_mem_run", {"task": task, "params": params})
    assert not result.is_error
    return result.structured_content


async def learn(client, task, *calls, **params):
    assert (await run(client, task, **params))["status"] == "miss"
    for name, arguments in calls:
        assert not (await client.call_tool(name, arguments)).is_error
    done = await client.call_tool("muscle_mem_done", {"succeeded": True, "calls": [name for name, _ in calls]})
    assert done.structured_content["learned"], done.structured_content


def test_a_client_of_the_sdk_sees_the_servers_tools_and_ours(mode, server, store):
    async def main():
        async with sdk_client(mode, gateway(server, "--store", store)) as client:
            assert client.protocol_version == ERAS[mode]
            assert client.server_info.name == "sdk-shop"
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert names == OURS | {"look", "note", "refund", "ask", "steps", "broken", "who"}
            run = next(tool for tool in (await client.list_tools()).tools if tool.name == "muscle_mem_run")
            assert run.annotations.destructive_hint
            assert run.annotations.open_world_hint

    anyio.run(main)


def test_a_task_is_learned_and_replayed_after_a_person_approved_it(mode, server, store, person):
    one, two = f"{mode}-1", f"{mode}-2"  # A server behind a URL remembers what other tests did.

    async def main():
        async with sdk_client(mode, gateway(server, "--store", store), person) as client:
            await client.list_tools()
            steps = ("look", {"order": one}), ("note", {"order": one, "text": "called"})
            await learn(client, "note {text} on {order}", *steps, order=one, text="called")
        async with sdk_client(mode, gateway(server, "--store", store), person) as client:
            await client.list_tools()
            person.answers = [ACCEPT]
            hit = await run(client, "note {text} on {order}", order=two, text="sent")
            expected = "annotations are not trusted" if server[0] == "--url" else "annotations"
            assert f": {expected}]" in person.asked[0]
            assert hit["status"] == "hit", hit
            assert hit["done"][0]["result"] == {"order": two, "state": "paid"}
            looked = await client.call_tool("look", {"order": two})
            assert looked.structured_content == {"order": two, "state": "sent"}

    anyio.run(main)


def test_a_refusal_of_a_person_replays_nothing(mode, server, store, person):
    async def main():
        async with sdk_client(mode, gateway(server, "--store", store), person) as client:
            await client.list_tools()
            await learn(client, "refund {order}", ("refund", {"order": "A-1"}), order="A-1")
            person.answers = [{"action": "decline"}]
            refused = await run(client, "refund {order}", order="A-7")
            assert refused["reason"] == "refused_by_person"
            assert (await client.call_tool("look", {"order": "A-7"})).structured_content["state"] == "paid"

    anyio.run(main)


def test_without_a_callback_the_client_is_told_how_to_approve(mode, server, store):
    async def main():
        async with sdk_client(mode, gateway(server, "--store", store)) as client:
            await client.list_tools()
            await learn(client, "note {order}", ("note", {"order": "A-1", "text": "x"}), order="A-1")
            waits = await run(client, "note {order}", order="A-2")
            assert waits["reason"] == "not_approved"
            assert "muscle-mem approve" in waits["message"]

    anyio.run(main)


def test_the_servers_own_question_is_passed_on_while_recording_and_in_a_replay(mode, server, store, person, rules):
    async def main():
        words = gateway(server, "--store", store, "--rules", rules)
        async with sdk_client(mode, words, person) as client:
            await client.list_tools()
            sure = {"action": "accept", "content": {"sure": True}}
            person.answers = [sure]
            await learn(client, "ask {order}", ("ask", {"order": "A-1"}), order="A-1")
            person.answers = [ACCEPT, sure] if server[0] == "--url" else [sure]
            hit = await run(client, "ask {order}", order="A-2")
            assert hit["status"] == "hit", hit
            assert hit["done"][0]["result"] == {"result": "A-2 is sure"}
            assert person.asked[-1] == "Really A-2?"

    anyio.run(main)


def test_progress_and_errors_of_the_server_reach_the_client_unchanged(mode, server, store):
    async def main():
        async with sdk_client(mode, gateway(server, "--store", store)) as client:
            await client.list_tools()
            seen = []

            async def progress(done, total, message):
                seen.append((done, total))

            for _ in range(2):  # Outside of a recording, and in one.
                seen.clear()
                await client.call_tool("steps", {"count": 3}, progress_callback=progress)
                assert seen == [(1, 3), (2, 3), (3, 3)]
                failed = await client.call_tool("broken", {})
                assert failed.is_error
                assert "no such thing" in failed.content[0].text
                await run(client, "count")

    anyio.run(main)


def test_arguments_that_are_headers_as_well_reach_a_server_behind_a_url(mode, url, store, person, rules):
    pytest.importorskip("httpx2", reason="httpx2 is not installed")

    async def main():
        words = gateway(["--url", url], "--store", store, "--rules", rules)
        async with sdk_client(mode, words, person) as client:
            await client.list_tools()
            step = ("refund", {"order": "A-1", "region": "S\u00fcd"})
            await learn(client, "refund {order} in {region}", step, order="A-1", region="S\u00fcd")
            person.answers = [ACCEPT]
            hit = await run(client, "refund {order} in {region}", order="A-9", region="\u00d6st")
            assert hit["status"] == "hit", hit
            assert hit["done"][0]["result"] == {"result": "A-9 is refunded in \u00d6st"}

    anyio.run(main)


def test_values_of_the_environment_reach_the_server(mode, store):
    async def main():
        words = gateway(["--", sys.executable, str(SHOP)], "--store", store)
        async with sdk_client(mode, words, SHOP_USER="ann-of-the-shop") as client:
            assert (await client.call_tool("who", {})).content[0].text == "ann-of-the-shop"

    anyio.run(main)


def test_a_server_that_cannot_be_reached_is_an_error_and_not_a_hang(mode, store):
    pytest.importorskip("httpx2", reason="httpx2 is not installed")

    async def main():
        async with sdk_client(mode, gateway(["--url", "http://127.0.0.1:9/mcp"], "--store", store)):
            raise AssertionError

    try:
        anyio.run(main)
    except BaseException as raised:  # In groups of the SDK's.
        error = raised
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert "the server cannot be reached" in str(error)


def test_the_git_server_is_used_through_the_gateway(mode, store, tmp_path, person):
    pytest.importorskip("mcp_server_git", reason="mcp-server-git is not installed")
    import subprocess

    repo = tmp_path / "repo"
    for words in (
        ["init", "-q", str(repo)],
        ["-C", str(repo), "config", "user.email", "ann@example.org"],
        ["-C", str(repo), "config", "user.name", "Ann"],
        ["-C", str(repo), "commit", "-q", "--allow-empty", "-m", "Begin"],
    ):
        subprocess.run(["git", *words], check=True)

    def add(name):
        (repo / name).write_text(name)

    async def main():
        words = gateway(["--", sys.executable, "-m", "mcp_server_git", "--repository", str(repo)], "--store", store)
        async with sdk_client(mode, words, person) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"git_status", "git_add", "git_commit"} | OURS <= names
            add("one")
            here = {"repo_path": str(repo)}
            steps = (
                ("git_add", {**here, "files": ["one"]}),
                ("git_commit", {**here, "message": "Add one"}),
            )
            await learn(client, "commit the file {file}", *steps, file="one")
            add("two")
            person.answers = [ACCEPT]
            hit = await run(client, "commit the file {file}", file="two")
            assert hit["status"] == "hit", hit
        log = subprocess.run(["git", "-C", str(repo), "log", "--format=%s"], capture_output=True, text=True, check=True)
        assert log.stdout.split("\n")[:2] == ["Add two", "Add one"]

    anyio.run(main)
