"""Validators of what users pass for tools and checks, one for each kind.

Each returns the value as it is used, or raises InvalidTypeError or InvalidValueError.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...errors import InvalidTypeError, InvalidValueError
from ..model.declared_flow import DeclaredEach, DeclaredFlow
from .fingerprint import is_async, is_async_generator, is_generator, stored_name

MIN_EVERY = 0.001
"""The shortest pause in seconds between two captures of a check that waits."""


def validated_choice(option: str, value: Any, allowed: Sequence[str]) -> str:
    """Return a word out of a closed list."""
    if not isinstance(value, str) or value not in allowed:
        raise InvalidValueError(f"invalid {option}=: expected one of {', '.join(allowed)}, got {value!r}")
    return value


def validated_name(option: str, value: Any) -> str | None:
    """Return a name that a user gives, or None if there is none."""
    if value is not None and not isinstance(value, str):
        raise InvalidTypeError(
            f"invalid {option}=: expected a string, got {value!r}. Pass a name, as in {option}='send'."
        )
    if value == "":
        raise InvalidValueError(
            f"invalid {option}=: expected a name, got ''. Leave it out, or pass a name, as in {option}='send'."
        )
    return value


def validated_names(option: str, value: Any) -> tuple[str, ...]:
    """Return one name or several as a tuple."""
    if isinstance(value, str):
        return (value,)
    try:
        names = tuple(value)
    except TypeError:
        names = (value,)
    if not all(isinstance(name, str) for name in names):
        raise InvalidTypeError(
            f"invalid {option}=: expected a name or several, got {value!r}. Pass strings, as in {option}=['ctx']."
        )
    return names


def validated_version(value: Any) -> str | int | float | None:
    """Return what stands in for a fingerprint, or None."""
    if value is None or isinstance(value, str | int | float):
        return value
    raise InvalidTypeError(
        f"invalid version=: expected a string or a number, got {value!r}. Pass one, as in version='2'."
    )


def validated_inject(value: Any) -> dict[str, Any]:
    """Return the values for ignored arguments by name."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidTypeError(
            f"invalid inject=: expected a dict by the names of arguments, got {value!r}. "
            "Pass one, as in inject={'ctx': make_ctx}."
        )
    return dict(value)


def validated_undo(value: Any) -> Any:
    """Return how to undo a call: a text, a tool or None."""
    if value is not None and not (isinstance(value, str) or callable(value)):
        raise InvalidTypeError(f"invalid undo=: expected a text or a tool, got {value!r}. Pass a text or a function.")
    return value


def validated_picture(value: Any) -> Any:
    """Return the function that takes pictures for people, or None."""
    if value is not None and (not callable(value) or is_async(value) or is_generator(value)):
        raise InvalidTypeError(
            f"invalid picture=: expected a plain function of the tool's arguments, got {value!r}. Pass one, as in "
            "picture=lambda page: page.screenshot()."
        )
    return value


def validated_failed(value: Any) -> Any:
    """Return the function that judges results, or False or None."""
    if value is None or value is False:
        return value
    if not callable(value) or is_async(value) or is_generator(value) or is_async_generator(value):
        raise InvalidTypeError(
            f"invalid failed=: expected a plain function of the result or False, got {value!r}. "
            "Pass one, as in failed=lambda result: result['status'] != 'ok'."
        )
    return value


def validated_refuses(value: Any) -> tuple[type[BaseException], ...]:
    """Return the exceptions of calls that did nothing."""
    kinds = (value,) if isinstance(value, type) else value
    try:
        found = tuple(kinds)
    except TypeError:
        found = (kinds,)
    if isinstance(kinds, str) or not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in found):
        raise InvalidTypeError(
            f"invalid refuses=: expected exception classes, got {value!r}. Pass them, as in refuses=(ValueError,)."
        )
    return found


def validated_answers(value: Any) -> bool:
    """Return whether every answer of a tool may be followed."""
    if value is None:
        return False
    return validated_choice("answers", value, ("any",)) == "any"


def validated_trusted(value: Any) -> bool:
    """Return whether a tool's output is trusted."""
    if not isinstance(value, bool):
        raise InvalidTypeError(
            f"invalid trusted=: expected True or False, got {value!r}. Pass False if it returns texts of others."
        )
    return value


def validate_tool_function(fn: Any) -> None:
    """Raise for a value that can never be a tool."""
    if not callable(fn):
        raise InvalidTypeError(f"invalid tool: expected a callable, got {fn!r}. Decorate a function or a method.")
    if inspect.isclass(fn):
        raise InvalidTypeError(
            f"invalid tool: expected a function, got the class {fn.__qualname__!r}. "
            "Decorate its methods, or a function that makes an instance."
        )
    if is_generator(fn) or is_async_generator(fn):
        raise InvalidTypeError(
            f"invalid tool: expected a function that returns, got the generator {stored_name(fn)!r}. "
            "Return a list: a replay cannot ensure that a generator is iterated."
        )


