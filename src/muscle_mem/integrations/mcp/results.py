"""Results of the server's tools, as outputs of steps and as parts of an answer."""

from __future__ import annotations

from typing import Any

import msgspec

from .frames import META

INPUT_REQUIRED = "input_required"
COMPLETE = "complete"


def is_input_required(result: dict[str, Any]) -> bool:
    """Return whether a result asks for more input, in place of an answer."""
    return result.get("resultType") == INPUT_REQUIRED


def is_complete(result: dict[str, Any]) -> bool:
    """Return whether a result is the whole answer of a tool."""
    return result.get("resultType", COMPLETE) == COMPLETE and ("content" in result or "structuredContent" in result)


def output_of(result: dict[str, Any]) -> dict[str, Any]:
    """Return the output of a step: the data of a result, once.

    A result with structured content repeats it as text for older clients.
    """
    if result.get("isError") is True:
        return {"content": _blocks(result), "isError": True}
    structured = result.get("structuredContent")
    if structured is not None:
        return {"structuredContent": structured}
    return {"content": _blocks(result)}


def _blocks(result: dict[str, Any]) -> list[Any]:
    found = result.get("content")
    blocks = found if isinstance(found, list) else []
    return [
        {name: value for name, value in block.items() if name not in (META, "annotations")}
        if isinstance(block, dict)
        else block
        for block in blocks
    ]


def part_of(output: dict[str, Any], part: str) -> Any:
    """Return a part of an output, by names joined by dots. Raises LookupError."""
    value = data_of(output)
    for name in part.split(".") if part else ():
        if isinstance(value, list):
            value = value[int(name)] if name.isdecimal() else _missing(part)
        elif isinstance(value, dict):
            value = value[name] if name in value else _missing(part)
        else:
            _missing(part)
    return value


def _missing(part: str) -> Any:
    raise LookupError(f"the result has no part {part!r}")


def data_of(output: dict[str, Any]) -> Any:
    """Return what an output says: structured content, or text, decoded if JSON."""
    if "structuredContent" in output:
        return output["structuredContent"]
    blocks = output.get("content") or []
    if len(blocks) == 1 and isinstance(blocks[0], dict) and isinstance(blocks[0].get("text"), str):
        text: str = blocks[0]["text"]
        try:
            found = msgspec.json.decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
            return text
        return found if isinstance(found, dict | list) else text
    return blocks


def text_of(output: dict[str, Any]) -> str:
    """Return the texts of an output, for messages."""
    blocks = output.get("content") or []
    return " ".join(block["text"] for block in blocks if isinstance(block, dict) and isinstance(block.get("text"), str))


def shown(result: dict[str, Any], attached: list[Any]) -> Any:
    """Return a result for the answer of a run.

    Other blocks than texts, such as images, are added to `attached`, and their places are named.
    """
    if result.get("structuredContent") is not None and result.get("isError") is not True:
        return result["structuredContent"]
    found: list[Any] = []
    for block in _blocks(result):
        if isinstance(block, dict) and block.get("type") == "text":
            found.append(block.get("text"))
        elif isinstance(block, dict):
            attached.append(block)
            found.append({"type": block.get("type"), "attached": len(attached)})
    return found[0] if len(found) == 1 else found
