"""The tools of the server as tools of the engine, as it lists them now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._session import served
from ...errors import InvalidTypeError, InvalidValueError
from .checks import CheckCallError, failed_option, make_check
from .effects import Effect, effect_of, rules_for, tool_options
from .frames import META, SERVER_INFO_KEY
from .own_calls import CallStoppedError, Reply
from .results import is_input_required
from .rules import CheckRule, Rules
from .tool_list import MAX_PAGES, ServerTool, read_tool

CallServer = Callable[..., Reply]


class ListError(Exception):
    """A list of tools that the server does not give, or that cannot be used."""


class RulesDoNotFitError(Exception):
    """Rules that do not fit the tools of the server."""


class ServerTools:
    """The tools that the server has listed.

    Args:
        rules: The rules of the user.
        call: Calls a method of the server: method, params, seconds=...
        trusts_annotations: Whether annotations may loosen anything.

    Attributes:
        is_stale: Whether the server has said that its tools changed.
        server_name: The name that the server has in what it lists; empty if it does not say.
    """

    def __init__(self, rules: Rules, call: CallServer, *, trusts_annotations: bool) -> None:
        self._rules = rules
        self._call = call
        self._trusts_annotations = trusts_annotations
        self._tools: dict[str, ServerTool] = {}
        self._effects: dict[str, Effect] = {}
        self._declared: dict[str, ServerTool] = {}
        self._protocol: dict[str, Any] = {}
        self.secrets: dict[str, set[str]] = {}
        self.is_stale = True
        self.server_name = ""

    @property
    def names(self) -> list[str]:
        """The names of the tools that the server has now."""
        return list(self._tools)

    @property
    def origins(self) -> dict[str, str]:
        """Where the effect of each tool comes from."""
        return {name: effect.origin for name, effect in self._effects.items()}

    def has_pre_check(self, name: str) -> bool:
        """Return whether a rule gives a tool a pre-check."""
        rule = self._rules.tools.get(name)
        return rule is not None and rule.pre_check is not None

    def has_post_check(self, name: str) -> bool:
        """Return whether a rule gives a tool a post-check."""
        rule = self._rules.tools.get(name)
        return rule is not None and rule.post_check is not None

    def list_again(self, protocol: dict[str, Any]) -> None:
        """Read the list of the server.

        Raises ListError or CallStoppedError.
        """
        self._protocol = protocol
        self.is_stale = False
        found: dict[str, ServerTool] = {}
        params: dict[str, Any] = {META: protocol} if protocol else {}
        for _ in range(MAX_PAGES):
            reply = self._call("tools/list", params or None, seconds=self._rules.check_timeout)
            if reply.result is None:
                raise ListError(f"the server does not list its tools: {(reply.error or {}).get('message')}")
            self._note_server(reply.result)
            tools = reply.result.get("tools")
            for each in tools if isinstance(tools, list) else ():
                tool = read_tool(each)
                if tool is not None:
                    found[tool.name] = tool
            cursor = reply.result.get("nextCursor")
            if not isinstance(cursor, str):
                self._tools = found
                self._effects = {
                    tool.name: effect_of(
                        tool, rules_for(self._rules, tool), trusts_annotations=self._trusts_annotations
                    )
                    for tool in found.values()
                }
                return
            params = {**params, "cursor": cursor}
        raise ListError(f"the list of tools has more than {MAX_PAGES} pages")

    def _note_server(self, result: dict[str, Any]) -> None:
        meta = result.get(META)
        info = meta.get(SERVER_INFO_KEY) if isinstance(meta, dict) else None
        if isinstance(info, dict) and isinstance(info.get("name"), str):
            self.server_name = info["name"]

    def declare(self, engine: Any) -> None:
        """Register what is new or has changed with the engine.

        Raises RulesDoNotFitError if the rules do not fit the tools.
        """
        for tool in self._tools.values():
            if self._declared.get(tool.name) != tool:
                self._declare(engine, tool)

    def declare_unknown(self, engine: Any, name: str) -> None:
        """Register a tool that the server does not list, as one that may destroy."""
        if name not in self._tools and name not in self._declared:
            tool = ServerTool(name, None, {}, "mcp:not listed")
            self._effects[name] = effect_of(tool, rules_for(self._rules, tool), trusts_annotations=False)
            self._declare(engine, tool)

    def _declare(self, engine: Any, tool: ServerTool) -> None:
        rule = rules_for(self._rules, tool)
        checks = (self._check(rule.pre_check), self._check(rule.post_check))
        options = tool_options(tool, self._rules, self._effects[tool.name], failed_option(rule.failed))
        try:
            served.declare_tool(engine, tool.name, tool.schema, checks, options)  # type: ignore[arg-type]
        except (InvalidTypeError, InvalidValueError) as error:
            raise RulesDoNotFitError(f"the rules of {tool.name!r} do not fit the tool: {error}") from error
        self.secrets[tool.name] = set(options["secret"])
        self._declared[tool.name] = tool

    def _check(self, rule: CheckRule | None) -> Any:
        return None if rule is None else make_check(rule, self._call_read_tool)

    def _call_read_tool(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool of a check."""
        effect = self._effects.get(name)
        if effect is None:
            raise CheckCallError(f"the tool {name!r} of the check is not among the tools of the server")
        if effect.name != "read":
            raise CheckCallError(
                f"the tool {name!r} of the check may have an effect ({effect.name}: {effect.origin}). If it only "
                f'reads, declare it in the rules: [tools.{name}] effect = "read"'
            )
        params: dict[str, Any] = {"name": name, "arguments": arguments}
        if self._protocol:
            params[META] = self._protocol
        try:
            reply = self._call("tools/call", params, seconds=self._rules.check_timeout)
        except CallStoppedError as error:
            raise CheckCallError(f"the check got no result: {error}") from error
        if reply.result is None:
            raise CheckCallError(f"the tool {name!r} of the check failed: {(reply.error or {}).get('message')}")
        if is_input_required(reply.result):
            raise CheckCallError(f"the tool {name!r} of the check asks for input")
        return reply.result
