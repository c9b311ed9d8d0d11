"""Which arguments, params and variables hold secrets without a rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..._core.model.secret import Secret, reveal

SECRET_NAMES = ("password", "token", "secret", "api_key", "authorization", "otp", "pin", "cvv")
"""The printed list: arguments of these names are secret, whatever the schema says."""

MIN_SECRET_LENGTH = 6
"""Shorter values of the environment stand in too many texts by chance."""

_KNOWN = frozenset(name.replace("_", "") for name in SECRET_NAMES)
_ORDINARY = re.compile(
    r"HOME|USER|USERNAME|LOGNAME|SHELL|PATH|PWD|OLDPWD|SHLVL|_|LANG|LANGUAGE|LC_\w+|TERM|TERM_\w+|COLORTERM|TZ|TMPDIR|TMP"
    r"|TEMP|HOSTNAME|HOSTTYPE|OSTYPE|MAIL|EDITOR|VISUAL|PAGER|LESS\w*|LS_COLORS|DISPLAY|WAYLAND_DISPLAY|XDG_\w+|DBUS_\w+"
    r"|DESKTOP_SESSION|GTK_\w+|QT_\w+|VIRTUAL_ENV\w*|CONDA_\w+|PYTHON\w*|PYENV_\w*|NODE_ENV|NVM_\w+|PNPM_HOME|GOPATH"
    r"|GOROOT|JAVA_HOME|CARGO_HOME|RUSTUP_HOME|UV_\w+|PIP_\w+|HOMEBREW_\w+|SSH_AUTH_SOCK|SSH_AGENT_PID|INFOPATH|MANPATH"
    r"|LD_LIBRARY_PATH|APPDATA|LOCALAPPDATA|PROGRAMFILES|PROGRAMDATA|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT"
    r"|HOMEDRIVE|HOMEPATH|USERPROFILE|PROCESSOR_\w+|NUMBER_OF_PROCESSORS|OS|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|DEBUG"
    r"|PYTEST_\w+|COVERAGE_\w+|__CF\w+|XPC_\w+|COMMAND_MODE|SECURITYSESSIONID|LaunchInstanceID",
    re.IGNORECASE,
)
_OWN = "MUSCLE_MEM_"


def is_secret_name(name: str) -> bool:
    """Return whether a name is one of the list, in any spelling, such as `apiKey`."""
    return re.sub(r"[^a-z0-9]", "", name.lower()) in _KNOWN


def secret_arguments(schema: Mapping[str, Any] | None) -> set[str]:
    """Return the arguments that a schema, or their names, mark as secret.

    An argument with a secret part is secret as a whole.
    """
    properties = schema.get("properties") if schema else None
    if not isinstance(properties, Mapping):
        return set()
    return {name for name, part in properties.items() if isinstance(name, str) and _is_secret(name, part, 0)}


def _is_secret(name: str, schema: Any, depth: int) -> bool:
    if is_secret_name(name):
        return True
    if not isinstance(schema, Mapping) or depth > 20:
        return False
    if schema.get("format") == "password" or schema.get("writeOnly") is True:
        return True
    nested = schema.get("properties")
    parts: list[tuple[str, Any]] = list(nested.items()) if isinstance(nested, Mapping) else []
    parts += [("", schema.get(keyword)) for keyword in ("items", "additionalProperties")]
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        found = schema.get(keyword)
        parts += [("", part) for part in found] if isinstance(found, list) else []
    return any(_is_secret(str(part_name), part, depth + 1) for part_name, part in parts)


def with_secrets(arguments: Mapping[str, Any], names: Iterable[str] = ()) -> dict[str, Any]:
    """Return the arguments of a call with each value under a secret name as a Secret.

    Arguments of the `names` are left as they are: the tool declares them.
    """
    declared = set(names)
    return {
        name: value if name in declared else _hidden(value, is_secret_name(name)) for name, value in arguments.items()
    }


def _hidden(value: Any, is_secret: bool) -> Any:
    if isinstance(value, dict):
        return {name: _hidden(part, is_secret or is_secret_name(name)) for name, part in value.items()}
    if isinstance(value, list):
        return [_hidden(part, is_secret) for part in value]
    if not is_secret or value is None or isinstance(value, bool) or value == "":
        return value
    return Secret(value)


def revealed(value: Any) -> Any:
    """Return arguments with the values of their secrets."""
    if isinstance(value, Secret):
        return reveal(value)
    if isinstance(value, dict):
        return {name: revealed(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [revealed(part) for part in value]
    return value


def environment_secrets(environment: Mapping[str, str], public: Iterable[str] = ()) -> dict[str, str]:
    """Return the values of the environment that are secrets, by `env:` and name.

    Ordinary variables, such as HOME and LANG, do not count, and neither do those that the rules name as public.
    """
    known = set(public)
    found: dict[str, str] = {}
    for name, value in environment.items():
        is_ordinary = name in known or name.startswith(_OWN) or _ORDINARY.fullmatch(name)
        if not is_ordinary and len(value) >= MIN_SECRET_LENGTH:
            found[f"env:{name}"] = value
    return found


def environment_for_server(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what is for the gateway alone."""
    return {name: value for name, value in environment.items() if not name.startswith(_OWN)}


def split_params(params: Mapping[str, Any], secret_names: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the params of a task, and those that are secrets."""
    names = set(secret_names)
    plain: dict[str, Any] = {}
    hidden: dict[str, Any] = {}
    for name, value in params.items():
        is_secret = (name in names or is_secret_name(name)) and value not in (None, "") and not isinstance(value, bool)
        (hidden if is_secret else plain)[name] = value
    return plain, hidden
