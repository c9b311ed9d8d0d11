"""A trajectory as a short Python function that calls the user's tools."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ...errors import DecodeError, MuscleMemError
from .. import codec
from ..binding.guards.check import guard_value
from ..binding.guards.provenance import doubtful_text
from ..binding.references.for_each import Item, ItemRef
from ..binding.references.masking import is_masked, unpack_mask, with_literals
from ..binding.references.resolve import references_in
from ..model.records import Body, Ctx, Expr, Guard, Ign, Lit, Par, Ref, Row, Sec, StepRecord, Tpl
from .layout import INDENT, WIDTH, Group, Pair, Source, format_lines, on_one_line
from .literals import Imports, UntrustedTypeError, UnwritableError, call, container, escaped, literal_source, quoted
from .loops import WrittenLoop, written_loops
from .python_names import Names, function_name, output_name, part_source, snake, tool_parts
from .python_places import all_spans, child_of, decoded, distinctive_guards, field_of, params_of
from .source_options import PythonSource, SourceOptions

LARGEST_SNAPSHOT: Final = 400
_KEYWORD_KINDS: Final = ("param", "secret", "ignored", "left out", "check")
_HELPER: Final = '''def require(check, expected, *args, **kwargs):
    """Raise RuntimeError if the check fails; None is not checked."""
    if check is not None and not check(expected, *args, **kwargs):
        raise RuntimeError(f"check failed: expected {expected!r}")
'''
_AWAIT_HELPER: Final = '''async def settled(result):
    """Return the result of a tool or check, awaited if it is async."""
    return await result if inspect.isawaitable(result) else result
'''
_ASYNC_HELPER: Final = _HELPER.replace("def require", "async def require", 1).replace(
    "not check(expected, *args, **kwargs):", "not await settled(check(expected, *args, **kwargs)):", 1
)


def python_source(body: Body, row: Row | None, *, task: str, id: str, options: SourceOptions) -> PythonSource:
    """Return the source of a module with one function.

    The params, secrets and ignored arguments are keyword arguments of the function, and the context objects its first
    ones. Tools come from the module `tools_from`, or else from an argument `tools`. Each check is an argument: None, or
    a function `check(expected, *args) -> bool` of the recorded snapshot and the tool's arguments. `row` is in the order
    of the body's steps. With `awaits`, the function is async and awaits async tools and checks. Raises UnwritableError,
    with the step, for a value without a literal form.

    An argument that contains a type which is neither known nor in a module of the options becomes an argument of the
    function, with a comment.
    """
    first = _FunctionWriter(body, row, task, id, options, ())
    first.module()  # The first pass collects the names of imported classes, which are taken.
    writer = _FunctionWriter(body, row, task, id, options, first.classes())
    return PythonSource(writer.module(), tuple(writer.left_out.values()))


class _FunctionWriter:
    """The writer of one function."""

    def __init__(
        self,
        body: Body,
        row: Row | None,
        task: str,
        id: str,
        options: SourceOptions,
        taken: Sequence[str],
    ) -> None:
        self._body = body
        self._row = row
        self._task = task
        self._id = id
        self._tools_from = options.tools_from
        self._await = "await " if options.awaits else ""
        self._optional = options.optional
        self.left_out: dict[tuple[int, int], str] = {}
        own = ["require", "tools", *(["settled", "inspect"] if options.awaits else [])]
        self._name = options.name or function_name(task)
        parts = [tool_parts(step.tool, is_method=step.method) for step in body.steps]
        self._imported = sorted({one[0] for one, step in zip(parts, body.steps, strict=True) if not step.method})
        self._names = Names([self._name, *own, *taken, *(self._imported if self._tools_from else ())])
        arguments = [expr for step in body.steps for _, expr in step.arguments]
        masks = [unpack_mask(data) for data in (*row.pre, *row.post) if data and is_masked(data)] if row else []
        for param in body.params:
            if any(param in params_of(expr) for expr in (*arguments, *masks)):
                self._names.of("param", param)
        for step in body.steps:
            for at, expr in step.arguments:
                self._collect_inputs(at, expr)
        self._imports = Imports([self._name, *own, *self._imported, *self._names.all()], options.modules)
        self._element: tuple[str, Any] = ("", None)
        self._loops = [] if row is None or row.result >= 0 else written_loops(body, row)
        self._needed = {guard.step for step in body.steps for guard in step.guards}.union(
            *(references_in(expr) for step in body.steps for _, expr in step.arguments)
        )
        self._needed.update(loop.source for loop in self._loops)
        self._checked = False
        self._asserted: set[str] = set()

    def classes(self) -> list[str]:
        """Return the names of the imported classes."""
        return self._imports.classes

    def _collect_inputs(self, argument: str, expr: Expr) -> None:
        """Name the inputs that an argument needs from the caller."""
        if isinstance(expr, Sec):
            self._names.of("secret", expr.name)
        elif isinstance(expr, Ign):
            self._names.of("ignored", argument)
        elif isinstance(expr, Ctx):
            self._object(expr.name)
        for item in getattr(expr, "items", ()):
            self._collect_inputs(argument, item)

    def _object(self, name: str) -> str:
        last = name.rpartition("<locals>.")[2].rpartition(".")[2]
        return self._names.of("object", last, snake(last) or "obj")

    # -- module

    def module(self) -> str:
        lines = list(self._statements())
        head = self._signature()
        parts = [f"# Written by `muscle-mem export` from the trajectory {escaped(self._id, '')}; you can edit it."]
        imports = sorted(self._imports.lines | ({"import inspect"} if self._await else set()))
        own = [f"from {self._tools_from} import {', '.join(self._imported)}"] if self._check_module() else []
        parts += ["", *imports] if imports else []
        parts += ["", *own] if own else []
        if self._await:
            parts += ["", "", *_AWAIT_HELPER.splitlines()]
        if self._checked:
            parts += ["", "", *(_ASYNC_HELPER if self._await else _HELPER).splitlines()]
        return "\n".join([*parts, "", "", *head, *self._docstring(), *lines]) + "\n"

    def _check_module(self) -> bool:
        return bool(self._tools_from and self._imported)

    def _signature(self) -> list[str]:
        first = ["tools"] if self._imported and not self._tools_from else []
        first += self._names.of_kind("object")
        later = [name for kind in _KEYWORD_KINDS for name in self._names.of_kind(kind)]
        return format_lines(
            Group(f"{'async ' * bool(self._await)}def {self._name}", "()", [*first, *(["*"] if later else []), *later]),
            "",
            "",
            ":",
        )

    def _docstring(self) -> list[str]:
        told = escaped(self._task if len(self._task) <= WIDTH - 10 else self._task[: WIDTH - 11] + "…", '"')
        notes = [
            f"Recorded with one value of {escaped(name, chr(34))}, which is not stored. Another value may not work."
            for name, _ in self._body.fixed
        ]
        if not notes:
            return [f'{INDENT}"""{told}"""']
        return [f'{INDENT}"""{told}', "", *[INDENT + note for note in notes], f'{INDENT}"""']

    # -- statements

    def _statements(self) -> Iterator[str]:
        for group in self._body.equal:
            names = [self._names.of("param", name) for name in group if name in self._params_used()]
            if len(names) > 1:
                yield f"{INDENT}assert {' == '.join(names)}  # They were equal in the recording."
        loops = {loop.start: loop for loop in self._loops}
        done = 0
        for start, stop in all_spans(self._body.steps):
            if start in loops:
                yield from self._loop(loops[start])
                done = loops[start].stop
            if start < done:
                continue
            if start in self._optional and (opening := list(self._check(start, "before", is_asked=True))):
                yield from opening
                yield from (INDENT + line for line in (*self._call(start), *self._check(start, "after")))
                continue
            if stop - start > 1:
                yield f"{INDENT}# These calls overlapped when they were recorded."
            for at in range(start, stop):
                if not self._body.steps[at].late:
                    yield from self._check(at, "before")
            for at in range(start, stop):
                if self._body.steps[at].late:
                    yield from self._check(at, "before")
                yield from self._call(at)
            for at in range(start, stop):
                yield from self._check(at, "after")
        result = self._result()
        if result >= 0 and not self._returned_at_once(result):
            yield f"{INDENT}return {self._output(result)}"

    def _loop(self, loop: WrittenLoop) -> Iterator[str]:
        """Yield a loop over a whole list."""
        assert self._row is not None  # Its outputs have the list.
        place, value = "", decoded(self._row.outputs[loop.source])
        for item in loop.way:
            more, value = field_of(value, item)
            place += more
        element = self._names.of("element", str(loop.start), "item")
        self._element = element, value[0]
        yield f"{INDENT}for {element} in {self._output(loop.source)}{place}:"
        for number, record in enumerate(loop.records):
            at = loop.start + number
            lines = [*self._check(at, "before", record), *self._call(at, record), *self._check(at, "after", record)]
            yield from (INDENT + line for line in lines)

    def _params_used(self) -> set[str]:
        return {param for step in self._body.steps for _, expr in step.arguments for param in params_of(expr)}

    def _result(self) -> int:
        return self._row.result if self._row is not None else -1

    def _returned_at_once(self, step: int) -> bool:
        return step == len(self._body.steps) - 1 and not self._body.steps[step].post

    def _call(self, at: int, step: StepRecord | None = None) -> Iterator[str]:
        step = step or self._body.steps[at]
        for guard in distinctive_guards(step.guards):
            yield from self._guard(guard)
        before = ""
        if at == self._result() and self._returned_at_once(at):
            before = "return "
        elif at in self._needed or at == self._result():
            before = f"{self._output(at)} = "
        origins = self._row.origins if self._row is not None else ()
        came_from = doubtful_text(step, origins[at]) if at < len(origins) else ""
        if came_from:
            yield f"{INDENT}# Provenance: {escaped(came_from, '')}."
        made = Group(self._head(step), "()", self._arguments(at, step))
        for (of, place), why in self.left_out.items():
            if of == at:
                name = self._names.of("left out", f"{at}:{place}")
                yield f"{INDENT}# Left out, pass {name}=: {escaped(why, '')}."
        yield from format_lines(call("await settled", made) if self._await else made, INDENT, before)

    def _head(self, step: StepRecord) -> str:
        parts = tool_parts(step.tool, is_method=step.method)
        if step.method:
            return f"{self._object('.'.join(parts[:-1]))}.{parts[-1]}"
        return ".".join(parts if self._tools_from else ["tools", *parts])

    def _arguments(self, at: int, step: StepRecord) -> list[Source]:
        keywords = self._keywords(at)
        starred = max((place for place, (name, _) in enumerate(step.arguments) if name.startswith("*")), default=-1)
        found: list[Source] = []
        for place, (name, expr) in enumerate(step.arguments):
            value = self._value(at, place, name, expr)
            if name.startswith("*") or (place < starred or (keywords is not None and name not in keywords)):
                found.append(value)
            elif name.isidentifier() and not keyword.iskeyword(name):
                found.append(Pair(name, "=", value))
            else:
                found.append(Pair("**", "", Group("", "{}", [Pair(quoted(name), ": ", value)])))
        return found

    def _keywords(self, at: int) -> Sequence[str] | None:
        keywords = self._row.keywords if self._row is not None else ()
        return keywords[at] if at < len(keywords) else None

    def _value(self, at: int, place: int, name: str, expr: Expr) -> Source:
        where = f"step {at} ({self._body.steps[at].tool}), argument {name}"
        try:
            return self._expression(name, expr)
        except UntrustedTypeError as error:
            self.left_out[at, place] = f"{where}: {error}"
            return self._names.of("left out", f"{at}:{place}", name)
        except UnwritableError as error:
            raise UnwritableError(f"{where}: {error}") from error

    def _expression(self, name: str, expr: Expr) -> Source:
        if isinstance(expr, Lit):
            return literal_source(expr.data, self._imports)
        if isinstance(expr, Par):
            return part_source(self._names.of("param", expr.name), expr)
        if isinstance(expr, Tpl):
            return self._template(expr.parts)
        if isinstance(expr, Item | ItemRef):
            return self._of_element(expr)
        if isinstance(expr, Ref):
            return self._output(expr.step) + self._place(expr.step, expr.path)[0]
        if isinstance(expr, Ctx):
            return self._object(expr.name)
        if isinstance(expr, Sec):
            return self._names.of("secret", expr.name)
        if isinstance(expr, Ign):
            return self._names.of("ignored", name)
        return container(expr.kind, [self._expression(name, item) for item in expr.items], self._imports)

    def _of_element(self, expr: Item | ItemRef) -> str:
        """Return the source of an element of the loop that is written, or of a part of it."""
        text, value = self._element
        if isinstance(expr, ItemRef):
            for index in expr.path:
                more, value = child_of(value, index, self._imports)
                text += more
            return text
        for item in expr.sources[0].path:
            more, value = field_of(value, item)
            text += more
        return text

    def _template(self, parts: Sequence[str]) -> str:
        quote = "'" if sum(part.count('"') for part in parts[::2]) else '"'
        inside = "".join(
            "{" + self._names.of("param", part) + "}" if index % 2 else escaped(part, quote, template=True)
            for index, part in enumerate(parts)
        )
        return f"f{quote}{inside}{quote}"

    # -- outputs and guards

    def _output(self, step: int) -> str:
        return self._names.of("output", str(step), output_name(self._body.steps[step].tool))

    def _place(self, step: int, path: Sequence[int]) -> tuple[str, Any]:
        """Return the source of a path, and the recorded value there.

        The source is for example `["rows"][2].name`. Raises UnwritableError.
        """
        if not path:
            return "", None
        outputs = self._row.outputs if self._row is not None else ()
        if step >= len(outputs) or not outputs[step]:
            raise UnwritableError(f"cannot write a part of the output of step {step}: the output was not stored")
        text, value = "", decoded(outputs[step])
        for index in path:
            more, value = child_of(value, index, self._imports)
            text += more
        return text, value

    def _guard(self, guard: Guard) -> Iterator[str]:
        if guard.kind:
            yield f"{INDENT}# A replay requires here: {escaped(guard_value(guard), '')[:80]}."
            return
        wanted = decoded(guard.data)
        try:
            place, seen = self._place(guard.step, guard.path)
            if not guard.path and self._row is not None and guard.step < len(self._row.outputs):
                data = self._row.outputs[guard.step]
                seen = decoded(data) if data else wanted
            where = self._output(guard.step) + place
            value = on_one_line(literal_source(guard.data, self._imports))
            same = codec.canonical(seen) == guard.data
            text = f"{where} == {value}" if same else f"{quoted(str(wanted))} in {where}"
        except (UnwritableError, MuscleMemError) as error:
            text = ""
            yield f"{INDENT}# The next call uses a value from an earlier output ({str(error)[:50]!a})."
        if text and text not in self._asserted:
            self._asserted.add(text)
            one = f"{INDENT}assert {text}"
            yield from [one] if len(one) <= WIDTH else [f"{INDENT}assert (", f"{INDENT * 2}{text}", f"{INDENT})"]

    # -- checks

    def _check(self, at: int, when: str, step: StepRecord | None = None, *, is_asked: bool = False) -> Iterator[str]:
        """Yield the lines of a check; with `is_asked` the `if` of an optional step."""
        step = step or self._body.steps[at]
        if not (step.pre if when == "before" else step.post):
            return
        row = self._row
        seen = () if row is None else row.pre if when == "before" else row.post
        data = seen[at] if at < len(seen) else None
        try:
            if data is None:
                raise UnwritableError("its snapshot was not stored")
            expected = self._snapshot(at, when, data)
            if len(on_one_line(expected)) > LARGEST_SNAPSHOT:
                raise UnwritableError("its snapshot is too large")
        except (UnwritableError, DecodeError) as error:
            if is_asked:
                return  # The step is written as one that is always made.
            short = str(error) if len(str(error)) <= 60 else str(error)[:59] + "…"
            yield f"{INDENT}# The check {when} this call is left out: {escaped(short, '')}."
            return
        self._checked = self._checked or not is_asked
        parts = tool_parts(step.tool, is_method=step.method)
        check = self._names.of("check", f"{when} {step.tool}", f"{when}_{parts[-1]}")
        own: list[Source] = [self._object(".".join(parts[:-1]))] if step.method else []
        arguments = self._arguments(at, step)
        if is_asked:
            has, lacks = self._optional[at]
            yield f"{INDENT}# Optional: {has} recordings made this call, {lacks} did not."
            asked = call(check, expected, *own, *arguments)
            asked = call("await settled", asked) if self._await else asked
            yield from format_lines(asked, INDENT, f"if {check} is None or ", ":")
            return
        yield from format_lines(call(f"{self._await}require", check, expected, *own, *arguments), INDENT)

    def _snapshot(self, at: int, when: str, data: bytes) -> Source:
        """Return the source of a snapshot.

        It has params where the recording proves that it follows them.
        """
        if not is_masked(data):
            return literal_source(data, self._imports)
        chances = self._row.chances[at : at + 1] if self._row is not None else ()
        fixed = {chance.leaf: chance.data for of in chances for chance in of if chance.post == (when == "after")}
        return self._expression("", with_literals(unpack_mask(data), fixed))
