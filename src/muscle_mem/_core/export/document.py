"""Trajectories and observations as documents for JSON, without loss.

A document consists of dicts and lists.

A field that has its default is left out. An argument that is not a literal is an object with one of the names `$param`,
`$template`, `$output`, `$context`, `$ignored`, `$secret` and `$parts`. A snapshot with params in it is an object with
`$masked`, which has such an expression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from ...errors import DecodeError, InvalidValueError
from ..binding.references.masking import is_masked, masked_leaves, pack_mask, unpack_mask
from ..model.records import (
    FORM,
    Body,
    Ctx,
    Expr,
    ForeignSecret,
    Guard,
    Ign,
    Lit,
    Node,
    Par,
    Part,
    Ref,
    Row,
    Sec,
    StepRecord,
    Tpl,
)
from ..plan.parallel import row_from_stored_order, validated_body, validated_row
from .evidence import evidence_document, read_evidence
from .json_values import float_from_json, float_to_json, from_json_value, to_json_value
from .param_parts import conditions_document, part_document, read_conditions, read_part

Document = dict[str, Any]
_STEP_NAMES: Final = {"tool": "tool", "method": "method", "pre": "pre_check", "post": "post_check"}
_LATER_STEP_NAMES: Final = {"group": "group", "late": "late", "fingerprint": "fingerprint", "instance": "instance"}
_LISTS: Final = ("params", "kinds", "equal", "equal_secrets", "order")
_PER_STEP: Final = {"note": "notes", "keywords": "keywords", "effect": "effects", "seconds": "seconds"}
_MASKED: Final = "$masked"
_NOTHING: Final[dict[str, Any]] = {"note": "", "keywords": (), "effect": "", "seconds": 0.0}
_TOTALS: Final = {"run_seconds": 0.0, "agent_seconds": 0.0, "tokens": 0, "result": -1}


# -- steps


def body_document(body: Body) -> Document:
    """Return the document of a body: its steps and their conditions on params.

    Raises DecodeError if the bytes of a value are not the codec's.
    """
    found: Document = {name: _tuples_as_lists(getattr(body, name)) for name in _LISTS if getattr(body, name)}
    if body.fixed:
        found["fixed"] = {name: digest.hex() for name, digest in body.fixed}
    found |= conditions_document(body)
    found["steps"] = [_step_document(step) for step in body.steps]
    return found


def _tuples_as_lists(value: Any) -> Any:
    return [_tuples_as_lists(item) for item in value] if isinstance(value, tuple) else value


def _step_document(step: StepRecord) -> Document:
    found: Document = {}
    for name, key in _STEP_NAMES.items():
        if getattr(step, name) or name == "tool":
            found[key] = getattr(step, name)
    pairs = [(name, _expression(expr)) for name, expr in step.arguments]
    found["arguments"] = dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else [list(p) for p in pairs]
    if step.guards:
        found["guards"] = [_guard_document(guard) for guard in step.guards]
    found |= {key: getattr(step, name) for name, key in _LATER_STEP_NAMES.items() if getattr(step, name)}
    return found


def _guard_document(guard: Guard) -> Document:
    found: Document = {"output": guard.step, "path": list(guard.path), "value": to_json_value(guard.data)}
    if guard.keys:
        found["keys"] = [key.hex() for key in guard.keys]
    if guard.around:
        found["around"] = list(guard.around)
    if guard.kind:
        found["kind"] = guard.kind
    return found


def _expression(expr: Expr) -> Any:
    if isinstance(expr, Lit):
        return to_json_value(expr.data)
    if isinstance(expr, Part):
        return part_document(expr)
    if isinstance(expr, Par):
        return {"$param": expr.name}
    if isinstance(expr, Tpl):
        parts: list[Any] = [{"$param": part} if index % 2 else part for index, part in enumerate(expr.parts)]
        return {"$template": [part for part in parts if part != ""]}
    if isinstance(expr, Ref):
        found: Document = {"$output": expr.step} | ({"path": list(expr.path)} if expr.path else {})
        return found | ({"keys": [key.hex() for key in expr.keys]} if expr.keys else {})
    if isinstance(expr, Ctx):
        return {"$context": expr.name}
    if isinstance(expr, Ign):
        return {"$ignored": True}
    if isinstance(expr, Sec):
        kind = {"kind": expr.kind} if isinstance(expr, ForeignSecret) else {}
        return {"$secret": expr.name} | ({"wrapped": True} if expr.wrapped else {}) | kind
    return {"$parts": expr.kind.split("\0"), "items": [_expression(item) for item in expr.items]}


def body_from_document(document: Mapping[str, Any], place: str = "") -> Body:
    """Return the body of a document.

    `place` leads to the document in messages. Names that are not part of a body are ignored. Raises InvalidValueError
    with the place of the error.
    """
    held = {name: _expect(list, document.get(name, []), f"{place}{name}") for name in _LISTS}
    fixed = _expect(dict, document.get("fixed", {}), f"{place}fixed")
    steps = _expect(list, document.get("steps"), f"{place}steps")
    made = {
        "form": FORM,
        "steps": [_step(step, f"{place}steps[{index}]") for index, step in enumerate(steps)],
        "fixed": [(name, bytes.fromhex(_hex(digest, f"{place}fixed.{name}"))) for name, digest in fixed.items()],
        **held,
        **read_conditions(document, place),
    }
    body: Body = _convert(made, Body, place or "the trajectory")
    try:
        return validated_body(_ensure_references(body, place))
    except (DecodeError, IndexError) as error:
        raise InvalidValueError(f"{place}steps: {error}") from error


def _step(document: Any, place: str) -> StepRecord:
    known = {**_STEP_NAMES, **_LATER_STEP_NAMES}
    _expect(dict, document, place)
    _refuse_others(document, {*known.values(), "arguments", "guards"}, place)
    arguments = document.get("arguments", {})
    pairs = list(arguments.items()) if isinstance(arguments, dict) else _expect(list, arguments, f"{place}.arguments")
    made: Document = {name: document[key] for name, key in known.items() if key in document}
    made["arguments"] = [_argument(pair, f"{place}.arguments") for pair in pairs]
    guards = _expect(list, document.get("guards", []), f"{place}.guards")
    made["guards"] = [_guard(guard, f"{place}.guards[{index}]") for index, guard in enumerate(guards)]
    made.setdefault("fingerprint", "")
    return _convert_step(made, place)


def _convert_step(made: Document, place: str) -> StepRecord:
    for name in StepRecord.__struct_fields__[:2]:
        if type(made.get(name)) is not str:
            raise InvalidValueError(f"{place}.{name}: expected a string, got {made.get(name)!r:.60}")
    arguments, guards = tuple(made.pop("arguments")), tuple(made.pop("guards"))
    kinds = {"method": bool, "late": bool, "group": int}
    for name, value in made.items():
        if type(value) is not kinds.get(name, str):
            raise InvalidValueError(f"{place}.{name}: expected {kinds.get(name, str).__name__}, got {value!r:.60}")
    return StepRecord(arguments=arguments, guards=guards, **made)


def _argument(pair: Any, place: str) -> tuple[str, Expr]:
    if not isinstance(pair, list | tuple) or len(pair) != 2 or type(pair[0]) is not str:
        raise InvalidValueError(f"{place}: expected a pair of name and value, got {pair!r:.60}")
    return pair[0], _read_expression(pair[1], f"{place}.{pair[0]}")


def _guard(document: Any, place: str) -> Guard:
    _expect(dict, document, place)
    _refuse_others(document, {"output", "path", "value", "keys", "around", "kind"}, place)
    if "value" not in document:
        raise InvalidValueError(f"{place}: expected a guard with a value, got none")
    made = {
        "step": document.get("output"),
        "path": document.get("path", []),
        "data": from_json_value(document["value"], f"{place}.value"),
        "keys": [bytes.fromhex(_hex(key, f"{place}.keys")) for key in document.get("keys", [])],
        "around": document.get("around", []),
        "kind": document.get("kind", ""),
    }
    guard: Guard = _convert(made, Guard, place)
    return guard


def _read_expression(value: Any, place: str) -> Expr:
    name = next((key for key in value if key.startswith("$")), "") if isinstance(value, dict) else ""
    if name == "$param":
        param = _text_member(value, name, place, "path", "form")
        return read_part(value, param, place) if len(value) > 1 else Par(param)
    if name == "$context":
        return Ctx(_text_member(value, name, place))
    if name == "$ignored":
        return Ign()
    if name == "$secret":
        secret, wrapped = _text_member(value, name, place, "wrapped", "kind"), value.get("wrapped", False) is True
        return ForeignSecret(secret, wrapped, str(value["kind"])) if "kind" in value else Sec(secret, wrapped)
    if name == "$output":
        keys = [bytes.fromhex(_hex(key, f"{place}.keys")) for key in value.get("keys", [])]
        made = {"step": value[name], "path": value.get("path", []), "keys": keys}
        reference: Ref = _convert(made, Ref, place)
        return reference
    if name == "$template":
        return Tpl(_template(value[name], place))
    if name == "$parts":
        items = _expect(list, value.get("items"), f"{place}.items")
        kind = _convert_value(value[name], list[str], f"{place}.$parts")
        return Node(
            "\0".join(kind), tuple(_read_expression(item, f"{place}[{index}]") for index, item in enumerate(items))
        )
    return Lit(from_json_value(value, place))


def _text_member(value: Document, name: str, place: str, *others: str) -> str:
    _refuse_others(value, {name, *others}, place)
    if type(value.get(name)) is not str:
        raise InvalidValueError(f"{place}.{name}: expected a name, got {value.get(name)!r:.60}")
    return str(value[name])


def _template(parts: Any, place: str) -> tuple[str, ...]:
    found = [""]
    for part in _expect(list, parts, place):
        if isinstance(part, dict):
            found += [_text_member(part, "$param", place), ""]
        elif isinstance(part, str):
            found[-1] += part
        else:
            raise InvalidValueError(f'{place}: expected texts and {{"$param": name}} in a template, got {part!r:.60}')
    return tuple(found)


def _ensure_references(body: Body, place: str) -> Body:
    """Reject references and guards that do not lead to an earlier step."""
    for index, step in enumerate(body.steps):
        sources = [guard.step for guard in step.guards]
        sources += [output for _, expr in step.arguments for output in _outputs(expr)]
        late = [source for source in sources if not 0 <= source < index]
        if late:
            raise InvalidValueError(
                f"{place}steps[{index}]: expected an earlier step as the source of an output, got step {late[0]}"
            )
    return body


def _outputs(expr: Expr) -> list[int]:
    if isinstance(expr, Node):
        return [output for item in expr.items for output in _outputs(item)]
    return [expr.step] if isinstance(expr, Ref) else []


# -- observations


def row_document(row: Row) -> Document:
    """Return the document of an observation, with its steps in the stored order.

    Raises DecodeError if the bytes of a value are not the codec's.
    """
    found: Document = {
        name: float_to_json(value) if isinstance(value, float) else value
        for name, default in _TOTALS.items()
        if (value := getattr(row, name)) != default
    }
    if row.judged:
        found["judged"] = list(row.judged)
    evidence = evidence_document(row)
    if evidence:
        found["evidence"] = evidence
    found["steps"] = [_seen_document(row, index) for index in range(len(row.pre))]
    return found


def _seen_document(row: Row, index: int) -> Document:
    found: Document = {}
    for name, values in (("pre", row.pre), ("post", row.post), ("output", row.outputs)):
        data = values[index] if index < len(values) else None
        if data is not None and (data or name != "output"):  # An empty output was not stored.
            found[name] = {_MASKED: _expression(unpack_mask(data))} if is_masked(data) else to_json_value(data)
    for name, field in _PER_STEP.items():
        values = getattr(row, field)
        value = values[index] if index < len(values) else _NOTHING[name]
        if value != _NOTHING[name]:
            found[name] = float_to_json(value) if isinstance(value, float) else _tuples_as_lists(value)
    return found


def row_from_document(document: Mapping[str, Any], body: Body, place: str = "") -> Row:
    """Return the observation of a document, which must match the body.

    Raises InvalidValueError with the place of the error.
    """
    steps = _expect(list, document.get("steps"), f"{place}steps")
    if len(steps) != len(body.steps):
        raise InvalidValueError(
            f"{place}steps: expected {len(body.steps)} steps as in the trajectory, got {len(steps)}"
        )
    made: Document = {"form": FORM, "judged": document.get("judged", [])}
    for name, default in _TOTALS.items():
        value = document.get(name, default)
        made[name] = float_from_json(value, f"{place}{name}") if isinstance(default, float) else value
    seen = [_seen(step, f"{place}steps[{index}]") for index, step in enumerate(steps)]
    for name in ("pre", "post", "output"):
        made[name + "s" * (name == "output")] = [one[name] for one in seen]
    for name, field in _PER_STEP.items():
        made[field] = [one[name] for one in seen]
    row: Row = _convert(made, Row, place or "the observation")
    evidence = _expect(dict, document.get("evidence", {}), f"{place}evidence")
    row = msgspec.structs.replace(row, **read_evidence(evidence, f"{place}evidence", len(steps)))
    _ensure_snapshots(row, body, place)
    try:
        validated_row(body, row_from_stored_order(row, body.order))
    except DecodeError as error:
        raise InvalidValueError(f"{place}judged: {error}") from error
    if not -1 <= row.result < len(steps):
        raise InvalidValueError(f"{place}result: expected the index of a step or -1, got {row.result}")
    return row


def _ensure_snapshots(row: Row, body: Body, place: str) -> None:
    order: Sequence[int] = body.order or range(len(body.steps))
    for index, step in enumerate(body.steps):
        for name, check, seen in (("pre", step.pre, row.pre), ("post", step.post, row.post)):
            if bool(check) != (seen[order[index]] is not None):
                has, lacks = ("check", "snapshot") if check else ("snapshot", "check")
                raise InvalidValueError(
                    f"{place}steps[{order[index]}].{name}: expected a {name}-{lacks} for the {name}-{has}, got none"
                )
    for data in filter(is_masked, (*row.pre, *row.post)):
        for leaf in masked_leaves(unpack_mask(data or b"")):
            if leaf.expr.name not in body.params:
                raise InvalidValueError(
                    f"{place}steps: expected a param of the trajectory in a snapshot, got {leaf.expr.name!r}"
                )


def _seen(document: Any, place: str) -> Document:
    _expect(dict, document, place)
    _refuse_others(document, {"pre", "post", "output", *_PER_STEP}, place)
    found: Document = {name: document.get(name, nothing) for name, nothing in _NOTHING.items()}
    found["seconds"] = float_from_json(found["seconds"], f"{place}.seconds")
    for name in ("pre", "post", "output"):
        nothing = b"" if name == "output" else None
        found[name] = _read_snapshot(document[name], f"{place}.{name}") if name in document else nothing
    return found


def _read_snapshot(value: Any, place: str) -> bytes:
    if not isinstance(value, dict) or _MASKED not in value:
        return from_json_value(value, place)
    _refuse_others(value, {_MASKED}, place)
    data = pack_mask(_read_expression(value[_MASKED], f"{place}.{_MASKED}"))
    try:
        unpack_mask(data)
    except DecodeError as error:
        raise InvalidValueError(f"{place}: {error}") from error
    return data


# -- validation


def _expect(kind: Any, value: Any, place: str) -> Any:
    if type(value) is not kind:
        what = {list: "an array", dict: "an object"}[kind]
        raise InvalidValueError(f"{place}: expected {what}, got {value!r:.60}")
    return value


def _refuse_others(document: Mapping[str, Any], names: set[str], place: str) -> None:
    unknown = sorted(set(document) - names)
    if unknown:
        raise InvalidValueError(f"{place}: expected the names {', '.join(sorted(names))}, got {unknown[0]!r}")


def _hex(value: Any, place: str) -> str:
    try:
        bytes.fromhex(value)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"{place}: expected hexadecimal text, got {value!r:.60} ({error})") from error
    return str(value)


def _convert(made: Document, kind: Any, place: str) -> Any:
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    return kind(**{name: _convert_value(value, types[name], f"{place}.{name}") for name, value in made.items()})


def _convert_value(value: Any, kind: Any, place: str) -> Any:
    try:
        return msgspec.convert(value, kind, strict=True)
    except (msgspec.ValidationError, TypeError, RecursionError) as error:
        raise InvalidValueError(f"{place}: {error}") from error
