"""Functions that resolve expressions to this run's values."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ....errors import DecodeError
from ... import codec
from ...model.flow import ARGUMENT, OUTPUT, Get
from ...model.records import Ctx, Expr, ForeignSecret, Ign, Lit, Node, Par, Part, Ref, Sec, Tpl
from ...model.secret import Secret, reveal
from ...model.text import safe_repr
from ...redaction.traces import decimal_text
from ...tools.tool import Tool
from ..outputs.paths import follow as output_part
from ..params.parts import is_field, part_at
from .declared_flows import declared_resolver


class Env(msgspec.Struct):
    """The values that expressions are resolved with: those of the current run.

    `calls` are the executed calls: a step of the plan, and its positional and named arguments. `loops` hold what the
    iterations of each loop read from their elements.
    """

    params: Mapping[str, Any]
    results: list[Any]
    context: tuple[Any, ...]
    secrets: Mapping[str, Secret[Any]] = {}
    calls: Sequence[tuple[Any, tuple[Any, ...], Mapping[str, Any]]] = ()
    loops: Any = None


Resolver = Callable[[Env], Any]
EMPTY_ENV = Env({}, [], ())


class Constant(msgspec.Struct, frozen=True, eq=False):
    """The resolver of an immutable literal."""

    value: Any

    def __call__(self, _: Env) -> Any:
        return self.value


def make_resolver(expr: Expr, tool: Tool, name: str) -> Resolver | None:
    """Return a function that computes an expression's value in a run.

    The result is None for an argument that is left at its default. Raises DecodeError if the class of a literal is not
    known in this process.
    """
    if isinstance(expr, Lit):
        value = codec.decode(expr.data)
        if codec.is_immutable(value):
            return Constant(value)
        copy = codec.copier(expr.data, value)
        return lambda _: copy()
    if isinstance(expr, Part):
        return _part_resolver(expr)
    if isinstance(expr, Par):
        param = expr.name
        return lambda env: env.params[param]
    if isinstance(expr, Tpl):
        parts = expr.parts
        return lambda env: "".join(
            part if index % 2 == 0 else str(env.params[part]) for index, part in enumerate(parts)
        )
    if isinstance(expr, Get | Ref) and hasattr(expr, "iteration"):
        from .loop_values import item_resolver

        return item_resolver(expr)
    if isinstance(expr, Ref):
        return declared_resolver(expr.step, tool, name) if name in tool.flows else _reference_resolver(expr)
    if isinstance(expr, Get):
        return _source_resolver(expr)
    if isinstance(expr, Ctx):
        wanted = expr.name
        return lambda env: next(value for value in env.context if type(value).__qualname__ == wanted)
    if isinstance(expr, Ign):
        return _injected_resolver(tool, name)
    if isinstance(expr, ForeignSecret):
        return _foreign_secret_resolver(expr)
    if isinstance(expr, Sec):
        secret = expr.name
        return (lambda env: env.secrets[secret]) if expr.wrapped else (lambda env: reveal(env.secrets[secret]))
    return _container_resolver(expr, tool)


def _source_resolver(expr: Get) -> Resolver:
    from .reader import reader_of

    return reader_of(expr, argument_reader)


def argument_reader(env: Env) -> Callable[[int, str], Any]:
    """Return a function that reads an argument of an executed step.

    It raises LookupError if there is none.
    """

    def read(step: int, name: str) -> Any:
        planned, args, kwargs = env.calls[step]
        for own, value in planned.tool.name_arguments(args[planned.method :], kwargs):
            if own == name:
                return value
        raise LookupError(name)

    return read


def _part_resolver(expr: Part) -> Resolver:
    param, path = expr.name, expr.path
    convert = CONVERSIONS.get(expr.form)
    if convert is None:
        raise DecodeError(f"cannot convert param {param!r}: expected one of {list(CONVERSIONS)}, got {expr.form!r}")
    return lambda env: convert(part_at(env.params[param], path))


CONVERSIONS: dict[str, Callable[[Any], Any]] = {"": lambda value: value, "number": int, "text": decimal_text}


def _foreign_secret_resolver(expr: ForeignSecret) -> Resolver:
    name = expr.name
    wanted = {"str": "SecretStr", "bytes": "SecretBytes", "any": "Secret"}.get(expr.kind, "")
    make = getattr(sys.modules.get("pydantic"), wanted, None)
    if make is None:
        raise DecodeError(f"cannot build secret {name!r}: expected pydantic to be imported. Import it before the run")
    return lambda env: make(env.secrets[name].value)


def _reference_resolver(expr: Ref) -> Resolver:
    step, path, keys = expr.step, expr.path, expr.keys
    if keys:
        return lambda env: output_part(env.results[step], path, keys)

    def follow(env: Env) -> Any:
        value = env.results[step]
        for index in path:
            unfolded = codec.unfold(value)
            if unfolded is None:
                raise LookupError(f"cannot resolve a reference: the output of step {step} has no part at path {path}")
            value = unfolded[1][index]
        return value

    return follow


def _injected_resolver(tool: Tool, name: str) -> Resolver | None:
    if name not in tool.inject:
        parameter = tool.signature.parameters.get(name) if tool.signature else None
        if parameter is None or parameter.default is parameter.empty:
            return None
        default = parameter.default
        return lambda _: default  # It is passed, because *args may follow it.
    value = tool.inject[name]
    if callable(value):
        return lambda _: value()
    return lambda _: value


def _container_resolver(expr: Node, tool: Tool) -> Resolver:
    kind = expr.kind
    made = [make_resolver(item, tool, "") for item in expr.items]
    makers = [make for make in made if make is not None]
    return lambda env: codec.fold(kind, tuple(make(env) for make in makers))


def contexts_in(expr: Expr) -> Sequence[str]:
    """Return the names of the context classes that an expression uses."""
    if isinstance(expr, Ctx):
        return (expr.name,)
    if isinstance(expr, Node):
        return [name for item in expr.items for name in contexts_in(item)]
    return ()


def secrets_used(expr: Expr) -> Sequence[str]:
    """Return the names of the secrets that an expression uses."""
    if isinstance(expr, Sec):
        return (expr.name,)
    if isinstance(expr, Node):
        return [name for item in expr.items for name in secrets_used(item)]
    return ()


def parts_in(expr: Expr) -> Sequence[Part]:
    """Return the parts of params that an expression consists of or contains."""
    if isinstance(expr, Part):
        return (expr,)
    if isinstance(expr, Node):
        return [part for item in expr.items for part in parts_in(item)]
    return ()


def params_in_texts(expr: Expr) -> Sequence[str]:
    """Return the names of the params in the templates of an expression."""
    if isinstance(expr, Tpl):
        return expr.parts[1::2]
    if isinstance(expr, Node):
        return [name for item in expr.items for name in params_in_texts(item)]
    return ()


def params_as_words(expr: Expr) -> Sequence[str]:
    """Return the names of the params in sentences of an expression.

    Those that stand alone or in a path are left out.
    """
    if isinstance(expr, Tpl):
        parts = expr.parts
        if len(parts) == 3 and not parts[0] and not parts[2]:
            return ()
        return [name for before, name in zip(parts[::2], parts[1::2], strict=False) if not before.endswith(("/", "="))]
    if isinstance(expr, Node):
        return [name for item in expr.items for name in params_as_words(item)]
    return ()


def references_in(expr: Expr) -> set[int]:
    """Return the steps whose outputs an expression refers to."""
    if isinstance(expr, Ref):
        return {expr.step}
    if isinstance(expr, Get):
        return {source.step for source in expr.sources if source.origin in (OUTPUT, ARGUMENT)}
    if isinstance(expr, Node):
        return set().union(*(references_in(item) for item in expr.items))
    return set()


def expression_text(expr: Expr, tool_names: Sequence[str] = ()) -> str:
    """Return an expression in a notation for display.

    `tool_names` are the tools of all steps, which a source of an argument is shown with.
    """
    if isinstance(expr, Lit):
        return safe_repr(codec.decode(expr.data, lenient=True))
    if isinstance(expr, Par):
        return param_text(expr)
    if isinstance(expr, Tpl):
        return "f" + repr("".join(p if i % 2 == 0 else "{" + p + "}" for i, p in enumerate(expr.parts)))
    if isinstance(expr, Ref):
        return f"output[{expr.step}]" + "".join(f"[{index}]" for index in expr.path)
    if isinstance(expr, Get):
        from .source_text import source_text

        return source_text(expr.sources[0], tool_names)
    if isinstance(expr, Ctx):
        return f"<{expr.name}>"
    if isinstance(expr, Ign):
        return "<injected>"
    if isinstance(expr, Sec):
        return f"<secret {expr.name}>"
    return f"{expr.kind.split(chr(0))[0]}({', '.join(expression_text(item, tool_names) for item in expr.items)})"


def param_text(expr: Par, name: str = "") -> str:
    """Return the source text of a param's expression.

    It has another name for the param if one is given.
    """
    name = name or expr.name
    if not isinstance(expr, Part):
        return name
    text = name + "".join(part if is_field(part) else f"[{part!r}]" for part in expr.path)  # type: ignore[misc]
    return {"number": f"int({text})", "text": f"str({text})"}.get(expr.form, text)


def bound_expression_text(expr: Expr, params: Mapping[str, Any]) -> str:
    """Return an expression as source text, with this run's params filled in."""
    if isinstance(expr, Par):
        try:
            value = params[expr.name]
            return safe_repr(CONVERSIONS[expr.form](part_at(value, expr.path)) if isinstance(expr, Part) else value)
        except (LookupError, ValueError):
            return param_text(expr)
    if isinstance(expr, Tpl):
        return safe_repr("".join(p if i % 2 == 0 else str(params[p]) for i, p in enumerate(expr.parts)))
    if isinstance(expr, Node):
        return f"{expr.kind.split(chr(0))[0]}({', '.join(bound_expression_text(item, params) for item in expr.items)})"
    return expression_text(expr)
