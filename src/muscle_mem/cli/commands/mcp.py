"""`muscle-mem mcp`: a gateway in front of an MCP server."""

from __future__ import annotations

import sys
from typing import Any

import click

from ..._engine.engine import Engine
from ...errors import MuscleMemError
from ...store import open_store
from ..opening import named_store, signing_key, store_errors, store_option


@click.command(
    short_help="Serve an MCP server, with learned tasks.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option("--rules", metavar="FILE", default="", help="Read rules for the server's tools from this TOML file.")
@click.option("--scope", metavar="NAME", help="Share recordings with gateways of the same scope.")
@click.option("--frozen", is_flag=True, help="Replay, but never record.")
@click.option("--prefix", metavar="TEXT", default="", help="Put TEXT before the names of the three tools.")
@click.option("--url", metavar="URL", default="", help="Connect to this server by streamable HTTP.")
@click.option(
    "--header-env", "headers", metavar="NAME=VARIABLE", multiple=True, help="Send a header with the variable's value."
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@store_option
def mcp(
    rules: str,
    scope: str | None,
    frozen: bool,
    prefix: str,
    url: str,
    headers: tuple[str, ...],
    command: tuple[str, ...],
    store: str | None,
) -> None:
    """Serve an MCP server to a client, with tools that replay learned tasks.

    In the client's configuration, put it before the server's command. Everything is passed on unchanged. Without
    --store, tasks are remembered until the process ends.

    \b
    Example:
      muscle-mem mcp --store memory.db -- mcp-server-git --repository .
      muscle-mem mcp --store memory.db --url https://example.org/mcp --header-env Authorization=MY_TOKEN
    """
    if bool(url) == bool(command):
        raise click.UsageError("expected a command after `--`, or --url. Pass one of them.")
    if headers and not url:
        raise click.UsageError("--header-env is only for --url. A command gets the environment.")
    from ...integrations.mcp.start import GatewayOptions, run_gateway

    options = GatewayOptions(
        command=command, url=url, headers=_headers(headers), rules=rules, scope=scope, prefix=prefix
    )
    name = named_store(store)
    with store_errors():  # Open it immediately, and not at the first task.
        opened = None if name is None else open_store(name, signing_key=signing_key())

    def make_engine(chosen: str) -> Any:
        return Engine(opened, scope=chosen, mode="frozen" if frozen else "auto")

    try:
        code = run_gateway(options, make_engine)
    except MuscleMemError as error:
        raise click.UsageError(str(error)) from error
    finally:
        if opened is not None:
            opened.close()
    sys.exit(code)


def _headers(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in given:
        name, mark, variable = text.partition("=")
        if not (name and mark and variable):
            raise click.UsageError(f"--header-env: expected NAME=VARIABLE, got {text!r}")
        found[name] = variable
    return found
