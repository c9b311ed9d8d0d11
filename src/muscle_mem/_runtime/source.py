"""Source text of exactly one function, or None rather than a wrong text."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import threading
import warnings
from collections.abc import Iterator
from types import CodeType

from .._core.tools.canonical_code import code_text

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_FUTURES = 0x1FE0000  # The bits of co_flags that `from __future__ import` sets.

# catch_warnings may leave wrong filters behind when two threads use it concurrently.
_parse_lock = threading.Lock()


def find_source(fn: object) -> str | None:
    """Return the source of a function from its `def` or `lambda`, without its context.

    The result is None if `fn` has no Python code, if there is no text, if the text has changed since the function was
    compiled, or if the function cannot be distinguished from a neighbor. `__wrapped__` is not followed. Never raises.

    The `def` starts at column 0 and the other lines stay as they are in the file. So the text parses, and its
    multi-line strings keep their content. Text that would warn when parsed is unparsed from its syntax tree.
    """
    try:
        code = getattr(fn, "__code__", None)
        lines = _lines(code, getattr(fn, "__globals__", None)) if isinstance(code, CodeType) else []
        if not isinstance(code, CodeType) or not lines:
            return None
        text = "".join(lines)
        node = _select(code, list(_functions_at(_parse(text), code)))
        if node is None or not _is_current(code, node, text):
            return None
        return _quiet_text(_segment(lines, node), node)
    except Exception:  # The caller falls back to the code object.
        return None


def _lines(code: CodeType, module_globals: dict[str, object] | None) -> list[str]:
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, module_globals)
    if not lines and code.co_filename.startswith("<"):
        lines = inspect.findsource(code)[0]  # The interactive prompt keeps its lines elsewhere.
    return lines


@functools.lru_cache(maxsize=16)
def _parse(text: str) -> ast.Module:
    # The warnings of the text were shown when the user's module was compiled.
    with _parse_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


@functools.lru_cache(maxsize=16)
def _compiled(text: str, flags: int, line: int | None = None) -> CodeType:
    """Return the code of a module, or of those of its statements that cover a line."""
    body = _parse(text).body
    return _compile(body if line is None else [node for node in body if _covers(node, line)], flags)


def _compile(statements: list[ast.stmt], flags: int) -> CodeType:
    with _parse_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = ast.Module(body=statements, type_ignores=[])
        code: CodeType = compile(module, "<source>", "exec", flags=flags, dont_inherit=True)
        return code


def _covers(node: ast.AST, line: int) -> bool:
    """Return whether a node, with its decorators, covers a line.

    It is true for nodes without a position, such as arguments.
    """
    start, end = _first_line(node), getattr(node, "end_lineno", None)
    return start is None or end is None or start <= line <= end


def _first_line(node: ast.AST) -> int | None:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return decorators[0].lineno if decorators else getattr(node, "lineno", None)


def _functions_at(node: ast.AST, code: CodeType) -> Iterator[_Function]:
    """Yield the functions of the name and the first line of a code object."""
    for child in ast.iter_child_nodes(node):
        if not _covers(child, code.co_firstlineno):
            continue
        if isinstance(child, _Function) and _first_line(child) == code.co_firstlineno:
            name = "<lambda>" if isinstance(child, ast.Lambda) else child.name
            if name == code.co_name:
                yield child
        yield from _functions_at(child, code)


def _select(code: CodeType, candidates: list[_Function]) -> _Function | None:
    """Return the candidate that is this code, or None.

    Several lambdas on one line are distinguished by the positions that the code has kept.
    """
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    lambdas = [node for node in candidates if isinstance(node, ast.Lambda)]
    spans = [span for span in map(_known_span, code.co_positions()) if span is not None]
    if spans:
        holding = [node for node in lambdas if _contains_spans(node.body, spans)]
        return max(holding, key=lambda node: (node.lineno, node.col_offset), default=None)
    # In some versions of Python a body that is one constant leaves no position.
    alike = [node for node in lambdas if _compiles_to(node, code)]
    return alike[0] if len({ast.dump(node) for node in alike}) == 1 else None


def _compiles_to(node: ast.Lambda, code: CodeType) -> bool:
    """Return whether a lambda, compiled without its context, gives this code."""
    made = _compile([ast.copy_location(ast.Expr(node), node)], code.co_flags & _FUTURES)
    text = code_text(code)
    return any(code_text(inner.replace(co_flags=code.co_flags)) == text for inner in _codes(made))


_Span = tuple[tuple[int, int], tuple[int, int]]


def _known_span(position: tuple[int | None, int | None, int | None, int | None]) -> _Span | None:
    """Return the span of an instruction; None if the compiler added the instruction."""
    line, end_line, column, end_column = position
    if line is None or end_line is None or column is None or end_column is None:
        return None
    start, end = (line, column), (end_line, end_column)
    return (start, end) if start < end else None


def _contains_spans(body: ast.expr, spans: list[_Span]) -> bool:
    start = (body.lineno, body.col_offset)
    end = (body.end_lineno or body.lineno, body.end_col_offset or body.col_offset)
    return all(start <= span[0] and span[1] <= end for span in spans)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _is_current(code: CodeType, node: _Function, text: str) -> bool:
    """Return whether the text, compiled, gives exactly the code that runs.

    A file may be edited after it was loaded. The text is compiled by statements, as notebooks do, and then as a whole,
    because calls of imported names are compiled differently.
    """
    if _is_rewritten(code):
        return isinstance(node, ast.Lambda) or _argument_names(node.args) == _argument_names_of(code)
    flags = code.co_flags & _FUTURES | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return any(_contains(_compiled(text, flags, line), code) for line in (code.co_firstlineno, None))


def _contains(module: CodeType, code: CodeType) -> bool:
    text = code_text(code)
    return any(
        made.co_firstlineno == code.co_firstlineno and made.co_qualname == code.co_qualname and code_text(made) == text
        for made in _codes(module)
    )


def _is_rewritten(code: CodeType) -> bool:
    """Return whether pytest has rewritten an assert in the code."""
    return any(name.startswith(("@py_", "@pytest_")) for inner in _codes(code) for name in _names(inner))


def _names(code: CodeType) -> tuple[str, ...]:
    return code.co_names + code.co_varnames + code.co_cellvars + code.co_freevars


def _argument_names(args: ast.arguments) -> list[str]:
    ordered = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    return [arg.arg for arg in ordered if arg is not None]


def _argument_names_of(code: CodeType) -> list[str]:
    stars = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + stars])


def _segment(lines: list[str], node: _Function) -> str:
    """Return the text of a node, whose columns count bytes of UTF-8."""
    last = (node.end_lineno or node.lineno) - 1
    taken = [line.encode() for line in lines[node.lineno - 1 : last + 1]]
    # The end is cut first: on a single line both cuts count from the same start.
    taken[-1] = taken[-1][: node.end_col_offset]
    taken[0] = taken[0][node.col_offset :]
    return b"".join(taken).decode()


def _quiet_text(text: str, node: _Function) -> str | None:
    """Return the text, or an equal one that parses without a warning.

    The result is None if the text, parsed alone, is another function: in some versions of Python a lambda inside an
    f-string has wrong positions.
    """
    with _parse_lock, warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        alone = _parse_alone(text, node)
        if given:
            text = ast.unparse(_without_decorators(node))
            alone = _parse_alone(text, node)
    return text if ast.dump(alone) == ast.dump(_without_decorators(node)) else None


def _parse_alone(text: str, node: _Function) -> ast.AST:
    if isinstance(node, ast.Lambda):
        return ast.parse(f"({text}\n)", mode="eval").body
    return ast.parse(text).body[0]


def _without_decorators(node: _Function) -> _Function:
    if isinstance(node, ast.Lambda):
        return node
    bare = type(node)(**dict(ast.iter_fields(node)))
    bare.decorator_list = []
    return ast.copy_location(bare, node)
