"""Secrets: arguments by schema, name or rule, and the values of the environment, are never stored."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from muscle_mem.integrations.mcp.rules import Rules
from muscle_mem.integrations.mcp.secret_names import (
    environment_for_server,
    environment_secrets,
    is_secret_name,
    secret_arguments,
)

AUTO = Rules(trust="auto")
WORD = "correct-horse-battery"
LOGIN = "log in as {user}"


def is_stored(store: str, word: str) -> bool:
    """Whether a text stands anywhere in the files of the store."""
    with sqlite3.connect(store) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.close()
    return any(word.encode() in path.read_bytes() for path in Path(store).parent.iterdir())


def with_tool(client, **schema):
    """Change the schema of the tool that logs in."""
    tools = [
        {**tool, "inputSchema": {"type": "object", "properties": schema}} if tool["name"] == "login" else tool
        for tool in client.shop.tools()
    ]
    client.shop.tools = lambda: tools


def test_a_password_in_the_params_is_given_again_and_never_stored(connect, store, modern):
    client = connect(modern=modern, rules=AUTO)
    steps = ("login", {"user": "bob", "password": WORD})
    assert client.learn(LOGIN, steps, user="bob", password=WORD)["learned"]
    again = connect(modern=modern, rules=AUTO)
    hit = again.run(LOGIN, user="ann", password="another-one-now")
    assert hit["status"] == "hit"
    assert again.calls_of("login") == [{"user": "ann", "password": "another-one-now"}]
    assert "another-one-now" not in str(hit["done"][0]["arguments"])
    listed = again.call("muscle_mem_tasks")["structuredContent"]["tasks"]
    assert listed == [{"task": LOGIN, "params": ["user"], "secret_params": ["password"]}]
    again.close()
    client.close()
    assert is_stored(store, "bob") or is_stored(store, LOGIN)
    assert not is_stored(store, WORD)
    assert not is_stored(store, "another-one-now")


def test_a_password_that_is_not_given_again_is_a_miss_that_says_how(connect, store):
    client = connect(rules=AUTO)
    assert client.learn(LOGIN, ("login", {"user": "bob", "password": WORD}), user="bob")["learned"]
    missed = client.run(LOGIN, user="ann")
    assert (missed["status"], missed["reason"]) == ("miss", "secret_missing")
    assert "'password'" in missed["message"]
    assert "in the params of the task" in missed["message"]
    assert client.run(LOGIN, user="ann", password="another")["status"] == "hit"
    client.close()
    assert not is_stored(store, WORD)


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"user": {"type": "string"}, "word": {"type": "string", "format": "password"}}, {"word": WORD}),
        ({"user": {"type": "string"}, "word": {"type": "string", "writeOnly": True}}, {"word": WORD}),
        ({"user": {"type": "string"}, "apiKey": {"type": "string"}}, {"apiKey": WORD}),
        ({"user": {"type": "string"}}, {"Authorization": WORD}),
        ({"user": {"type": "string"}, "auth": {"type": "object"}}, {"auth": {"token": WORD}}),
        (
            {"auth": {"type": "object", "properties": {"word": {"type": "string", "format": "password"}}}},
            {"auth": {"word": WORD}},
        ),
    ],
    ids=["format", "writeOnly", "name", "not in the schema", "nested name", "nested format"],
)
def test_what_schema_or_name_call_a_secret_is_never_stored(connect, store, schema, arguments):
    client = connect(rules=AUTO)
    with_tool(client, **schema)
    client.learn("log in", ("login", {"user": "bob", **arguments}))
    client.close()
    assert not is_stored(store, WORD)


def test_an_argument_that_a_rule_calls_secret_is_never_stored(connect, store):
    rules = msgspec.convert({"trust": "auto", "tools": {"note": {"secret": ["text"]}}}, Rules)
    client = connect(rules=rules)
    client.learn("note", ("note", {"order": "A-1", "text": WORD}))
    assert client.run("note")["reason"] == "secret_missing"
    assert client.run("note", text="new text")["status"] == "hit"
    assert client.calls_of("note")[-1] == {"order": "A-1", "text": "new text"}
    client.close()
    assert not is_stored(store, WORD)


def test_values_of_the_environment_are_secrets_wherever_they_appear(connect, store):
    secrets = {"env:SHOP_TOKEN": WORD}
    client = connect(rules=AUTO, secrets=secrets)
    assert client.learn("note {order}", ("note", {"order": "A-1", "text": WORD}), order="A-1")["learned"]
    assert client.learn("log", ("note", {"order": "A-1", "text": f"with {WORD} in it"}))["learned"] is False
    client.shop.mail = f"Your token is {WORD}."
    client.learn("read the mail", ("mail", {}))
    client.close()
    assert not is_stored(store, WORD)
    renewed = connect(rules=AUTO, secrets={"env:SHOP_TOKEN": "the-token-of-today"})
    hit = renewed.run("note {order}", order="A-2")
    assert hit["status"] == "hit"
    assert renewed.calls_of("note") == [{"order": "A-2", "text": "the-token-of-today"}]
    assert "the-token-of-today" not in str(hit)


def test_the_printed_list_holds_in_every_spelling():
    for name in ("password", "Token", "secret", "api_key", "apiKey", "API-KEY", "authorization", "otp", "PIN", "cvv"):
        assert is_secret_name(name), name
    for name in ("passwords_file", "tokens", "order", "pinned", "key"):
        assert not is_secret_name(name), name


def test_secrets_deep_in_a_schema_are_found():
    nested = {"type": "array", "items": {"anyOf": [{"type": "object", "properties": {"pin": {}}}, {"type": "null"}]}}
    assert secret_arguments({"properties": {"cards": nested, "note": {"type": "string"}}}) == {"cards"}
    assert secret_arguments({"properties": "none"}) == set()
    assert secret_arguments(None) == set()


def test_ordinary_variables_and_those_that_rules_name_are_no_secrets():
    given = {
        "HOME": "/home/ann/of/shop",
        "LC_ALL": "C.UTF-8-or-so",
        "SHOP_TOKEN": WORD,
        "REPOSITORY": "/srv/repository",
        "SHORT": "abc",
        "MUSCLE_MEM_SIGNING_KEY": "a key of the gateway alone",
    }
    assert environment_secrets(given, ["REPOSITORY"]) == {"env:SHOP_TOKEN": WORD}
    assert "MUSCLE_MEM_SIGNING_KEY" not in environment_for_server(given)
    assert environment_for_server(given)["SHOP_TOKEN"] == WORD
