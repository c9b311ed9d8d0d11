"""Canonical texts of code: of the source of a function, and of a code object.

They are what a fingerprint is a digest of.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import CodeType
from typing import Any

_SKIPPED_FIELDS = frozenset({"annotation", "ctx", "kind", "returns", "simple", "type_comment", "type_params"})
_DEFS = (ast.FunctionDef, ast.AsyncFunctionDef)


def code_text(code: CodeType) -> str:
    """Return a code object as text without its file, lines and own name.

    Such texts can be compared only within one version of the interpreter.
    """
    fields: list[object] = [
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
        code.co_code.hex(),
        getattr(code, "co_exceptiontable", b"").hex(),
        (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars),
    ]
    return f"{fields!a}[{','.join(map(_constant_text, code.co_consts))}]"


def _constant_text(value: object) -> str:
    if isinstance(value, CodeType):
        return f"{value.co_name!a}{code_text(value)}"
    if isinstance(value, tuple):
        return f"({','.join(map(_constant_text, value))})"
    if isinstance(value, frozenset):
        return f"{{{','.join(sorted(map(_constant_text, value)))}}}"
    return plain_text(value) or ascii(value)


def plain_text(value: object) -> str | None:
    """Return a scalar as text, or None for other values.

    It does not use repr() for texts, since that escapes what its version of Unicode cannot print.
    """
    kind = type(value)
    if value is None or value is ... or kind is bool:
        return repr(value)
    if kind is str or kind is bytes:
        return ascii(value)
    if isinstance(value, int) and kind is int:
        return hex(value)
    if isinstance(value, float) and kind is float:
        return f"float {value.hex()}"
    if isinstance(value, complex) and kind is complex:
        return f"complex {value.real.hex()} {value.imag.hex()}"
    return None


def own_name(code: CodeType) -> str | None:
    """Return the name by which a function can call itself, or None.

    The name is not part of what the function does.
    """
    owner = code.co_qualname.rpartition(".")[0]
    is_method = bool(owner) and not owner.endswith("<locals>")
    local = code.co_name in code.co_varnames or code.co_name in code.co_cellvars
    return None if is_method or local or code.co_name == "<lambda>" else code.co_name


def source_text(text: str, code: CodeType) -> str | None:
    """Return the source of one function as canonical text, or None.

    The text is the same under every version of Python, unlike the output of `ast.dump`. It is None if the source is
    that of another function. There is no recursion, since the depth that is left depends on the caller. Raises
    SyntaxError if the text is not Python.
    """
    is_lambda = code.co_name == "<lambda>"
    statements = ast.parse(f"({text}\n)" if is_lambda else text).body
    root = statements[0] if len(statements) == 1 else None
    if is_lambda and isinstance(root, ast.Expr) and isinstance(root.value, ast.Lambda):
        waiting: list[str | ast.AST] = [root.value]
    elif isinstance(root, _DEFS) and root.name == code.co_name:
        waiting = [type(root).__name__, root.args, *_list_parts(_body(root))][::-1]
    else:
        return None
    own, out = own_name(code), []
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            out.append(item)
        elif isinstance(item, ast.Name) and item.id == own:
            out.append("itself")
        else:
            waiting.extend(reversed(list(_parts(item))))
    return " ".join(out)


def _parts(node: ast.AST) -> Iterator[str | ast.AST]:
    """Yield the text of a node, with its children as nodes.

    Fields come in alphabetical order, without empty ones.
    """
    if isinstance(node, ast.Constant):
        yield f"<{_constant_text(node.value)}>"
        return
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        node = ast.Assign(targets=[node.target], value=node.value)
    yield f"{type(node).__name__}("
    for name in sorted(set(node._fields) - _SKIPPED_FIELDS):
        value: Any = getattr(node, name, None)
        if name == "body" and isinstance(node, (*_DEFS, ast.ClassDef)):
            value = _body(node)
        elif name == "values" and isinstance(node, ast.JoinedStr):
            # Some versions of Python add empty parts.
            value = [part for part in value if not (isinstance(part, ast.Constant) and part.value == "")]
        if value is not None and value != []:
            yield f"{name}="
            yield from _list_parts(value if isinstance(value, list) else [value])
            if name == "body" and isinstance(node, ast.ClassDef):
                yield from _list_parts([part.annotation for part in value if isinstance(part, ast.AnnAssign)])
    yield ")"


def _list_parts(items: list[Any]) -> Iterator[str | ast.AST]:
    yield "["
    for item in items:
        yield item if isinstance(item, ast.AST) else ascii(item)
    yield "]"


def _body(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[ast.stmt]:
    """Return a body without its docstring and without `pass`, which may replace it."""
    body = node.body if ast.get_docstring(node, clean=False) is None else node.body[1:]
    return [statement for statement in body if not isinstance(statement, ast.Pass)]
