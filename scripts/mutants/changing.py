"""Mutations of a file: each a small change of its text that leaves the numbers of all lines as they were."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

FLIPS: dict[type[ast.AST], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
}
CALLS = (ast.Call, ast.Await, ast.Yield, ast.YieldFrom)


@dataclass(frozen=True)
class Mutant:
    """One change: `text[start:end]` of the file becomes `new`; `name` says so to people."""

    path: Path
    line: int
    start: int
    end: int
    new: str
    name: str

    def applied(self, text: str) -> str:
        """The text of the file with the change in it."""
        return text[: self.start] + self.new + text[self.end :]

    def diff(self, text: str) -> str:
        """The change as a patch."""
        old, new, path = (
            text.splitlines(keepends=True),
            self.applied(text).splitlines(keepends=True),
            self.path.as_posix(),
        )
        return "".join(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}"))


def text_of(root: Path, path: Path) -> str:
    """The text of a file of a tree."""
    return (root / path).read_text(encoding="utf-8")


def mutants_of(root: Path, path: Path) -> list[Mutant]:
    """All mutants of a file of a tree, by their places."""
    text = text_of(root, path)
    places = _Places(text)
    found = {replace(mutant, path=path): None for node in _told(ast.parse(text)) for mutant in _of_node(node, places)}
    return sorted(found, key=lambda mutant: (mutant.start, mutant.end, mutant.new))


def says_something_else(text: str, mutant: Mutant) -> bool:
    """Whether a mutant of this text is a module still, and another one."""
    try:
        return ast.dump(ast.parse(mutant.applied(text))) != ast.dump(ast.parse(text))
    except SyntaxError:
        return False


class _Places:
    """From the lines and columns of a tree to places in the text: columns of a tree count bytes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = text.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def start(self, node: ast.AST) -> int:
        return self._at(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        return self._at(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def _at(self, line: int, column: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def whole(self, node: ast.AST, new: str) -> Mutant:
        """A node is replaced; lines that it no longer needs stay, empty."""
        start, end = self.start(node), self.end(node)
        old = self.text[start:end]
        shown = old if len(old) <= 60 and "\n" not in old else f"{old.splitlines()[0][:57]}..."
        return Mutant(Path(), node.lineno, start, end, new + "\n" * old.count("\n"), f"{shown} -> {new}")  # type: ignore[attr-defined]

    def between(self, left: ast.AST, right: ast.AST, old: str, new: str) -> Iterator[Mutant]:
        """The operator between two nodes is replaced, whatever brackets and comments are there, too."""
        start = self.end(left)
        pattern = r"(?:#[^\n]*|[^#])*?(?P<it>" + r"\s+".join(map(re.escape, old.split())) + ")"
        found = re.match(pattern, self.text[start : self.start(right)])
        if found:
            begin, end = start + found.start("it"), start + found.end("it")
            line = self.text.count("\n", 0, begin) + 1
            yield Mutant(Path(), line, begin, end, new, f"{old} -> {new}")


def _told(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that do something: no annotations, no lists of names, nothing that is only there for types."""
    yield node
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if name not in ("annotation", "returns") and isinstance(child, ast.AST) and not _says_nothing(child):
                yield from _told(child)


def _says_nothing(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.dump(node.test)
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and re.fullmatch("__.*__", target.id) for target in node.targets)
    return isinstance(node, ast.Assert | ast.JoinedStr)  # what never happens; texts for people


def _of_node(node: ast.AST, at: _Places) -> Iterator[Mutant]:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
            yield from at.between(left, right, *FLIPS[type(op)])
    elif isinstance(node, ast.BoolOp):
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from at.between(left, right, *FLIPS[type(node.op)])
    elif isinstance(node, ast.BinOp) and type(node.op) in FLIPS:
        if not any(isinstance(side, ast.JoinedStr) or _is_text(side) for side in (node.left, node.right)):
            yield from at.between(node.left, node.right, *FLIPS[type(node.op)])
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        start = at.start(node)
        yield Mutant(Path(), node.lineno, start, start + 3, "", "not is dropped")
    elif isinstance(node, ast.Constant):
        yield from _of_constant(node, at)
    else:
        yield from _of_statement(node, at)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def _of_constant(node: ast.Constant, at: _Places) -> Iterator[Mutant]:
    if isinstance(node.value, bool):
        yield at.whole(node, str(not node.value))
    elif isinstance(node.value, int | float):
        for new in (node.value + 1, node.value - 1):
            yield at.whole(node, repr(new) if new >= 0 else f"({new!r})")


def _of_statement(node: ast.AST, at: _Places) -> Iterator[Mutant]:
    if isinstance(node, ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, CALLS)):
        yield at.whole(node, "pass")
    elif isinstance(node, ast.Return) and node.value is not None:
        yield at.whole(node, "return None")
    elif isinstance(node, ast.Break):
        yield at.whole(node, "continue")
    elif isinstance(node, ast.Continue):
        yield at.whole(node, "break")
