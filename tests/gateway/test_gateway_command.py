"""The command `muscle-mem mcp`: its options, its errors, and the example."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway_peers import ProcessClient, environment, gateway_command, server_command
from muscle_mem.cli import main
from paths import ROOT


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "expected a command after `--`, or --url"),
        (["--url", "http://x", "--", "server"], "Pass one of them"),
        (["--header-env", "A=B", "--", "server"], "only for --url"),
        (["--url", "http://x", "--header-env", "Authorization"], "expected NAME=VARIABLE"),
        (["--rules", "/nowhere/rules.toml", "--", "server"], "rules cannot be read from '/nowhere/rules.toml'"),
    ],
)
def test_wrong_usage_is_told_in_one_line(words, message):
    done = CliRunner().invoke(main, ["mcp", *words])
    assert done.exit_code == 2
    assert message in done.output


def test_a_store_that_cannot_be_used_is_told_before_the_server_starts(tmp_path):
    path = tmp_path / "not-a-store"
    path.write_text("a text")
    done = CliRunner().invoke(main, ["mcp", "--store", str(path), "--", "/nowhere/server"])
    assert done.exit_code == 2
    assert "/nowhere/server" not in done.output


def test_options_of_the_server_are_the_servers(tmp_path):
    log = tmp_path / "log"
    words = gateway_command("--prefix", "x_", server=server_command("--store", "--frozen", "pages", "-h"))
    client = ProcessClient(words, environment(SHOP_LOG=str(log)))
    client.open()
    assert "x_muscle_mem_run" in client.names()
    assert client.close() == 0
    assert log.exists()


def test_the_store_and_the_scope_may_be_named_in_the_usual_ways(tmp_path):
    store = tmp_path / "memory.db"
    key = "0123456789abcdef-of-the-gateway"
    env = environment(MUSCLE_MEM_STORE=str(store), MUSCLE_MEM_SIGNING_KEY=key)
    for status in ("miss", "hit"):
        client = ProcessClient(gateway_command("--scope", "shop"), env)
        client.open()
        assert client.run("look at {order}", order="A-1")["status"] == status
        if status == "miss":
            client.call("look", order="A-1")
            assert client.done("look")["learned"]
        client.close()
    words = [sys.executable, "-m", "muscle_mem", "ls", "--scope", "shop", "--json"]
    listed = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert "look at {order}" in listed.stdout


def test_two_servers_do_not_share_recordings_and_the_same_one_does(tmp_path):
    store = str(tmp_path / "memory.db")

    def first_status(*options: str) -> str:
        client = ProcessClient(gateway_command("--store", store, server=server_command(*options)), environment())
        client.open()
        status = client.run("look at {order}", order="A-1")["status"]
        client.call("look", order="A-1")
        client.done("look")
        client.close()
        return str(status)

    assert [first_status(), first_status(), first_status("pages")] == ["miss", "hit", "miss"]


def test_a_frozen_gateway_says_that_it_records_nothing():
    client = ProcessClient(gateway_command("--frozen"), environment())
    client.open()
    assert "not recorded" in client.run("look at {order}", order="A-1")["next"]
    client.close()


def test_nothing_but_frames_is_printed_on_standard_output():
    client = ProcessClient(gateway_command(), environment())
    client.open()
    client.run("refund")
    client.call("refund", order="A-1")
    client.done("refund")
    client.close()
    assert all(line.startswith(b"{") for line in client.got)


def test_the_example_runs_offline():
    example = Path(ROOT) / "examples" / "mcp_gateway.py"
    done = subprocess.run(
        [sys.executable, str(example)], env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "hit, hit" in done.stdout
    assert "miss, tool_changed" in done.stdout
    assert "the person is asked" in done.stdout