def validate_async_capture(role: str, fn: Any) -> None:
    """Raise unless a tool whose check has an async capture is async itself."""
    if not is_async(fn):
        raise InvalidTypeError(
            f"invalid {role}= of {stored_name(fn)!r}: expected a plain capture, since the tool is not async, "
            "got an async one. Make the tool async, or the capture plain."
        )


def validate_argument_names(
    fn: Any,
    signature: inspect.Signature | None,
    **options: Sequence[str],
) -> None:
    """Raise for names of arguments that a tool does not have.

    Some options do not accept `*args` and `**kwargs` either. `options` are the names by option.
    """
    if signature is None:
        return
    parameters = signature.parameters
    for option in ("ignore", "flows", "const"):
        for name in options.get(option, ()):
            parameter = parameters.get(name)
            if parameter is not None and parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise InvalidValueError(
                    f"invalid {option}= of {stored_name(fn)!r}: expected the name of one argument, got {name!r}, which "
                    "takes several. Name the arguments themselves."
                )
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for option, names in options.items():
        for name in names:
            if name not in parameters:
                raise InvalidValueError(
                    f"invalid {option}= of {stored_name(fn)!r}: expected one of its parameters "
                    f"({', '.join(parameters) or 'it has none'}), got {name!r}"
                )


def validate_declared_once(
    fn: Any, *, flows: Mapping[str, Any], const: Sequence[str], others: Mapping[str, Iterable[str]]
) -> None:
    """Raise if the value of an argument is declared in two ways."""
    given: dict[str, Iterable[str]] = {"flows": flows, "const": const, **others}
    for index, option in enumerate(("flows", "const")):
        for name in given[option]:
            other = next((other for other in list(given)[index + 1 :] if name in given[other]), None)
            if other is not None:
                raise InvalidValueError(
                    f"invalid {option}= of {stored_name(fn)!r}: argument {name!r} is in {other}= as well. "
                    "Name it in one of them."
                )
            if list(given[option]).count(name) > 1:
                raise InvalidValueError(f"invalid {option}= of {stored_name(fn)!r}: got {name!r} twice. Name it once.")


def validated_flows(value: Any) -> dict[str, DeclaredFlow | DeclaredEach]:
    """Return the declared sources of arguments by name."""
    if value is None:
        return {}
    example = "Pass for example flows={'order_id': ref('create_order', 'order_id')}."
    if not isinstance(value, Mapping):
        raise InvalidTypeError(
            f"invalid flows=: expected a dict by the names of arguments, got {value!r:.60}. {example}"
        )
    for name, flow in value.items():
        if not isinstance(name, str):
            raise InvalidTypeError(f"invalid flows=: expected the names of arguments, got {name!r:.60}. {example}")
        if not isinstance(flow, DeclaredFlow | DeclaredEach):
            raise InvalidTypeError(
                f"invalid flows= of argument {name!r}: expected a ref() or each(), got {flow!r:.60}. {example}"
            )
    return dict(value)


def validated_outputs(value: Any) -> tuple[str, ...] | None:
    """Return the fields of an output that may be sources; None if all may."""
    if value is None:
        return None
    names = validated_names("outputs", value)
    for name in names:
        if "" in name.split("."):
            raise InvalidValueError(
                f"invalid outputs=: expected names of fields, got {name!r:.60}. Pass for example outputs=['order.id']."
            )
    if len(set(names)) < len(names):
        raise InvalidValueError(f"invalid outputs=: expected each field once, got {list(names)!r:.60}")
    return names


def validated_function(role: str, value: Any) -> Any:
    """Return a function of a check."""
    if not callable(value):
        raise InvalidTypeError(
            f"invalid Check({role}=...): expected a callable, got {value!r}. "
            "Pass a function, as in Check(capture, compare)."
        )
    if is_generator(value) or is_async_generator(value):
        raise InvalidTypeError(
            f"invalid Check({role}=...): expected a plain or async function, got the generator {value!r}. "
            "Return a value instead of yielding."
        )
    return value


def validated_optional_function(role: str, value: Any) -> Any:
    """Return a function of a check, or None if there is none."""
    return None if value is None else validated_function(role, value)


def validated_compare_many(value: Any, compare: Any) -> Any:
    """Return a compare of many snapshots, which needs a plain `compare` beside it."""
    function = validated_optional_function("compare_many", value)
    if function is not None and (compare is None or is_async(compare) or is_async(function)):
        raise InvalidTypeError(
            "invalid Check(compare_many=...): expected a plain function beside a plain compare. "
            "Pass compare= too, and make both plain functions."
        )
    return function


def validated_threshold(value: Any) -> float | None:
    """Return the lowest score that passes, or None if none is declared."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidTypeError(f"invalid threshold=: expected a number, got {value!r}. Pass one, as in threshold=0.95.")
    if math.isnan(value):
        raise InvalidValueError("invalid threshold=: expected a number, got nan. Pass one, as in threshold=0.95.")
    return value


def validated_seconds(option: str, value: Any) -> float:
    """Return a number of seconds, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidTypeError(f"invalid {option}=: expected a number of seconds, got {value!r}")
    if not (0 <= value < math.inf):
        raise InvalidValueError(f"invalid {option}=: expected 0 or more seconds, got {value!r}")
    return float(value)
