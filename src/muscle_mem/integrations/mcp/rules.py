"""The rules of a user for the tools of a server, read from a TOML file."""

from __future__ import annotations

import os
import tomllib
from typing import Any, Literal

import msgspec

from ..._core.model.text import safe_repr
from ...errors import InvalidValueError

ToolTrust = Literal["manual", "auto"]
MAX_RULES_BYTES = 1_000_000


class CheckRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A check that calls a read-only tool of the same server.

    Attributes:
        tool: The name of the tool.
        arguments: Its arguments. "{name}" stands for an argument of the call that is checked.
        part: The part of the result that counts, as names joined by dots. Empty means all of it.
        wait: How many seconds to ask again until the check passes.
    """

    tool: str
    arguments: dict[str, Any] = {}
    part: str = ""
    wait: float = 0.0


class FailedRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"values": "is"}):
    """Which results are failures.

    Attributes:
        part: The part of the result that is compared, as names joined by dots.
        values: Its values that mean a failure.
        text: A text that a failed result contains.
        nothing_done: Whether such a call did nothing.
    """

    part: str = ""
    values: list[Any] = []
    text: str = ""
    nothing_done: bool = False


class ToolRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules of one tool; see the page of the gateway."""

    effect: Literal["read", "idempotent", "write", "irreversible"] | None = None
    pre_check: CheckRule | None = None
    post_check: CheckRule | None = None
    failed: FailedRule | bool | None = None
    secret: list[str] = []
    aliases: list[str] = []
    trust: ToolTrust | None = None
    trusted: bool | None = None
    sink: list[str] = []
    const: list[str] = []
    any: list[str] = []


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules of a file.

    Attributes:
        trust: "manual": recordings with effects wait for a person. "auto": they do not.
        trust_annotations: Whether annotations of the server may loosen anything. None: only for a command.
        timeout: How many seconds a replayed call may take.
        check_timeout: How many seconds a call of a check may take.
        public: Names of variables of the environment whose values are not secret.
        tools: The rules of each tool, by its name.
    """

    trust: ToolTrust = "manual"
    trust_annotations: bool | None = None
    timeout: float = 300.0
    check_timeout: float = 30.0
    public: list[str] = []
    tools: dict[str, ToolRules] = {}


def read_rules(path: str | os.PathLike[str]) -> Rules:
    """Read the rules of a file.

    Raises InvalidValueError if it cannot be read, or says something unknown.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_RULES_BYTES + 1)
        if len(data) > MAX_RULES_BYTES:
            raise InvalidValueError(f"rules in {str(path)!r} are too long: expected at most {MAX_RULES_BYTES} bytes")
        found = tomllib.loads(data.decode())
    except OSError as error:
        raise InvalidValueError(
            f"rules cannot be read from {str(path)!r}: {error.strerror}. Correct --rules."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise InvalidValueError(f"rules in {str(path)!r} are not valid TOML: {error}") from error
    try:
        rules = msgspec.convert(found, Rules)
    except msgspec.ValidationError as error:
        raise InvalidValueError(f"rules in {str(path)!r} are not valid: {error}") from error
    _validate(rules, str(path))
    return rules


def _validate(rules: Rules, path: str) -> None:
    for name in ("timeout", "check_timeout"):
        seconds = getattr(rules, name)
        if not 0 < seconds < 1e6:
            raise InvalidValueError(f"rules in {path!r} are not valid: expected {name} above 0, got {seconds!r}")
    for name, rule in rules.tools.items():
        where = f"rules of {name!r} in {path!r} are not valid"
        if rule.failed is True:
            raise InvalidValueError(f"{where}: expected failed = false or a table, got true")
        if isinstance(rule.failed, FailedRule) and not (rule.failed.text or rule.failed.values):
            raise InvalidValueError(f"{where}: failed needs `is` or `text`")
        for check in (rule.pre_check, rule.post_check):
            if check is not None and not 0 <= check.wait < 3600:
                raise InvalidValueError(f"{where}: expected wait from 0 to 3600, got {safe_repr(check.wait)}")
            if check is not None and check.tool == name:
                raise InvalidValueError(f"{where}: a check cannot call the tool that it checks")
