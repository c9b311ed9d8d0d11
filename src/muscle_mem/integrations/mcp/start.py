"""The start of a gateway, and its end with the client."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import msgspec

from ...errors import InvalidValueError
from .desk import IDLE_SECONDS
from .frames import SERVER_ENDED, error_response, read_frame
from .gateway import Gateway, Server, to_stderr
from .rules import Rules, read_rules
from .secret_names import environment_for_server, environment_secrets
from .stdio import LineWriter, ProcessServer, StartError

FLUSH_SECONDS = 0.05


class GatewayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `muscle-mem mcp`.

    Attributes:
        command: The command of the server, or nothing with a URL.
        url: The URL of the server, or nothing with a command.
        headers: The names of headers, and of the variables with their values.
        rules: The path of the rules, or nothing.
        scope: The scope of the recordings, or nothing for one of this server alone.
        prefix: What stands before the names of the tools.
        idle_seconds: After how long without a call a recording ends.
    """

    command: tuple[str, ...] = ()
    url: str = ""
    headers: Mapping[str, str] = {}
    rules: str = ""
    scope: str | None = None
    prefix: str = ""
    idle_seconds: float = IDLE_SECONDS


def default_scope(options: GatewayOptions, server_name: str) -> str:
    """Return the scope of a server: a digest of how it is reached and of its name."""
    data = msgspec.json.encode([list(options.command), options.url, server_name])
    return f"mcp:{hashlib.sha256(data).hexdigest()[:16]}"


def run_gateway(
    options: GatewayOptions,
    make_engine: Callable[[str], Any],
    environment: Mapping[str, str] | None = None,
) -> int:
    """Serve the client on standard input and output; return the exit code.

    Args:
        options: The options.
        make_engine: Returns an engine for a scope.
        environment: The environment; that of the process by default.

    Raises:
        InvalidValueError: The rules or the options cannot be used.
    """
    env = os.environ if environment is None else environment
    rules = read_rules(options.rules) if options.rules else Rules()
    headers = header_values(options.headers, env)
    secrets = environment_secrets(environment_for_server(env), rules.public)
    if options.url:
        secrets = header_secrets(options.headers, headers)
    to_client = LineWriter(_private_stdout())

    def make(server_name: str) -> Any:
        return make_engine(default_scope(options, server_name) if options.scope is None else options.scope)

    gateway = Gateway(
        make,
        rules,
        to_client.write,
        secrets,
        trusts_annotations=trusts_annotations(options, rules),
        prefix=options.prefix,
        idle_seconds=options.idle_seconds,
    )
    return _serve(gateway, make_server(options, env, headers, gateway), to_client)


def _serve(gateway: Gateway, server: Server, to_client: LineWriter) -> int:
    """Relay until one of the two ends; return the exit code."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        try:
            gateway.start(server)
        except StartError as error:
            to_stderr(str(error))
            return _refuse_all(str(error), to_client)
        for line in sys.stdin.buffer:
            gateway.from_client(line)
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    finally:
        for kind in (signal.SIGTERM, signal.SIGINT):  # Nothing ends the end of the server.
            signal.signal(kind, signal.SIG_IGN)
        gateway.close()
    return 1 if gateway.has_ended else 0


def trusts_annotations(options: GatewayOptions, rules: Rules) -> bool:
    """Return whether annotations may loosen: by the rules, or for a command."""
    return bool(options.command) if rules.trust_annotations is None else rules.trust_annotations


def make_server(
    options: GatewayOptions, environment: Mapping[str, str], headers: Mapping[str, str], gateway: Gateway
) -> Server:
    """Return the other end of a gateway."""
    if options.url:
        from .http import HttpServer

        return HttpServer(options.url, headers, gateway.from_server, gateway.server_ended)

    def ended(why: str) -> None:
        if gateway.server_ended(why):
            _leave_soon(why)

    return ProcessServer(options.command, environment_for_server(environment), gateway.from_server, ended)


def header_values(headers: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return headers with their values, which stand in variables.

    Raises InvalidValueError if one is not set.
    """
    found: dict[str, str] = {}
    for name, variable in headers.items():
        value = environment.get(variable)
        if not value:
            raise InvalidValueError(
                f"the variable {variable!r} of the header {name!r} is not set. Set it, or correct --header-env."
            )
        found[name] = value
    return found


def header_secrets(variables: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets in the values of headers, and behind a scheme such as Bearer."""
    found: dict[str, str] = {}
    for name, value in values.items():
        found[f"env:{variables[name]}"] = value
        scheme, space, token = value.partition(" ")
        if space and scheme.isalpha() and token.strip():
            found[f"env:{variables[name]} behind {scheme}"] = token.strip()
    return found


def _private_stdout() -> int:
    """Return a descriptor for frames; whatever else is printed goes to standard error."""
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    return private


def _refuse_all(why: str, to_client: LineWriter) -> int:
    """Answer each request by an error until the client ends, since there is no server."""
    for line in sys.stdin.buffer:
        frame = read_frame(line)
        if frame is not None and frame.is_request:
            to_client.write(error_response(frame.id, SERVER_ENDED, why))  # type: ignore[arg-type]
    return 1


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _leave_soon(why: str) -> None:
    """End the process like the server, once its last frames are out."""
    to_stderr(why)
    time.sleep(FLUSH_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
